//! What a ledger of a period is built from: every GPU, who held it, and what the replicas on it did,
//! one value for each step.
//!
//! As the World a pair of pure functions: [`bill_plan`] lists the queries, [`bill`] reads their
//! answers. Steps are whole: the value of step `i` is about `(start + i * step, start + (i + 1) *
//! step]`, so that every second belongs to one step. What nobody measured is `None`.

mod gather;
mod holds;
mod part;
mod plan;
mod read;
#[cfg(test)]
mod run_tests;
mod runs;
mod shared;
mod tenants;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use part::mig_share;
pub use plan::{Period, bill_plan, name as series_name, statement_plan};
pub use read::bill;
pub use runs::{BillRun, RunHolder};
pub use tenants::{tenant_plan, tenant_totals};

/// Everything about a period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BillWorld {
    /// In order of id.
    pub gpus: Vec<BillGpu>,
    /// In order of instance.
    pub replicas: Vec<BillReplica>,
    /// Training runs, in order of name.
    pub runs: Vec<BillRun>,
    /// What tenants asked of models, in order of both; empty where nothing tells tenants apart.
    pub tenants: Vec<BillTenant>,
    /// Who counted these; None where nobody did.
    pub counting: Option<Counting>,
    /// Queries that failed, in words.
    pub notes: Vec<String>,
}

/// One GPU.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BillGpu {
    /// UUID, else `node/index`.
    pub id: String,
    pub node: Option<String>,
    /// Model as its exporter writes it: `NVIDIA H100 80GB HBM3`.
    pub model: Option<String>,
    pub region: Option<String>,
    /// The cloud's name of the node's kind: `p5.48xlarge`.
    pub instance_type: Option<String>,
    /// Whether any telemetry of it arrived in the step.
    pub seen: Vec<bool>,
    /// Mean share of the step in which a kernel ran.
    pub utilization: Vec<Option<f64>>,
    /// Energy in joules: from the counter, else mean power times time.
    pub energy_j: Vec<Option<f64>>,
    /// Who held it, in order of time. None with `seen`: somebody would be named if there were one.
    pub holds: Vec<Hold>,
    /// Whether a holder would be named if there were one: without that, nobody knows who holds it.
    pub names_holders: bool,
    /// Mean share of the step in which kernels of a pod ran, by namespace and pod, where several hold
    /// it and it is counted apart. Of a slice it is the slice's, as a share of the whole GPU.
    pub used: BTreeMap<(String, String), Vec<Option<f64>>>,
}

/// A hold on a GPU from step `first` to before step `end`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hold {
    pub first: usize,
    pub end: usize,
    pub kind: HolderKind,
    /// Of a pod; the words `slurm jobs` for a job of Slurm, which has none.
    pub namespace: String,
    /// The pod, or the id of the job.
    pub pod: String,
    pub team: Option<String>,
    /// `podresources`, `checkpoint`, .. or `exporter` where the GPU's own series name the pod.
    pub method: String,
    /// The part of the GPU that it is on.
    pub part: Part,
}

/// What holds a GPU. A namespace may have any name, so its name does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HolderKind {
    #[default]
    Pod,
    SlurmJob,
}

/// The part of a GPU that a holder has: shares of its cores and of its memory, where they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Part {
    /// `mig`, `fraction` (HAMi and others that give out cores and memory), `replica` (equal parts in
    /// time); empty for what is no part, or where nobody says.
    pub how: &'static str,
    /// Share of the cores, or of the time.
    pub cores: Option<f64>,
    pub memory: Option<f64>,
}

/// One replica of an inference engine. Quantities are increases within a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BillReplica {
    pub instance: String,
    pub namespace: Option<String>,
    pub pod: Option<String>,
    pub node: Option<String>,
    pub model: Option<String>,
    pub engine: Option<String>,
    /// Which part of a request it computes, where its engine says so.
    pub role: EngineRole,
    /// Bytes of a number in its KV cache, where the engine names a type.
    pub kv_bytes: Option<f64>,
    /// Whether its page was read in the step.
    pub up: Vec<bool>,
    /// Prompt tokens, cached ones among them.
    pub prompt: Vec<Option<f64>>,
    pub cached: Vec<Option<f64>>,
    pub generated: Vec<Option<f64>>,
    /// Finished requests.
    pub requests: Vec<Option<f64>>,
    /// Of these, ended by the client.
    pub aborted: Vec<Option<f64>>,
    /// Prompt tokens computed again after preemption.
    pub recomputed: Vec<Option<f64>>,
    pub preemptions: Vec<Option<f64>>,
    pub rejected_drafts: Vec<Option<f64>>,
    /// Seconds of prefill and of decode, added up over requests.
    pub prefill_s: Vec<Option<f64>>,
    pub decode_s: Vec<Option<f64>>,
    /// Share of the period's requests whose first token came within the objective: of those in
    /// buckets that lie wholly within it, so never too many.
    pub within_slo: Option<f64>,
}

/// Which part of a request a replica computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineRole {
    /// All of it.
    #[default]
    Whole,
    /// Prompts only.
    Prefill,
    /// Generation only.
    Decode,
}

/// Who counts what tenants ask: never added together, since both may count the same requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counting {
    Gateway,
    Clients,
}

/// What one tenant asked of one model in the whole period. None where nobody counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BillTenant {
    pub tenant: String,
    pub model: String,
    /// Prompt tokens, cached ones among them.
    pub prompt: Option<f64>,
    pub cached: Option<f64>,
    pub generated: Option<f64>,
    pub requests: Option<f64>,
}

impl BillTenant {
    /// All tokens that were counted; None where none were.
    pub fn tokens(&self) -> Option<f64> {
        [self.prompt, self.generated].into_iter().flatten().reduce(|all, one| all + one)
    }
}

impl BillReplica {
    /// Everything that is counted, in the order of the fields.
    fn columns(&mut self) -> [&mut Vec<Option<f64>>; 10] {
        [
            &mut self.prompt,
            &mut self.cached,
            &mut self.generated,
            &mut self.requests,
            &mut self.aborted,
            &mut self.recomputed,
            &mut self.preemptions,
            &mut self.rejected_drafts,
            &mut self.prefill_s,
            &mut self.decode_s,
        ]
    }
}

impl BillWorld {
    /// The same from the first step on in which anything was seen: before that nobody watched, and
    /// no bill can be written of it.
    pub fn from_first_sight(mut self, period: Period) -> (Period, Self) {
        let seen = self.gpus.iter().map(|gpu| &gpu.seen);
        let seen = seen.filter_map(|steps| steps.iter().position(|seen| *seen));
        let Some(first) = seen.min().filter(|first| *first > 0) else { return (period, self) };
        for gpu in &mut self.gpus {
            cut(&mut gpu.seen, first);
            cut(&mut gpu.utilization, first);
            cut(&mut gpu.energy_j, first);
            gpu.used.values_mut().for_each(|used| cut(used, first));
            for hold in &mut gpu.holds {
                hold.first = hold.first.saturating_sub(first);
                hold.end = hold.end.saturating_sub(first);
            }
            gpu.holds.retain(|hold| hold.end > hold.first);
        }
        for one in &mut self.replicas {
            cut(&mut one.up, first);
            for column in one.columns() {
                cut(column, first);
            }
        }
        for run in &mut self.runs {
            run.begin_at(first);
        }
        let start_ms = period.start_ms + period.step_ms * i64::try_from(first).unwrap_or(0);
        (Period { start_ms, steps: period.steps - first, ..period }, self)
    }
}

/// Drop the first values of a column, where it has any.
fn cut<T>(column: &mut Vec<T>, first: usize) {
    column.drain(..first.min(column.len()));
}

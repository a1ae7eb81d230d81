//! What a ledger of a period is built from: every GPU, who held it, and what the replicas on it did,
//! one value for each step.
//!
//! As the World a pair of pure functions: [`bill_plan`] lists the queries, [`bill`] reads their
//! answers. Steps are whole: the value of step `i` is about `(start + i * step, start + (i + 1) *
//! step]`, so that every second belongs to one step. What nobody measured is `None`.

mod holds;
mod plan;
mod read;
#[cfg(test)]
mod tests;

pub use plan::{Period, bill_plan};
pub use read::bill;

/// Everything about a period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BillWorld {
    /// In order of id.
    pub gpus: Vec<BillGpu>,
    /// In order of instance.
    pub replicas: Vec<BillReplica>,
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
    /// Whether anything in its telemetry names pods at all: without that, nobody knows who holds it.
    pub names_holders: bool,
}

/// A hold on a GPU from step `first` to before step `end`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold {
    pub first: usize,
    pub end: usize,
    pub namespace: String,
    pub pod: String,
    pub team: Option<String>,
    /// `podresources`, `checkpoint`, .. or `exporter` where the GPU's own series name the pod.
    pub method: String,
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

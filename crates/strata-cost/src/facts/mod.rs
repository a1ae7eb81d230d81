//! What the ledger is built from: plain columns over the steps of one period.
//!
//! An integrator fills these from range queries, one value per step. A step's value belongs to the
//! span `[start + i * step, start + (i + 1) * step)`. Quantities (tokens, requests, joules) are
//! increases within the step, never running totals; shares are means over the step. What no query
//! answered stays missing, and a missing value makes an unknown, never a zero.

mod bill;
mod column;
mod losses;
mod progress;
mod runs;
mod share;
mod sharing;
mod uses;

use strata_model::Problem;
use strata_world::bill::BillTenant;

pub use bill::Terms;
pub use column::{Column, Total};
pub use losses::{LOSSES, Loss, Losses};
pub use runs::Run;
pub use share::SharePolicy;
pub use strata_world::bill::{EngineRole as Role, HolderKind};

use crate::price::Wanted;

/// Steps of a period at most: a year in steps of five minutes.
pub const MAX_STEPS: usize = 105_408;
/// Length of a step at most, ms: a month.
pub const MAX_STEP_MS: i64 = 31 * 86_400_000;
/// Distance of a period from 1970 at most, ms: some six thousand years.
pub const MAX_START_MS: i64 = 200_000_000_000_000;
/// GPUs or slices at most.
pub const MAX_GPUS: usize = 200_000;

/// Everything that is known of one period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Start of the period, ms since 1970, UTC. A change of civil clocks does not touch it.
    pub start_ms: i64,
    /// Length of a step in ms.
    pub step_ms: i64,
    /// Number of steps.
    pub steps: usize,
    /// Those who hold GPUs; claims refer to them by place.
    pub owners: Vec<Owner>,
    /// Inference replicas; owners refer to them by place.
    pub replicas: Vec<Replica>,
    /// Training runs; owners refer to them by place.
    pub runs: Vec<Run>,
    /// GPUs, or slices of GPUs, that exist in the period.
    pub gpus: Vec<Gpu>,
    /// Tokens of tenants on replicas they share; empty where nothing tells tenants apart.
    pub uses: Vec<TenantUse>,
    /// Tokens of tenants of which no replica is known.
    pub unplaced: Vec<BillTenant>,
}

/// Who holds a GPU. What is None is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// What it is.
    pub kind: HolderKind,
    /// Namespace; a word for it where it is a job of Slurm.
    pub namespace: Option<String>,
    /// Pod.
    pub pod: Option<String>,
    /// Team.
    pub team: Option<String>,
    /// Application.
    pub app: Option<String>,
    /// Model that is served or trained.
    pub model: Option<String>,
    /// Tenant, where the whole pod works for one.
    pub tenant: Option<String>,
    /// Place in [`Facts::replicas`] of the replica that runs here.
    pub replica: Option<usize>,
    /// Place in [`Facts::runs`] of the training run that it is a part of.
    pub run: Option<usize>,
}

/// One GPU, or one slice of a GPU that is rented out by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gpu {
    /// UUID of the GPU or slice.
    pub id: String,
    /// Its node.
    pub node: Option<String>,
    /// What its price is looked up by.
    pub wanted: Wanted,
    /// Part of the device that this is: 1 for a whole GPU, 1/7 for a MIG slice of one seventh. The
    /// slices of a device add up to 1, stranded ones included.
    pub portion: f64,
    /// Share of the step it was usable: 0 where it is drained, has fallen off the bus or its node
    /// is down.
    pub present: Column,
    /// Share of the step in which a kernel ran.
    pub utilization: Column,
    /// Share of it that is handed out. Needed only where claims do not tell: `Constant(0.0)` says
    /// that nobody holds it, missing without claims says that nobody knows.
    pub allocated: Column,
    /// Who holds it, and when.
    pub claims: Vec<Claim>,
    /// Joules drawn in the step, from the energy counter.
    pub energy_j: Column,
}

/// A hold on a GPU from step `first` to before step `end`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claim {
    /// Place in [`Facts::owners`].
    pub owner: usize,
    /// First step.
    pub first: usize,
    /// First step no longer held.
    pub end: usize,
    /// Share of the GPU that is reserved: 1 for a whole one.
    pub requested: f64,
    /// Whether that share is an equal part of what several hold, for want of anything that tells it.
    pub is_assumed: bool,
    /// Share of the step in which kernels of this owner ran. May be missing: a single holder has
    /// all of the GPU's busy time, several share it by what they reserved.
    pub used: Column,
    /// Share of the step in which it was ready to work: the model resident and compiled. Work that
    /// loads no model says `Constant(1.0)`.
    pub loaded: Column,
    /// Share of its busy time that nobody could use. May be missing: for a replica it is computed
    /// from its counters.
    pub waste: Column,
}

/// Counters of one inference replica, as increases per step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replica {
    /// Name of the replica.
    pub name: String,
    /// Model it serves.
    pub model: String,
    /// Engine, its settings and its GPU in one text: replicas that differ in it are fitted apart.
    pub settings: String,
    /// Part of the request it computes.
    pub role: Role,
    /// Bytes of a number in its KV cache: 2 for 16 bits.
    pub kv_bytes: Option<f64>,
    /// Prompt tokens, cached ones among them.
    pub prompt: Column,
    /// Prompt tokens found in the prefix cache.
    pub cached: Column,
    /// Generated tokens.
    pub generated: Column,
    /// Finished requests.
    pub requests: Column,
    /// Tokens computed again after preemption. Of an engine that counts preemptions only, it is their
    /// number times the mean length of a running request; of one that never preempts, `Constant(0.0)`.
    pub recomputed: Column,
    /// Drafted tokens that were rejected.
    pub rejected_drafts: Column,
    /// Generated tokens that reached a client who was still there (U1).
    pub delivered: Column,
    /// Of these, tokens of requests within their SLO (U2).
    pub within_slo: Column,
    /// Of these, tokens of requests that were no repetition (U3).
    pub first_success: Column,
    /// Of these, tokens of answers that were accepted (U4).
    pub accepted: Column,
    /// Seconds that requests spent in prefill, added up over requests.
    pub prefill_s: Column,
    /// Seconds that requests spent in decode, added up over requests.
    pub decode_s: Column,
}

/// What one tenant had of one replica in the whole period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TenantUse {
    /// Place in [`Facts::replicas`].
    pub replica: usize,
    /// Tenant.
    pub tenant: String,
    /// Prompt tokens, cached ones among them.
    pub prompt: Option<f64>,
    /// Prompt tokens found in the prefix cache.
    pub cached: Option<f64>,
    /// Generated tokens.
    pub generated: Option<f64>,
    /// Requests.
    pub requests: Option<f64>,
}

impl Facts {
    /// Length of a step in seconds.
    pub fn step_s(&self) -> f64 {
        self.step_ms as f64 / 1000.0
    }

    /// End of the period, ms since 1970.
    pub fn end_ms(&self) -> i64 {
        let steps = i64::try_from(self.steps).unwrap_or(i64::MAX);
        self.start_ms.saturating_add(self.step_ms.saturating_mul(steps))
    }

    /// Everything that contradicts itself. What is contradictory is not used: it becomes unknown.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |path: String, message: &str| problems.push(Problem::new(path, message));
        if !(1..=MAX_STEP_MS).contains(&self.step_ms) {
            wrong("step_ms".into(), "not above zero and up to 31 days");
        }
        if !(-MAX_START_MS..=MAX_START_MS).contains(&self.start_ms) {
            wrong("start_ms".into(), "not in the calendar");
        }
        if self.steps > MAX_STEPS {
            wrong("steps".into(), "too many: widen the step or shorten the period");
        }
        if self.gpus.len() > MAX_GPUS {
            wrong("gpus".into(), "too many: build the ledger per cluster");
        }
        for (at, owner) in self.owners.iter().enumerate() {
            if owner.replica.is_some_and(|replica| replica >= self.replicas.len()) {
                wrong(format!("owners[{at}].replica"), "there is no such replica");
            }
            if owner.run.is_some_and(|run| run >= self.runs.len()) {
                wrong(format!("owners[{at}].run"), "there is no such run");
            }
        }
        for (at, one) in self.uses.iter().enumerate() {
            if one.replica >= self.replicas.len() {
                wrong(format!("uses[{at}].replica"), "there is no such replica");
            }
        }
        for (at, gpu) in self.gpus.iter().enumerate() {
            if !(gpu.portion > 0.0 && gpu.portion <= 1.0) {
                wrong(format!("gpus[{at}].portion"), "not a share above 0 and up to 1");
            }
            for column in [&gpu.present, &gpu.utilization, &gpu.allocated, &gpu.energy_j] {
                if column.own_len().is_some_and(|len| len != self.steps) {
                    wrong(format!("gpus[{at}]"), "a column has not one value for each step");
                }
            }
            for (place, claim) in gpu.claims.iter().enumerate() {
                let path = format!("gpus[{at}].claims[{place}]");
                if claim.owner >= self.owners.len() {
                    wrong(path, "there is no such owner: its time is unattributed");
                } else if !claim.is_sound() {
                    wrong(path, "requested is not a share: the hold is not counted");
                }
            }
        }
        problems
    }
}

impl Claim {
    /// Whether it reserves a possible share.
    pub fn is_sound(&self) -> bool {
        self.requested.is_finite() && self.requested >= 0.0 && self.requested <= 1.0
    }
}

//! What would save money: each piece of advice with its gain, its evidence and how to do it.
//!
//! Advice is computed or not given at all. Each kind names the inputs it needs; where one is not
//! there, the kind is listed as not checked, with what is missing, and no gain is guessed.

mod capacity;
mod choice;
mod replicas;
#[cfg(test)]
mod tests;
mod tryout;

pub use choice::{ModelTrial, SkuTrial};
pub use replicas::{KV_TARGET, ReplicaSignals, TOLERANCE, desired_replicas};
pub use tryout::Tryout;

use std::collections::BTreeMap;

use crate::ledger::Ledger;
use crate::price::PriceBook;
use crate::unit::Units;

/// What can be advised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Take back GPUs that their holder does not use.
    ReclaimIdle,
    /// Make replicas ready sooner.
    WarmStart,
    /// Run fewer replicas.
    FewerReplicas,
    /// Halve the KV cache's bytes, where preemption throws work away.
    KvFp8,
    /// Move GPUs between prefill and decode.
    PoolRatio,
    /// Lower the power limit.
    PowerCap,
    /// Run on another GPU.
    OtherSku,
    /// Answer with a smaller model.
    SmallerModel,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::ReclaimIdle,
        Self::WarmStart,
        Self::FewerReplicas,
        Self::KvFp8,
        Self::PoolRatio,
        Self::PowerCap,
        Self::OtherSku,
        Self::SmallerModel,
    ];

    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReclaimIdle => "reclaim_idle",
            Self::WarmStart => "warm_start",
            Self::FewerReplicas => "fewer_replicas",
            Self::KvFp8 => "kv_fp8",
            Self::PoolRatio => "pool_ratio",
            Self::PowerCap => "power_cap",
            Self::OtherSku => "other_sku",
            Self::SmallerModel => "smaller_model",
        }
    }
}

/// What the ledger does not tell. Everything is by model, and None or absent where nobody measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// Generated tokens per second that one GPU of the model carries within its SLO, from a load
    /// test: the busiest steps of a fleet that is too large never show it.
    pub capacity_tokens_per_gpu_s: BTreeMap<String, f64>,
    /// Generated tokens per second of the model in its busiest five minutes; none where a
    /// replica of it was not counted.
    pub peak_tokens_per_s: BTreeMap<String, f64>,
    /// Bytes of one element of the KV cache: 2 for 16 bits.
    pub kv_bytes: BTreeMap<String, f64>,
    /// Trials of a power limit.
    pub power: BTreeMap<String, PowerTrial>,
    /// Money for one kWh at the meter, overhead of the building included.
    pub per_kwh: Option<f64>,
    /// Trials of other GPUs.
    pub skus: Vec<SkuTrial>,
    /// Trials of smaller models.
    pub smaller: Vec<ModelTrial>,
}

/// What a lower power limit did in a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerTrial {
    /// Limit that was set, in watts.
    pub limit_watts: f64,
    /// Energy at the limit over energy before, for the same tokens.
    pub energy_ratio: f64,
    /// Tokens per second at the limit over tokens per second before.
    pub speed_ratio: f64,
}

/// One piece of advice.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// What kind it is.
    pub kind: Kind,
    /// Whom or what it is about.
    pub subject: String,
    /// Money that it saves in an hour.
    pub saves_per_hour: f64,
    /// What to do, in a sentence.
    pub action: String,
    /// Command that does it, with names in angle brackets where the ledger does not know them.
    pub command: Option<String>,
    /// What it rests on: name, value and unit.
    pub evidence: Vec<Evidence>,
}

/// One number that advice rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// What it is.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// UCUM unit.
    pub unit: &'static str,
}

impl Evidence {
    fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit }
    }
}

/// A kind that could not be checked for something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unchecked {
    /// What kind.
    pub kind: Kind,
    /// Model or owner.
    pub subject: String,
    /// What would have to be known.
    pub missing: Vec<&'static str>,
}

/// All advice, the largest gain first, and what could not be checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Advised {
    /// Advice.
    pub advice: Vec<Advice>,
    /// What could not be checked, and for want of what.
    pub unchecked: Vec<Unchecked>,
    /// What needs a trial, the largest bound first.
    pub tryouts: Vec<Tryout>,
}

/// Everything that advice is found from.
struct Case<'a> {
    ledger: &'a Ledger,
    units: &'a [Units],
    book: &'a PriceBook,
    inputs: &'a Inputs,
    hours: f64,
    found: Advised,
}

/// Gains of less than a cent an hour are noise.
const LEAST_PER_HOUR: f64 = 0.01;

/// Finds all advice. `units` are of the same ledger.
pub fn advise(ledger: &Ledger, units: &[Units], book: &PriceBook, inputs: &Inputs) -> Advised {
    let hours = (ledger.end_ms() - ledger.start_ms) as f64 / 3_600_000.0;
    if hours <= 0.0 {
        return Advised::default();
    }
    let mut case = Case { ledger, units, book, inputs, hours, found: Advised::default() };
    case.holders();
    case.fewer_replicas();
    case.kv_fp8();
    case.pool_ratio();
    case.power_cap();
    case.other_sku();
    case.smaller_model();
    case.tryouts();
    let mut found = case.found;
    found.advice.sort_by(|one, other| {
        let by_gain = other.saves_per_hour.total_cmp(&one.saves_per_hour);
        by_gain.then_with(|| (one.kind, &one.subject).cmp(&(other.kind, &other.subject)))
    });
    found.unchecked.sort();
    found.tryouts.sort_by(|one, other| other.at_most_per_hour.total_cmp(&one.at_most_per_hour));
    found
}

impl Case<'_> {
    fn offer(&mut self, advice: Advice) {
        if advice.saves_per_hour >= LEAST_PER_HOUR {
            self.found.advice.push(advice);
        }
    }

    fn try_out(&mut self, tryout: Tryout) {
        if tryout.at_most_per_hour >= LEAST_PER_HOUR {
            self.found.tryouts.push(tryout);
        }
    }

    fn skip(&mut self, kind: Kind, subject: &str, missing: &[(&'static str, bool)]) {
        let missing = missing.iter().filter(|(_, known)| !known).map(|(name, _)| *name).collect();
        self.found.unchecked.push(Unchecked { kind, subject: subject.to_owned(), missing });
    }
}

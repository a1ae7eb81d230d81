//! Derived signals: what a World measures, each with its definition and its provenance.

use std::sync::Arc;

use strata_model::Layer;
use strata_model::catalog::Quality;

use crate::entity::{EntityId, EntityKind};

/// Why something is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnknownReason {
    /// No source gives the inputs.
    Absent,
    /// A source did, and no longer does.
    Stale,
    /// The hardware, kernel or engine does not have it.
    Unsupported,
    /// It is there and may not be read.
    Denied,
    /// The inputs are there and give no number: no request, nothing to divide by.
    Undefined,
    /// It is told of other things, not of the one that is asked about.
    OutOfScope,
    /// The query failed.
    Failed,
}

/// Nothing, with its reason: never zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Unknown {
    pub reason: UnknownReason,
    /// In a sentence: what is missing and what would make it known.
    pub text: String,
}

/// A value at the end of the window, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    Known(f64),
    Unknown(Unknown),
}

impl Reading {
    /// The value, if it is known.
    pub fn known(&self) -> Option<f64> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Unknown(_) => None,
        }
    }
}

/// What a signal looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One number a step.
    Number,
    /// Buckets of a histogram over the window, see [`Spread`].
    Spread,
}

/// One signal, defined once. The table of all is [`crate::signal`]'s layers' own.
#[derive(Debug, Clone, Copy)]
pub struct SignalDef {
    /// `l6.kv_pinned`
    pub id: &'static str,
    pub layer: Layer,
    pub shape: Shape,
    /// UCUM: `1`, `s`, `By`, `W`, `{token}/s`.
    pub unit: &'static str,
    /// One or two sentences with the source of the formula.
    pub definition: &'static str,
    /// In words or symbols: `pinned / capacity, worst replica`.
    pub formula: &'static str,
    /// Dotted canonical names that go in.
    pub inputs: &'static [&'static str],
    /// The kind of thing there is one of these for.
    pub entity: EntityKind,
}

/// One input of a signal and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct InputUsed {
    /// Dotted canonical name.
    pub metric: &'static str,
    /// (title of the source, family as stored): (`vLLM`, `vllm:kv_cache_usage_perc`).
    pub sources: Vec<(String, String)>,
    /// The worst among them; none when nothing gives it.
    pub quality: Option<Quality>,
}

/// A signal of one thing, or of all in scope together.
#[derive(Debug, Clone)]
pub struct Signal {
    pub def: &'static SignalDef,
    /// None for all in scope together.
    pub entity: Option<EntityId>,
    pub now: Reading,
    /// One value per step of the window; empty when it was not asked for.
    pub track: Vec<Option<f64>>,
    /// The PromQL that gave it: one text for all things that it tells of.
    pub query: Arc<str>,
    /// Likewise one list.
    pub inputs: Arc<[InputUsed]>,
    /// Time of the newest sample that went in, in milliseconds.
    pub newest_ms: Option<i64>,
    /// True where the value is only known to be at most `now`: a quantile in the lowest bucket of a
    /// histogram, of which nobody knows where in the bucket it lies.
    pub at_most: bool,
    /// True where the value stands apart from those of its peers (robust z above 3).
    pub outlier: bool,
}

/// How a quantity is spread over the buckets of a histogram.
#[derive(Debug, Clone)]
pub struct Spread {
    pub def: &'static SignalDef,
    pub entity: Option<EntityId>,
    /// Upper edges, rising; the last is infinite.
    pub edges: Vec<f64>,
    /// Observations per bucket over the whole window; none when it is not known.
    pub counts: Result<Vec<f64>, Unknown>,
    /// Per step of the window, observations per bucket; empty when it was not asked for.
    pub columns: Vec<Option<Vec<f64>>>,
    pub query: String,
    pub inputs: Vec<InputUsed>,
    pub newest_ms: Option<i64>,
}

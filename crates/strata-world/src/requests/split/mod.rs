//! Prefill and decode: what lengths and times of requests say about the way engines are set up. The
//! formulas are those of queueing over measured times; what is not measured is named and left out.

use std::ops::Range;

mod engine;
mod measured;
mod replicas;
#[cfg(test)]
mod tests;

use engine::{chunk, longest};
pub use measured::{Measured, busiest_from};
use replicas::{disaggregate, replicas};
use strata_model::record::RequestSample;

use super::lengths::Lengths;

/// How far a replica may be used.
pub const USE: f64 = 0.85;
/// Fewer requests than this say nothing of a tail.
const LEAST: u64 = 100;

/// What only the operator knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// Target of the gap between output tokens, seconds.
    pub itl_target_s: f64,
    /// Requests that one replica decodes at once within the target.
    pub batch: Option<f64>,
    /// Bytes of the KV cache for a token.
    pub bytes_per_token: Option<f64>,
    /// Bytes a second from a prefill to a decode replica.
    pub transfer: Option<f64>,
}

/// One line of advice: what to do, or why nothing is advised.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    pub about: &'static str,
    /// The setting, ready to copy; `None` where nothing is advised.
    pub setting: Option<String>,
    /// The numbers of the setting, in its order.
    pub numbers: Vec<u64>,
    pub says: String,
    pub formula: &'static str,
    /// (name, value, unit) that it rests on.
    pub inputs: Vec<(&'static str, f64, &'static str)>,
    /// What is missing for it; empty where it stands.
    pub missing: &'static str,
}

/// The advice for one model: a mixture of models is served by no engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Advised {
    pub model: String,
    pub measured: Measured,
    pub advice: Vec<Advice>,
    /// What a simulation says of it, where one was run.
    pub replay: Option<Replayed>,
}

/// Recorded requests on simulated engines, as they are set up and as is advised.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replayed {
    /// When the requests began, microseconds since the Unix epoch, and for how long they came.
    pub from_us: i64,
    pub seconds: f64,
    pub requests: u64,
    /// As it is first, then as is advised.
    pub lines: Vec<ReplayLine>,
    /// Why nothing was replayed; empty where it was.
    pub why: String,
}

/// What users would get from one way to set engines up. Simulated, not measured.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayLine {
    pub setting: String,
    /// Requests that got their whole answer.
    pub ended: u64,
    /// p50 and p99, seconds: to the first token inside the engine, and between tokens.
    pub ttft_s: [f64; 2],
    /// None where every answer has one token.
    pub itl_s: Option<[f64; 2]>,
}

impl Advised {
    /// Of samples of the requests to one model, of which there are `matching` in the time.
    pub fn of(
        model: String,
        samples: &[&RequestSample],
        matching: u64,
        range_us: &Range<i64>,
        given: &Given,
    ) -> Self {
        let measured = Measured::of(samples, matching, range_us);
        let advice = advise(&Lengths::of(samples.iter().copied()), &measured, given);
        Self { model, measured, advice, replay: None }
    }
}

/// What follows for the engines.
pub fn advise(lengths: &Lengths, measured: &Measured, given: &Given) -> Vec<Advice> {
    vec![
        longest(lengths, measured),
        chunk(measured, given),
        replicas(lengths, measured, given),
        disaggregate(lengths, measured, given),
    ]
}

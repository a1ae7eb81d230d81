//! A training run: data-parallel ranks that compute, wait for the slowest, and exchange gradients.
//!
//! A step of a rank is: wait for its data, compute, meet the others, exchange. Ranks leave a
//! collective together, so a rank that arrives early is inside it for as long as the last one is
//! late. The exchange takes as long as the slowest port lets it; what computing hides of it costs
//! no time (Megatron's distributed optimizer: a reduce-scatter of gradients and an all-gather of
//! parameters in buckets).

mod learning;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use learning::Learning;
pub(crate) use step::Pace;

use crate::hardware::GpuKind;
use crate::histogram::Histogram;
use crate::knob::Knobs;
use crate::rng::Rng;

/// The model that trains: a vision-language model of 7 billion parameters.
pub(crate) const PARAMETERS: f64 = 6.74e9;
pub(crate) const LAYERS: f64 = 32.0;
pub(crate) const HIDDEN: f64 = 4096.0;
pub(crate) const SEQUENCE: f64 = 4096.0;
/// Buckets of one exchange, each a collective of its own.
pub(crate) const BUCKETS: u64 = 8;
/// Frame buffer of a rank: weights, gradients, its shard of the optimizer, activations; MiB.
pub(crate) const MEMORY_MIB: f64 = 66_300.0;
/// Step at which the story begins: the run is under way for a while.
const FIRST_STEP: u64 = 12_000;

/// Edges of collective durations and skews, seconds.
const DURATIONS: &[f64] = &[
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// The explicit boundaries an OpenTelemetry SDK takes when none are given, here milliseconds.
const OTEL_DEFAULT: &[f64] = &[
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
    10000.0,
];
const CHECKPOINTS: &[f64] = &[0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Kinds of collectives of a step, in the words of NCCL.
pub(crate) const COLLECTIVES: [&str; 2] = ["ReduceScatter", "AllGather"];

/// What one rank counts.
#[derive(Debug)]
pub(crate) struct Rank {
    pub(crate) knobs: Knobs,
    rng: Rng,
    /// Seconds of the last step: waiting for data, computing, inside collectives for others.
    pub(crate) data_wait: f64,
    pub(crate) compute: f64,
    pub(crate) peers_wait: f64,
    pub(crate) data_wait_seconds: f64,
    /// Waiting it inflicted on the others: because its data, or because its GPU was late.
    pub(crate) blame_host: f64,
    pub(crate) blame_gpu: f64,
    pub(crate) durations: [Histogram; 2],
    pub(crate) collectives: [u64; 2],
    /// Mean duration of a collective in the last step, seconds.
    pub(crate) mean_duration: [f64; 2],
    /// Bytes read for data since the simulation began.
    pub(crate) bytes_read: f64,
}

impl Rank {
    fn new(knobs: Knobs, rng: Rng) -> Self {
        let durations = || Histogram::new(DURATIONS);
        Self {
            knobs,
            rng,
            data_wait: 0.0,
            compute: 0.0,
            peers_wait: 0.0,
            data_wait_seconds: 0.0,
            blame_host: 0.0,
            blame_gpu: 0.0,
            durations: [durations(), durations()],
            collectives: [0; 2],
            mean_duration: [0.0; 2],
            bytes_read: 0.0,
        }
    }
}

/// A run with its ranks.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) knobs: Knobs,
    gpu: GpuKind,
    pub(crate) ranks: Vec<Rank>,
    pub(crate) learning: Learning,
    pub(crate) step: u64,
    pub(crate) step_seconds: f64,
    /// Seconds of the last step with its checkpoint.
    last_length: f64,
    pub(crate) steps: Histogram,
    pub(crate) skew: Histogram,
    pub(crate) saves: Histogram,
    pub(crate) last_checkpoint: u64,
    /// Seconds by what they went to, since the simulation began.
    pub(crate) productive: f64,
    pub(crate) lost_to_data: f64,
    pub(crate) lost_to_stragglers: f64,
    pub(crate) lost_to_checkpoints: f64,
    pub(crate) elapsed: f64,
    /// Bytes one rank exchanged in the last step, and how long that took, per kind.
    pub(crate) message_bytes: f64,
    pub(crate) transfer: f64,
    under_way: Option<step::Step>,
    now: f64,
}

impl Run {
    pub(crate) fn new(
        name: &str,
        gpu: GpuKind,
        knobs: Knobs,
        ranks: Vec<Knobs>,
        seed: u64,
    ) -> Self {
        let rank = |(number, knobs)| Rank::new(knobs, Rng::of(seed, &format!("{name}/{number}")));
        Self {
            name: name.to_owned(),
            knobs,
            gpu,
            ranks: ranks.into_iter().enumerate().map(rank).collect(),
            learning: Learning::new(Rng::of(seed, &format!("{name}/learning"))),
            step: FIRST_STEP,
            step_seconds: 0.0,
            last_length: 0.0,
            steps: Histogram::new(OTEL_DEFAULT),
            skew: Histogram::new(DURATIONS),
            saves: Histogram::new(CHECKPOINTS),
            last_checkpoint: FIRST_STEP,
            productive: 0.0,
            lost_to_data: 0.0,
            lost_to_stragglers: 0.0,
            lost_to_checkpoints: 0.0,
            elapsed: 0.0,
            message_bytes: 0.0,
            transfer: 0.0,
            under_way: None,
            now: 0.0,
        }
    }

    /// Model FLOPs of one token: 6 per parameter, and 12 L H S of attention (`PaLM`, appendix B).
    pub(crate) fn flops_per_token() -> f64 {
        6.0 * PARAMETERS + 12.0 * LAYERS * HIDDEN * SEQUENCE
    }

    /// Model FLOP/s of one rank in the last step.
    pub(crate) fn flops_per_second(&self) -> f64 {
        let tokens = self.knobs.get(crate::knob::RunKnob::TokensPerRank);
        if self.step_seconds > 0.0 {
            tokens * Self::flops_per_token() / self.step_seconds
        } else {
            0.0
        }
    }

    /// Model FLOPs utilization of the last step.
    pub(crate) fn mfu(&self) -> f64 {
        self.flops_per_second() / self.gpu.flops
    }

    /// Share of the elapsed time that became progress.
    pub(crate) fn goodput(&self) -> f64 {
        if self.elapsed > 0.0 { self.productive / self.elapsed } else { 1.0 }
    }
}

//! One step: who is late, what it costs the others, and how long the exchange takes.

use super::{BUCKETS, PARAMETERS, Run};
use crate::hardware::{BYTES, LINK_EFFICIENCY, TRAINING_EFFICIENCY};
use crate::knob::{RankKnob, RunKnob};

/// Seconds of the optimizer and everything else that is not overlapped.
const OPTIMIZER: f64 = 0.035;
/// Deviation of a rank's computing time from step to step.
const JITTER: f64 = 0.006;
/// Seconds that a collective takes per rank of the ring whatever its size.
const LATENCY: f64 = 12e-6;

/// How fast the parts of a run are now, one entry a rank.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// SM clock over the highest.
    pub(crate) clocks: Vec<f64>,
    /// Bytes per second that a rank's readers get, while all ranks of its node read.
    pub(crate) read_rates: Vec<f64>,
    /// How much longer host work takes because processors are short.
    pub(crate) host_stretch: Vec<f64>,
    /// Bus bandwidth of the exchange in bytes per second: of the slowest part of the ring.
    pub(crate) bus: f64,
    /// Bytes per second a checkpoint is written with, all nodes together.
    pub(crate) write_rate: f64,
}

/// The times of one rank in a step, seconds from its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Phases {
    pub(crate) computes_from: f64,
    pub(crate) computes_to: f64,
    /// Until then it is inside collectives; from then on it writes its checkpoint.
    pub(crate) exchanges_to: f64,
    pub(crate) ends: f64,
    /// When its readers have the next step's data; they begin when it has its own.
    pub(crate) reads_to: f64,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) began: f64,
    pub(super) phases: Vec<Phases>,
    checkpoint: f64,
    transfer: f64,
    last: f64,
}

impl Run {
    /// Go on until `to` seconds, telling `spent` what each rank did when: rank, and the seconds of
    /// computing, inside collectives and reading data between two times.
    pub(crate) fn advance(&mut self, to: f64, pace: &Pace, spent: &mut impl FnMut(usize, Spent)) {
        while self.now < to {
            let step = match self.under_way.take() {
                Some(step) => step,
                None => self.begin(pace),
            };
            let ends = step.began + step.phases.first().map_or(0.0, |phases| phases.ends);
            let until = ends.min(to);
            for (rank, phases) in step.phases.iter().enumerate() {
                let (from, until) = (self.now - step.began, until - step.began);
                spent(rank, Spent::between(phases, from, until));
            }
            self.now = until;
            if until < ends {
                self.under_way = Some(step);
            } else {
                self.finish(&step);
            }
        }
    }

    fn begin(&mut self, pace: &Pace) -> Step {
        let knobs = &self.knobs;
        let tokens = knobs.get(RunKnob::TokensPerRank);
        let bytes = knobs.get(RunKnob::LoaderBytes);
        let full = tokens * Self::flops_per_token() / (self.gpu.flops * TRAINING_EFFICIENCY);
        let mut last: f64 = 0.0;
        for (number, rank) in self.ranks.iter_mut().enumerate() {
            let at = |list: &[f64]| list.get(number).copied().unwrap_or(1.0);
            let jitter = 1.0 + JITTER * rank.rng.normal().clamp(-3.0, 3.0);
            let ratio = rank.knobs.get(RankKnob::ComputeRatio);
            // Launching kernels is host work; with processors enough it hides behind the GPU.
            let launch = full * (at(&pace.host_stretch) - 1.0).max(0.0) * 0.25;
            rank.compute = full * jitter * ratio / at(&pace.clocks) + launch;
            // The data of this step was read from when the last one had its own.
            let reading = bytes / at(&pace.read_rates) * at(&pace.host_stretch);
            let before = self.last_length - rank.data_wait;
            rank.data_wait = (reading - before).max(0.0);
            rank.bytes_read += bytes;
            last = last.max(rank.data_wait + rank.compute);
        }
        let ranks = self.ranks.len() as f64;
        // S/t (n-1)/n is what a ring of n ranks moves of a message of S through its slowest part.
        let message = PARAMETERS * BYTES;
        let transfer = if ranks > 1.0 {
            message * (ranks - 1.0) / ranks / (pace.bus * LINK_EFFICIENCY) + LATENCY * ranks
        } else {
            0.0
        };
        self.message_bytes = message;
        self.transfer = transfer;
        let overlap = knobs.get(RunKnob::Overlap);
        // Computing hides at most its own length.
        let hidden = (2.0 * transfer * overlap).min(0.9 * last);
        let exchanged = last + (2.0 * transfer - hidden) + OPTIMIZER;
        let every = (knobs.get(RunKnob::CheckpointSteps) as u64).max(1);
        let saves = (self.step + 1).is_multiple_of(every);
        let bytes_saved = knobs.get(RunKnob::CheckpointBytes);
        let checkpoint = if saves { bytes_saved / pace.write_rate } else { 0.0 };
        let phases = self.ranks.iter().enumerate().map(|(number, rank)| {
            let rate = pace.read_rates.get(number).copied().unwrap_or(f64::INFINITY);
            Phases {
                computes_from: rank.data_wait,
                computes_to: rank.data_wait + rank.compute,
                exchanges_to: exchanged,
                ends: exchanged + checkpoint,
                reads_to: rank.data_wait + bytes / rate,
            }
        });
        let phases = phases.collect();
        Step { began: self.now, phases, checkpoint, transfer, last }
    }

    fn finish(&mut self, step: &Step) {
        self.step += 1;
        let length = step.phases.first().map_or(0.0, |phases| phases.exchanges_to);
        self.step_seconds = length;
        self.last_length = length + step.checkpoint;
        self.elapsed += length + step.checkpoint;
        self.steps.observe(1000.0 * (length + step.checkpoint));
        if step.checkpoint > 0.0 {
            self.saves.observe(step.checkpoint);
            self.last_checkpoint = self.step;
            self.lost_to_checkpoints += step.checkpoint;
        }
        for rank in &mut self.ranks {
            rank.data_wait_seconds += rank.data_wait;
        }
        let data = self.ranks.iter().map(|rank| rank.data_wait).fold(0.0, f64::max);
        // What a step would take if all ranks were as fast as the middle one.
        let mut computes: Vec<f64> = self.ranks.iter().map(|rank| rank.compute).collect();
        computes.sort_by(f64::total_cmp);
        let middle = computes.get(computes.len() / 2).copied().unwrap_or(0.0);
        let late = (step.last - data - middle).max(0.0);
        self.lost_to_data += data;
        self.lost_to_stragglers += late;
        self.productive += (length - data - late).max(0.0);
        self.meet(step);
        let tokens = self.knobs.get(RunKnob::TokensPerRank) * self.ranks.len() as f64;
        self.learning.step(self.step, tokens);
    }

    /// What ranks saw of the collectives: the first of a step waits for the last rank.
    fn meet(&mut self, step: &Step) {
        if self.ranks.len() < 2 {
            return;
        }
        let each = step.transfer / BUCKETS as f64;
        let mut waited = 0.0;
        let waits = self.ranks.iter().map(|rank| rank.data_wait);
        let least_data = waits.fold(f64::INFINITY, f64::min);
        let (mut earliest, mut latest) = (f64::INFINITY, 0.0f64);
        let mut slowest = 0;
        for (number, rank) in self.ranks.iter_mut().enumerate() {
            let arrives = rank.data_wait + rank.compute;
            let wait = step.last - arrives;
            rank.peers_wait = wait;
            waited += wait;
            earliest = earliest.min(arrives);
            if arrives > latest {
                (latest, slowest) = (arrives, number);
            }
            for kind in 0..2 {
                let first = if kind == 0 { wait } else { 0.0 };
                rank.durations[kind].observe(each + first);
                rank.durations[kind].observe_many(each, BUCKETS - 1);
                rank.collectives[kind] += BUCKETS;
                rank.mean_duration[kind] = each + first / BUCKETS as f64;
            }
        }
        self.skew.observe(latest - earliest);
        // The other collectives find all ranks there, but for the jitter of launching.
        self.skew.observe_many(LATENCY, 2 * BUCKETS - 1);
        if let Some(rank) = self.ranks.get_mut(slowest) {
            // Data that is late for all ranks alike is no lateness of one against the others.
            let spread = (latest - earliest).max(f64::MIN_POSITIVE);
            let host = ((rank.data_wait - least_data) / spread).clamp(0.0, 1.0);
            rank.blame_host += waited * host;
            rank.blame_gpu += waited * (1.0 - host);
        }
    }
}

/// Seconds of a rank between two times, by what it did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Spent {
    pub(crate) computing: f64,
    pub(crate) exchanging: f64,
    pub(crate) reading: f64,
    pub(crate) saving: f64,
}

impl Spent {
    fn between(phases: &Phases, from: f64, to: f64) -> Self {
        let overlap = |begin: f64, end: f64| (end.min(to) - begin.max(from)).max(0.0);
        Self {
            computing: overlap(phases.computes_from, phases.computes_to),
            exchanging: overlap(phases.computes_to, phases.exchanges_to),
            saving: overlap(phases.exchanges_to, phases.ends),
            reading: overlap(0.0, phases.reads_to),
        }
    }
}

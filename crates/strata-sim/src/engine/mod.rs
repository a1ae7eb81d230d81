//! An inference engine with continuous batching: event-driven, one event per step.
//!
//! As vLLM's V1 scheduler: each step first gives every running sequence its token, then goes on
//! with prompts that were begun, then admits waiting requests in order of arrival while tokens,
//! sequences and blocks last. When blocks run out the request admitted last is preempted: its
//! blocks are freed (and may be found again in the prefix cache), and it is computed anew later.
//!
//! Decoding costs no work per sequence and step: sequences that decode all grow by one token, so
//! the step counter tells each length, a table of 16 residues tells how many need a new block, and
//! a heap tells who ends.

mod cost;
mod finish;
mod kv;
mod request;
mod schedule;
mod stats;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

pub(crate) use cost::{Cost, Pace, pace_of};
pub(crate) use kv::{BLOCK, KvCache};
pub(crate) use request::{Ask, Ended, Reason, Request};
pub(crate) use stats::Stats;

use crate::hardware::{GpuKind, ModelShape};

/// What an engine was started with, and what a scenario may change of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    pub(crate) sequences: usize,
    pub(crate) batch_tokens: u64,
}

/// A step under way.
#[derive(Debug, Clone)]
struct Step {
    began: f64,
    ends: f64,
    decodes: u64,
    /// Prompt pieces: number of the request and its tokens.
    pieces: Vec<(u64, u64)>,
    cost: Cost,
}

/// Seconds of work since they were last taken; a step counts when it ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Activity {
    /// Kernels of any kind ran.
    pub(crate) busy: f64,
    /// Seconds at full tensor rate that the FLOPs stand for, at the clock of the time.
    pub(crate) compute: f64,
    /// Seconds at full memory rate that the bytes stand for.
    pub(crate) memory: f64,
    pub(crate) link_bytes: f64,
    pub(crate) cpu: f64,
    pub(crate) prompt_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// One engine.
#[derive(Debug)]
pub(crate) struct Engine {
    model: ModelShape,
    gpu: GpuKind,
    tp: f64,
    pub(crate) kv: KvCache,
    pub(crate) stats: Stats,
    pub(crate) activity: Activity,
    waiting: VecDeque<Request>,
    /// Running requests by the order in which they were admitted.
    running: BTreeMap<u64, Request>,
    next_number: u64,
    /// Numbers of running requests whose prompt is not done.
    prefilling: VecDeque<u64>,
    /// How many sequences decode, and the tokens they look back at together.
    decoding: u64,
    looked_back: u64,
    /// Decoding sequences by the residue of the step in which each needs a new block.
    residues: [u64; BLOCK as usize],
    /// Steps in which requests sample their last token. Entries of requests that were preempted
    /// stay and are passed over.
    last_steps: BinaryHeap<Reverse<(u64, u64)>>,
    step: u64,
    /// Whether decoding sequences hold the block of the token that this step adds.
    grown: bool,
    /// No client hangs up before.
    patience_ends: f64,
    under_way: Option<Step>,
    now: f64,
}

impl Engine {
    pub(crate) fn new(model: ModelShape, gpu: GpuKind, tp: f64, kv_blocks: u64) -> Self {
        Self {
            model,
            gpu,
            tp,
            kv: KvCache::new(kv_blocks),
            stats: Stats::new(),
            activity: Activity::default(),
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
            next_number: 0,
            prefilling: VecDeque::new(),
            decoding: 0,
            looked_back: 0,
            residues: [0; BLOCK as usize],
            last_steps: BinaryHeap::new(),
            step: 0,
            grown: false,
            patience_ends: f64::INFINITY,
            under_way: None,
            now: 0.0,
        }
    }

    pub(crate) fn model(&self) -> &ModelShape {
        &self.model
    }

    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Requests inside.
    pub(crate) fn load(&self) -> usize {
        self.running.len() + self.waiting.len()
    }

    /// Prompt tokens of the requests that have no token yet: neither counted as processed nor
    /// ended.
    #[cfg(test)]
    pub(crate) fn prompt_tokens_inside(&self) -> u64 {
        let requests = self.running.values().chain(&self.waiting);
        requests.filter(|one| one.first_token.is_none()).map(|one| one.ask.prompt).sum()
    }

    /// Take a request. [`Self::advance`] must have reached its arrival.
    pub(crate) fn accept(&mut self, mut ask: Ask) {
        self.now = self.now.max(ask.arrival);
        self.patience_ends = self.patience_ends.min(ask.deadline);
        if !self.kv.is_caching() {
            // Without prefix caching nothing is shared, not even at the same time.
            ask.system = 0;
        }
        self.waiting.push_back(Request::new(ask));
    }

    /// Go on until `to` seconds; requests that ended are pushed to `ended` in order.
    pub(crate) fn advance(&mut self, to: f64, limits: Limits, pace: Pace, ended: &mut Vec<Ended>) {
        loop {
            match self.under_way.take() {
                Some(step) if step.ends <= to => self.finish(step, ended),
                Some(step) => {
                    self.under_way = Some(step);
                    return;
                }
                None if self.load() == 0 || self.now >= to => break,
                None => {
                    let before = ended.len();
                    self.begin(limits, pace, ended);
                    if self.under_way.is_none() && ended.len() == before {
                        break;
                    }
                }
            }
        }
        self.now = self.now.max(to);
    }
}

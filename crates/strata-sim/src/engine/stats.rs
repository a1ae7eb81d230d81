//! What an engine counts: the families of vLLM's page, with its bucket edges.

use super::request::{Ended, Reason, Request};
use crate::histogram::Histogram;

/// Edges of request phases (`vllm/v1/metrics/loggers.py`, `request_latency`), seconds.
const LATENCY: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];
const TTFT: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];
const GAPS: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];
/// One, two, five by decades up to the longest sequence (32768).
const LENGTHS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0,
];
const STEP_TOKENS: &[f64] =
    &[1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];
const CHOICES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0];
const PREEMPTIONS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0];
const RESIDENCE: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0,
    120.0, 300.0, 600.0, 1200.0, 1800.0,
];
/// Edges of the HTTP server's handler histogram, seconds.
const HTTP: &[f64] = &[0.1, 0.5, 1.0];

/// Counters and histograms of one engine.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) generation_tokens: u64,
    pub(crate) queries: u64,
    pub(crate) hits: u64,
    pub(crate) preemptions: u64,
    /// By [`Reason`]: stop, length, abort, error.
    pub(crate) ended: [u64; 4],
    pub(crate) flops: f64,
    pub(crate) read: f64,
    pub(crate) written: f64,
    /// Processor seconds of the process.
    pub(crate) cpu_seconds: f64,
    /// Seconds in which its container's quota was used up.
    pub(crate) throttled: f64,
    pub(crate) length_prompt: Histogram,
    pub(crate) length_output: Histogram,
    pub(crate) length_computed: Histogram,
    pub(crate) step_tokens: Histogram,
    pub(crate) most_tokens: Histogram,
    pub(crate) choices: Histogram,
    pub(crate) max_tokens: Histogram,
    pub(crate) ttft: Histogram,
    pub(crate) itl: Histogram,
    /// Every gap, and how many had it, where somebody wants more than the histogram tells.
    pub(crate) gaps: Option<Vec<(f64, u64)>>,
    pub(crate) tpot: Histogram,
    pub(crate) e2e: Histogram,
    pub(crate) queue: Histogram,
    pub(crate) inference: Histogram,
    pub(crate) prefill: Histogram,
    pub(crate) decode: Histogram,
    pub(crate) request_preemptions: Histogram,
    pub(crate) block_lifetime: Histogram,
    pub(crate) block_idle: Histogram,
    pub(crate) block_gap: Histogram,
    pub(crate) http: Histogram,
}

impl Stats {
    /// So many sequences had a gap of so many seconds.
    pub(crate) fn gap(&mut self, seconds: f64, sequences: u64) {
        self.itl.observe_many(seconds, sequences);
        if let Some(gaps) = self.gaps.as_mut().filter(|_| sequences > 0) {
            gaps.push((seconds, sequences));
        }
    }

    pub(crate) fn new() -> Self {
        Self {
            prompt_tokens: 0,
            cached_tokens: 0,
            generation_tokens: 0,
            queries: 0,
            hits: 0,
            preemptions: 0,
            ended: [0; 4],
            flops: 0.0,
            read: 0.0,
            written: 0.0,
            cpu_seconds: 0.0,
            throttled: 0.0,
            length_prompt: Histogram::new(LENGTHS),
            length_output: Histogram::new(LENGTHS),
            length_computed: Histogram::new(LENGTHS),
            step_tokens: Histogram::new(STEP_TOKENS),
            most_tokens: Histogram::new(LENGTHS),
            choices: Histogram::new(CHOICES),
            max_tokens: Histogram::new(LENGTHS),
            ttft: Histogram::new(TTFT),
            gaps: None,
            itl: Histogram::new(GAPS),
            tpot: Histogram::new(GAPS),
            e2e: Histogram::new(LATENCY),
            queue: Histogram::new(LATENCY),
            inference: Histogram::new(LATENCY),
            prefill: Histogram::new(LATENCY),
            decode: Histogram::new(LATENCY),
            request_preemptions: Histogram::new(PREEMPTIONS),
            block_lifetime: Histogram::new(RESIDENCE),
            block_idle: Histogram::new(RESIDENCE),
            block_gap: Histogram::new(RESIDENCE),
            http: Histogram::new(HTTP),
        }
    }

    /// A request ended. As in vLLM, lengths and phases are told for every request that ended,
    /// phases only as far as they were reached.
    pub(crate) fn end(&mut self, request: &Request, ended: &Ended) {
        let place = match ended.reason {
            Reason::Stop => 0,
            Reason::Length => 1,
            Reason::Abort => 2,
            Reason::Error => 3,
        };
        self.ended[place] += 1;
        let ask = &request.ask;
        self.e2e.observe(ended.end - ask.arrival);
        self.http.observe(ended.end - ask.arrival);
        self.length_prompt.observe(ask.prompt as f64);
        self.length_output.observe(request.generated as f64);
        self.most_tokens.observe(request.generated as f64);
        self.max_tokens.observe(ask.max_tokens as f64);
        self.choices.observe(1.0);
        self.request_preemptions.observe(request.preemptions as f64);
        let scheduled = request.scheduled.unwrap_or(ended.end);
        self.queue.observe(scheduled - ask.arrival);
        let Some(first) = request.first_token else { return };
        self.length_computed.observe((ask.prompt - request.hit) as f64);
        self.prefill.observe(first - scheduled);
        self.inference.observe(request.last_token - scheduled);
        self.decode.observe(request.last_token - first);
        if request.generated > 1 {
            let gaps = (request.generated - 1) as f64;
            self.tpot.observe((request.last_token - first) / gaps);
        }
    }

    /// Requests that ended, for whatever reason.
    pub(crate) fn ended_in_all(&self) -> u64 {
        self.ended.iter().sum()
    }
}

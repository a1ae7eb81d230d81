//! What clients see: the engine's times and the way there and back.

use crate::engine::{Ended, Reason};
use crate::histogram::Histogram;
use crate::rng::Rng;

/// Buckets of the semantic conventions for `gen_ai.client.operation.duration`, seconds.
const DURATION: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Buckets for `gen_ai.client.token.usage`.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Least time after which TCP sends a lost segment again: Linux's `TCP_RTO_MIN`, seconds.
const RETRANSMIT: f64 = 0.2;
/// Bytes of a token of a prompt, and of its share of the JSON around it.
pub(crate) const PROMPT_BYTES: f64 = 4.3;
/// Bytes of a streamed token: one server-sent event with its JSON.
pub(crate) const EVENT_BYTES: f64 = 210.0;
/// Bytes of headers and framing of a request.
pub(crate) const HEADER_BYTES: f64 = 1400.0;

/// Values of `error.type`: none, the client's own time-out, the server's refusal.
pub(crate) const ERRORS: [&str; 3] = ["", "timeout", "500"];

/// What the instrumentation of one tenant's clients counts.
#[derive(Debug)]
pub(crate) struct Clients {
    rng: Rng,
    /// By [`ERRORS`].
    pub(crate) durations: [Histogram; 3],
    pub(crate) first_chunk: Histogram,
    pub(crate) input: Histogram,
    pub(crate) output: Histogram,
}

/// The way between clients and a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// Round trip, seconds.
    pub(crate) delay: f64,
    /// Share of packets lost.
    pub(crate) loss: f64,
}

impl Clients {
    pub(crate) fn new(rng: Rng) -> Self {
        let durations = || Histogram::new(DURATION);
        Self {
            rng,
            durations: [durations(), durations(), durations()],
            first_chunk: durations(),
            input: Histogram::new(TOKENS),
            output: Histogram::new(TOKENS),
        }
    }

    /// A request ended. Tells the seconds that its way took, there and back.
    pub(crate) fn see(&mut self, ended: &Ended, way: Way) -> f64 {
        let packets = (ended.ask.prompt as f64 * PROMPT_BYTES / 1448.0).ceil() + 2.0;
        // One lost packet of the request holds all of it up.
        let is_held_up = self.rng.chance(1.0 - (1.0 - way.loss).powf(packets));
        let extra = way.delay + if is_held_up { RETRANSMIT } else { 0.0 };
        let error = match ended.reason {
            Reason::Stop | Reason::Length => 0,
            Reason::Abort => 1,
            Reason::Error => 2,
        };
        if let Some(durations) = self.durations.get_mut(error) {
            durations.observe(ended.end - ended.ask.arrival + extra);
        }
        if let Some(first) = ended.first_token {
            self.first_chunk.observe(first - ended.ask.arrival + extra);
            self.input.observe(ended.ask.prompt as f64);
            self.output.observe(ended.delivered as f64);
        }
        extra
    }
}

//! A request on its way through an engine.

use super::kv::{BLOCK, ChainKey};

/// What a client asks for. What it will get is decided with it: the length of an answer is a
/// property of the question, and the engine only meets it token by token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ask {
    pub(crate) tenant: usize,
    /// The conversation it belongs to.
    pub(crate) conversation: u64,
    /// Seconds since the simulation began.
    pub(crate) arrival: f64,
    /// The client hangs up when there is no token by then.
    pub(crate) deadline: f64,
    /// Tokens of the prompt, system prompt included.
    pub(crate) prompt: u64,
    /// Tokens of the prompt that all requests of the tenant begin with.
    pub(crate) system: u64,
    /// Length of the answer if nothing cuts it.
    pub(crate) natural: u64,
    pub(crate) max_tokens: u64,
}

impl Ask {
    /// Tokens of the answer: the natural end or the limit.
    pub(crate) fn output(&self) -> u64 {
        self.natural.min(self.max_tokens).max(1)
    }

    /// Whole blocks of the system prompt, which requests share.
    pub(crate) fn shared_blocks(&self) -> u64 {
        self.system / BLOCK
    }

    pub(crate) fn shared_key(&self) -> ChainKey {
        // Conversations count up from zero, so the upper half is free for tenants.
        u64::MAX - self.tenant as u64
    }
}

/// Why a request ended, in vLLM's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Stop,
    Length,
    Abort,
    Error,
}

/// A request that ended, as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ended {
    pub(crate) ask: Ask,
    pub(crate) reason: Reason,
    /// When the engine took it up for the first time.
    pub(crate) scheduled: Option<f64>,
    pub(crate) first_token: Option<f64>,
    /// Means nothing before the first token.
    pub(crate) last_token: f64,
    pub(crate) end: f64,
    /// Prompt tokens that the prefix cache had when it was first taken up.
    pub(crate) cached: u64,
    /// Tokens that were delivered.
    pub(crate) delivered: u64,
}

/// A request inside the engine.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) ask: Ask,
    /// Tokens of the answer that were sampled.
    pub(crate) generated: u64,
    /// Private tokens (behind the shared blocks) whose keys and values are in the cache. While it
    /// decodes, the count at the step it began to (`decoding_since`).
    pub(crate) computed: u64,
    /// Private blocks it holds while it does not decode.
    pub(crate) blocks: u64,
    /// The step in which it decodes for the first time since it was admitted.
    pub(crate) decoding_since: Option<u64>,
    pub(crate) scheduled: Option<f64>,
    pub(crate) first_token: Option<f64>,
    pub(crate) last_token: f64,
    /// Prompt tokens it found in the cache when it was first admitted.
    pub(crate) hit: u64,
    pub(crate) preemptions: u64,
    /// When its blocks began to fill.
    pub(crate) born: f64,
}

impl Request {
    pub(crate) fn new(ask: Ask) -> Self {
        Self {
            ask,
            generated: 0,
            computed: 0,
            blocks: 0,
            decoding_since: None,
            scheduled: None,
            first_token: None,
            last_token: 0.0,
            hit: 0,
            preemptions: 0,
            born: ask.arrival,
        }
    }

    /// Private tokens that must be computed before the next token can be sampled: the rest of the
    /// prompt and, after a preemption, what was generated before it.
    pub(crate) fn to_compute(&self) -> u64 {
        self.ask.prompt - self.ask.shared_blocks() * BLOCK + self.generated
    }

    /// Private tokens in the cache at the beginning of `step`.
    pub(crate) fn length_at(&self, step: u64) -> u64 {
        match self.decoding_since {
            Some(since) => self.computed + (step - since),
            None => self.computed,
        }
    }

    /// Private blocks it holds at the beginning of `step`; `grown`: the block of the token that the
    /// step adds is among them.
    pub(crate) fn blocks_at(&self, step: u64, grown: bool) -> u64 {
        match self.decoding_since {
            Some(_) => (self.length_at(step) + u64::from(grown)).div_ceil(BLOCK),
            None => self.blocks,
        }
    }
}

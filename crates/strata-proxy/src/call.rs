//! What is known of one call when it has ended, and where it goes.

use std::sync::Arc;
use std::time::Duration;

use crate::api::Api;
use crate::metrics::Spread;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Success,
    /// The client went away before the end of its answer.
    ClientCancelled,
    /// The answer broke off: the connection failed, or the stream ended without its last event.
    UpstreamTruncated,
    /// The answer has a status of 400 or above; 502 and 504 also when no upstream could be asked.
    Error,
    /// The status says success and the body says error.
    ErrorInSuccess,
}

impl Outcome {
    /// The value of the label `outcome`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ClientCancelled => "client_cancelled",
            Self::UpstreamTruncated => "upstream_truncated",
            Self::Error | Self::ErrorInSuccess => "error",
        }
    }
}

/// Where a count of tokens comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CountSource {
    /// The answer's usage record.
    Usage,
    /// Token-bearing events of the stream: right where an engine sends each token on its own.
    ChunkCount,
    #[default]
    Unknown,
}

impl CountSource {
    /// The value of the label `count_source`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::ChunkCount => "chunk_count",
            Self::Unknown => "unknown",
        }
    }
}

/// Tokens of a call. `None` is not known, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// All input tokens, cached ones included.
    pub input: Option<u64>,
    /// Part of the input: read from a prompt cache.
    pub cache_read: Option<u64>,
    /// Part of the input: written to a prompt cache.
    pub cache_write: Option<u64>,
    /// All output tokens, reasoning included.
    pub output: Option<u64>,
    /// Part of the output.
    pub reasoning: Option<u64>,
    /// Part of the input.
    pub audio_input: Option<u64>,
    /// Part of the output.
    pub audio_output: Option<u64>,
    /// Where `output` comes from; everything else is only ever taken from usage.
    pub output_source: CountSource,
}

/// Moments of a call, as time since the request's head was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// The request's body had been received whole.
    pub received: Option<Duration>,
    /// The head of the answer arrived.
    pub head: Option<Duration>,
    /// The first event with a token of any kind.
    pub first_token: Option<Duration>,
    /// The first event with something a reader sees.
    pub first_output: Option<Duration>,
    /// The last event with a token.
    pub last_token: Option<Duration>,
    /// The end of the answer, or of the attempt.
    pub end: Duration,
    /// What the proxy itself added: to the way there, and to every frame of the way back.
    pub overhead: Duration,
}

impl Timings {
    /// From the request fully received, which is where all times to something begin.
    pub fn since_received(&self, moment: Option<Duration>) -> Option<Duration> {
        // An answer may begin before the request has ended; then there is no such time.
        moment?.checked_sub(self.received?)
    }
}

/// What the engine itself says in its answer of the time that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineTimes {
    /// Computing the prompt, without what a cache supplied.
    pub prefill: Option<Duration>,
    pub decode: Option<Duration>,
}

/// Gaps between token-bearing events of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gaps {
    pub count: u64,
    pub total: Duration,
    pub longest: Duration,
    /// Gaps of at least 100 ms and four times the median of the answer.
    pub stalls: u64,
    /// All of them by length.
    pub spread: Spread,
}

/// One GenAI call, without a word of what was asked or answered.
#[derive(Debug, Clone, PartialEq)]
pub struct GenAiCall {
    /// Unique in the fleet for practical purposes: 32 hexadecimal digits.
    pub id: String,
    /// When the request's head was received, milliseconds since the Unix epoch.
    pub started_ms: i64,
    pub api: Api,
    pub route: Arc<str>,
    /// The upstream that was asked; `None` when none was.
    pub upstream: Option<Arc<str>>,
    pub tenant: Option<Arc<str>>,
    /// As the headers say that the configuration names.
    pub team: Option<String>,
    pub app: Option<String>,
    pub session: Option<String>,
    /// Keyed hash of the API key, 16 hexadecimal digits; the key itself is never kept.
    pub key_hash: Option<String>,
    pub model_asked: Option<String>,
    pub model_served: Option<String>,
    pub streamed: bool,
    /// Status sent to the client; `None` when it left before.
    pub status: Option<u16>,
    pub outcome: Outcome,
    /// The error's own type or code, when the answer names one.
    pub error_type: Option<String>,
    pub response_id: Option<String>,
    pub request_id: Option<String>,
    /// The response that it goes on from, and the conversation it says it belongs to. Only the
    /// responses API has either.
    pub previous_response_id: Option<String>,
    pub conversation: Option<String>,
    pub traceparent: Option<String>,
    pub finish_reason: Option<String>,
    pub timings: Timings,
    pub engine: EngineTimes,
    pub gaps: Gaps,
    /// Events that bore a token.
    pub token_events: u64,
    pub tokens: Tokens,
    /// Inputs of an embedding or documents of a rerank.
    pub inputs: Option<u64>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// The proxy asked for the usage record on its own account.
    pub usage_injected: bool,
    /// The answer could not be read to its end (unknown encoding, too large, no JSON).
    pub unread: bool,
}

impl GenAiCall {
    /// Time per output token after the first: `(last - first) / (N - 1)`. Reasoning tokens that were
    /// counted but not streamed are no part of N.
    pub fn tpot(&self) -> Option<Duration> {
        let (first, last) = (self.timings.first_token?, self.timings.last_token?);
        let hidden = if self.saw_reasoning() { 0 } else { self.tokens.reasoning.unwrap_or(0) };
        let n = self.tokens.output?.saturating_sub(hidden);
        let steps = u32::try_from(n.checked_sub(1)?).ok()?;
        // One event for several tokens has no duration to divide.
        if steps == 0 || self.token_events < 2 {
            None
        } else {
            last.checked_sub(first)?.checked_div(steps)
        }
    }

    /// Whether reasoning was streamed: then something came before the first visible output.
    fn saw_reasoning(&self) -> bool {
        match (self.timings.first_token, self.timings.first_output) {
            (Some(token), Some(output)) => token < output,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// From the request fully received to the end.
    pub fn duration(&self) -> Duration {
        self.timings.end.saturating_sub(self.timings.received.unwrap_or_default())
    }
}

/// Takes the calls that have ended. Called on the way of the answer: must neither block nor fail;
/// what cannot be taken is dropped and counted by the sink.
pub trait CallSink: Send + Sync + 'static {
    fn take(&self, call: &GenAiCall);
}

/// Keeps nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoCalls;

impl CallSink for NoCalls {
    fn take(&self, _call: &GenAiCall) {}
}

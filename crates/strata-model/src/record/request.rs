//! One GenAI call, as one observer saw it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tokens::TokenBuckets;

/// Who saw the request. The order is the precedence: the earlier is believed first about what the
/// user got, see `merge`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// A proxy or gateway in front of the engine: ours, or one that sends server spans.
    Proxy,
    /// A span of the program that called the model.
    Client,
    /// The inference engine itself.
    Engine,
}

impl Door {
    /// `proxy`, `client`, `engine`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Client => "client",
            Self::Engine => "engine",
        }
    }
}

/// Where a token count comes from, the most exact first.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CountSource {
    /// The usage that the engine or provider put into its answer.
    Usage,
    /// The running usage of a stream that broke off.
    ContinuousUsage,
    /// What the engine reported about this request by another way.
    EngineMetrics,
    /// Chunks of a stream, for engines that send one token each.
    ChunkCount,
    /// Bytes times a ratio.
    Estimate,
    /// Not counted.
    #[default]
    None,
}

impl CountSource {
    /// `usage`, `continuous_usage`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::ContinuousUsage => "continuous_usage",
            Self::EngineMetrics => "engine_metrics",
            Self::ChunkCount => "chunk_count",
            Self::Estimate => "estimate",
            Self::None => "none",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Outcome {
    Ok,
    /// The caller went away before the end.
    ClientCancel,
    /// The engine's answer broke off.
    UpstreamTruncated,
    /// Refused or failed; the code is an HTTP status or the name of the error, when there is one.
    Error {
        code: Option<String>,
    },
    /// A stream that began with status 200 carried an error.
    ErrorIn200 {
        code: Option<String>,
    },
}

impl Outcome {
    /// `ok`, `client_cancel`, `upstream_truncated`, `error`, `error_in_200`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientCancel => "client_cancel",
            Self::UpstreamTruncated => "upstream_truncated",
            Self::Error { .. } => "error",
            Self::ErrorIn200 { .. } => "error_in_200",
        }
    }

    /// The code of an error.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Error { code } | Self::ErrorIn200 { code } => code.as_deref(),
            _ => None,
        }
    }
}

/// One GenAI call, as one observer saw it or merged from several. Holds no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RequestRecord {
    pub door: Door,
    /// `chat`, `text_completion`, `generate_content`, `embeddings`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// 16 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// The id in the answer, `chatcmpl-...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    /// The id in the `x-request-id` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_requested: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_served: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The engine process that served it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// When it began, microseconds since the Unix epoch.
    pub start_us: i64,
    /// When it ended, microseconds since the Unix epoch; `None` while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_us: Option<i64>,
    /// From the start to the first token of any kind, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_us: Option<i64>,
    /// From the start to the first token that a reader sees, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_visible_us: Option<i64>,
    /// Gaps between tokens that stand out: 100 ms and four times the median of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stalls: Option<u64>,
    /// The longest gap between tokens, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_gap_us: Option<i64>,
    /// In the engine's queue, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_us: Option<i64>,
    /// Prefill in the engine, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_us: Option<i64>,
    /// Decode in the engine, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_us: Option<i64>,
    pub tokens: TokenBuckets,
    pub count_source: CountSource,
    /// What the source said about tokens, as a JSON object of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// `stop`, `length`, `tool_calls`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streamed: Option<bool>,
}

impl Default for RequestRecord {
    fn default() -> Self {
        Self::new(Door::Client, 0)
    }
}

impl RequestRecord {
    /// A record of which nothing is known but who saw it begin and when.
    pub fn new(door: Door, start_us: i64) -> Self {
        Self {
            door,
            operation: None,
            trace_id: None,
            span_id: None,
            parent_span_id: None,
            response_id: None,
            request_id: None,
            conversation_id: None,
            tenant: None,
            team: None,
            app: None,
            session: None,
            model_requested: None,
            model_served: None,
            provider: None,
            replica: None,
            route: None,
            start_us,
            end_us: None,
            ttft_us: None,
            first_visible_us: None,
            stalls: None,
            longest_gap_us: None,
            queue_us: None,
            prefill_us: None,
            decode_us: None,
            tokens: TokenBuckets::default(),
            count_source: CountSource::None,
            usage_raw: None,
            outcome: None,
            finish_reason: None,
            streamed: None,
        }
    }

    /// End minus start, microseconds; `None` when the end is not known or lies before the start.
    pub fn duration_us(&self) -> Option<i64> {
        self.end_us.map(|end| end.saturating_sub(self.start_us)).filter(|took| *took >= 0)
    }

    /// The model that served it, else the one that was asked for.
    pub fn model(&self) -> Option<&str> {
        self.model_served.as_deref().or(self.model_requested.as_deref())
    }

    /// Bytes it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        let texts = [
            &self.operation,
            &self.trace_id,
            &self.span_id,
            &self.parent_span_id,
            &self.response_id,
            &self.request_id,
            &self.conversation_id,
            &self.tenant,
            &self.team,
            &self.app,
            &self.session,
            &self.model_requested,
            &self.model_served,
            &self.provider,
            &self.replica,
            &self.route,
            &self.usage_raw,
            &self.finish_reason,
        ];
        size_of::<Self>()
            + texts.iter().filter_map(|text| text.as_ref()).map(String::len).sum::<usize>()
    }
}

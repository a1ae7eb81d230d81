//! The state of a source of data, as `strata sources` and the Doctor page tell it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::layer::Layer;

/// How data comes in from this source.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Read natively from the operating system or a driver.
    Native,
    /// A page that is fetched.
    Scrape,
    /// Pushed to us (remote write, OTLP).
    Receive,
}

/// How a source is doing. Never a number where there is none.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Has not been tried yet.
    Pending,
    /// The last try succeeded.
    Ok,
    /// The last try gave data, but parts failed.
    Partial,
    /// The last try failed; the hint says what to do.
    Failing,
    /// Nothing came for longer than expected.
    Stale,
    /// The kernel, driver or program does not offer it here.
    Unsupported,
    /// Permission was refused.
    Denied,
    /// Looked for and not there.
    Absent,
}

/// The class of a fault, stable across releases.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// Could not connect or resolve.
    Unreachable,
    /// No answer before the deadline.
    Timeout,
    /// Certificate or handshake refused.
    Tls,
    /// 401 or 403, or EACCES.
    Denied,
    /// Any other status than success.
    HttpStatus,
    /// The body was not what the format promises.
    Malformed,
    /// More than the bound allows.
    TooLarge,
    /// Too many series, labels or buckets.
    OverLimit,
    /// A vendor's "no value" sentinel, dropped.
    Sentinel,
    /// The same series twice in one page.
    Duplicate,
    /// The file or call does not exist here.
    Unsupported,
    /// A read failed for another reason.
    Io,
    /// The collector panicked and was contained.
    Panicked,
}

impl FaultCode {
    /// The stable `snake_case` word, used as a label value and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Denied => "denied",
            Self::HttpStatus => "http_status",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::OverLimit => "over_limit",
            Self::Sentinel => "sentinel",
            Self::Duplicate => "duplicate",
            Self::Unsupported => "unsupported",
            Self::Io => "io",
            Self::Panicked => "panicked",
        }
    }
}

/// Something that went wrong with one source, with a sample of the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    pub code: FaultCode,
    /// What failed, with its object: `line 12: value "abc" is not a number`.
    pub message: String,
    /// How often, when several alike were folded into one.
    pub count: u64,
}

impl Fault {
    /// A single fault.
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), count: 1 }
    }
}

/// One row of `strata sources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceStatus {
    /// Stable name, unique in this process: `host/cpu`, `scrape/vllm/127.0.0.1:8000`.
    pub id: String,
    pub kind: SourceKind,
    /// `None` when the source feeds several layers.
    pub layer: Option<Layer>,
    pub state: SourceState,
    /// When the last successful try ended, in milliseconds; `None` when there was none.
    pub last_success_ms: Option<i64>,
    /// Seconds the last try took.
    pub last_duration_seconds: Option<f64>,
    /// Samples of the last successful try; `None` when there was none.
    pub last_samples: Option<u64>,
    /// Samples since start.
    pub samples_total: u64,
    /// Faults since start.
    pub faults_total: u64,
    /// The latest faults, newest last, at most a handful.
    pub recent_faults: Vec<Fault>,
    /// What a person can do about it; empty when nothing is wrong.
    pub hint: String,
}

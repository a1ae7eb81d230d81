//! Telling others what is told here.

use super::{Feedback, RequestRecord};

/// A signal that is told onward: traces and logs by OTLP, metrics by Prometheus remote write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnwardSignal {
    Traces,
    Logs,
    Metrics,
}

impl OnwardSignal {
    /// `traces`, `logs`, `metrics`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// Passes on what came in. Nothing here waits or fails: what cannot be passed on is counted where it
/// is lost.
pub trait Onward: Send + Sync + 'static {
    /// Whether this signal goes anywhere.
    fn wants(&self, signal: OnwardSignal) -> bool;

    /// Whether texts that may be what was said to or by a model go along.
    fn keeps_content(&self) -> bool;

    /// A request of OTLP in protobuf with so many spans or log records.
    fn otlp(&self, signal: OnwardSignal, body: Vec<u8>, items: u64);

    /// Requests that no span told of.
    fn requests(&self, requests: &[RequestRecord]);

    /// Judgements that no event told of.
    fn feedback(&self, feedback: &[Feedback]);
}

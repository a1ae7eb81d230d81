//! Where records go.

use crate::record::{Feedback, RequestRecord, SpanRecord};
use crate::sink::{BoxFuture, SinkError};

/// Records that came together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordBatch {
    pub requests: Vec<RequestRecord>,
    pub spans: Vec<SpanRecord>,
    pub feedback: Vec<Feedback>,
}

impl RecordBatch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.spans.is_empty() && self.feedback.is_empty()
    }

    /// Bytes it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        let requests: usize = self.requests.iter().map(RequestRecord::weight).sum();
        let spans: usize = self.spans.iter().map(SpanRecord::weight).sum();
        requests + spans + self.feedback.len() * (size_of::<Feedback>() + 256)
    }
}

/// What became of the records of a batch. Every record is counted in exactly one field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordReceipt {
    /// New rows.
    pub stored: u64,
    /// Requests that were known from another door, or came a second time.
    pub joined: u64,
    /// Older than the retention: refused.
    pub too_old: u64,
    /// Further in the future than clocks differ: refused.
    pub too_new: u64,
    /// Beyond the bound of a day: refused.
    pub over_limit: u64,
}

impl RecordReceipt {
    /// Records refused for whatever reason.
    pub fn refused(&self) -> u64 {
        self.too_old + self.too_new + self.over_limit
    }
}

/// Takes records.
pub trait RecordSink: Send + Sync + 'static {
    /// Append and wait until the records would survive a crash of the machine.
    fn append(&self, batch: RecordBatch) -> BoxFuture<'_, Result<RecordReceipt, SinkError>>;
}

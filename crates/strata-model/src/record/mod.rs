//! What is kept of single happenings: GenAI requests, spans, feedback; and how they are asked for.
//!
//! A record never holds what was said to or by a model. Times are integer microseconds since the
//! Unix epoch, durations integer microseconds, so that sums are exact. What was not reported is
//! `None`, never zero.

mod feedback;
mod merge;
mod onward;
mod query;
mod request;
mod rollup;
mod sample;
mod sink;
mod span;
mod tables;
mod tokens;

pub use feedback::{Feedback, FeedbackSource, FeedbackTarget};
pub use merge::{JoinKey, joins, merge, siblings};
pub use onward::{Onward, OnwardSignal};
pub use query::{
    Compare, Field, FieldKind, Filter, Order, RecordError, RecordQuery, RecordSource,
    RequestSightings, RollupQuery, SqlAnswer, SqlValue, StoredFeedback, StoredRequest,
};
pub use request::{CountSource, Door, Outcome, RequestRecord};
pub use rollup::{DurationHistogram, RollupDimension, RollupRow, Totals};
pub use sample::{Judgement, RequestSample, SampleQuery, Samples};
pub use sink::{RecordBatch, RecordReceipt, RecordSink};
pub use span::SpanRecord;
pub use tables::{RECORD_TABLES, RecordColumn, RecordTable, SQL_DAYS_MAX};
pub use tokens::{TokenBuckets, Usage};

#[cfg(test)]
mod tests;

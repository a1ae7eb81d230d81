//! The one trait every source that is asked (rather than pushed) implements.

use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{Batch, Fault, Layer, SourceKind, SourceState};

/// What one round brought home: samples, and what went wrong on the way. Partial success is normal.
#[derive(Debug, Default)]
pub struct Harvest {
    pub batch: Batch,
    pub faults: Vec<Fault>,
}

/// A round that brought nothing home.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", fault.message)]
pub struct CollectError {
    pub fault: Fault,
    /// The state the source is in because of it (`Failing`, `Denied`, `Unsupported`, `Absent`).
    pub state: SourceState,
    /// What a person can do about it.
    pub hint: String,
}

/// A source that is asked once per interval.
///
/// The scheduler owns the time: it calls `collect` with a deadline shorter than the interval, never
/// overlapping, contains panics, records the outcome in the [`crate::SourceBook`], writes `up`-like
/// samples for scrapes, and ends series that went away with staleness markers.
pub trait Collector: Send + 'static {
    /// Stable name, unique in this process; also the batch's source: `host/cpu`.
    fn id(&self) -> &str;
    fn kind(&self) -> SourceKind;
    /// The room it fills; `None` when it depends on the page.
    fn layer(&self) -> Option<Layer>;
    fn interval(&self) -> Duration;
    /// Must be shorter than the interval.
    fn timeout(&self) -> Duration;
    /// Read everything once, stamping samples with `at_ms` (milliseconds since the Unix epoch).
    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>>;
}

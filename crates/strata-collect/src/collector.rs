//! The one trait every source that is asked (rather than pushed) implements.

use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{Batch, Fault, Labels, Layer, SourceKind, SourceState};

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

/// What one page of a scraped target amounted to, in Prometheus's own terms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// `scrape_samples_scraped`: samples on the page.
    pub scraped: u64,
    /// `scrape_samples_post_metric_relabeling`: samples that no rule dropped.
    pub kept: u64,
    /// `scrape_series_added`: series not seen on earlier pages of this target.
    pub added: u64,
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
    /// The labels of `up` and its companions. `None` for a source that is not a scraped target, which
    /// gets no such samples.
    fn target_labels(&self) -> Option<Labels> {
        None
    }
    /// What the last round amounted to, for the companions of `up`.
    fn page_counts(&self) -> PageCounts {
        PageCounts::default()
    }
}

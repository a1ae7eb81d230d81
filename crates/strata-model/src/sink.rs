//! Where batches go: the store on this machine, or another Stratascope.

use std::future::Future;
use std::pin::Pin;

use crate::batch::Batch;

/// What became of the samples of one batch. Every sample is counted in exactly one field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Stored (durably, when the receipt answers [`Sink::append`]).
    pub appended: u64,
    /// Same series, time and value as a stored sample: accepted without effect.
    pub duplicate: u64,
    /// Same series and time as a stored sample with another value: refused.
    pub conflicting: u64,
    /// Older than the out-of-order window allows: refused.
    pub too_old: u64,
    /// Further in the future than the clock tolerance allows: refused.
    pub too_new: u64,
    /// Would have made a series beyond the limit: refused.
    pub over_series_limit: u64,
    /// Malformed (labels not canonical, no metric name, a histogram that contradicts itself).
    pub invalid: u64,
}

impl Receipt {
    /// Samples refused for whatever reason.
    pub fn refused(&self) -> u64 {
        self.conflicting + self.too_old + self.too_new + self.over_series_limit + self.invalid
    }

    /// Field-wise sum.
    pub fn merge(&mut self, other: &Self) {
        self.appended += other.appended;
        self.duplicate += other.duplicate;
        self.conflicting += other.conflicting;
        self.too_old += other.too_old;
        self.too_new += other.too_new;
        self.over_series_limit += other.over_series_limit;
        self.invalid += other.invalid;
    }
}

/// Why a whole batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The queue is full: shed load or retry later.
    #[error("sink is overloaded, {queued_bytes} bytes are queued")]
    Overloaded { queued_bytes: usize },
    /// The disk is full or read-only, or the database refused the write; reads still work.
    #[error("storage cannot write: {reason}")]
    Storage { reason: String },
    /// There is no storage here at all; trying again is of no use.
    #[error("nothing is stored here: {reason}")]
    Nowhere { reason: String },
    /// The sink is shutting down.
    #[error("sink is closed")]
    Closed,
}

/// A future on the heap, so that this crate needs no runtime.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Takes batches. The only way from floor 1 (collect) to floor 2 (store).
pub trait Sink: Send + Sync + 'static {
    /// Queue a batch without waiting. When the queue is full the oldest offered batch is dropped
    /// and counted: fresh telemetry is worth more than old.
    fn offer(&self, batch: Batch);

    /// Append and wait until the samples would survive a crash of the machine. A receiver that
    /// promises durability to its client answers only after this returns.
    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, SinkError>>;
}

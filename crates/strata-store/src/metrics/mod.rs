//! The embedded time-series engine.
//!
//! A batch is admitted sample by sample, written to the log and synced, then acknowledged; its
//! samples stand packed in the head. When a window is full the head is sealed: blocks go to the
//! file of their UTC day and the log is dropped. Reads join day files and head. One thread writes;
//! any thread reads. Retention removes a file.

mod admit;
mod backup;
mod changes;
mod codec;
pub(crate) mod day;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod head;
mod index;
mod log;
mod names;
mod open;
mod options;
mod pass;
mod queue;
mod refused;
mod retention;
mod select;
mod tiers;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use strata_model::meter::{Counter, Meter};
use strata_model::sink::BoxFuture;
use strata_model::{Batch, Clock, Metadata, Receipt, Sink, SinkError};
use tokio::sync::oneshot;

pub use self::error::StoreError;
pub use self::options::{Fsync, StoreOptions, StoreSettings};
pub use self::refused::SourceRefusals;
pub use self::verify::VerifyReport;

use self::day::calendar::day_of;
use self::day::{Damage, Day, Kept};
use self::head::Head;
use self::index::Index;
use self::queue::{Order, Queue};
use self::refused::Refused;
use self::tiers::Tiers;

/// Families whose metadata is kept: far above any real fleet, against a sender that invents them.
const FAMILY_LIMIT: usize = 100_000;

/// The state of the store at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Series in the index: those with samples within the retention.
    pub series: u64,
    /// Series with samples since the last seal.
    pub active_series: u64,
    /// Samples in memory, not yet sealed.
    pub head_samples: u64,
    /// Bytes of memory those samples take.
    pub head_bytes: u64,
    /// Samples in day files.
    pub sealed_samples: u64,
    /// Points in tier files, all columns counted.
    pub tier_points: u64,
    /// Bytes of all files in the store's directory; `None` when it cannot be read.
    pub disk_bytes: Option<u64>,
    /// Bytes of batches that wait to be written.
    pub queued_bytes: u64,
    /// Time of the oldest sample, to the seal it is in; `None` when there is none.
    pub oldest_ms: Option<i64>,
    /// Time of the newest sample; `None` when there is none.
    pub newest_ms: Option<i64>,
    /// Why nothing can be written now; `None` when all is well.
    pub read_only: Option<String>,
    /// Files that were damaged or lost since start, and rows that could not be read.
    pub damaged: u64,
}

/// How the store counts itself.
struct Counters {
    appended: Counter,
    duplicate: Counter,
    conflicting: Counter,
    too_old: Counter,
    too_new: Counter,
    over_series_limit: Counter,
    invalid: Counter,
    dropped: Counter,
    log_bytes: Counter,
    seals: Counter,
    files_lost: Counter,
}

impl Counters {
    fn new(meter: &Meter) -> Self {
        let samples =
            |outcome: &str| meter.counter("strata.store.samples", &[("outcome", outcome)]);
        Self {
            appended: samples("appended"),
            duplicate: samples("duplicate"),
            conflicting: samples("conflicting"),
            too_old: samples("too_old"),
            too_new: samples("too_new"),
            over_series_limit: samples("over_series_limit"),
            invalid: samples("invalid"),
            dropped: samples("dropped"),
            log_bytes: meter.counter("strata.store.log.bytes", &[]),
            seals: meter.counter("strata.store.seals", &[]),
            files_lost: meter.counter("strata.store.files.lost", &[]),
        }
    }

    fn count(&self, receipt: &Receipt) {
        self.appended.add(receipt.appended);
        self.duplicate.add(receipt.duplicate);
        self.conflicting.add(receipt.conflicting);
        self.too_old.add(receipt.too_old);
        self.too_new.add(receipt.too_new);
        self.over_series_limit.add(receipt.over_series_limit);
        self.invalid.add(receipt.invalid);
    }
}

/// What readers and the writer share.
struct Shared {
    settings: StoreSettings,
    clock: Arc<dyn Clock>,
    index: RwLock<Index>,
    head: RwLock<Head>,
    days: RwLock<BTreeMap<i64, Arc<Day>>>,
    tiers: Tiers,
    families: RwLock<BTreeMap<String, Metadata>>,
    /// Held by whoever carries series ids from one of the above to another; taken for writing
    /// when ids are given anew, see [`retention`].
    renaming: RwLock<()>,
    /// Series without samples wait to be forgotten until nobody reads.
    forgetting_waits: AtomicBool,
    /// Series that live in tiers only, when last counted.
    idle: AtomicUsize,
    /// Which times were written to.
    changes: changes::Changes,
    queue: Queue,
    trouble: Mutex<Option<String>>,
    damage: Damage,
    kept: Kept,
    counters: Counters,
    refused: Refused,
    /// Held as long as the store is open: its lock keeps other processes out.
    _lock: File,
}

/// The index holds at most this many times the series of `series_limit`, those included that live
/// in tiers only: two years of short-lived pods must not fill the memory.
const IDLE_FACTOR: usize = 4;

impl Shared {
    /// Whether an index of `series` may take another.
    fn has_room(&self, series: usize) -> bool {
        let limit = self.settings.series_limit;
        let idle = self.idle.load(Ordering::Relaxed);
        series.saturating_sub(idle) < limit && series < limit.saturating_mul(IDLE_FACTOR)
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, reason: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Time of the newest sample on disk and in memory.
    fn newest_ms(&self) -> Option<i64> {
        let days = self.days_between(i64::MIN, i64::MAX);
        let sealed = days.iter().filter_map(|day| {
            let state = day.state();
            state.seals.iter().map(|seal| seal.last_ms).max()
        });
        let head = self.head.read().unwrap_or_else(PoisonError::into_inner);
        sealed.max().max(head.newest_ms())
    }

    /// Days that overlap the range, oldest first.
    fn days_between(&self, start_ms: i64, end_ms: i64) -> Vec<Arc<Day>> {
        let days = self.days.read().unwrap_or_else(PoisonError::into_inner);
        days.range(day_of(start_ms)..=day_of(end_ms)).map(|(_, day)| Arc::clone(day)).collect()
    }

    /// Set a damaged file aside so that the rest works on.
    fn quarantine(&self, path: &Path, error: &StoreError) {
        self.counters.files_lost.add(1);
        open::set_aside(path, error);
    }
}

/// The embedded store of metrics. Cheap to clone; every clone is the same store.
#[derive(Clone)]
pub struct MetricStore {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
}

/// Ends the store's threads with the last clone of the store.
struct Threads {
    shared: Arc<Shared>,
    running: Mutex<Vec<JoinHandle<()>>>,
}

impl Threads {
    fn add(&self, thread: JoinHandle<()>) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    fn join(&self) {
        self.shared.tiers.stop();
        let running =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in running {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl Drop for Threads {
    /// A store that is dropped unclosed leaves its head to the log, as a crash does.
    fn drop(&mut self) {
        self.shared.queue.order(Order::Abandon);
        self.join();
    }
}

impl MetricStore {
    /// Open the store in `settings.dir`, making it when it is missing, and replay what a crash left
    /// in the log. Damaged day files are renamed `*.damaged` and the rest opens.
    ///
    /// # Errors
    /// The directory cannot be made, written or locked, or a file is of a newer version.
    pub fn open(
        settings: StoreSettings,
        clock: Arc<dyn Clock>,
        meter: &Meter,
    ) -> Result<Self, StoreError> {
        open::open(settings, clock, meter)
    }

    /// [`Sink::append`] for callers that are not async. Do not call it on a runtime's own thread.
    ///
    /// # Errors
    /// As [`Sink::append`].
    pub fn append_blocking(&self, batch: Batch) -> Result<Receipt, SinkError> {
        self.enqueue(batch)?.blocking_recv().unwrap_or(Err(SinkError::Closed))
    }

    fn enqueue(
        &self,
        batch: Batch,
    ) -> Result<oneshot::Receiver<Result<Receipt, SinkError>>, SinkError> {
        if let Some(reason) = self.shared.trouble() {
            return Err(SinkError::Storage { reason });
        }
        let (reply, answer) = oneshot::channel();
        self.shared.queue.append(batch, reply)?;
        Ok(answer)
    }

    /// Move everything from memory into the day files now.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn seal(&self) -> Result<(), StoreError> {
        self.order(Order::Seal)
    }

    /// Write now the tiers of every day that is complete, as the store does by itself within a
    /// minute; returns how many files were written. What fails is logged and tried again later.
    pub fn downsample(&self) -> usize {
        tiers::build_due(&self.shared)
    }

    /// Write what is queued, seal, and stop the writer. Reads go on; writes answer `Closed`.
    ///
    /// # Errors
    /// The files cannot be written; what was acknowledged is then still in the log.
    pub fn close(&self) -> Result<(), StoreError> {
        let outcome = self.order(Order::Close);
        self.threads.join();
        outcome
    }

    fn order(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<(), StoreError>>) -> Order,
    ) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        if !self.shared.queue.order(order(reply)) {
            return Err(StoreError::Closed);
        }
        answer.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Time in milliseconds of the newest sample of each metric, by name. Metrics that ended or
    /// have had no sample since the head was last sealed are left out.
    pub fn newest_by_name(&self) -> BTreeMap<String, i64> {
        self.shared.newest_by_name()
    }

    /// The state of the store now.
    pub fn stats(&self) -> StoreStats {
        let shared = &self.shared;
        let days = shared.days_between(i64::MIN, i64::MAX);
        let mut stats = StoreStats {
            disk_bytes: open::disk_bytes(&shared.settings.dir),
            queued_bytes: shared.queue.bytes() as u64,
            read_only: shared.trouble(),
            damaged: shared.damage.count() + shared.counters.files_lost.get(),
            ..StoreStats::default()
        };
        for day in &days {
            let state = day.state();
            stats.sealed_samples += state.samples();
            for seal in &state.seals {
                stats.oldest_ms =
                    Some(stats.oldest_ms.map_or(seal.first_ms, |t| t.min(seal.first_ms)));
                stats.newest_ms = stats.newest_ms.max(Some(seal.last_ms));
            }
        }
        for tier in shared.tiers.all() {
            for column in &tier.state().seals {
                stats.tier_points += column.samples;
                stats.oldest_ms =
                    Some(stats.oldest_ms.map_or(column.first_ms, |t| t.min(column.first_ms)));
            }
        }
        stats.series = shared.index.read().unwrap_or_else(PoisonError::into_inner).len() as u64;
        let head = shared.head.read().unwrap_or_else(PoisonError::into_inner);
        stats.active_series = head.active() as u64;
        stats.head_samples = head.samples();
        stats.head_bytes = head.bytes() as u64;
        stats.newest_ms = stats.newest_ms.max(head.newest_ms());
        stats.oldest_ms = match (stats.oldest_ms, head.oldest_ms()) {
            (Some(disk), Some(head)) => Some(disk.min(head)),
            (disk, head) => disk.or(head),
        };
        stats
    }

    /// What was not stored of what each source offered, in order of their names.
    pub fn refusals(&self) -> Vec<SourceRefusals> {
        self.shared.refused.snapshot()
    }

    /// Check every file of the store in `dir`, which may be open elsewhere.
    ///
    /// # Errors
    /// The directory cannot be read; damage is not an error but in the report.
    pub fn verify(dir: &Path) -> Result<VerifyReport, StoreError> {
        verify::verify(dir)
    }

    /// Copy the store to the new directory `to` while it runs: each file as one consistent
    /// snapshot, and everything acknowledged so far.
    ///
    /// # Errors
    /// `to` exists already or cannot be written.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.seal()?;
        backup::backup(&self.shared.settings.dir, to)
    }

    /// Copy the store in `dir`, which may be open in another process, to the new directory `to`.
    /// The copy holds everything acknowledged before the call.
    ///
    /// # Errors
    /// `to` exists already or cannot be written, or a file of the store cannot be read.
    pub fn backup_of(dir: &Path, to: &Path) -> Result<(), StoreError> {
        backup::backup(dir, to)
    }
}

impl Sink for MetricStore {
    fn offer(&self, batch: Batch) {
        let now_ms = self.shared.clock.now_ms();
        for (source, samples) in self.shared.queue.offer(batch) {
            self.shared.counters.dropped.add(samples);
            self.shared.refused.note_shed(&source, samples, now_ms);
        }
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, SinkError>> {
        Box::pin(async move { self.enqueue(batch)?.await.unwrap_or(Err(SinkError::Closed)) })
    }
}

//! Opening the store: lock, day files, log.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, RwLock};

use rustc_hash::FxHashMap;
use strata_model::labels::hash_encoded;
use strata_model::meter::Meter;
use strata_model::{Clock, Labels};

use super::day::calendar::day_of;
use super::day::{self, Damage, Day, Kept, KnownSeries};
use super::error::StoreError;
use super::head::{Head, Verdict};
use super::index::{Index, metric_name};
use super::log::record::Record;
use super::log::{self, Segment};
use super::options::StoreSettings;
use super::queue::Queue;
use super::refused::Refused;
use super::tiers::{self, Tiers};
use super::writer::Writer;
use super::{Counters, MetricStore, Shared, Threads, retention};

/// Name of the file whose lock says that a process has the store open.
const LOCK: &str = "LOCK";

pub(super) fn open(
    settings: StoreSettings,
    clock: Arc<dyn Clock>,
    meter: &Meter,
) -> Result<MetricStore, StoreError> {
    let dir = settings.dir.clone();
    fs::create_dir_all(&dir).map_err(|error| StoreError::file("make directory", &dir, error))?;
    let lock = lock(&dir)?;
    let counters = Counters::new(meter);
    let mut loading = Loading::default();
    loading.days(&dir, &counters)?;
    loading.log(&dir)?;
    let number = loading.next_segment(&dir)?;
    let segment = Segment::create(&dir, number)
        .map_err(|error| StoreError::file("create log segment in", &dir, error))?;
    let shared = Arc::new(Shared {
        queue: Queue::new(settings.queue_bytes),
        settings,
        clock,
        index: RwLock::new(loading.index),
        head: RwLock::new(loading.head),
        days: RwLock::new(loading.days),
        tiers: Tiers::new(loading.tiers),
        families: RwLock::new(loading.families),
        renaming: RwLock::new(()),
        forgetting_waits: AtomicBool::new(false),
        idle: AtomicUsize::new(0),
        changes: super::changes::Changes::default(),
        trouble: Mutex::new(None),
        damage: Damage::default(),
        kept: Kept::default(),
        counters,
        refused: Refused::default(),
        _lock: lock,
    });
    retention::count_idle(&shared);
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(work).map_err(StoreError::Thread)
    };
    let writer = Writer::new(Arc::clone(&shared), segment);
    let writer = spawn("store-writer", Box::new(move || writer.run()))?;
    let threads = Threads { shared: Arc::clone(&shared), running: Mutex::new(vec![writer]) };
    let threads = Arc::new(threads);
    let builds = Arc::clone(&shared);
    shared.tiers.poke();
    threads.add(spawn("store-tiers", Box::new(move || tiers::run(&builds)))?);
    Ok(MetricStore { shared, threads })
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| StoreError::file("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::file("lock", &path, error)),
    }
}

/// What is put together while opening.
#[derive(Default)]
struct Loading {
    index: Index,
    head: Head,
    days: BTreeMap<i64, Arc<Day>>,
    tiers: [BTreeMap<i64, Arc<Day>>; 2],
    families: BTreeMap<String, strata_model::Metadata>,
}

impl Loading {
    fn days(&mut self, dir: &Path, counters: &Counters) -> Result<(), StoreError> {
        let mut names = Vec::new();
        let mut known = KnownSeries::default();
        let entries = fs::read_dir(dir).map_err(|error| StoreError::file("list", dir, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::file("list", dir, error))?;
            names.extend(entry.file_name().into_string());
        }
        // Names of one kind sort by date.
        names.sort_unstable();
        for name in &names {
            if let Some(number) = day::number_of(name)
                && let Some((day, families)) = self.file(&dir.join(name), number, None, counters)?
            {
                self.note_sealed(&day);
                self.days.insert(number, Arc::new(day));
                // Later days know newer metadata.
                let named = families.into_iter().map(|family| (family.family.clone(), family));
                self.families.extend(named);
            } else if let Some((tier, number)) = tiers::parse_name(name)
                && let Some((day, _)) =
                    self.file(&dir.join(name), number, Some(&mut known), counters)?
            {
                self.tiers[tier as usize].insert(number, Arc::new(day));
            } else if tiers::is_unfinished(name) {
                let path = dir.join(name);
                fs::remove_file(&path)
                    .map_err(|error| StoreError::file("remove unfinished", &path, error))?;
            }
        }
        Ok(())
    }

    /// Load one file; `None` when it was damaged and set aside.
    fn file(
        &mut self,
        path: &Path,
        number: i64,
        known: Option<&mut KnownSeries>,
        counters: &Counters,
    ) -> Result<Option<(Day, Vec<strata_model::Metadata>)>, StoreError> {
        let before = self.index.len();
        match day::load(path, number, &mut self.index, known) {
            Ok(loaded) => {
                self.head.grow(self.index.len());
                Ok(Some(loaded))
            }
            Err(error @ StoreError::TooNew { .. }) => Err(error),
            Err(error) if error.is_damage() || is_incomplete(&error) => {
                tracing::debug!(series = self.index.len() - before, "series of a damaged file");
                counters.files_lost.add(1);
                set_aside(path, &error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Remember by day how far each series goes on disk; asked exactly when it matters.
    fn note_sealed(&mut self, day: &Day) {
        let state = day.state();
        let Some(last) = state.seals.iter().map(|seal| seal.last_ms).max() else { return };
        for id in 0..self.index.len() as u32 {
            if state.has(id) {
                let series = self.head.series_mut(id);
                series.sealed_until = series.sealed_until.max(last);
                series.sealed_exactly = false;
            }
        }
    }

    fn log(&mut self, dir: &Path) -> Result<(), StoreError> {
        let numbers = log::segments(dir).map_err(|error| StoreError::file("list", dir, error))?;
        for number in numbers {
            let path = log::segment_path(dir, number);
            let mut ids = FxHashMap::default();
            let replayed =
                log::replay(&path, true, |record| self.record(&record, number, &mut ids));
            let replayed = replayed.map_err(|error| StoreError::file("replay", &path, error))?;
            if replayed.damaged_bytes > 0 {
                tracing::warn!(
                    path = %path.display(),
                    records = replayed.records,
                    bytes = replayed.damaged_bytes,
                    "log cut behind its last whole record"
                );
            }
        }
        Ok(())
    }

    /// Put a record into the head again, less what day files have taken already.
    fn record(&mut self, record: &Record, segment: u32, ids: &mut FxHashMap<u32, u32>) {
        for (number, encoded) in record.definitions() {
            if Labels::from_encoded(encoded).is_none() || metric_name(encoded).is_empty() {
                continue;
            }
            let hash = hash_encoded(encoded);
            let known = self.index.find(encoded, hash);
            let id = known.unwrap_or_else(|| self.index.insert(encoded, hash));
            ids.insert(number, id);
        }
        self.head.grow(self.index.len());
        for (number, time, bits) in record.floats() {
            if let Some(&id) = ids.get(&number)
                && !self.is_sealed(time, segment)
                && self.head.append(id, time, bits, i64::MAX) == Verdict::AskDisk
            {
                self.head.append_checked(id, time, bits, i64::MAX);
            }
        }
        for (number, time, packed) in &record.histograms {
            if let Some(&id) = ids.get(number)
                && !self.is_sealed(*time, segment)
                && self.head.append_histogram(id, *time, packed, i64::MAX) == Verdict::AskDisk
            {
                self.head.append_histogram_checked(id, *time, packed, i64::MAX);
            }
        }
        let families = record.metadata.iter().map(|family| (family.family.clone(), family.clone()));
        self.families.extend(families);
    }

    fn is_sealed(&self, time: i64, segment: u32) -> bool {
        let day = self.days.get(&day_of(time));
        day.is_some_and(|day| segment <= day.state().log_through)
    }

    /// A number above every segment there is and every segment a day file has taken.
    fn next_segment(&self, dir: &Path) -> Result<u32, StoreError> {
        let numbers = log::segments(dir).map_err(|error| StoreError::file("list", dir, error))?;
        let sealed = self.days.values().map(|day| day.state().log_through);
        Ok(numbers.into_iter().chain(sealed).max().unwrap_or(0) + 1)
    }
}

/// A file in which a table or row is missing: cut short, or made by a crash before its first
/// commit.
fn is_incomplete(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Database {
            source: rusqlite::Error::QueryReturnedNoRows | rusqlite::Error::SqlInputError { .. },
            ..
        } | StoreError::Database { source: rusqlite::Error::SqliteFailure(..), .. }
    ) && !is_transient(error)
}

fn is_transient(error: &StoreError) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, OutOfMemory, PermissionDenied,
    };
    let StoreError::Database { source, .. } = error else { return false };
    matches!(
        source.sqlite_error_code(),
        Some(CannotOpen | DatabaseBusy | DatabaseLocked | OutOfMemory | PermissionDenied)
    )
}

/// Rename a damaged file to `*.damaged`, with what SQLite keeps beside it.
pub(super) fn set_aside(path: &Path, error: &StoreError) {
    tracing::error!(
        path = %path.display(),
        error = %error.chain(),
        "day file is damaged and set aside, its samples are lost"
    );
    for suffix in ["", "-wal", "-shm"] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        let mut to = path.as_os_str().to_owned();
        to.push(".damaged");
        to.push(suffix);
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::error!(path = %path.display(), %error, "cannot set damaged file aside");
            }
            _ => {}
        }
    }
}

/// Bytes of all files in the directory.
pub(super) fn disk_bytes(dir: &Path) -> Option<u64> {
    let mut total = 0;
    for entry in fs::read_dir(dir).ok()? {
        // A file may go between listing and looking: then it takes no space.
        total += entry.ok()?.metadata().map_or(0, |metadata| metadata.len());
    }
    Some(total)
}

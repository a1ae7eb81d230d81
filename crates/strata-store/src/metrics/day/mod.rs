//! A day file: `metrics-YYYYMMDD.db`, an SQLite database that needs nothing outside itself.
//!
//! | table | row | key |
//! |---|---|---|
//! | `meta` | format version, last sealed log segment, families | name |
//! | `series` | label sets with their numbers in this file, many to a row | first number |
//! | `seal` | one write of the head: its first and last time, its samples | sequence |
//! | `times` | a time column that series scraped together share | sequence, number |
//! | `block` | values of up to 64 series of one metric | sequence, group |
//! | `histogram` | native histograms of one series | sequence, series |
//!
//! Series numbers of a file are handed out in groups of 64 of one metric, so the group of a series
//! is its number divided by 64. Keys combine sequence and number in one 64-bit row id, so a seal
//! only appends to each table and a look-up is one search. There is no second index: postings live
//! in memory and are made from `series` at start.

pub(crate) mod calendar;
mod kept;
mod load;
mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use rusqlite::{Connection, OpenFlags};
use rustc_hash::{FxHashMap, FxHashSet};

use super::codec::block;
use super::error::StoreError;

pub(crate) use self::kept::Kept;
pub(crate) use self::load::{KnownSeries, check_file, load};
pub(crate) use self::read::{Damage, Gather, Member, ReadBounds, TimeCache, within};
pub(crate) use self::write::{
    BLOCK_LEVEL, SCHEMA, SealInput, TimeColumns, encode_histograms, insert_series, seal,
};

/// Version of the tables and blobs; a file with a larger one is left alone.
pub(crate) const FORMAT: i64 = 1;

/// Small pages, because a blob of some kilobytes leaves half a page empty: 1 KiB wastes a few
/// percent where SQLite's usual 4 KiB wastes a tenth.
pub(crate) const PAGE_SIZE: u32 = 1_024;

/// Idle read connections kept per day: one for each thread of a selection.
const READERS_KEPT: usize = super::pass::MAX_LANES;

/// The times one seal covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SealSpan {
    pub(crate) sequence: u32,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) samples: u64,
}

/// Series numbers of one file by series id of this process. Ids of one day lie close together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Locals {
    base: u32,
    /// Shared between a day and its tiers, and between days with the same series.
    numbers: Arc<Vec<u32>>,
}

const NO_LOCAL: u32 = u32::MAX;

impl Locals {
    fn get(&self, id: u32) -> Option<u32> {
        let number = *self.numbers.get(id.checked_sub(self.base)? as usize)?;
        (number != NO_LOCAL).then_some(number)
    }

    fn insert(&mut self, id: u32, number: u32) {
        let numbers = Arc::make_mut(&mut self.numbers);
        if numbers.is_empty() {
            self.base = id;
        }
        if id < self.base {
            let gap = (self.base - id) as usize;
            numbers.splice(0..0, std::iter::repeat_n(NO_LOCAL, gap));
            self.base = id;
        }
        let at = (id - self.base) as usize;
        if at >= numbers.len() {
            numbers.resize(at + 1, NO_LOCAL);
        }
        numbers[at] = number;
    }
}

impl Locals {
    fn renamed(&self, renamed: &[Option<u32>]) -> Self {
        let mut locals = Self::default();
        for (old, &number) in (self.base..).zip(self.numbers.iter()) {
            let new = renamed.get(old as usize).copied().flatten();
            if let Some(id) = new.filter(|_| number != NO_LOCAL) {
                locals.insert(id, number);
            }
        }
        locals
    }
}

/// What is known of a day file without reading it.
#[derive(Debug, Default)]
pub(crate) struct DayState {
    pub(crate) seals: Vec<SealSpan>,
    locals: Locals,
    /// Next free number in the open group of each metric.
    open_groups: FxHashMap<Box<str>, u32>,
    groups: u32,
    /// Numbers of series that have native histograms.
    histograms: FxHashSet<u32>,
    /// Samples of this day in log segments up to here are in the file.
    pub(crate) log_through: u32,
    /// Of a tier file: the last seal of the day file that it takes in.
    pub(crate) built_from: u32,
}

impl DayState {
    /// A number for a new series of this metric.
    fn allocate(&mut self, metric: &str) -> u32 {
        let group_size = block::SERIES as u32;
        if let Some(next) = self.open_groups.get_mut(metric)
            && *next % group_size != 0
        {
            *next += 1;
            return *next - 1;
        }
        let number = self.groups * group_size;
        self.groups += 1;
        self.open_groups.insert(Box::from(metric), number + 1);
        number
    }

    fn next_sequence(&self) -> u32 {
        self.last_sequence() + 1
    }

    /// Sequence of the last seal; 0 when there is none.
    pub(crate) fn last_sequence(&self) -> u32 {
        self.seals.last().map_or(0, |seal| seal.sequence)
    }

    /// Numbers in the file and ids of all series, in order of number.
    pub(crate) fn members(&self) -> Vec<(u32, u32)> {
        let pairs = (self.locals.base..).zip(self.locals.numbers.iter());
        let pairs = pairs.filter(|(_, number)| **number != NO_LOCAL);
        let mut members: Vec<_> = pairs.map(|(id, &number)| (number, id)).collect();
        members.sort_unstable();
        members
    }

    /// The number in the file of the series with this id.
    pub(crate) fn number(&self, id: u32) -> Option<u32> {
        self.locals.get(id)
    }

    pub(crate) fn samples(&self) -> u64 {
        self.seals.iter().map(|seal| seal.samples).sum()
    }

    /// Whether a seal has samples in the range, both ends included.
    pub(crate) fn reaches(&self, (start_ms, end_ms): (i64, i64)) -> bool {
        self.seals.iter().any(|seal| seal.last_ms >= start_ms && seal.first_ms <= end_ms)
    }

    pub(crate) fn has(&self, id: u32) -> bool {
        self.locals.get(id).is_some()
    }

    /// The number of the series in this file, last for one that is not in it: series of one block
    /// have neighboring numbers.
    pub(crate) fn place(&self, id: u32) -> u32 {
        self.locals.get(id).unwrap_or(NO_LOCAL)
    }
}

/// One day file and its idle read connections.
pub(crate) struct Day {
    pub(crate) number: i64,
    pub(crate) path: PathBuf,
    state: RwLock<DayState>,
    readers: Mutex<Vec<Connection>>,
    /// Tells it from every other in this process, a file of the same name included.
    serial: u64,
}

impl Day {
    fn new(number: i64, path: PathBuf, state: DayState) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { number, path, state: RwLock::new(state), readers: Mutex::default(), serial }
    }

    /// A day that has no file yet.
    pub(crate) fn empty(dir: &Path, number: i64) -> Self {
        Self::new(number, path(dir, number), DayState::default())
    }

    /// Open a tier file that was just made from this day: its series have the same numbers.
    pub(crate) fn derive(&self, path: PathBuf) -> Result<Self, StoreError> {
        let mut state = load::read_state(&open_reader(&path)?, &path)?;
        state.locals = self.state().locals.clone();
        Ok(Self::new(self.number, path, state))
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, DayState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open_reader(&self.path), Ok)
    }

    fn give_back(&self, reader: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT {
            readers.push(reader);
        }
    }

    /// Take over new series ids.
    pub(crate) fn rename(&self, renamed: &[Option<u32>]) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.locals = state.locals.renamed(renamed);
    }

    /// Close idle connections, before the file goes away.
    pub(crate) fn close_readers(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Path of the file of this day.
pub(crate) fn path(dir: &Path, number: i64) -> PathBuf {
    dir.join(format!("metrics-{}.db", calendar::digits(number)))
}

/// The day whose file has this name.
pub(crate) fn number_of(name: &str) -> Option<i64> {
    calendar::from_digits(name.strip_prefix("metrics-")?.strip_suffix(".db")?)
}

/// A row id that orders by sequence, then number.
pub(crate) fn row_id(sequence: u32, number: u32) -> i64 {
    (i64::from(sequence) << 32) | i64::from(number)
}

/// A connection that only reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let open = |name: &str| -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(name, flags)?;
        // Blocks are read once and unpacked; a large page cache per connection would only hold
        // what the kernel already holds.
        connection.execute_batch("PRAGMA cache_size = -512; PRAGMA busy_timeout = 5000;")?;
        connection.query_row("SELECT count(*) FROM seal", [], |_| Ok(()))?;
        Ok(connection)
    };
    let escaped =
        path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    open(&format!("file:{escaped}"))
        // On a read-only file system SQLite cannot make the shared-memory file of WAL mode. Nobody
        // can be writing there either, and every seal ends with an empty WAL.
        .or_else(|first| open(&format!("file:{escaped}?immutable=1")).map_err(|_ignored| first))
        .map_err(|error| StoreError::database("open", path, error))
}

//! The files of the days: which there are, opening them, and removing the old.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use strata_model::Clock;

use super::error::RecordStoreError;
use super::options::RecordSettings;
use crate::metrics::day::calendar::{DAY_MS, day_of, digits, from_digits};

/// Format of the files.
pub(super) const FORMAT: i64 = 1;
/// Microseconds of a day.
pub(super) const DAY_US: i64 = DAY_MS * 1_000;
/// Sightings of one request that begin so close to midnight may lie on both sides of it.
pub(super) const MIDNIGHT_US: i64 = 600_000_000;
/// Readers kept open; a page asks for weeks of rollups again and again.
const READERS_KEPT: usize = 64;

/// The day in which a moment lies.
pub(super) fn day_of_us(us: i64) -> i64 {
    day_of(us.div_euclid(1_000))
}

/// The day whose records are in a file of this name.
pub(super) fn day_of_name(name: &str) -> Option<i64> {
    from_digits(name.strip_prefix("records-")?.strip_suffix(".db")?)
}

/// The directory and what is in it.
pub(super) struct Files {
    pub(super) settings: RecordSettings,
    pub(super) clock: Arc<dyn Clock>,
    days: Mutex<BTreeMap<i64, PathBuf>>,
    readers: Mutex<Vec<(i64, Connection)>>,
}

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS request (
  id INTEGER PRIMARY KEY, start_us INTEGER NOT NULL, duration_us INTEGER, ttft_us INTEGER,
  first_visible_us INTEGER, queue_us INTEGER, prefill_us INTEGER, decode_us INTEGER,
  tenant TEXT, team TEXT, app TEXT, session TEXT, model TEXT, model_requested TEXT, provider TEXT,
  replica TEXT, route TEXT, operation TEXT, trace_id TEXT, span_id TEXT, response_id TEXT,
  request_id TEXT, conversation_id TEXT, outcome TEXT, error_code TEXT, finish_reason TEXT,
  streamed INTEGER, fresh_input INTEGER, cache_read INTEGER, cache_write INTEGER,
  output_text INTEGER, reasoning INTEGER, audio INTEGER, image INTEGER, count_source TEXT,
  sightings TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS request_team ON request(team, model, duration_us, start_us);
CREATE INDEX IF NOT EXISTS request_model ON request(model, duration_us, start_us);
CREATE INDEX IF NOT EXISTS request_start ON request(start_us);
CREATE TABLE IF NOT EXISTS ident (
  key INTEGER NOT NULL, request INTEGER NOT NULL, PRIMARY KEY(key, request)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS span (
  trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_span_id TEXT, name TEXT NOT NULL,
  service TEXT, start_us INTEGER NOT NULL, end_us INTEGER, failed INTEGER NOT NULL,
  attributes TEXT NOT NULL, PRIMARY KEY(trace_id, span_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feedback (
  id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, name TEXT NOT NULL, value REAL, label TEXT,
  comment TEXT, source TEXT NOT NULL, idempotency_key TEXT UNIQUE, key INTEGER NOT NULL,
  target TEXT NOT NULL, request TEXT, model TEXT, team TEXT, app TEXT, tenant TEXT);
CREATE INDEX IF NOT EXISTS feedback_open ON feedback(key) WHERE request IS NULL;
CREATE INDEX IF NOT EXISTS feedback_at ON feedback(at_us);
CREATE TABLE IF NOT EXISTS rollup (
  hour INTEGER NOT NULL, tenant TEXT NOT NULL, team TEXT NOT NULL, app TEXT NOT NULL,
  model TEXT NOT NULL, requests INTEGER NOT NULL, sums BLOB NOT NULL,
  PRIMARY KEY(hour, tenant, team, app, model)) WITHOUT ROWID;
";

impl Files {
    pub(super) fn open(
        settings: RecordSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RecordStoreError> {
        let dir = &settings.dir;
        let fail = |source| RecordStoreError::File { action: "create", path: dir.clone(), source };
        std::fs::create_dir_all(dir).map_err(fail)?;
        let files = Self::as_they_are(settings, clock)?;
        files.remove_old();
        Ok(files)
    }

    /// What is in the directory, which is left as it is; nothing where there is none.
    pub(super) fn as_they_are(
        settings: RecordSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RecordStoreError> {
        let dir = &settings.dir;
        let fail = |source| RecordStoreError::File { action: "list", path: dir.clone(), source };
        let mut days = BTreeMap::new();
        let listed = match std::fs::read_dir(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            listed => Some(listed.map_err(fail)?),
        };
        for entry in listed.into_iter().flatten() {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            if let Some(day) = name.to_str().and_then(day_of_name) {
                days.insert(day, entry.path());
            }
        }
        Ok(Self { settings, clock, days: Mutex::new(days), readers: Mutex::new(Vec::new()) })
    }

    /// Whether there is a file of this day.
    pub(super) fn has(&self, day: i64) -> bool {
        self.days.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&day)
    }

    /// Days whose files may hold records of a time, newest first: those that overlap it, and the
    /// day beyond a midnight that is near.
    pub(super) fn days(&self, range_us: &Range<i64>) -> Vec<i64> {
        let start = range_us.start.saturating_sub(MIDNIGHT_US);
        self.overlapping(&(start..range_us.end.saturating_add(MIDNIGHT_US)))
    }

    /// Days with files that overlap a time, newest first.
    pub(super) fn overlapping(&self, range_us: &Range<i64>) -> Vec<i64> {
        let days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = (day_of_us(range_us.start), day_of_us(range_us.end.saturating_sub(1)));
        if first > last {
            return Vec::new();
        }
        days.range(first..=last).rev().map(|(day, _)| *day).collect()
    }

    /// The oldest moment that is kept, microseconds.
    pub(super) fn oldest_us(&self) -> i64 {
        let kept = i64::try_from(self.settings.retention.as_micros()).unwrap_or(i64::MAX);
        self.clock.now_ms().saturating_mul(1_000).saturating_sub(kept)
    }

    pub(super) fn path(&self, day: i64) -> PathBuf {
        self.settings.dir.join(format!("records-{}.db", digits(day)))
    }

    /// A connection that writes; the file is made when it is missing.
    pub(super) fn writer(&self, day: i64) -> Result<Connection, RecordStoreError> {
        let path = self.path(day);
        let fail =
            |source| RecordStoreError::Database { action: "open", path: path.clone(), source };
        let open = || -> rusqlite::Result<(Connection, i64)> {
            let connection = Connection::open(&path)?;
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;
                 PRAGMA cache_size = -16384;",
            )?;
            let format = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            Ok((connection, format))
        };
        let (connection, found) = open().map_err(fail)?;
        if found > FORMAT {
            return Err(RecordStoreError::TooNew { path, found, known: FORMAT });
        }
        connection
            .execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;"))
            .map_err(fail)?;
        self.days.lock().unwrap_or_else(PoisonError::into_inner).insert(day, path);
        Ok(connection)
    }

    /// Read from the file of a day.
    pub(super) fn read<T>(
        &self,
        day: i64,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, RecordStoreError> {
        let path = self.path(day);
        let fail =
            |source| RecordStoreError::Database { action: "read", path: path.clone(), source };
        let idle = {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            let at = readers.iter().position(|(of, _)| *of == day);
            at.map(|at| readers.swap_remove(at).1)
        };
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&path).map_err(fail)?,
        };
        let answer = read(&connection).map_err(fail)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT && self.has(day) {
            readers.push((day, connection));
        }
        Ok(answer)
    }

    /// Remove days that are wholly older than the retention, and the oldest while all take more
    /// than the allowed space. Today's file stays.
    pub(super) fn remove_old(&self) {
        let oldest = day_of_us(self.oldest_us());
        let today = day_of(self.clock.now_ms());
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes: BTreeMap<i64, u64> = days.iter().map(|(day, path)| (*day, size(path))).collect();
        let mut total: u64 = sizes.values().sum();
        let mut gone = Vec::new();
        for (day, bytes) in sizes {
            if day < oldest || (total > self.settings.disk_bytes && day < today) {
                total = total.saturating_sub(bytes);
                gone.push(day);
            }
        }
        for day in gone {
            if let Some(path) = days.remove(&day) {
                self.readers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .retain(|(of, _)| *of != day);
                for suffix in ["", "-wal", "-shm"] {
                    let file = PathBuf::from(format!("{}{suffix}", path.display()));
                    if let Err(error) = std::fs::remove_file(&file)
                        && error.kind() != std::io::ErrorKind::NotFound
                    {
                        tracing::warn!(path = %file.display(), %error, "cannot remove old records");
                    }
                }
            }
        }
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA cache_size = -4096; PRAGMA busy_timeout = 5000;")?;
    Ok(connection)
}

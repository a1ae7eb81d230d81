//! Sealing: the head's samples of one day become rows of its file, in one transaction.

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use rusqlite::{Connection, Transaction, params};
use rustc_hash::FxHashMap;
use strata_model::Metadata;

use super::calendar::day_of;
use super::{Day, DayState, FORMAT, Locals, PAGE_SIZE, SealSpan, row_id};
use crate::metrics::codec::block::{self, BlockBuilder};
use crate::metrics::codec::frame::Framer;
use crate::metrics::codec::times;
use crate::metrics::codec::varint::{put_i64, put_u64};
use crate::metrics::error::StoreError;
use crate::metrics::head::Head;
use crate::metrics::index::{Index, metric_name};
use crate::metrics::log::record::put_metadata;

/// zstd level of blocks. Level 3 is within 2 % of level 9 here and five times faster.
pub(crate) const BLOCK_LEVEL: i32 = 3;

/// zstd level of label sets: written once a day per series, so worth the time.
const SERIES_LEVEL: i32 = 9;

/// Label sets to a row: many, because they are nearly alike, within [`ROW_BYTES`].
const ROW_SERIES: usize = 4_096;

/// Label bytes to a `series` row.
const ROW_BYTES: usize = 4 << 20;

pub(crate) const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE series (first INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE seal (sequence INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, samples INTEGER NOT NULL);
CREATE TABLE times (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE block (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE histogram (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
";

/// What is sealed.
pub(crate) struct SealInput<'a> {
    pub(crate) head: &'a RwLock<Head>,
    pub(crate) index: &'a RwLock<Index>,
    /// Series with samples on this day, ascending.
    pub(crate) ids: &'a [u32],
    /// Every sample of the head came in log segments up to this one.
    pub(crate) log_through: u32,
    pub(crate) families: &'a [Metadata],
}

/// What the file knows after the commit, to be published by [`Sealed::publish`].
pub(crate) struct Sealed {
    fresh: Vec<(u32, u32)>,
    spans: Vec<SealSpan>,
    histograms: Vec<u32>,
    log_through: u32,
    state: (FxHashMap<Box<str>, u32>, u32),
}

impl Sealed {
    /// Make the sealed samples visible to readers of the file.
    pub(crate) fn publish(self, day: &Day) {
        let mut state = day.state.write().unwrap_or_else(PoisonError::into_inner);
        for (id, number) in self.fresh {
            state.locals.insert(id, number);
        }
        state.seals.extend(self.spans);
        state.histograms.extend(self.histograms);
        state.log_through = self.log_through;
        (state.open_groups, state.groups) = self.state;
    }
}

/// Write the samples to the file of `day` and commit.
pub(crate) fn seal(day: &Day, input: &SealInput<'_>) -> Result<Sealed, StoreError> {
    let failed = |error| StoreError::database("write", &day.path, error);
    let mut connection = open_writer(&day.path)?;
    let stored: i64 =
        connection.query_row("SELECT count(*) FROM seal", [], |row| row.get(0)).map_err(failed)?;
    if stored as usize != day.state().seals.len() {
        let what = "it was replaced while the store was running".to_owned();
        return Err(StoreError::Damaged { path: day.path.clone(), what });
    }
    let transaction = connection.transaction().map_err(failed)?;
    let mut sealer = Sealer::new(day, input);
    sealer.series(&transaction).map_err(failed)?;
    sealer.samples(&transaction).map_err(failed)?;
    sealer.meta(&transaction).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    // The rows are safe in the WAL; moving them into the file can be made up for next time.
    let checkpoint = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = checkpoint {
        tracing::warn!(path = %day.path.display(), %error, "cannot checkpoint day file");
    }
    Ok(sealer.finish())
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let fresh = !path.exists();
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.execute_batch(&format!(
            "PRAGMA page_size = {PAGE_SIZE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA busy_timeout = 5000; PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 0;"
        ))?;
        if connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?
            == 0
        {
            connection.execute_batch(&format!(
                "BEGIN;{SCHEMA}INSERT INTO meta VALUES ('format', {FORMAT}), ('log_through', 0);COMMIT;"
            ))?;
        }
        Ok(connection)
    };
    let connection =
        open().map_err(|error| StoreError::database("open for writing", path, error))?;
    if fresh && let Some(dir) = path.parent() {
        crate::metrics::log::sync_dir(dir)
            .map_err(|error| StoreError::file("sync directory", dir, error))?;
    }
    Ok(connection)
}

/// Write label sets with their numbers, which ascend, many to a row.
pub(crate) fn insert_series(
    connection: &Connection,
    mut rest: &[(u32, &[u8])],
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO series VALUES (?1, ?2)")?;
    let mut framer = Framer::new(SERIES_LEVEL);
    while let Some(&(first, _)) = rest.first() {
        let mut data = Vec::new();
        let mut count = 0;
        while let Some((&(number, encoded), tail)) = rest.split_first()
            && count < ROW_SERIES
            && data.len() < ROW_BYTES
        {
            put_u64(&mut data, u64::from(number));
            put_u64(&mut data, encoded.len() as u64);
            data.extend_from_slice(encoded);
            count += 1;
            rest = tail;
        }
        let mut body = Vec::with_capacity(data.len() + 4);
        put_u64(&mut body, count as u64);
        body.append(&mut data);
        insert.execute(params![first, framer.wrap(&body)])?;
    }
    Ok(())
}

/// The body of a `histogram` row.
pub(crate) fn encode_histograms(list: &[(i64, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    put_u64(&mut body, list.len() as u64);
    let mut last = 0_i64;
    for &(time, packed) in list {
        put_i64(&mut body, time.wrapping_sub(last));
        put_u64(&mut body, packed.len() as u64);
        body.extend_from_slice(packed);
        last = time;
    }
    body
}

struct Sealer<'a> {
    day: i64,
    input: &'a SealInput<'a>,
    /// File numbers and ids, in order of number.
    members: Vec<(u32, u32)>,
    sealed: Sealed,
    next_sequence: u32,
    framer: Framer,
}

impl<'a> Sealer<'a> {
    fn new(day: &Day, input: &'a SealInput<'a>) -> Self {
        let known = day.state();
        let mut scratch = DayState {
            open_groups: known.open_groups.clone(),
            groups: known.groups,
            locals: Locals::default(),
            ..DayState::default()
        };
        let index = input.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = Vec::new();
        let mut members = Vec::with_capacity(input.ids.len());
        for &id in input.ids {
            let number = known.locals.get(id).unwrap_or_else(|| {
                let number = scratch.allocate(metric_name(index.encoded(id)));
                fresh.push((id, number));
                number
            });
            members.push((number, id));
        }
        members.sort_unstable();
        let sealed = Sealed {
            fresh,
            spans: Vec::new(),
            histograms: Vec::new(),
            log_through: input.log_through,
            state: (scratch.open_groups, scratch.groups),
        };
        let next_sequence = known.next_sequence();
        Self {
            day: day.number,
            input,
            members,
            sealed,
            next_sequence,
            framer: Framer::new(BLOCK_LEVEL),
        }
    }

    fn finish(self) -> Sealed {
        self.sealed
    }

    /// Label sets of series that are new in this file, in order of number so that neighbours are
    /// alike.
    fn series(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut fresh: Vec<_> =
            self.sealed.fresh.iter().map(|&(id, number)| (number, id)).collect();
        fresh.sort_unstable();
        let index = self.input.index.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = fresh.iter().map(|&(number, id)| (number, index.encoded(id)));
        insert_series(transaction, &fresh.collect::<Vec<_>>())
    }

    fn samples(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut histograms_left = true;
        for part in 0.. {
            let mut pass = Pass::new(self.next_sequence, part);
            self.blocks(transaction, &mut pass)?;
            if histograms_left {
                self.histograms(transaction, &mut pass)?;
                histograms_left = false;
            }
            if pass.samples == 0 {
                break;
            }
            let span = SealSpan {
                sequence: pass.sequence,
                first_ms: pass.first_ms,
                last_ms: pass.last_ms,
                samples: pass.samples,
            };
            transaction.execute(
                "INSERT INTO seal VALUES (?1, ?2, ?3, ?4)",
                params![span.sequence, span.first_ms, span.last_ms, span.samples as i64],
            )?;
            self.sealed.spans.push(span);
            self.next_sequence += 1;
            if !pass.more {
                break;
            }
        }
        Ok(())
    }

    fn blocks(&mut self, transaction: &Transaction<'_>, pass: &mut Pass) -> rusqlite::Result<()> {
        let mut insert = transaction.prepare("INSERT INTO block VALUES (?1, ?2)")?;
        let mut insert_times = transaction.prepare("INSERT INTO times VALUES (?1, ?2)")?;
        let mut builder = BlockBuilder::default();
        let group_size = block::SERIES as u32;
        for members in self.members.chunk_by(|a, b| a.0 / group_size == b.0 / group_size) {
            for &(number, id) in members {
                if !pass.load(self.input.head, id, self.day) {
                    continue;
                }
                let (times_id, new) = pass.columns.id(&pass.times);
                if let Some(encoded) = new {
                    let frame = self.framer.wrap(encoded);
                    insert_times.execute(params![row_id(pass.sequence, times_id), frame])?;
                }
                builder.push((number % group_size) as u8, times_id, &pass.bits);
            }
            if let Some(&(number, _)) = members.first()
                && !builder.is_empty()
            {
                let frame = builder.finish(&mut self.framer);
                insert.execute(params![row_id(pass.sequence, number / group_size), frame])?;
            }
        }
        Ok(())
    }

    fn histograms(
        &mut self,
        transaction: &Transaction<'_>,
        pass: &mut Pass,
    ) -> rusqlite::Result<()> {
        let mut insert = transaction.prepare("INSERT INTO histogram VALUES (?1, ?2)")?;
        for &(number, id) in &self.members {
            let head = self.input.head.read().unwrap_or_else(PoisonError::into_inner);
            let list = head.histograms(id).iter().filter(|sample| day_of(sample.0) == self.day);
            let list: Vec<_> = list.map(|(time, packed)| (*time, &**packed)).collect();
            let (Some(first), Some(last)) = (list.first(), list.last()) else { continue };
            pass.cover(first.0, last.0, list.len() as u64);
            let body = encode_histograms(&list);
            insert.execute(params![row_id(pass.sequence, number), self.framer.wrap(&body)])?;
            self.sealed.histograms.push(number);
        }
        Ok(())
    }

    fn meta(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut families = Vec::new();
        put_metadata(self.input.families, &mut families);
        transaction.execute(
            "INSERT OR REPLACE INTO meta VALUES ('families', ?1), ('log_through', ?2)",
            params![self.framer.wrap(&families), self.input.log_through],
        )?;
        Ok(())
    }
}

/// One walk over all series that writes at most [`block::MAX_SAMPLES`] samples of each.
struct Pass {
    sequence: u32,
    part: usize,
    packed: Vec<u8>,
    times: Vec<i64>,
    bits: Vec<u64>,
    columns: TimeColumns,
    first_ms: i64,
    last_ms: i64,
    samples: u64,
    /// Some series has samples for another part.
    more: bool,
}

impl Pass {
    fn new(sequence: u32, part: usize) -> Self {
        Self {
            sequence,
            part,
            packed: Vec::new(),
            times: Vec::new(),
            bits: Vec::new(),
            columns: TimeColumns::default(),
            first_ms: i64::MAX,
            last_ms: i64::MIN,
            samples: 0,
            more: false,
        }
    }

    /// Unpack this part of the day's float samples of a series; `false` when there are none.
    fn load(&mut self, head: &RwLock<Head>, id: u32, day: i64) -> bool {
        self.times.clear();
        self.bits.clear();
        self.packed.clear();
        let head = head.read().unwrap_or_else(PoisonError::into_inner);
        let slice = head.slice(id, i64::MIN, &mut self.packed);
        drop(head);
        let Some(slice) = slice else { return false };
        slice.floats(&self.packed, &mut self.times, &mut self.bits, |bits| bits);
        let start = self.times.partition_point(|&time| day_of(time) < day);
        let end = self.times.partition_point(|&time| day_of(time) <= day);
        let from = (start + self.part * block::MAX_SAMPLES).min(end);
        let to = (from + block::MAX_SAMPLES).min(end);
        self.more |= to < end;
        self.times.truncate(to);
        self.times.drain(..from);
        self.bits.truncate(to);
        self.bits.drain(..from);
        let (Some(&first), Some(&last)) = (self.times.first(), self.times.last()) else {
            return false;
        };
        self.cover(first, last, self.times.len() as u64);
        true
    }

    fn cover(&mut self, first: i64, last: i64, samples: u64) {
        self.first_ms = self.first_ms.min(first);
        self.last_ms = self.last_ms.max(last);
        self.samples += samples;
    }
}

/// The time columns of one seal: series scraped together share one.
#[derive(Default)]
pub(crate) struct TimeColumns {
    /// Ids by packed bytes.
    known: FxHashMap<Box<[u8]>, u32>,
    last: (Vec<i64>, u32),
    encoded: Vec<u8>,
}

impl TimeColumns {
    /// The id of this column, and its packed bytes when it is new.
    pub(crate) fn id(&mut self, times: &[i64]) -> (u32, Option<&[u8]>) {
        if self.last.0 == times {
            return (self.last.1, None);
        }
        self.encoded.clear();
        times::encode(times, &mut self.encoded);
        let next = self.known.len() as u32;
        let known = self.known.get(self.encoded.as_slice()).copied();
        let id = known.unwrap_or(next);
        if known.is_none() {
            self.known.insert(Box::from(self.encoded.as_slice()), id);
        }
        self.last.0.clear();
        self.last.0.extend_from_slice(times);
        self.last.1 = id;
        (id, known.is_none().then_some(self.encoded.as_slice()))
    }
}

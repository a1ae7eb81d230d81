//! Reading at start what a day file holds, and checking a file from end to end.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;
use strata_model::labels::hash_encoded;
use strata_model::{Labels, Metadata, NativeHistogram};
use xxhash_rust::xxh3::Xxh3;

use super::{Day, DayState, FORMAT, Locals, SealSpan, open_reader};
use crate::metrics::codec::frame::Unpacker;
use crate::metrics::codec::varint::Reader;
use crate::metrics::codec::{block, times};
use crate::metrics::error::StoreError;
use crate::metrics::index::{Index, metric_name};
use crate::metrics::log::record::take_metadata;

/// Series of files that were loaded, by the hash of their rows. Where nothing comes and goes, years
/// of tier files say the same, and need not be read or kept more than once.
pub(crate) type KnownSeries = FxHashMap<u64, Locals>;

/// Open the file of this day, enter its series into `index`, and say what it holds and which
/// families it knows. A file that is only read, a tier, takes what it can from `known`.
pub(crate) fn load(
    path: &Path,
    number: i64,
    index: &mut Index,
    known: Option<&mut KnownSeries>,
) -> Result<(Day, Vec<Metadata>), StoreError> {
    let connection = open_reader(path)?;
    let failed = |error| StoreError::database("read", path, error);
    let mut unpacker = Unpacker::default();
    let mut state = read_state(&connection, path)?;
    let rows = blobs(&connection, "SELECT first, data FROM series ORDER BY first");
    let rows = rows.map_err(failed)?;
    let mut hash = Xxh3::new();
    for (_, blob) in &rows {
        hash.update(blob);
    }
    let hash = hash.digest();
    if let Some(locals) = known.as_ref().and_then(|known| known.get(&hash)) {
        state.locals = locals.clone();
    } else {
        for (_, blob) in rows {
            let entries =
                decode_series(&blob, &mut unpacker).ok_or_else(|| damaged(path, "a series row"))?;
            for (number, labels) in entries {
                enter(&mut state, index, number, &labels);
            }
        }
    }
    if let Some(known) = known {
        known.insert(hash, state.locals.clone());
        state.open_groups = FxHashMap::default();
    }
    let families = connection
        .query_row("SELECT value FROM meta WHERE key = 'families'", [], |row| {
            row.get::<_, Vec<u8>>(0)
        })
        .ok()
        .and_then(|blob| take_metadata(&mut Reader::new(&unpacker.unwrap(&blob)?)))
        .unwrap_or_default();
    Ok((Day::new(number, path.to_owned(), state), families))
}

/// What the file says of itself, less its series.
pub(super) fn read_state(connection: &Connection, path: &Path) -> Result<DayState, StoreError> {
    let failed = |error| StoreError::database("read", path, error);
    let meta = |key: &str| -> rusqlite::Result<i64> {
        connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    };
    let format = meta("format").map_err(failed)?;
    if format > FORMAT {
        return Err(StoreError::TooNew { path: path.to_owned(), found: format, known: FORMAT });
    }
    let mut state = DayState {
        seals: read_seals(connection).map_err(failed)?,
        log_through: meta("log_through").map_err(failed)? as u32,
        built_from: meta("built_from").optional().map_err(failed)?.unwrap_or(0) as u32,
        ..DayState::default()
    };
    let mut statement = connection.prepare("SELECT id FROM histogram").map_err(failed)?;
    let ids = statement.query_map([], |row| row.get::<_, i64>(0)).map_err(failed)?;
    for id in ids {
        state.histograms.insert(id.map_err(failed)? as u32);
    }
    Ok(state)
}

fn enter(state: &mut DayState, index: &mut Index, number: u32, labels: &Labels) {
    let encoded = labels.encoded();
    let hash = hash_encoded(encoded);
    let id = index.find(encoded, hash).unwrap_or_else(|| index.insert(encoded, hash));
    state.locals.insert(id, number);
    let group = number / block::SERIES as u32;
    state.groups = state.groups.max(group + 1);
    let next = state.open_groups.entry(Box::from(metric_name(encoded))).or_default();
    *next = (*next).max(number + 1);
}

fn read_seals(connection: &Connection) -> rusqlite::Result<Vec<SealSpan>> {
    let mut statement = connection
        .prepare("SELECT sequence, first_ms, last_ms, samples FROM seal ORDER BY sequence")?;
    let rows = statement.query_map([], |row| {
        Ok(SealSpan {
            sequence: row.get(0)?,
            first_ms: row.get(1)?,
            last_ms: row.get(2)?,
            samples: row.get::<_, i64>(3)? as u64,
        })
    })?;
    rows.collect()
}

fn blobs(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Numbers and labels of one `series` row; `None` when damaged.
fn decode_series(blob: &[u8], unpacker: &mut Unpacker) -> Option<Vec<(u32, Labels)>> {
    let body = unpacker.unwrap(blob)?;
    let mut reader = Reader::new(&body);
    let mut entries = Vec::new();
    for _ in 0..reader.count(2)? {
        let number = u32::try_from(reader.u64()?).ok()?;
        let length = reader.count(1)?;
        entries.push((number, Labels::from_encoded(reader.bytes(length)?)?));
    }
    reader.is_empty().then_some(entries)
}

fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), what: what.to_owned() }
}

/// What a full check of one file found.
#[derive(Debug, Default)]
pub(crate) struct FileCheck {
    pub(crate) series: u64,
    pub(crate) blocks: u64,
    pub(crate) samples: u64,
    pub(crate) damage: Vec<String>,
}

/// Read everything in a day file: SQLite's own structure, every checksum, every value.
pub(crate) fn check_file(path: &Path) -> Result<FileCheck, StoreError> {
    let connection = open_reader(path)?;
    let failed = |error| StoreError::database("check", path, error);
    let mut check = FileCheck::default();
    let (mut unpacker, mut blocks) = (Unpacker::default(), Unpacker::default());
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if verdict != "ok" {
        check.damage.push(format!("integrity check: {verdict}"));
    }
    for (id, blob) in blobs(&connection, "SELECT first, data FROM series").map_err(failed)? {
        match decode_series(&blob, &mut unpacker) {
            Some(entries) => check.series += entries.len() as u64,
            None => check.damage.push(format!("series row {id}")),
        }
    }
    let mut statement = connection.prepare("SELECT id, data FROM block").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut column = connection.prepare("SELECT data FROM times WHERE id = ?1").map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let id: i64 = row.get(0).map_err(failed)?;
        let blob: Vec<u8> = row.get(1).map_err(failed)?;
        check.blocks += 1;
        let lengths = |times_id: u32| -> Option<usize> {
            let key = (id >> 32 << 32) | i64::from(times_id);
            let blob: Vec<u8> = column.query_row([key], |row| row.get(0)).ok()?;
            times::decode(&unpacker.unwrap(&blob)?).map(|times| times.len())
        };
        match check_block(&blob, &mut blocks, lengths) {
            Some(samples) => check.samples += samples,
            None => check.damage.push(format!("block {id}")),
        }
    }
    for (id, blob) in blobs(&connection, "SELECT id, data FROM histogram").map_err(failed)? {
        let decoded = decode_histograms(&blob, &mut unpacker).and_then(|list| {
            let whole = |packed: &[u8]| NativeHistogram::decode(packed).is_ok();
            list.iter().all(|(_, packed)| whole(packed)).then_some(list.len())
        });
        match decoded {
            Some(count) => check.samples += count as u64,
            None => check.damage.push(format!("histogram row {id}")),
        }
    }
    Ok(check)
}

fn check_block(
    blob: &[u8],
    unpacker: &mut Unpacker,
    mut length_of: impl FnMut(u32) -> Option<usize>,
) -> Option<u64> {
    let block = block::Block::open(blob, unpacker)?;
    let mut samples = 0;
    for column in &block.columns {
        let mut values = Vec::new();
        block.decode(column, 0..column.count, &mut Vec::new(), &mut values);
        if length_of(column.times)? != column.count {
            return None;
        }
        samples += column.count as u64;
    }
    Some(samples)
}

/// Times and packed bytes of one `histogram` row; `None` when damaged.
pub(super) fn decode_histograms(
    blob: &[u8],
    unpacker: &mut Unpacker,
) -> Option<Vec<(i64, Box<[u8]>)>> {
    let body = unpacker.unwrap(blob)?;
    let mut reader = Reader::new(&body);
    let mut list = Vec::new();
    let mut time = 0_i64;
    for _ in 0..reader.count(2)? {
        time = time.wrapping_add(reader.i64()?);
        let length = reader.count(1)?;
        list.push((time, Box::from(reader.bytes(length)?)));
    }
    reader.is_empty().then_some(list)
}

//! Writing one tier file under a name that says it is unfinished, and giving it its own when whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use strata_model::{NativeHistogram, STALE_NAN};

use super::window::Window;
use super::{Column, Tier};
use crate::metrics::codec::block::{self, BlockBuilder};
use crate::metrics::codec::frame::Framer;
use crate::metrics::day::{
    BLOCK_LEVEL, FORMAT, PAGE_SIZE, SCHEMA, TimeColumns, encode_histograms, insert_series, row_id,
};
use crate::metrics::error::StoreError;
use crate::metrics::log::sync_dir;

/// Behind the name of a file that is being written.
pub(super) const UNFINISHED: &str = ".unfinished";

/// One series of a chunk, folded.
pub(super) struct Folded {
    /// Number in the day file and in the tier file.
    pub(super) number: u32,
    pub(super) counter: bool,
    pub(super) windows: Vec<Window>,
    /// The last native histogram of each window that has one.
    pub(super) histograms: Vec<(i64, std::sync::Arc<NativeHistogram>)>,
}

/// What goes into the `seal` row of a column.
#[derive(Clone, Copy)]
struct Extent {
    first_ms: i64,
    last_ms: i64,
    points: u64,
}

impl Extent {
    const NOTHING: Self = Self { first_ms: i64::MAX, last_ms: i64::MIN, points: 0 };

    fn cover(&mut self, times: &[i64]) {
        if let (Some(&first), Some(&last)) = (times.first(), times.last()) {
            self.first_ms = self.first_ms.min(first);
            self.last_ms = self.last_ms.max(last);
            self.points += times.len() as u64;
        }
    }
}

/// One tier file in the making.
pub(super) struct TierWriter {
    tier: Tier,
    connection: Connection,
    path: PathBuf,
    unfinished: PathBuf,
    framer: Framer,
    columns: [(TimeColumns, Extent); Column::ALL.len()],
}

impl TierWriter {
    pub(super) fn create(dir: &Path, tier: Tier, day: i64) -> Result<Self, StoreError> {
        let path = tier.path(dir, day);
        let unfinished = unfinished_path(&path);
        remove_if_there(&unfinished)?;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(&unfinished)?;
            // Nobody sees the file before it is whole and synced: no journal is needed.
            connection.execute_batch(&format!(
                "PRAGMA page_size = {PAGE_SIZE}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                 PRAGMA cache_size = -4096; {SCHEMA} BEGIN;"
            ))?;
            Ok(connection)
        };
        let connection =
            open().map_err(|error| StoreError::database("create", &unfinished, error))?;
        Ok(Self {
            tier,
            connection,
            path,
            unfinished,
            framer: Framer::new(BLOCK_LEVEL),
            columns: std::array::from_fn(|_| (TimeColumns::default(), Extent::NOTHING)),
        })
    }

    /// Add series in order of number, whole groups of [`block::SERIES`] at once; `labels` has the
    /// label bytes of each.
    pub(super) fn add(
        &mut self,
        chunk: &[Folded],
        labels: &[(u32, &[u8])],
    ) -> Result<(), StoreError> {
        let outcome = insert_series(&self.connection, labels).and_then(|()| {
            let group_size = block::SERIES as u32;
            for group in chunk.chunk_by(|a, b| a.number / group_size == b.number / group_size) {
                for column in Column::ALL {
                    self.block(column, group)?;
                }
                self.histograms(group)?;
            }
            Ok(())
        });
        outcome.map_err(|error| StoreError::database("write", &self.unfinished, error))
    }

    fn block(&mut self, column: Column, group: &[Folded]) -> rusqlite::Result<()> {
        let group_size = block::SERIES as u32;
        let sequence = column.sequence();
        let (known, extent) = &mut self.columns[column as usize - 1];
        let mut builder = BlockBuilder::default();
        let (mut times, mut bits) = (Vec::new(), Vec::new());
        for series in group {
            times.clear();
            bits.clear();
            for window in &series.windows {
                points(column, window, series.counter, self.tier.step_ms(), |time, value| {
                    times.push(time);
                    bits.push(value.to_bits());
                });
            }
            if times.is_empty() {
                continue;
            }
            extent.cover(&times);
            let (id, new) = known.id(&times);
            if let Some(encoded) = new {
                let frame = self.framer.wrap(encoded);
                let mut insert =
                    self.connection.prepare_cached("INSERT INTO times VALUES (?1, ?2)")?;
                insert.execute(params![row_id(sequence, id), frame])?;
            }
            builder.push((series.number % group_size) as u8, id, &bits);
        }
        if let Some(first) = group.first()
            && !builder.is_empty()
        {
            let frame = builder.finish(&mut self.framer);
            let mut insert = self.connection.prepare_cached("INSERT INTO block VALUES (?1, ?2)")?;
            insert.execute(params![row_id(sequence, first.number / group_size), frame])?;
        }
        Ok(())
    }

    fn histograms(&mut self, group: &[Folded]) -> rusqlite::Result<()> {
        let (_, extent) = &mut self.columns[Column::Last as usize - 1];
        for series in group.iter().filter(|series| !series.histograms.is_empty()) {
            let pack = |(time, histogram): &(i64, std::sync::Arc<NativeHistogram>)| {
                let mut packed = Vec::new();
                histogram.encode(&mut packed);
                (*time, packed)
            };
            let packed: Vec<(i64, Vec<u8>)> = series.histograms.iter().map(pack).collect();
            let list: Vec<_> = packed.iter().map(|(time, bytes)| (*time, &**bytes)).collect();
            let times: Vec<i64> = list.iter().map(|sample| sample.0).collect();
            extent.cover(&times);
            let frame = self.framer.wrap(&encode_histograms(&list));
            let id = row_id(Column::Last.sequence(), series.number);
            self.connection.execute("INSERT INTO histogram VALUES (?1, ?2)", params![id, frame])?;
        }
        Ok(())
    }

    /// Make the file whole, durable and visible under its name; returns its path. `built_from` is
    /// the last seal of the day file that went into it.
    pub(super) fn finish(self, built_from: u32) -> Result<PathBuf, StoreError> {
        let failed = |error| StoreError::database("write", &self.unfinished, error);
        for (column, (_, extent)) in Column::ALL.into_iter().zip(&self.columns) {
            if extent.points > 0 {
                let row =
                    (column.sequence(), extent.first_ms, extent.last_ms, extent.points as i64);
                let insert = "INSERT INTO seal VALUES (?1, ?2, ?3, ?4)";
                self.connection.execute(insert, row).map_err(failed)?;
            }
        }
        let step = self.tier.step_ms();
        let meta = "INSERT INTO meta VALUES ('format', ?1), ('log_through', 0), ('built_from', ?2), \
                    ('step_ms', ?3)";
        self.connection.execute(meta, (FORMAT, built_from, step)).map_err(failed)?;
        self.connection.execute_batch("COMMIT").map_err(failed)?;
        self.connection
            .close()
            .map_err(|(_, error)| StoreError::database("close", &self.unfinished, error))?;
        let moved = File::open(&self.unfinished)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&self.unfinished, &self.path));
        moved.map_err(|error| StoreError::file("put in place", &self.unfinished, error))?;
        if let Some(dir) = self.path.parent() {
            sync_dir(dir).map_err(|error| StoreError::file("sync directory", dir, error))?;
        }
        Ok(self.path)
    }
}

/// The points of a window in one column.
fn points(
    column: Column,
    window: &Window,
    counter: bool,
    step_ms: i64,
    mut put: impl FnMut(i64, f64),
) {
    let end = window.start_ms + step_ms - 1;
    if let Some((time, last)) = window.last {
        match column {
            Column::Last => put(time, last),
            Column::Min => put(end, window.min),
            Column::Max => put(end, window.max),
            Column::Sum => put(end, window.sum),
            Column::Count => put(end, window.count as f64),
            Column::Increase if counter => put(time, window.increase),
            Column::Increase => {}
        }
    }
    if let (Column::Last, Some(time)) = (column, window.ended_ms) {
        put(time, STALE_NAN);
    }
}

fn unfinished_path(path: &Path) -> PathBuf {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    PathBuf::from(unfinished)
}

/// Remove what a failed write left: on a full disk it must not stay.
pub(super) fn discard(dir: &Path, tier: Tier, day: i64) {
    if let Err(error) = remove_if_there(&unfinished_path(&tier.path(dir, day))) {
        tracing::warn!(error = %error.chain(), "cannot remove an unfinished tier file");
    }
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::file("remove", path, error))
        }
        _ => Ok(()),
    }
}

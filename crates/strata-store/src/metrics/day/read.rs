//! Reading samples out of a day file for many series at once.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rusqlite::{Connection, OptionalExtension, Statement};
use rustc_hash::FxHashMap;
use strata_model::{NativeHistogram, Points};

use super::kept::Kept;
use super::load::decode_histograms;
use super::{Day, SealSpan, row_id};
use crate::metrics::codec::block::{self, Block, Column};
use crate::metrics::codec::frame::Unpacker;
use crate::metrics::codec::times;
use crate::metrics::error::StoreError;

/// Counts blobs that could not be read; their samples are missing from answers.
#[derive(Debug, Default)]
pub(crate) struct Damage(AtomicU64);

impl Damage {
    fn note(&self, day: &Day, table: &str, id: i64) {
        self.0.fetch_add(1, Ordering::Relaxed);
        tracing::error!(path = %day.path.display(), table, id, "damaged row skipped");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Part of a time column.
#[derive(Debug, Clone)]
struct Piece {
    times: Arc<[i64]>,
    from: usize,
    to: usize,
}

/// The samples of one series, gathered piece by piece in the order in which they were stored.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    pieces: Vec<Piece>,
    values: Vec<f64>,
    last: Option<i64>,
    overlaps: bool,
    histograms: Vec<(i64, Arc<NativeHistogram>)>,
}

impl Gather {
    /// Add the samples of a column that lie in the range; `values` are as many as `times`.
    pub(crate) fn add(&mut self, times: &Arc<[i64]>, values: &[f64], start_ms: i64, end_ms: i64) {
        let within = within(times, (start_ms, end_ms));
        self.values.extend_from_slice(values.get(within.clone()).unwrap_or_default());
        self.add_piece(Arc::clone(times), within);
    }

    fn add_piece(&mut self, times: Arc<[i64]>, within: Range<usize>) {
        let (Some(&first), Some(&last)) =
            (times.get(within.start), times.get(within.end.wrapping_sub(1)))
        else {
            return;
        };
        if within.is_empty() {
            return;
        }
        self.overlaps |= self.last.is_some_and(|previous| previous >= first);
        self.last = self.last.max(Some(last));
        self.pieces.push(Piece { times, from: within.start, to: within.end });
    }

    /// Add a packed histogram in the range; damaged bytes are left out and reported.
    pub(crate) fn add_histogram(&mut self, time: i64, packed: &[u8]) -> bool {
        let decoded = NativeHistogram::decode(packed);
        let whole = decoded.is_ok();
        self.histograms.extend(decoded.ok().map(|histogram| (time, Arc::new(histogram))));
        whole
    }

    /// Add histograms that are in the range, in order of time.
    pub(crate) fn add_histograms(&mut self, histograms: Vec<(i64, Arc<NativeHistogram>)>) {
        self.histograms.extend(histograms);
    }

    /// Float and histogram samples so far.
    pub(crate) fn samples(&self) -> usize {
        self.values.len() + self.histograms.len()
    }

    /// The series' points, times shared through `cache`. What was stored first wins where two
    /// samples have one time.
    pub(crate) fn finish(mut self, cache: &mut TimeCache) -> Points {
        self.histograms.sort_by_key(|sample| sample.0);
        self.histograms.dedup_by_key(|sample| sample.0);
        if !self.overlaps {
            return Points {
                times: cache.joined(&self.pieces),
                values: self.values,
                histograms: self.histograms,
                ..Points::default()
            };
        }
        let all = self.pieces.iter().flat_map(|piece| piece.times[piece.from..piece.to].iter());
        let mut samples: Vec<(i64, f64)> = all.copied().zip(self.values).collect();
        samples.sort_by_key(|sample| sample.0);
        samples.dedup_by_key(|sample| sample.0);
        let (times, values): (Vec<i64>, Vec<f64>) = samples.into_iter().unzip();
        let times = cache.intern(&times);
        Points { times, values, histograms: self.histograms, ..Points::default() }
    }
}

/// Those of the times that lie in the range, both ends included. Empty when none does, even where
/// the range is upside down.
pub(crate) fn within(times: &[i64], (start_ms, end_ms): (i64, i64)) -> Range<usize> {
    let to = times.partition_point(|&time| time <= end_ms);
    times.partition_point(|&time| time < start_ms).min(to)..to
}

/// Part of a column by address and bounds: equal keys are equal times.
type PieceKey = (usize, usize, usize);

/// A column and what it was joined from.
struct Joined {
    times: Arc<[i64]>,
    _from: Vec<Piece>,
}

/// Length of a time column, and its first, middle and last time.
type ColumnKey = (usize, Option<i64>, Option<i64>, Option<i64>);

/// Time columns that one thread of a selection has read, each in memory once.
#[derive(Default)]
pub(crate) struct TimeCache {
    /// By serial number of the day and row.
    columns: FxHashMap<(u64, i64), Option<Arc<[i64]>>>,
    interned: FxHashMap<ColumnKey, Arc<[i64]>>,
    /// Known by the addresses of what was joined, which therefore is kept.
    joined: FxHashMap<Vec<PieceKey>, Joined>,
}

impl TimeCache {
    /// Share this column if an equal one is known.
    pub(crate) fn intern(&mut self, times: &[i64]) -> Arc<[i64]> {
        let middle = times.get(times.len() / 2).copied();
        // Enough to tell columns of different targets apart; equality is looked at below.
        let key = (times.len(), times.first().copied(), middle, times.last().copied());
        let shared = self.interned.entry(key).or_insert_with(|| Arc::from(times));
        if **shared == *times { Arc::clone(shared) } else { Arc::from(times) }
    }

    /// Forget the columns if there are more than this many.
    pub(crate) fn forget_beyond(&mut self, most: usize) {
        if self.columns.len().max(self.interned.len()).max(self.joined.len()) > most {
            *self = Self::default();
        }
    }

    fn joined(&mut self, pieces: &[Piece]) -> Arc<[i64]> {
        if let [piece] = pieces
            && piece.from == 0
            && piece.to == piece.times.len()
        {
            return Arc::clone(&piece.times);
        }
        let key = pieces.iter().map(|piece| (piece.times.as_ptr() as usize, piece.from, piece.to));
        let joined = self.joined.entry(key.collect()).or_insert_with(|| {
            let all = pieces.iter().flat_map(|piece| &piece.times[piece.from..piece.to]);
            Joined { times: all.copied().collect(), _from: pieces.to_vec() }
        });
        Arc::clone(&joined.times)
    }
}

impl Day {
    /// Gather the samples of `wanted` series between two times, inclusive, each into its place of
    /// `out`. Stops early once `bounds` is exceeded.
    pub(crate) fn read(
        &self,
        wanted: &[u32],
        range: (i64, i64),
        out: &mut [Gather],
        cache: &mut TimeCache,
        bounds: &ReadBounds<'_>,
    ) -> Result<(), StoreError> {
        let members = self.members(wanted.iter().copied().enumerate());
        self.read_members(members, range, out, cache, bounds)
    }

    /// Those of the series, each with its place in an answer, that are in the file.
    pub(crate) fn members(&self, wanted: impl Iterator<Item = (usize, u32)>) -> Vec<Member> {
        let state = self.state();
        wanted.filter_map(|(place, id)| Some((state.locals.get(id)?, place))).collect()
    }

    /// [`Day::read`] by numbers in the file.
    pub(crate) fn read_members(
        &self,
        mut members: Vec<Member>,
        range: (i64, i64),
        out: &mut [Gather],
        cache: &mut TimeCache,
        bounds: &ReadBounds<'_>,
    ) -> Result<(), StoreError> {
        members.sort_unstable();
        let (spans, with_histograms) = self.plan(&members, range, bounds.column);
        if members.is_empty() || spans.is_empty() {
            return Ok(());
        }
        let connection = self.reader()?;
        let mut pass = ReadPass {
            day: self,
            range,
            cache,
            bounds,
            room: Vec::new(),
            unpacker: Unpacker::default(),
        };
        let outcome = pass
            .blocks(&connection, &members, &spans, out)
            .and_then(|()| pass.histograms(&connection, &with_histograms, &spans, out));
        match outcome {
            Ok(()) => {
                self.give_back(connection);
                Ok(())
            }
            Err(error) => Err(StoreError::database("read", &self.path, error)),
        }
    }

    /// The seals in the range, and those of the series that have histograms.
    fn plan(
        &self,
        members: &[Member],
        range: (i64, i64),
        column: Option<u32>,
    ) -> (Vec<SealSpan>, Vec<Member>) {
        let state = self.state();
        let mut spans = state.seals.clone();
        spans.retain(|seal| seal.last_ms >= range.0 && seal.first_ms <= range.1);
        spans.retain(|seal| column.is_none_or(|column| column == seal.sequence));
        let with_histograms = members.iter().copied();
        let with_histograms =
            with_histograms.filter(|(number, _)| state.histograms.contains(number)).collect();
        (spans, with_histograms)
    }
}

/// Number of a series in a file, and its place in the answer.
pub(crate) type Member = (u32, usize);

/// What bounds and watches a read, shared by the threads that take part in it.
pub(crate) struct ReadBounds<'a> {
    damage: &'a Damage,
    /// Samples in the whole answer, or held at one time where they are handed over as they are read.
    limit: usize,
    taken: AtomicUsize,
    /// Of a tier file the column to read.
    pub(crate) column: Option<u32>,
    /// Where what is unpacked is kept for the next reader.
    kept: Option<&'a Kept>,
}

impl<'a> ReadBounds<'a> {
    /// At most `limit` samples in the whole answer.
    pub(crate) fn new(damage: &'a Damage, limit: usize) -> Self {
        Self { damage, limit, taken: AtomicUsize::new(0), column: None, kept: None }
    }

    /// The same, keeping what is unpacked for the next reader.
    pub(crate) fn keeping(self, kept: &'a Kept) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// The same for a file that may be a tier's, of which one column is read.
    pub(crate) fn of_column(damage: &'a Damage, limit: usize, column: Option<u32>) -> Self {
        Self { column, ..Self::new(damage, limit) }
    }

    /// Count samples as part of the answer; false once there are too many.
    pub(crate) fn take(&self, samples: usize) -> bool {
        self.taken.fetch_add(samples, Ordering::Relaxed).saturating_add(samples) <= self.limit
    }

    /// Samples were handed over and are held no more.
    pub(crate) fn release(&self, samples: usize) {
        self.taken.fetch_sub(samples, Ordering::Relaxed);
    }

    /// Whether more samples were found than may be answered.
    pub(crate) fn exceeded(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.limit
    }
}

/// Rows that are walked over in the time of one search by row id.
const ROWS_PER_SEARCH: u64 = 4;

struct ReadPass<'a> {
    day: &'a Day,
    range: (i64, i64),
    cache: &'a mut TimeCache,
    bounds: &'a ReadBounds<'a>,
    /// For the residuals of a column.
    room: Vec<u64>,
    unpacker: Unpacker,
}

impl ReadPass<'_> {
    /// The block of a row: kept, or read. Says `None` where there is none.
    fn block(
        &mut self,
        select: &mut Statement<'_>,
        id: i64,
    ) -> rusqlite::Result<Option<Arc<Block>>> {
        let key = (self.day.serial, id);
        if let Some(block) = self.bounds.kept.and_then(|kept| kept.blocks.get(key)) {
            return Ok(Some(block));
        }
        let mut rows = select.query([id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let packed = row.get_ref(0)?.as_blob().ok();
        let block = packed.and_then(|packed| Block::open(packed, &mut self.unpacker));
        let Some(block) = block.map(Arc::new) else {
            self.bounds.damage.note(self.day, "block", id);
            return Ok(None);
        };
        if let Some(kept) = self.bounds.kept {
            kept.blocks.put(key, &block, block.bytes());
        }
        Ok(Some(block))
    }

    fn blocks(
        &mut self,
        connection: &Connection,
        members: &[Member],
        spans: &[SealSpan],
        out: &mut [Gather],
    ) -> rusqlite::Result<()> {
        let group_size = block::SERIES as u32;
        let mut select = connection.prepare_cached("SELECT data FROM block WHERE id = ?1")?;
        for span in spans {
            for group in members.chunk_by(|a, b| a.0 / group_size == b.0 / group_size) {
                let Some(&(first, _)) = group.first() else { continue };
                let id = row_id(span.sequence, first / group_size);
                let Some(block) = self.block(&mut select, id)? else { continue };
                let start = first / group_size * group_size;
                let wanted = block.columns.iter().filter_map(|column| {
                    let number = start + u32::from(column.slot);
                    let at = group.binary_search_by_key(&number, |member| member.0).ok()?;
                    Some((column, group[at].1))
                });
                let wanted: Vec<_> = wanted.collect();
                let times = wanted.iter().map(|(column, _)| row_id(span.sequence, column.times));
                self.read_ahead(connection, times.collect())?;
                let mut added = 0;
                for (column, place) in wanted {
                    added += self.column(connection, span, (&block, column), &mut out[place])?;
                }
                if !self.bounds.take(added) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn column(
        &mut self,
        connection: &Connection,
        span: &SealSpan,
        (block, column): (&Block, &Column),
        out: &mut Gather,
    ) -> rusqlite::Result<usize> {
        let id = row_id(span.sequence, column.times);
        let times = self.times(connection, id)?;
        let Some(times) = times.filter(|times| times.len() == column.count) else {
            self.bounds.damage.note(self.day, "times", id);
            return Ok(0);
        };
        let within = within(&times, self.range);
        block.decode(column, within.clone(), &mut self.room, &mut out.values);
        let added = within.len();
        out.add_piece(times, within);
        Ok(added)
    }

    fn times(&mut self, connection: &Connection, id: i64) -> rusqlite::Result<Option<Arc<[i64]>>> {
        if self.is_known(id)
            && let Some(times) = self.cache.columns.get(&(self.day.serial, id))
        {
            return Ok(times.clone());
        }
        let mut select = connection.prepare_cached("SELECT data FROM times WHERE id = ?1")?;
        let blob: Option<Vec<u8>> = select.query_row([id], |row| row.get(0)).optional()?;
        Ok(self.keep_times(id, blob.as_deref()))
    }

    /// Whether the time column is at hand, if need be from where it is kept.
    fn is_known(&mut self, id: i64) -> bool {
        let key = (self.day.serial, id);
        if self.cache.columns.contains_key(&key) {
            return true;
        }
        let kept = self.bounds.kept.and_then(|kept| kept.times.get((self.day.serial, id)));
        let known = kept.is_some();
        if known {
            self.cache.columns.insert(key, kept);
        }
        known
    }

    fn keep_times(&mut self, id: i64, blob: Option<&[u8]>) -> Option<Arc<[i64]>> {
        let column = blob.and_then(|blob| times::decode(&self.unpacker.unwrap(blob)?));
        if let (Some(kept), Some(times)) = (self.bounds.kept, &column) {
            kept.times.put((self.day.serial, id), times, size_of_val(&**times));
        }
        self.cache.columns.insert((self.day.serial, id), column.clone());
        column
    }

    /// Read those of the time columns that are not known yet in one walk over their rows, where
    /// these lie close together: to search each costs more than to unpack it.
    fn read_ahead(&mut self, connection: &Connection, mut ids: Vec<i64>) -> rusqlite::Result<()> {
        ids.retain(|&id| !self.is_known(id));
        ids.sort_unstable();
        ids.dedup();
        let [first, .., last] = *ids else { return Ok(()) };
        if last.abs_diff(first) >= ids.len() as u64 * ROWS_PER_SEARCH {
            return Ok(());
        }
        let text = "SELECT id, data FROM times WHERE id BETWEEN ?1 AND ?2";
        let mut select = connection.prepare_cached(text)?;
        let mut rows = select.query([first, last])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if ids.binary_search(&id).is_ok() {
                self.keep_times(id, row.get_ref(1)?.as_blob().ok());
            }
        }
        Ok(())
    }

    fn histograms(
        &mut self,
        connection: &Connection,
        members: &[Member],
        spans: &[SealSpan],
        out: &mut [Gather],
    ) -> rusqlite::Result<()> {
        let mut select = connection.prepare_cached("SELECT data FROM histogram WHERE id = ?1")?;
        for span in spans {
            for &(number, place) in members {
                let id = row_id(span.sequence, number);
                let blob: Option<Vec<u8>> = select.query_row([id], |row| row.get(0)).optional()?;
                let Some(blob) = blob else { continue };
                let Some(list) = decode_histograms(&blob, &mut self.unpacker) else {
                    self.bounds.damage.note(self.day, "histogram", id);
                    continue;
                };
                let inside = list
                    .into_iter()
                    .filter(|(time, _)| *time >= self.range.0 && *time <= self.range.1);
                let before = out[place].samples();
                for (time, packed) in inside {
                    if !out[place].add_histogram(time, &packed) {
                        self.bounds.damage.note(self.day, "histogram", id);
                    }
                }
                if !self.bounds.take(out[place].samples() - before) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

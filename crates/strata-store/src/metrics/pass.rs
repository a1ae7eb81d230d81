//! Reading the samples of many series: on several threads, a few blocks at a time.

use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, PoisonError};
use std::thread::available_parallelism;

use strata_model::{Labels, Points, SelectError, Series, SeriesTakers, TakeSeries};

use super::Shared;
use super::codec::block;
use super::day::{Day, Gather, ReadBounds, TimeCache, within};
use super::head::{HeadSlice, InHead};

/// One selection being read.
pub(super) struct Pass<'a> {
    pub(super) shared: &'a Shared,
    pub(super) range: (i64, i64),
    pub(super) bounds: &'a ReadBounds<'a>,
    pub(super) newest_only: bool,
    /// Whether the series are gone once they are taken.
    pub(super) streams: bool,
    /// Set by the first thread that ends early, for the others.
    pub(super) stop: AtomicBool,
}

/// The days of a range, and those of them that have sealed samples in it.
type Days<'a> = (&'a [Arc<Day>], &'a [Arc<Day>]);

impl Pass<'_> {
    /// Read the series with these ids in the order of their blocks, cut into runs, one to a
    /// thread. Only a block that such a cut goes through is unpacked twice.
    pub(super) fn read<'a>(
        &self,
        ids: Vec<u32>,
        days: &[Arc<Day>],
        takers: &'a SeriesTakers<'a>,
    ) -> Result<(), SelectError> {
        // What is in the head only lies in no blocks, and any order will do.
        let sealed = {
            let head = self.shared.head.read().unwrap_or_else(PoisonError::into_inner);
            ids.iter().any(|&id| head.is_sealed_from(id, self.range.0))
        };
        let near = days.iter().filter(|day| sealed && day.state().reaches(self.range)).cloned();
        let near: Vec<Arc<Day>> = near.collect();
        let ids = by_block(ids, &near);
        let days = (days, near.as_slice());
        let run = ids.len().div_ceil(lanes(ids.len())).max(1);
        let mut runs = ids.chunks(run).enumerate();
        let (_, first) = runs.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let spawn =
                |(lane, ids)| scope.spawn(move || self.read_run(ids, days, &mut takers(lane)));
            let others: Vec<_> = runs.map(spawn).collect();
            let mut outcome = self.read_run(first, days, &mut takers(0));
            for other in others {
                let other = other.join().unwrap_or_else(|panic| resume_unwind(panic));
                outcome = outcome.and(other);
            }
            outcome
        })
    }

    fn read_run(
        &self,
        ids: &[u32],
        days: Days<'_>,
        take: &mut TakeSeries<'_>,
    ) -> Result<(), SelectError> {
        let outcome = self.read_parts(ids, days, take);
        if !matches!(outcome, Ok(true)) {
            self.stop.store(true, Ordering::Relaxed);
        }
        outcome.map(drop)
    }

    /// False when `take` wants no more.
    fn read_parts(
        &self,
        ids: &[u32],
        (days, near): Days<'_>,
        take: &mut TakeSeries<'_>,
    ) -> Result<bool, SelectError> {
        let mut cache = TimeCache::default();
        let ids = if self.newest_only { &self.read_newest(ids, &mut cache, take)? } else { ids };
        // The head first: a seal that ends in between moves samples to where they are looked for
        // next, and what is seen in both places is one sample. All of it at once, so that series
        // that belong together, as the buckets of a histogram, are seen at one moment.
        let (slices, packed) = self.shared.head_slices(ids, self.range.0);
        let mut room = HeadRoom::over(&packed);
        for part in parts(ids, near) {
            let slices = slices.get(part.clone()).unwrap_or_default();
            let wants_more =
                self.read_part(&ids[part], (slices, &mut room), days, &mut cache, take)?;
            if !wants_more || self.stop.load(Ordering::Relaxed) {
                return Ok(wants_more);
            }
            if self.streams {
                cache.forget_beyond(TIME_COLUMNS);
            }
        }
        Ok(true)
    }

    /// Read the series whose newest sample is in the head and in the range, without unpacking
    /// anything; gives back the others.
    fn read_newest(
        &self,
        ids: &[u32],
        cache: &mut TimeCache,
        take: &mut TakeSeries<'_>,
    ) -> Result<Vec<u32>, SelectError> {
        let (start_ms, end_ms) = self.range;
        let newest: Vec<Option<(i64, f64)>> = {
            let head = self.shared.head.read().unwrap_or_else(PoisonError::into_inner);
            let inside = |sample: &(i64, f64)| (start_ms..=end_ms).contains(&sample.0);
            ids.iter().map(|&id| head.newest_float(id).filter(inside)).collect()
        };
        if !self.bounds.take(newest.iter().flatten().count()) {
            return Err(self.shared.too_many_samples());
        }
        let mut others = Vec::new();
        let mut found = Vec::with_capacity(ids.len());
        {
            let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
            for (&id, newest) in ids.iter().zip(newest) {
                match newest {
                    None => others.push(id),
                    Some((time, value)) => {
                        let (times, values) = (cache.intern(&[time]), vec![value]);
                        let points = Points { times, values, ..Points::default() };
                        found.push(Series { labels: index.labels(id), points });
                    }
                }
            }
        }
        if found.into_iter().all(take) { Ok(others) } else { Ok(Vec::new()) }
    }

    /// False when `take` wants no more.
    fn read_part(
        &self,
        ids: &[u32],
        (in_head, room): (&[InHead], &mut HeadRoom<'_>),
        days: &[Arc<Day>],
        cache: &mut TimeCache,
        take: &mut TakeSeries<'_>,
    ) -> Result<bool, SelectError> {
        let Self { shared, range, bounds, .. } = self;
        let mut gathers: Vec<Gather> = ids.iter().map(|_| Gather::default()).collect();
        let present = shared.days_between(range.0, range.1);
        if !days.iter().all(|day| present.iter().any(|other| Arc::ptr_eq(day, other))) {
            let text = "a day of the range was removed while it was read: ask again";
            return Err(SelectError::Storage(text.to_owned()));
        }
        let sealed = ids.iter().zip(in_head).enumerate().filter(|(_, (_, one))| one.sealed);
        let sealed: Vec<(usize, u32)> = sealed.map(|(place, (&id, _))| (place, id)).collect();
        for day in present.iter().filter(|_| !sealed.is_empty()) {
            let members = day.members(sealed.iter().copied());
            let read = day.read_members(members, *range, &mut gathers, cache, bounds);
            read.map_err(|error| SelectError::Storage(error.chain()))?;
            if bounds.exceeded() {
                return Err(shared.too_many_samples());
            }
        }
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let labels: Vec<Labels> = ids.iter().map(|&id| index.labels(id)).collect();
        drop(index);
        let mut held = 0;
        for ((gather, in_head), labels) in gathers.into_iter().zip(in_head).zip(labels) {
            let before = gather.samples();
            let points = match &in_head.slice {
                Some(slice) => room.points(gather, slice, *range, cache),
                None => gather.finish(cache),
            };
            let samples = points.times.len() + points.histograms.len();
            if !bounds.take(samples.saturating_sub(before)) {
                return Err(shared.too_many_samples());
            }
            held += before.max(samples);
            if samples > 0 && !take(Series { labels, points }) {
                return Ok(false);
            }
        }
        if self.streams {
            bounds.release(held);
        }
        Ok(true)
    }
}

/// Ids in the order of the blocks of the newest of these days.
fn by_block(mut ids: Vec<u32>, days: &[Arc<Day>]) -> Vec<u32> {
    if let Some(day) = days.last() {
        let state = day.state();
        ids.sort_by_key(|&id| state.place(id));
    }
    ids
}

/// Series of a run that are read together: a block of them, or the fewest more that make a cut
/// possible that goes through no block of any day, since each such block would be unpacked twice.
fn parts(ids: &[u32], days: &[Arc<Day>]) -> Vec<Range<usize>> {
    let mut whole = vec![true; ids.len() + 1];
    for day in days {
        let state = day.state();
        let blocks = ids.iter().map(|&id| state.place(id) / block::SERIES as u32);
        let blocks: Vec<u32> = blocks.collect();
        // A cut is fine where all blocks before it are lower than all behind it.
        let mut lowest = u32::MAX;
        let mut behind: Vec<u32> = Vec::with_capacity(blocks.len());
        behind.extend(blocks.iter().rev().map(|&block| {
            lowest = lowest.min(block);
            lowest
        }));
        let mut highest = 0;
        for ((at, &block), &after) in blocks.iter().enumerate().zip(behind.iter().rev()) {
            whole[at] &= at == 0 || highest < after;
            highest = highest.max(block);
        }
    }
    let mut parts = Vec::new();
    let mut from = 0;
    for (to, whole) in whole.into_iter().enumerate().skip(1) {
        if to == ids.len() || (whole && to - from >= block::SERIES) {
            parts.push(from..to);
            from = to;
        }
    }
    parts
}

/// Time columns that a thread keeps for the series that follow, some of which may share them. More
/// would push out of the processor's cache what is being worked on.
const TIME_COLUMNS: usize = 64;

/// Threads that read for one selection, the one that asks included. Two to four cores unpack a
/// dashboard's thousands of series in milliseconds; more would take from the writer and from other
/// queries, of which each is given as many.
pub(crate) const MAX_LANES: usize = 4;

/// Series that repay a thread of their own: two blocks of each seal. Starting a thread costs about
/// as much as unpacking a block.
const SERIES_PER_LANE: usize = 2 * block::SERIES;

/// Threads worth having for this many series.
fn lanes(series: usize) -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, NonZero::get));
    (series / SERIES_PER_LANE).clamp(1, MAX_LANES.min(*CORES))
}

/// The floats of one series out of the head; the room is used again for the next.
pub(super) struct HeadRoom<'a> {
    packed: &'a [u8],
    times: Vec<i64>,
    values: Vec<f64>,
}

impl<'a> HeadRoom<'a> {
    /// For slices whose bytes are in `packed`.
    pub(super) fn over(packed: &'a [u8]) -> Self {
        Self { packed, times: Vec::new(), values: Vec::new() }
    }

    /// The points of a series: what was gathered of it from disk, and its slice of the head.
    fn points(
        &mut self,
        mut gather: Gather,
        slice: &HeadSlice,
        range: (i64, i64),
        cache: &mut TimeCache,
    ) -> Points {
        if gather.samples() == 0 && slice.histograms.is_empty() {
            // Most often there is nothing to join with.
            let (times, values) = self.floats(slice, range);
            return Points {
                times: cache.intern(times),
                values: values.to_vec(),
                ..Points::default()
            };
        }
        self.add(&mut gather, slice, range, cache);
        gather.finish(cache)
    }

    /// Times and values of the slice in the range.
    fn floats(&mut self, slice: &HeadSlice, range: (i64, i64)) -> (&[i64], &[f64]) {
        self.times.clear();
        self.values.clear();
        slice.floats(self.packed, &mut self.times, &mut self.values, f64::from_bits);
        // The slice begins where it can be unpacked from, often long before the range.
        let within = within(&self.times, range);
        let times = self.times.get(within.clone()).unwrap_or_default();
        (times, self.values.get(within).unwrap_or_default())
    }

    pub(super) fn add(
        &mut self,
        gather: &mut Gather,
        slice: &HeadSlice,
        range: (i64, i64),
        cache: &mut TimeCache,
    ) {
        let (times, values) = self.floats(slice, range);
        if !times.is_empty() {
            gather.add(&cache.intern(times), values, range.0, range.1);
        }
        for (time, packed) in &slice.histograms {
            if *time >= range.0 && *time <= range.1 {
                // Packed by this process a moment ago; there is no way for it not to unpack.
                gather.add_histogram(*time, packed);
            }
        }
    }
}

//! Reading: series by matchers, their samples out of day files and head.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::{Arc, LazyLock, PoisonError};
use std::thread::available_parallelism;

use strata_model::labels::iter_encoded;
use strata_model::{Labels, Matcher, Metadata, SelectError, Selection, Series, SeriesSource};

use super::Shared;
use super::codec::block;
use super::day::{Day, Gather, ReadBounds, TimeCache};
use super::head::HeadSlice;
use super::tiers::{Tier, TierQuery};

impl SeriesSource for super::MetricStore {
    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        self.shared.select(selection)
    }

    /// "In the range" is by whole days here: telling exactly would mean reading samples.
    fn series(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        let _ids_stay = self.shared.renaming.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids = self.shared.matching(sets, start_ms..=end_ms);
        if limit != 0 {
            ids.truncate(limit);
        }
        let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
        Ok(ids.into_iter().map(|id| index.labels(id)).collect())
    }

    fn label_names(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        Ok(self.shared.distinct(sets, start_ms..=end_ms, |name, _| Some(name)))
    }

    fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        let range = start_ms..=end_ms;
        Ok(self.shared.distinct(sets, range, |label, value| (label == name).then_some(value)))
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SelectError> {
        let families = self.shared.families.read().unwrap_or_else(PoisonError::into_inner);
        Ok(families.values().cloned().collect())
    }
}

impl Shared {
    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        let range = (selection.start_ms, selection.end_ms);
        if range.0 > range.1 {
            return Ok(Vec::new());
        }
        let _ids_stay = self.renaming.read().unwrap_or_else(PoisonError::into_inner);
        let candidates = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            index.select(&selection.matchers)
        };
        let ids = self.present(candidates, range);
        let settings = &self.settings;
        if ids.len() > settings.select_series_limit {
            return Err(SelectError::Limit(format!(
                "the selector matches {} series, more than the limit of {} \
                 (store.select_series_limit): add matchers or shorten the range",
                ids.len(),
                settings.select_series_limit
            )));
        }
        let days = self.days_between(range.0, range.1);
        let stand_ins = self.tiers.stand_ins(range, &days);
        if stand_ins.is_empty() {
            let ids = by_block(ids, &days);
            let bounds = ReadBounds::new(&self.damage, settings.select_samples_limit);
            let pass = Pass { shared: self, range, bounds: &bounds };
            return pass.read(&ids);
        }
        self.select_with_tiers(selection, &ids, &days, &stand_ins)
    }

    /// As `select` where tiers stand in for days that are gone: few points, one thread.
    fn select_with_tiers(
        &self,
        selection: &Selection,
        ids: &[u32],
        days: &[Arc<Day>],
        stand_ins: &[(Tier, Arc<Day>)],
    ) -> Result<Vec<Series>, SelectError> {
        let range = (selection.start_ms, selection.end_ms);
        // The head first: a seal that ends in between moves samples to where they are looked for
        // next, and what is seen in both places is one sample.
        let slices = self.head_slices(ids);
        let mut gathers: Vec<Gather> = ids.iter().map(|_| Gather::default()).collect();
        let mut cache = TimeCache::default();
        let limit = self.settings.select_samples_limit;
        let (hints, damage) = (&selection.hints, &self.damage);
        let query = TierQuery { ids, range, hints, damage, limit };
        let read = query.gather(stand_ins, &mut gathers, &mut cache);
        read.map_err(|error| SelectError::Storage(error.chain()))?;
        self.check_samples(&gathers)?;
        let bounds = ReadBounds::new(damage, limit);
        for day in days {
            let read = day.read(ids, range, &mut gathers, &mut cache, &bounds);
            read.map_err(|error| SelectError::Storage(error.chain()))?;
            self.check_samples(&gathers)?;
        }
        let mut room = HeadRoom::default();
        for (gather, slice) in gathers.iter_mut().zip(slices) {
            if let Some(slice) = slice {
                room.add(gather, &slice, range, &mut cache);
            }
        }
        self.check_samples(&gathers)?;
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let filled = ids.iter().zip(gathers).filter(|(_, gather)| gather.samples() > 0);
        let series = filled.map(|(&id, gather)| {
            let points = gather.finish(&mut cache);
            Series { labels: index.labels(id), points }
        });
        Ok(series.collect())
    }

    fn check_samples(&self, gathers: &[Gather]) -> Result<(), SelectError> {
        let samples: usize = gathers.iter().map(Gather::samples).sum();
        if samples <= self.settings.select_samples_limit {
            return Ok(());
        }
        Err(self.too_many_samples())
    }

    fn head_slices(&self, ids: &[u32]) -> Vec<Option<HeadSlice>> {
        let head = self.head.read().unwrap_or_else(PoisonError::into_inner);
        ids.iter().map(|&id| head.slice(id)).collect()
    }

    fn too_many_samples(&self) -> SelectError {
        SelectError::Limit(format!(
            "the query reads more than {} samples (store.select_samples_limit): add matchers or \
             shorten the range",
            self.settings.select_samples_limit
        ))
    }

    /// Ids that match any of the sets (all when there is none) and have samples near the range.
    fn matching(&self, sets: &[Vec<Matcher>], range: RangeInclusive<i64>) -> Vec<u32> {
        let mut ids: Vec<u32> = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            if sets.is_empty() {
                index.select(&[])
            } else {
                sets.iter().flat_map(|matchers| index.select(matchers)).collect()
            }
        };
        ids.sort_unstable();
        ids.dedup();
        self.present(ids, (*range.start(), *range.end()))
    }

    /// Those of the ids that have samples in the head or on one of the days of the range.
    fn present(&self, ids: Vec<u32>, range: (i64, i64)) -> Vec<u32> {
        // The head first, for the same reason as in `select`.
        let in_head: Vec<bool> = {
            let head = self.head.read().unwrap_or_else(PoisonError::into_inner);
            ids.iter().map(|&id| head.holds_between(id, range.0, range.1)).collect()
        };
        let mut days = self.days_between(range.0, range.1);
        days.extend(self.tiers.stand_ins(range, &days).into_iter().map(|(_, day)| day));
        let states: Vec<_> = days.iter().map(|day| day.state()).collect();
        let kept = ids.into_iter().zip(in_head);
        kept.filter(|(id, in_head)| *in_head || states.iter().any(|state| state.has(*id)))
            .map(|(id, _)| id)
            .collect()
    }

    /// Sorted distinct texts that `pick` takes from the labels of matching series.
    fn distinct(
        &self,
        sets: &[Vec<Matcher>],
        range: RangeInclusive<i64>,
        pick: impl for<'a> Fn(&'a str, &'a str) -> Option<&'a str>,
    ) -> Vec<String> {
        let _ids_stay = self.renaming.read().unwrap_or_else(PoisonError::into_inner);
        let ids = self.matching(sets, range);
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut texts = BTreeSet::new();
        for id in ids {
            let labels = iter_encoded(index.encoded(id));
            texts.extend(labels.filter_map(|(name, value)| pick(name, value)));
        }
        texts.into_iter().map(str::to_owned).collect()
    }
}

/// One selection being read.
struct Pass<'a> {
    shared: &'a Shared,
    range: (i64, i64),
    bounds: &'a ReadBounds<'a>,
}

impl Pass<'_> {
    /// The series with these ids, which come in the order of their blocks: cut into runs, one to a
    /// thread. Only a block that a cut goes through is unpacked twice.
    fn read(&self, ids: &[u32]) -> Result<Vec<Series>, SelectError> {
        let run = ids.len().div_ceil(lanes(ids.len())).max(1);
        let mut runs = ids.chunks(run);
        let first = runs.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> = runs.map(|ids| scope.spawn(|| self.read_run(ids))).collect();
            let mut series = self.read_run(first)?;
            for other in others {
                series.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic))?);
            }
            Ok(series)
        })
    }

    fn read_run(&self, ids: &[u32]) -> Result<Vec<Series>, SelectError> {
        let Self { shared, range, bounds } = *self;
        // The head first: a seal that ends in between moves samples to where they are looked for
        // next, and what is seen in both places is one sample.
        let slices = shared.head_slices(ids);
        let mut gathers: Vec<Gather> = ids.iter().map(|_| Gather::default()).collect();
        let mut cache = TimeCache::default();
        for day in shared.days_between(range.0, range.1) {
            let read = day.read(ids, range, &mut gathers, &mut cache, bounds);
            read.map_err(|error| SelectError::Storage(error.chain()))?;
            if bounds.exceeded() {
                return Err(shared.too_many_samples());
            }
        }
        let mut room = HeadRoom::default();
        for (gather, slice) in gathers.iter_mut().zip(slices) {
            if let Some(slice) = slice {
                let before = gather.samples();
                room.add(gather, &slice, range, &mut cache);
                if !bounds.take(gather.samples() - before) {
                    return Err(shared.too_many_samples());
                }
            }
        }
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let filled = ids.iter().zip(gathers).filter(|(_, gather)| gather.samples() > 0);
        let series = filled.map(|(&id, gather)| Series {
            labels: index.labels(id),
            points: gather.finish(&mut cache),
        });
        Ok(series.collect())
    }
}

/// Ids in the order of the blocks of the newest of these days.
fn by_block(mut ids: Vec<u32>, days: &[Arc<Day>]) -> Vec<u32> {
    if let Some(day) = days.last().filter(|_| lanes(ids.len()) > 1) {
        let state = day.state();
        ids.sort_by_key(|&id| state.place(id));
    }
    ids
}

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

/// Samples of one series out of the head; the room is used again for the next.
#[derive(Default)]
struct HeadRoom {
    times: Vec<i64>,
    bits: Vec<u64>,
    values: Vec<f64>,
}

impl HeadRoom {
    fn add(
        &mut self,
        gather: &mut Gather,
        slice: &HeadSlice,
        range: (i64, i64),
        cache: &mut TimeCache,
    ) {
        let Self { times, bits, values } = self;
        times.clear();
        bits.clear();
        values.clear();
        slice.floats(times, bits);
        values.extend(bits.iter().copied().map(f64::from_bits));
        gather.add(&cache.intern(times), values, range.0, range.1);
        for (time, packed) in &slice.histograms {
            if *time >= range.0 && *time <= range.1 {
                // Packed by this process a moment ago; there is no way for it not to unpack.
                gather.add_histogram(*time, packed);
            }
        }
    }
}

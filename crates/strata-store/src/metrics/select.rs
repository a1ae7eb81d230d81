//! Reading: series by matchers, their samples out of day files and head.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use strata_model::labels::iter_encoded;
use strata_model::{
    Labels, Matcher, Metadata, SelectError, Selection, Series, SeriesSource, SeriesTakers,
};

use super::Shared;
use super::day::{Day, Gather, ReadBounds, TimeCache};
use super::head::InHead;
use super::pass::{HeadRoom, Pass};
use super::tiers::{Tier, TierQuery};

impl SeriesSource for super::MetricStore {
    fn version(&self) -> Option<u64> {
        Some(self.shared.changes.version())
    }

    fn changed_since(&self, version: u64) -> i64 {
        self.shared.changes.since(version)
    }

    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        let lanes = Mutex::new(BTreeMap::new());
        self.shared.visit(selection, false, &|number| {
            let mut lane = CollectingLane { number, series: Vec::new(), lanes: &lanes };
            Box::new(move |series| {
                lane.series.push(series);
                true
            })
        })?;
        let lanes = lanes.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(lanes.into_values().flatten().collect())
    }

    fn streams(&self, _selection: &Selection) -> bool {
        true
    }

    fn visit<'a>(
        &self,
        selection: &Selection,
        takers: &'a SeriesTakers<'a>,
        _notes: &mut Vec<String>,
    ) -> Result<(), SelectError> {
        self.shared.visit(selection, true, takers)
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
        if sets.is_empty() {
            return Ok(self.shared.values_of(name, (start_ms, end_ms)));
        }
        let range = start_ms..=end_ms;
        Ok(self.shared.distinct(sets, range, |label, value| (label == name).then_some(value)))
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SelectError> {
        let families = self.shared.families.read().unwrap_or_else(PoisonError::into_inner);
        Ok(families.values().cloned().collect())
    }
}

/// What one thread of a selection has read; found in `lanes` once it is done.
struct CollectingLane<'a> {
    number: usize,
    series: Vec<Series>,
    lanes: &'a Mutex<BTreeMap<usize, Vec<Series>>>,
}

impl Drop for CollectingLane<'_> {
    fn drop(&mut self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.insert(self.number, std::mem::take(&mut self.series));
    }
}

impl Shared {
    fn visit<'a>(
        &self,
        selection: &Selection,
        streams: bool,
        takers: &'a SeriesTakers<'a>,
    ) -> Result<(), SelectError> {
        let range = (selection.start_ms, selection.end_ms);
        if range.0 > range.1 {
            return Ok(());
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
            let bounds = ReadBounds::new(&self.damage, settings.select_samples_limit);
            let bounds = bounds.keeping(&self.kept);
            let newest_only = selection.hints.newest_only;
            let stop = AtomicBool::new(false);
            let pass = Pass { shared: self, range, bounds: &bounds, newest_only, streams, stop };
            return pass.read(ids, &days, takers);
        }
        let series = self.select_with_tiers(selection, &ids, &days, &stand_ins)?;
        series.into_iter().all(&mut takers(0));
        Ok(())
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
        let (slices, packed) = self.head_slices(ids, range.0);
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
        let mut room = HeadRoom::over(&packed);
        for (gather, in_head) in gathers.iter_mut().zip(slices) {
            if let Some(slice) = in_head.slice {
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

    /// What the head holds of the series from about `from_ms` on, and the bytes of all of it.
    pub(super) fn head_slices(&self, ids: &[u32], from_ms: i64) -> (Vec<InHead>, Vec<u8>) {
        let mut bytes = Vec::new();
        let head = self.head.read().unwrap_or_else(PoisonError::into_inner);
        let slices = ids.iter().map(|&id| InHead {
            slice: head.slice(id, from_ms, &mut bytes),
            sealed: head.is_sealed_from(id, from_ms),
        });
        (slices.collect(), bytes)
    }

    pub(super) fn too_many_samples(&self) -> SelectError {
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
        let days = self.days_of(range);
        let states: Vec<_> = days.iter().map(|day| day.state()).collect();
        let kept = ids.into_iter().zip(in_head);
        kept.filter(|(id, in_head)| *in_head || states.iter().any(|state| state.has(*id)))
            .map(|(id, _)| id)
            .collect()
    }

    /// The days of the range, and those that stand in for days that are gone.
    pub(super) fn days_of(&self, range: (i64, i64)) -> Vec<Arc<Day>> {
        let mut days = self.days_between(range.0, range.1);
        days.extend(self.tiers.stand_ins(range, &days).into_iter().map(|(_, day)| day));
        days
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

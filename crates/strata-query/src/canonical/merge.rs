//! One canonical series from several that tell of the same thing: an engine that renamed its
//! metric on upgrade, or one that exports old and new names side by side.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use strata_model::{Points, Series, is_stale};

/// Series of different canonical labels, each with the priority of the mapping it came from. Equal
/// labels have one place ([`super::memo::Named`]): to compare those is far cheaper.
#[derive(Default)]
pub(super) struct Merged {
    series: Vec<(u32, Series)>,
    /// Where in `series` the one is whose labels are at this place.
    places: FxHashMap<usize, usize>,
}

impl Merged {
    /// Enter a series; where two have a sample at one time the mapping with the lower priority
    /// number wins, unless its sample only says that it ended.
    pub(super) fn enter(&mut self, priority: u32, series: Series) {
        let Some(&place) = self.places.get(&series.labels.place()) else {
            self.places.insert(series.labels.place(), self.series.len());
            self.series.push((priority, series));
            return;
        };
        let (other_priority, other) = &mut self.series[place];
        let (first, second) = if priority < *other_priority {
            (&series.points, &other.points)
        } else {
            (&other.points, &series.points)
        };
        other.points = union(first, second);
        *other_priority = priority.min(*other_priority);
    }

    /// The merged series, in the order in which they were first entered.
    pub(super) fn finish(self) -> Vec<Series> {
        self.series.into_iter().map(|(_, series)| series).collect()
    }
}

/// Longest time between two samples of one series in which it is there, as an instant selector has
/// it.
const THERE_MS: i64 = 300_000;

/// Whether the series is there around a time at which it has no sample. Samples of two counters
/// in turns would look like a reset at every one of them.
fn speaks(points: &Points, at: i64) -> bool {
    let next = points.times.partition_point(|time| *time < at);
    let Some(before) = next.checked_sub(1) else { return false };
    let goes_on = |time: &i64| *time > at && time.saturating_sub(points.times[before]) <= THERE_MS;
    !is_stale(points.values[before]) && points.times.get(next).is_some_and(goes_on)
}

/// Both sets of samples in time order; `first` wins a tie unless it is a staleness marker, and where
/// it is there the other is not looked at.
fn union(first: &Points, second: &Points) -> Points {
    let pairs = second.times.iter().copied().zip(second.values.iter().copied());
    let mut floats: BTreeMap<i64, f64> = pairs.filter(|(at, _)| !speaks(first, *at)).collect();
    for (at, value) in first.times.iter().zip(&first.values) {
        if !is_stale(*value) || floats.get(at).is_none_or(|other| is_stale(*other)) {
            floats.insert(*at, *value);
        }
    }
    let mut histograms: BTreeMap<i64, _> = second.histograms.iter().cloned().collect();
    histograms.extend(first.histograms.iter().cloned());
    for at in histograms.keys() {
        floats.remove(at);
    }
    Points {
        times: floats.keys().copied().collect(),
        values: floats.into_values().collect(),
        histograms: histograms.into_iter().collect(),
        ..Points::default()
    }
}

//! One canonical series from several that tell of the same thing: an engine that renamed its
//! metric on upgrade, or one that exports old and new names side by side.

use std::collections::BTreeMap;

use strata_model::{Labels, Points, Series, is_stale};

/// Series by their canonical labels, each with the priority of the mapping it came from.
pub(super) type Merged = BTreeMap<Labels, (u32, Points)>;

/// Enter a series; where two have a sample at one time the mapping with the lower priority number
/// wins, unless its sample only says that it ended.
pub(super) fn enter(merged: &mut Merged, priority: u32, series: Series) {
    match merged.remove(&series.labels) {
        None => {
            merged.insert(series.labels, (priority, series.points));
        }
        Some((other_priority, other)) => {
            let (first, second) = if priority < other_priority {
                (series.points, other)
            } else {
                (other, series.points)
            };
            let points = union(&first, &second);
            merged.insert(series.labels, (priority.min(other_priority), points));
        }
    }
}

/// The merged series in order of labels.
pub(super) fn finish(merged: Merged) -> Vec<Series> {
    let rows = merged.into_iter();
    rows.map(|(labels, (_, points))| Series { labels, points }).collect()
}

/// Both sets of samples in time order; `first` wins a tie unless it is a staleness marker.
fn union(first: &Points, second: &Points) -> Points {
    let mut floats: BTreeMap<i64, f64> =
        second.times.iter().copied().zip(second.values.iter().copied()).collect();
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
    }
}

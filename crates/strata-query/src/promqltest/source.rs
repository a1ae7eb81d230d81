//! Series in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use strata_model::{
    CounterResetHint, Labels, Matcher, Metadata, NativeHistogram, Points, SelectError, Selection,
    Series, SeriesSource, SeriesTakers, StartTimes,
};

/// Samples of one series.
#[derive(Debug, Clone, Default)]
struct Samples {
    floats: BTreeMap<i64, f64>,
    histograms: BTreeMap<i64, Arc<NativeHistogram>>,
    /// Start times by time of the sample.
    starts: BTreeMap<i64, i64>,
}

impl Samples {
    fn starts(&self, times: &[i64], histograms: &[(i64, Arc<NativeHistogram>)]) -> StartTimes {
        if self.starts.is_empty() {
            return StartTimes::default();
        }
        let start = |time: &i64| self.starts.get(time).copied().unwrap_or(0);
        StartTimes {
            floats: times.iter().map(start).collect(),
            histograms: histograms.iter().map(|(time, _)| start(time)).collect(),
        }
    }
}

/// A source of series that tests fill by hand.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    series: BTreeMap<Labels, Samples>,
    in_one_piece: bool,
}

/// Threads whose work [`MemorySource::visit`] does, one after the other.
const LANES: usize = 3;

impl MemorySource {
    /// An empty source.
    pub fn new() -> Self {
        Self::default()
    }

    /// Store a float at a time in milliseconds; a later one at the same time replaces it.
    pub fn push_float(&mut self, labels: &Labels, time_ms: i64, value: f64) {
        let samples = self.series.entry(labels.clone()).or_default();
        samples.histograms.remove(&time_ms);
        samples.floats.insert(time_ms, value);
    }

    /// Store a native histogram at a time in milliseconds.
    pub fn push_histogram(&mut self, labels: &Labels, time_ms: i64, value: NativeHistogram) {
        let samples = self.series.entry(labels.clone()).or_default();
        samples.floats.remove(&time_ms);
        samples.histograms.insert(time_ms, Arc::new(value));
    }

    /// Say since when the sample at a time counts, both in milliseconds.
    pub fn push_start(&mut self, labels: &Labels, time_ms: i64, start_ms: i64) {
        self.series.entry(labels.clone()).or_default().starts.insert(time_ms, start_ms);
    }

    /// The same samples, given all at once rather than series by series.
    pub fn in_one_piece(&self) -> Self {
        Self { in_one_piece: true, ..self.clone() }
    }

    /// Remove everything.
    pub fn clear(&mut self) {
        self.series.clear();
    }

    /// What a store that keeps histograms in chunks knows about their predecessors: within a chunk
    /// they follow without a reset, and a chunk ends where that cannot be said.
    pub fn settle_hints(&mut self) {
        for samples in self.series.values_mut() {
            let mut previous: Option<(i64, Arc<NativeHistogram>)> = None;
            let floats = &samples.floats;
            for (time, histogram) in &mut samples.histograms {
                let original = Arc::clone(histogram);
                let continues = previous.as_ref().is_some_and(|(before, last)| {
                    floats.range(*before..*time).next().is_none() && follows(last, &original)
                });
                let hint = match original.counter_reset_hint {
                    CounterResetHint::Gauge => CounterResetHint::Gauge,
                    _ if continues => CounterResetHint::NotReset,
                    _ => CounterResetHint::Unknown,
                };
                if hint != original.counter_reset_hint {
                    let mut copy = NativeHistogram::clone(&original);
                    copy.counter_reset_hint = hint;
                    *histogram = Arc::new(copy);
                }
                previous = Some((*time, original));
            }
        }
    }

    fn matching(&self, sets: &[Vec<Matcher>], start: i64, end: i64) -> Vec<&Labels> {
        let series = self.series.iter().filter(|(labels, samples)| {
            let hit = sets.is_empty() || sets.iter().any(|set| matches(labels, set));
            hit && start <= end
                && (samples.floats.range(start..=end).next().is_some()
                    || samples.histograms.range(start..=end).next().is_some())
        });
        series.map(|(labels, _)| labels).collect()
    }
}

/// Whether `next` can stand in one chunk with `last`.
fn follows(last: &NativeHistogram, next: &NativeHistogram) -> bool {
    let hint = next.counter_reset_hint;
    let gauge = last.counter_reset_hint == CounterResetHint::Gauge;
    if gauge || matches!(hint, CounterResetHint::Gauge | CounterResetHint::Reset) {
        return false;
    }
    let unhinted =
        NativeHistogram { counter_reset_hint: CounterResetHint::Unknown, ..next.clone() };
    last.schema == next.schema
        && last.zero_threshold == next.zero_threshold
        && last.custom_values == next.custom_values
        && !unhinted.detect_reset(last)
}

fn matches(labels: &Labels, set: &[Matcher]) -> bool {
    set.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
}

impl SeriesSource for MemorySource {
    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        let (start, end) = (selection.start_ms, selection.end_ms);
        if start > end {
            return Ok(Vec::new());
        }
        let hits = self.series.iter().filter(|(labels, _)| matches(labels, &selection.matchers));
        let series = hits.map(|(labels, samples)| {
            let (times, values): (Vec<i64>, Vec<f64>) =
                samples.floats.range(start..=end).map(|(t, v)| (*t, *v)).unzip();
            let histograms = samples.histograms.range(start..=end);
            let histograms: Vec<(i64, Arc<NativeHistogram>)> =
                histograms.map(|(time, value)| (*time, Arc::clone(value))).collect();
            let starts = samples.starts(&times, &histograms);
            let points = Points { times: times.into(), values, histograms, starts };
            Series { labels: labels.clone(), points }
        });
        let empty = |one: &Series| one.points.times.is_empty() && one.points.histograms.is_empty();
        Ok(series.filter(|one| !empty(one)).collect())
    }

    fn streams(&self, _selection: &Selection) -> bool {
        !self.in_one_piece
    }

    fn visit<'a>(
        &self,
        selection: &Selection,
        takers: &'a SeriesTakers<'a>,
        _notes: &mut Vec<String>,
    ) -> Result<(), SelectError> {
        let series = self.select(selection)?;
        for (lane, run) in series.chunks(series.len().div_ceil(LANES).max(1)).enumerate() {
            run.iter().cloned().all(&mut takers(lane));
        }
        Ok(())
    }

    fn series(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let hits = self.matching(sets, start_ms, end_ms);
        Ok(hits.into_iter().take(limit).cloned().collect())
    }

    fn label_names(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        let hits = self.matching(sets, start_ms, end_ms);
        let names: BTreeSet<&str> =
            hits.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        let hits = self.matching(sets, start_ms, end_ms);
        let values: BTreeSet<&str> = hits.iter().filter_map(|labels| labels.get(name)).collect();
        Ok(values.into_iter().map(str::to_owned).collect())
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SelectError> {
        Ok(Vec::new())
    }
}

//! Instant selectors: the latest sample at each step.

use strata_model::{Points, SelectHints, Selection, Series, is_stale};

use super::{Evaluator, Outcome, failed};
use crate::engine::QueryError;
use crate::promql::syntax::{AtModifier, RangeKind, Span, VectorSelector, When};
use crate::promql::value::{Column, Row, Steps};

/// The time a selector refers to at each step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    steps: Steps,
    fixed: Option<i64>,
    offset: i64,
}

impl Reference {
    pub(super) fn new(when: &When, steps: Steps) -> Self {
        let fixed = match when.at {
            Some(AtModifier::Time(at)) => Some(at),
            _ => None,
        };
        Self { steps, fixed, offset: when.offset_ms }
    }

    /// At step `index`.
    pub(super) fn at(&self, index: usize) -> i64 {
        self.fixed.unwrap_or_else(|| self.steps.at(index)).saturating_sub(self.offset)
    }

    pub(super) fn first(&self) -> i64 {
        self.at(0)
    }

    pub(super) fn last(&self) -> i64 {
        self.at(self.steps.count.saturating_sub(1))
    }

    pub(super) fn steps(&self) -> Steps {
        self.steps
    }
}

/// Walks the samples of a series forward in time.
pub(super) struct Walker<'a> {
    points: &'a Points,
    float: usize,
    histogram: usize,
}

/// A sample found by a [`Walker`]: its time and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    Float(i64, usize),
    Histogram(i64, usize),
}

impl<'a> Walker<'a> {
    pub(super) fn new(points: &'a Points) -> Self {
        Self { points, float: 0, histogram: 0 }
    }

    /// The latest sample in `(at - lookback, at]`; `at` must not fall between calls.
    pub(super) fn latest(&mut self, at: i64, lookback: i64) -> Option<Found> {
        let times = &self.points.times;
        while times.get(self.float).is_some_and(|time| *time <= at) {
            self.float += 1;
        }
        let histograms = &self.points.histograms;
        while histograms.get(self.histogram).is_some_and(|(time, _)| *time <= at) {
            self.histogram += 1;
        }
        let float = self.float.checked_sub(1).map(|i| Found::Float(times[i], i));
        let histogram = self.histogram.checked_sub(1).map(|i| Found::Histogram(histograms[i].0, i));
        let found = match (float, histogram) {
            (Some(Found::Float(f, i)), Some(Found::Histogram(h, _))) if f > h => Found::Float(f, i),
            (_, Some(histogram)) => histogram,
            (Some(float), None) => float,
            (None, None) => return None,
        };
        let (Found::Float(time, _) | Found::Histogram(time, _)) = found;
        let stale = matches!(found, Found::Float(_, i) if is_stale(self.points.values[i]));
        (time > at.saturating_sub(lookback) && !stale).then_some(found)
    }
}

impl Evaluator<'_> {
    /// Read series, in order of their labels unless any order will do.
    pub(super) fn select(&mut self, selection: &Selection, span: Span) -> Outcome<Vec<Series>> {
        self.poll()?;
        let mut said = Vec::new();
        let series = self.source.select_noting(selection, &mut said);
        let mut series = series.map_err(|error| Self::select_failed(&error))?;
        for text in said {
            self.notes.source_says(&text, span);
        }
        if series.len() > self.options.max_series {
            return Err(too_many_series(self.options.max_series));
        }
        let samples = series.iter().map(|s| s.points.times.len() + s.points.histograms.len());
        self.hold(samples.sum::<usize>() as u64)?;
        if !self.any_order {
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        Ok(series)
    }

    /// Read the series of a selector.
    pub(super) fn select_for(
        &mut self,
        node: &VectorSelector,
        selection: &Selection,
    ) -> Outcome<Vec<Series>> {
        let mut series = self.select(selection, node.span)?;
        if node.stats_only {
            for one in &mut series {
                super::histograms::settle_hints(&mut one.points.histograms);
            }
        }
        Ok(series)
    }

    pub(super) fn instant_series(
        &mut self,
        node: &VectorSelector,
        reference: &Reference,
        func: Option<&str>,
    ) -> Outcome<Vec<Series>> {
        if reference.steps().count == 0 {
            return Ok(Vec::new());
        }
        let selection = self.instant_selection(node, reference, func);
        self.select_for(node, &selection)
    }

    /// What an instant selector asks for; `reference` has steps.
    fn instant_selection(
        &self,
        node: &VectorSelector,
        reference: &Reference,
        func: Option<&str>,
    ) -> Selection {
        let lookback = self.options.lookback_ms;
        let ahead = if node.kind == RangeKind::Smoothed { lookback } else { 0 };
        let steps = reference.steps();
        Selection {
            matchers: node.matchers.clone(),
            start_ms: reference.first().saturating_sub(lookback - 1),
            end_ms: reference.last().saturating_add(ahead),
            hints: SelectHints {
                step_ms: if steps.count > 1 { steps.step } else { 0 },
                range_ms: 0,
                func: func.map(str::to_owned),
                newest_only: ahead == 0 && reference.first() == reference.last(),
                sums: self.sums.clone(),
            },
        }
    }

    pub(super) fn vector_selector(
        &mut self,
        node: &VectorSelector,
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        let reference = Reference::new(&node.when, steps);
        if node.kind != RangeKind::Smoothed && steps.count > 0 {
            let selection = self.instant_selection(node, &reference, None);
            if self.streams(&selection) {
                let lookback = self.options.lookback_ms;
                return self.stream(&selection, (node.span, node.stats_only), &|one, _| {
                    let column = latest_column(&one.points, &reference, lookback);
                    let row = Row { labels: one.labels, drop_name: false, column };
                    Ok((!row.column.is_empty()).then_some(row))
                });
            }
        }
        let series = self.instant_series(node, &reference, None)?;
        let mut rows = Vec::with_capacity(series.len());
        for one in series {
            self.poll()?;
            let column = if node.kind == RangeKind::Smoothed {
                self.smoothed(&one, &reference, node.span)
            } else {
                latest_column(&one.points, &reference, self.options.lookback_ms)
            };
            if !column.is_empty() {
                self.hold(column.len() as u64)?;
                rows.push(Row { labels: one.labels, drop_name: false, column });
            }
        }
        Ok(rows)
    }

    /// `start_timestamp(selector)`: since when the sample counts, in seconds, 0 where only other
    /// samples of the series say; nothing of series without starts.
    pub(super) fn sample_starts(
        &mut self,
        node: &VectorSelector,
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        self.of_samples(node, steps, "start_timestamp", |points, found| {
            let start = match found {
                Found::Float(_, at) => points.starts.floats.get(at),
                Found::Histogram(_, at) => points.starts.histograms.get(at),
            };
            start.map(|start| *start as f64 / 1000.0)
        })
    }

    /// `timestamp(selector)`: the time of the sample instead of its value, in seconds.
    pub(super) fn sample_times(
        &mut self,
        node: &VectorSelector,
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        self.of_samples(node, steps, "timestamp", |_, found| {
            let (Found::Float(time, _) | Found::Histogram(time, _)) = found;
            Some(time as f64 / 1000.0)
        })
    }

    /// Something of the latest sample at each step other than its value.
    fn of_samples(
        &mut self,
        node: &VectorSelector,
        steps: Steps,
        func: &str,
        value: impl Fn(&Points, Found) -> Option<f64>,
    ) -> Outcome<Vec<Row>> {
        let reference = Reference::new(&node.when, steps);
        let series = self.instant_series(node, &reference, Some(func))?;
        let lookback = self.options.lookback_ms;
        let mut rows = Vec::with_capacity(series.len());
        for one in series {
            let mut column = Column::absent(steps.count);
            let mut walker = Walker::new(&one.points);
            for at in 0..steps.count {
                let found = walker.latest(reference.at(at), lookback);
                if let Some(value) = found.and_then(|found| value(&one.points, found)) {
                    column.set_float(at, value);
                }
            }
            if !column.is_empty() {
                rows.push(Row { labels: one.labels, drop_name: true, column });
            }
        }
        Ok(rows)
    }
}

/// A selector matches more series than a query may ask for.
pub(super) fn too_many_series(limit: usize) -> QueryError {
    failed(format_args!(
        "expanding series: the selector matches more than {limit} series, narrow it"
    ))
}

fn latest_column(points: &Points, reference: &Reference, lookback: i64) -> Column {
    let count = reference.steps().count;
    let mut column = Column::absent(count);
    let mut walker = Walker::new(points);
    for at in 0..count {
        match walker.latest(reference.at(at), lookback) {
            Some(Found::Float(_, i)) => column.set_float(at, points.values[i]),
            Some(Found::Histogram(_, i)) => {
                column.set_histogram(at, std::sync::Arc::clone(&points.histograms[i].1));
            }
            None => {}
        }
    }
    column
}

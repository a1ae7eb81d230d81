//! Range selectors and subqueries: samples of series, and the windows a function sees of them.

use std::borrow::Cow;
use std::sync::Arc;

use strata_model::{
    CounterResetHint, Labels, NativeHistogram, Points, SelectHints, Selection, Series, is_stale,
};

use super::instant::Reference;
use super::{Evaluator, Outcome};
use crate::engine::{AnswerSeries, Value as AnswerValue};
use crate::promql::syntax::{MatrixSelector, RangeKind, Span, Subquery};
use crate::promql::value::{Cell, Kind, Row, Steps};

/// Samples of one series, without staleness markers.
#[derive(Debug, Clone)]
pub(super) struct RangeSeries {
    pub(super) labels: Labels,
    pub(super) drop_name: bool,
    pub(super) points: Points,
}

impl RangeSeries {
    pub(super) fn new(series: Series) -> Self {
        let points = without_stale(series.points);
        Self { labels: series.labels, drop_name: false, points }
    }
}

/// The argument of a range function.
#[derive(Debug)]
pub(super) struct RangeInput {
    pub(super) series: Vec<RangeSeries>,
    pub(super) span: Span,
    pub(super) kind: RangeKind,
    pub(super) range_ms: i64,
    pub(super) reference: Reference,
    /// How far before and after the range samples were read, for the kinds that need it.
    before: i64,
    after: i64,
}

/// What a range function sees at one step. Times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) times: &'a [i64],
    pub(super) values: &'a [f64],
    pub(super) histograms: &'a [(i64, Arc<NativeHistogram>)],
    /// Start times of floats and of histograms: as many as these, or none.
    pub(super) starts: &'a [i64],
    pub(super) histogram_starts: &'a [i64],
    /// Exclusive start and inclusive end of the range.
    pub(super) start: i64,
    pub(super) end: i64,
    /// Index of the step and its time.
    pub(super) step: usize,
    pub(super) now: i64,
    /// Index of the first float of the window in the series.
    pub(super) first: usize,
}

impl Window<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.histograms.is_empty()
    }

    pub(super) fn is_mixed(&self) -> bool {
        !self.times.is_empty() && !self.histograms.is_empty()
    }
}

/// The samples of a series that fall into windows which only move forward.
pub(super) struct Windows<'a> {
    input: &'a RangeInput,
    points: &'a Points,
    floats: (usize, usize),
    histograms: (usize, usize),
}

impl<'a> Windows<'a> {
    pub(super) fn new(input: &'a RangeInput, points: &'a Points) -> Self {
        Self { input, points, floats: (0, 0), histograms: (0, 0) }
    }

    /// The window of a step; steps must not fall between calls.
    pub(super) fn at(&mut self, step: usize) -> Window<'a> {
        let end = self.input.reference.at(step);
        let start = end.saturating_sub(self.input.range_ms);
        let (from, to) =
            (start.saturating_sub(self.input.before), end.saturating_add(self.input.after));
        let times = &self.points.times;
        let (low, high) = &mut self.floats;
        while times.get(*high).is_some_and(|time| *time <= to) {
            *high += 1;
        }
        while *low < *high && times[*low] <= from {
            *low += 1;
        }
        let histograms = &self.points.histograms;
        let (first, last) = &mut self.histograms;
        while histograms.get(*last).is_some_and(|(time, _)| *time <= to) {
            *last += 1;
        }
        while *first < *last && histograms[*first].0 <= from {
            *first += 1;
        }
        Window {
            times: &times[*low..*high],
            values: &self.points.values[*low..*high],
            histograms: &histograms[*first..*last],
            starts: self.points.starts.floats.get(*low..*high).unwrap_or_default(),
            histogram_starts: self.points.starts.histograms.get(*first..*last).unwrap_or_default(),
            start,
            end,
            step,
            now: self.input.reference.steps().at(step),
            first: *low,
        }
    }
}

impl RangeInput {
    /// All samples of the only window, as an answer. Empty series are left out.
    pub(super) fn into_points(self) -> Vec<AnswerSeries> {
        let mut out = Vec::with_capacity(self.series.len());
        for series in &self.series {
            let window = Windows::new(&self, &series.points).at(0);
            let floats: Cow<'_, [(i64, f64)]> = if self.kind == RangeKind::Plain {
                window.times.iter().copied().zip(window.values.iter().copied()).collect()
            } else {
                Cow::Owned(super::extended::extend(&window, self.kind))
            };
            let mut points: Vec<(i64, AnswerValue)> =
                floats.iter().map(|(time, value)| (*time, AnswerValue::Float(*value))).collect();
            points.extend(
                window
                    .histograms
                    .iter()
                    .map(|(time, value)| (*time, AnswerValue::Histogram(Arc::clone(value)))),
            );
            points.sort_by_key(|(time, _)| *time);
            if !points.is_empty() {
                let labels = if series.drop_name {
                    crate::promql::value::without_metadata(&series.labels)
                } else {
                    series.labels.clone()
                };
                out.push(AnswerSeries { labels, points });
            }
        }
        out
    }
}

impl Evaluator<'_> {
    pub(super) fn range_selector(
        &mut self,
        node: &MatrixSelector,
        steps: Steps,
    ) -> Outcome<RangeInput> {
        self.range_selector_for(node, steps, None)
    }

    pub(super) fn range_selector_for(
        &mut self,
        node: &MatrixSelector,
        steps: Steps,
        func: Option<&str>,
    ) -> Outcome<RangeInput> {
        let (mut input, selection) = self.range_selection(node, steps, func);
        if let Some(selection) = selection {
            let series = self.select_for(&node.selector, &selection)?;
            input.series.extend(series.into_iter().map(RangeSeries::new));
        }
        Ok(input)
    }

    /// The argument without its series, and what to ask for to have them; nothing without steps.
    pub(super) fn range_selection(
        &self,
        node: &MatrixSelector,
        steps: Steps,
        func: Option<&str>,
    ) -> (RangeInput, Option<Selection>) {
        let selector = &node.selector;
        let reference = Reference::new(&selector.when, steps);
        let lookback = self.options.lookback_ms;
        let (before, after) = match selector.kind {
            RangeKind::Plain => (0, 0),
            RangeKind::Anchored => (lookback, 0),
            RangeKind::Smoothed => (lookback, lookback),
        };
        let selection = (steps.count > 0).then(|| Selection {
            matchers: selector.matchers.clone(),
            start_ms: reference.first().saturating_sub(node.range_ms + before - 1),
            end_ms: reference.last().saturating_add(after),
            hints: SelectHints {
                step_ms: if steps.count > 1 { steps.step } else { 0 },
                range_ms: node.range_ms,
                func: func.map(str::to_owned),
                newest_only: false,
                sums: self.sums.clone(),
            },
        });
        let span = Span { start: selector.span.start, end: node.end };
        let (kind, range_ms) = (selector.kind, node.range_ms);
        let input =
            RangeInput { series: Vec::new(), span, kind, range_ms, reference, before, after };
        (input, selection)
    }

    pub(super) fn subquery(&mut self, node: &Subquery, steps: Steps) -> Outcome<RangeInput> {
        let reference = Reference::new(&node.when, steps);
        let interval = if node.step_ms > 0 { node.step_ms } else { self.options.subquery_step_ms };
        let interval = interval.max(1);
        let inner = if steps.count == 0 {
            Steps { start: 0, step: interval, count: 0 }
        } else {
            // The first multiple of the interval after the start of the first window.
            let from = reference.first().saturating_sub(node.range_ms);
            let mut start = interval * (from / interval);
            if start <= from {
                start = start.saturating_add(interval);
            }
            Steps::between(start, reference.last(), interval)
        };
        // A fine step over a long range is refused before anything is made room for.
        let before = self.live;
        self.hold(inner.count as u64)?;
        self.live = before;
        let rows = self.rows(&node.expr, inner)?;
        let all: Arc<[i64]> = inner.times().collect();
        let series = rows.into_iter().map(|row| to_series(row, &all)).collect();
        let span = Span { start: node.expr.span().start, end: node.end };
        let (kind, range_ms) = (RangeKind::Plain, node.range_ms);
        Ok(RangeInput { series, span, kind, range_ms, reference, before: 0, after: 0 })
    }
}

/// Staleness markers end a series for instant selectors; ranges just skip them.
fn without_stale(points: Points) -> Points {
    // Not `any`: a loop without a way out compares several values at once.
    if !points.values.iter().fold(false, |stale, value| stale | is_stale(*value)) {
        return points;
    }
    let kept = points.times.iter().zip(&points.values).filter(|(_, value)| !is_stale(**value));
    let (times, values): (Vec<i64>, Vec<f64>) = kept.map(|(t, v)| (*t, *v)).unzip();
    let mut starts = points.starts;
    let mut old = points.values.iter();
    starts.floats.retain(|_| old.next().is_some_and(|value| !is_stale(*value)));
    Points { times: times.into(), values, histograms: points.histograms, starts }
}

/// The present cells of a row as samples; `all` are the times of its steps.
fn to_series(row: Row, all: &Arc<[i64]>) -> RangeSeries {
    let column = row.column;
    let dense = column.kinds.iter().all(|kind| *kind == Kind::Float);
    let points = if dense {
        Points { times: Arc::clone(all), values: column.values.into_vec(), ..Points::default() }
    } else {
        let mut times = Vec::new();
        let mut values = Vec::new();
        let mut histograms = Vec::new();
        for (at, time) in all.iter().enumerate() {
            match column.cell(at) {
                Some(Cell::Float(value)) => {
                    times.push(*time);
                    values.push(value);
                }
                Some(Cell::Histogram(value)) => histograms.push((*time, without_hint(value))),
                None => {}
            }
        }
        Points { times: times.into(), values, histograms, ..Points::default() }
    };
    RangeSeries { labels: row.labels, drop_name: row.drop_name, points }
}

/// A subquery may skip or repeat samples, so what a sample says about its predecessor is void.
fn without_hint(histogram: Arc<NativeHistogram>) -> Arc<NativeHistogram> {
    match histogram.counter_reset_hint {
        CounterResetHint::Reset | CounterResetHint::NotReset => {
            let mut copy = NativeHistogram::clone(&histogram);
            copy.counter_reset_hint = CounterResetHint::Unknown;
            Arc::new(copy)
        }
        CounterResetHint::Unknown | CounterResetHint::Gauge => histogram,
    }
}

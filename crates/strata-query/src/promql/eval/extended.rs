//! `anchored` and `smoothed` ranges: completed at their edges from samples outside of them.

use strata_model::Series;

use super::Evaluator;
use super::instant::Reference;
use super::range::Window;
use super::windows::Context;
use crate::promql::syntax::{RangeKind, Span};
use crate::promql::value::{Cell, Column};

/// The value on the line through two samples. A counter that fell started again at zero.
pub(super) fn interpolate(
    (t1, y1): (i64, f64),
    (t2, y2): (i64, f64),
    at: i64,
    is_counter: bool,
) -> f64 {
    let y1 = if is_counter && y2 < y1 { 0.0 } else { y1 };
    y1 + (y2 - y1) * (at - t1) as f64 / (t2 - t1) as f64
}

/// Which samples of an extended window bound the range: indexes of the first and last.
/// `None` when the range lies outside of the samples.
pub(super) fn bounds(
    times: &[i64],
    start: i64,
    end: i64,
    smoothed: bool,
) -> Option<(usize, usize)> {
    let mut last = times.len().checked_sub(1)?;
    let first = times[..last].partition_point(|time| *time <= start).saturating_sub(1);
    if smoothed {
        last = times[..last].partition_point(|time| *time < end);
    }
    (times[last] > start).then_some((first, last))
}

/// The values at the edges of the range.
fn edges(
    window: &Window<'_>,
    (first, last): (usize, usize),
    smoothed: bool,
    counter: bool,
) -> (f64, f64) {
    let point = |at: usize| (window.times[at], window.values[at]);
    let left = if smoothed && window.times[first] < window.start {
        interpolate(point(first), point(first + 1), window.start, counter)
    } else {
        window.values[first]
    };
    let right = if smoothed && last > 0 && window.times[last] > window.end {
        interpolate(point(last - 1), point(last), window.end, counter)
    } else {
        window.values[last]
    };
    (left, right)
}

/// The samples strictly inside the range.
fn inside<'a>(window: &Window<'a>, (first, last): (usize, usize)) -> (&'a [i64], &'a [f64]) {
    let from = first + usize::from(window.times[first] <= window.start);
    let to = last + usize::from(window.times[last] < window.end);
    if from >= to { (&[], &[]) } else { (&window.times[from..to], &window.values[from..to]) }
}

/// The samples of a range with values at its edges added.
pub(super) fn extend(window: &Window<'_>, kind: RangeKind) -> Vec<(i64, f64)> {
    let smoothed = kind == RangeKind::Smoothed;
    let Some(found) = bounds(window.times, window.start, window.end, smoothed) else {
        return Vec::new();
    };
    let (left, right) = edges(window, found, smoothed, false);
    let (times, values) = inside(window, found);
    let mut out = vec![(window.start, left)];
    out.extend(times.iter().copied().zip(values.iter().copied()));
    out.push((window.end, right));
    out
}

/// `rate`, `increase` or `delta` over an extended window.
pub(super) fn rate(context: &mut Context<'_>, window: &Window<'_>, name: &str) -> Option<Cell> {
    if window.is_mixed() {
        context.notes.mixed_floats_histograms(context.metric, context.span);
        return None;
    }
    if !window.histograms.is_empty() {
        return super::histograms::extended_histogram_rate(context, window, name);
    }
    let smoothed = context.kind == RangeKind::Smoothed;
    let counter = name != "delta";
    let found = bounds(window.times, window.start, window.end, smoothed)?;
    if smoothed && window.times[found.0] > window.end {
        return None;
    }
    let (left, right) = edges(window, found, smoothed, counter);
    let mut change = right - left;
    if counter {
        let mut previous = left;
        for value in inside(window, found).1.iter().chain([&right]) {
            if *value < previous {
                change += previous;
            }
            previous = *value;
        }
    }
    if name == "rate" {
        change /= context.range_ms as f64 / 1000.0;
    }
    Some(Cell::Float(change))
}

impl Evaluator<'_> {
    /// A smoothed instant selector: between two samples the value on the line through them.
    pub(super) fn smoothed(
        &mut self,
        series: &Series,
        reference: &Reference,
        span: Span,
    ) -> Column {
        let lookback = self.options.lookback_ms;
        let points = &series.points;
        let fresh: Vec<usize> = (0..points.values.len())
            .filter(|at| !strata_model::is_stale(points.values[*at]))
            .collect();
        let times: Vec<i64> = fresh.iter().map(|at| points.times[*at]).collect();
        let mut column = Column::absent(reference.steps().count);
        for step in 0..column.len() {
            let at = reference.at(step);
            let from = times.partition_point(|time| *time <= at.saturating_sub(lookback));
            let to = times.partition_point(|time| *time <= at.saturating_add(lookback));
            let histograms = {
                let all = &points.histograms;
                let from = all.partition_point(|(time, _)| *time <= at.saturating_sub(lookback));
                let to = all.partition_point(|(time, _)| *time <= at.saturating_add(lookback));
                &all[from..to]
            };
            if from < to && !histograms.is_empty() {
                let metric = series.labels.metric_name();
                self.notes.mixed_floats_histograms(metric, span);
                continue;
            }
            if !histograms.is_empty() {
                let metric = series.labels.metric_name();
                let found = super::histograms::smoothed_histogram(
                    &mut self.notes,
                    metric,
                    span,
                    histograms,
                    at,
                );
                if let Some(cell) = found {
                    column.set(step, cell);
                }
                continue;
            }
            let next = from + times[from..to].partition_point(|time| *time < at);
            let point = |i: usize| (times[i], points.values[fresh[i]]);
            if next < to && times[next] == at {
                column.set_float(step, point(next).1);
            } else if next > from && next < to {
                column.set_float(step, interpolate(point(next - 1), point(next), at, false));
            } else if next > from {
                column.set_float(step, point(next - 1).1);
            }
        }
        column
    }
}

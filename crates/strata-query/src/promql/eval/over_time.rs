//! The `*_over_time` family, `changes` and `resets`.

use std::sync::Arc;

use strata_model::NativeHistogram;

use super::kahan::{KahanSum, Mean};
use super::quantile::quantile;
use super::range::Window;
use super::starts::Stamp;
use super::windows::Context;
use crate::promql::syntax::{RangeKind, Span};
use crate::promql::value::Cell;

/// The function `name` over one window that is not empty.
pub(super) fn apply(name: &str, context: &mut Context<'_>, window: &Window<'_>) -> Option<Cell> {
    let float = |value: f64| Some(Cell::Float(value));
    match name {
        "count_over_time" => float((window.times.len() + window.histograms.len()) as f64),
        "present_over_time" => float(1.0),
        "last_over_time" => edge(window, true),
        "first_over_time" => edge(window, false),
        "ts_of_last_over_time" => {
            let last = window.times.last().max(window.histograms.last().map(|(time, _)| time));
            last.map(|time| Cell::Float(*time as f64 / 1000.0))
        }
        "ts_of_first_over_time" => {
            let first = window.histograms.first().map(|(time, _)| time);
            let first = window.times.first().into_iter().chain(first).min();
            first.map(|time| Cell::Float(*time as f64 / 1000.0))
        }
        "changes" => changes(context, window),
        "resets" => resets(context, window),
        "sum_over_time" => sum(context, window),
        "avg_over_time" => avg(context, window),
        _ => {
            if window.values.is_empty() {
                return None;
            }
            if window.is_mixed() {
                context.notes.ignored_in_range(context.metric, context.span);
            }
            floats_only(name, window).map(Cell::Float)
        }
    }
}

/// Functions that look at floats and pass over histograms.
fn floats_only(name: &str, window: &Window<'_>) -> Option<f64> {
    let seconds = |at: usize| window.times[at] as f64 / 1000.0;
    let values = window.values;
    match name {
        // NaN loses against any number.
        "min_over_time" => Some(values.iter().copied().fold(f64::NAN, f64::min)),
        "max_over_time" => Some(values.iter().copied().fold(f64::NAN, f64::max)),
        "ts_of_min_over_time" => Some(seconds(extreme(values, |new, old| new <= old))),
        "ts_of_max_over_time" => Some(seconds(extreme(values, |new, old| new >= old))),
        "stdvar_over_time" => Some(variance(values)),
        "stddev_over_time" => Some(variance(values).sqrt()),
        "mad_over_time" => Some(median_deviation(values)),
        _ => None,
    }
}

/// Where the value stands that wins over all others; NaN loses.
fn extreme(values: &[f64], wins: impl Fn(f64, f64) -> bool) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if wins(*value, values[best]) || values[best].is_nan() {
            best = at;
        }
    }
    best
}

/// Population variance, by Welford's method with compensated sums.
fn variance(values: &[f64]) -> f64 {
    let mut count = 0.0;
    let mut mean = KahanSum::default();
    let mut squares = KahanSum::default();
    for value in values {
        count += 1.0;
        let delta = value - (mean.sum + mean.lost);
        mean.add(delta / count);
        squares.add(delta * (value - (mean.sum + mean.lost)));
    }
    (squares.sum + squares.lost) / count
}

/// Median of the distances from the median.
fn median_deviation(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    let median = quantile(0.5, &mut sorted);
    for value in &mut sorted {
        *value = (*value - median).abs();
    }
    quantile(0.5, &mut sorted)
}

pub(super) fn quantile_over_time(
    context: &mut Context<'_>,
    window: &Window<'_>,
    q: f64,
    span: Span,
) -> Option<Cell> {
    if window.values.is_empty() {
        return None;
    }
    if q.is_nan() || !(0.0..=1.0).contains(&q) {
        context.notes.invalid_quantile(q, span);
    }
    if window.is_mixed() {
        context.notes.ignored_in_range(context.metric, context.span);
    }
    Some(Cell::Float(quantile(q, &mut window.values.to_vec())))
}

/// The first or last sample of a window.
fn edge(window: &Window<'_>, last: bool) -> Option<Cell> {
    let at = if last { window.times.len().checked_sub(1) } else { Some(0) };
    let float = at.and_then(|at| Some((*window.times.get(at)?, window.values[at])));
    let histogram = if last { window.histograms.last() } else { window.histograms.first() };
    match (float, histogram) {
        (Some((time, value)), Some((other, histogram))) => {
            let float_wins = if last { time > *other } else { time < *other };
            Some(if float_wins {
                Cell::Float(value)
            } else {
                Cell::Histogram(Arc::clone(histogram))
            })
        }
        (Some((_, value)), None) => Some(Cell::Float(value)),
        (None, Some((_, histogram))) => Some(Cell::Histogram(Arc::clone(histogram))),
        (None, None) => None,
    }
}

fn sum(context: &mut Context<'_>, window: &Window<'_>) -> Option<Cell> {
    if window.is_mixed() {
        context.notes.mixed_floats_histograms(context.metric, context.span);
        return None;
    }
    if window.values.is_empty() {
        return super::histograms::sum_histograms(context, window.histograms);
    }
    let mut total = KahanSum::default();
    window.values.iter().for_each(|value| total.add(*value));
    Some(Cell::Float(total.value()))
}

fn avg(context: &mut Context<'_>, window: &Window<'_>) -> Option<Cell> {
    if window.is_mixed() {
        context.notes.mixed_floats_histograms(context.metric, context.span);
        return None;
    }
    let Some((first, rest)) = window.values.split_first() else {
        return super::histograms::avg_histograms(context, window.histograms);
    };
    let mut mean = Mean::starting_at(*first);
    for value in rest {
        mean.add(*value);
    }
    Some(Cell::Float(mean.value()))
}

/// A sample of either kind.
#[derive(Clone, Copy)]
enum Sample<'a> {
    Float(f64),
    Histogram(&'a NativeHistogram),
}

/// The samples of a window in time order. An anchored window starts with the last sample at or
/// before its start; `None` when nothing lies after the start.
fn in_order<'a>(context: &Context<'_>, window: &Window<'a>) -> Option<Vec<(Stamp, Sample<'a>)>> {
    let floats = window.times.iter().zip(window.values).enumerate();
    let floats = floats
        .map(|(at, (time, value))| (Stamp::of(*time, window.starts, at), Sample::Float(*value)));
    let mut samples: Vec<(Stamp, Sample<'a>)> = floats.collect();
    if !window.histograms.is_empty() {
        let histograms = window.histograms.iter().enumerate();
        samples.extend(histograms.map(|(at, (time, histogram))| {
            (Stamp::of(*time, window.histogram_starts, at), Sample::Histogram(histogram))
        }));
        samples.sort_by_key(|(stamp, _)| stamp.time);
    }
    if context.kind == RangeKind::Anchored {
        let after = samples.partition_point(|(stamp, _)| stamp.time <= window.start);
        if after == samples.len() {
            return None;
        }
        samples.drain(..after.saturating_sub(1));
    }
    Some(samples)
}

fn changes(context: &Context<'_>, window: &Window<'_>) -> Option<Cell> {
    let samples = in_order(context, window)?;
    let changed = samples.windows(2).filter(|pair| match (pair[0].1, pair[1].1) {
        (Sample::Float(a), Sample::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
        (Sample::Histogram(a), Sample::Histogram(b)) => !super::histograms::same_histogram(a, b),
        _ => true,
    });
    Some(Cell::Float(changed.count() as f64))
}

fn resets(context: &Context<'_>, window: &Window<'_>) -> Option<Cell> {
    let samples = in_order(context, window)?;
    let reset = samples.windows(2).filter(|pair| {
        let anew = pair[1].0.begins_anew_after(pair[0].0);
        match (pair[0].1, pair[1].1) {
            (Sample::Float(a), Sample::Float(b)) => b < a || anew,
            (Sample::Histogram(a), Sample::Histogram(b)) => {
                anew || super::histograms::is_reset(a, b)
            }
            _ => true,
        }
    });
    Some(Cell::Float(reset.count() as f64))
}

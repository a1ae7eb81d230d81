//! `rate`, `increase`, `delta` with extrapolation to the range, and `irate`, `idelta`.

use std::sync::Arc;

use strata_model::Points;

use super::range::{RangeInput, RangeSeries, Window, Windows};
use super::windows::Context;
use crate::promql::value::{Cell, Column};

/// What of `rate` depends on the times alone. Series sampled together share their time column, so
/// that the windows are looked for once for all of them.
pub(super) struct Frames {
    times: Arc<[i64]>,
    frames: Vec<Frame>,
}

/// The window of one step over a time column, with at least two samples unless `last` is 0.
#[derive(Clone, Copy, Default)]
struct Frame {
    /// Index of the first and of the last sample.
    first: usize,
    last: usize,
    reach: Reach,
    /// Factor where the counter was not near zero.
    factor: f64,
}

impl Frames {
    /// Those over `times`: the ones of the series before where it has the same column.
    fn over<'a>(
        known: &'a mut Option<Self>,
        input: &RangeInput,
        points: &Points,
        per_second: Option<f64>,
    ) -> &'a [Frame] {
        // Equal columns need not be one in memory; to compare them is far cheaper than to walk them.
        let fits = known.as_ref().is_some_and(|frames| {
            Arc::ptr_eq(&frames.times, &points.times) || frames.times == points.times
        });
        if !fits {
            let mut windows = Windows::new(input, points);
            let frame = |step| {
                let window = windows.at(step);
                let samples = window.times.len();
                if samples < 2 {
                    return Frame::default();
                }
                let edges = (window.times[0], window.times[samples - 1]);
                let reach = Reach::of(&window, edges, samples);
                Frame {
                    first: window.first,
                    last: window.first + samples - 1,
                    factor: reach.factor(None, per_second),
                    reach,
                }
            };
            let frames = (0..input.reference.steps().count).map(frame).collect();
            *known = Some(Self { times: Arc::clone(&points.times), frames });
        }
        known.as_ref().map_or(&[], |frames| &frames.frames)
    }
}

/// `rate`, `increase` or `delta` of one series at all steps.
pub(super) fn extrapolated(
    context: &mut Context<'_>,
    input: &RangeInput,
    series: &RangeSeries,
    name: &str,
    frames: &mut Option<Frames>,
) -> Column {
    let steps = input.reference.steps();
    let is_counter = name != "delta";
    let per_second = (name == "rate").then_some(input.range_ms as f64 / 1000.0);
    let resets = if is_counter { reset_positions(&series.points.values) } else { Vec::new() };
    if series.points.histograms.is_empty() {
        let frames = Frames::over(frames, input, &series.points, per_second);
        return of_floats(frames, &series.points.values, &resets, is_counter, per_second);
    }
    let mut column = Column::absent(steps.count);
    let mut windows = Windows::new(input, &series.points);
    let mut first_reset = 0;
    for step in 0..steps.count {
        let window = windows.at(step);
        if window.is_mixed() {
            context.notes.mixed_floats_histograms(context.metric, context.span);
            continue;
        }
        if window.histograms.len() >= 2 {
            if let Some(cell) =
                super::histograms::histogram_rate(context, &window, is_counter, per_second)
            {
                column.set(step, cell);
            }
            continue;
        }
        if window.values.len() < 2 {
            continue;
        }
        while resets.get(first_reset).is_some_and(|at| *at <= window.first) {
            first_reset += 1;
        }
        let (first, last) = (window.values[0], window.values[window.values.len() - 1]);
        let mut change = last - first;
        let end = window.first + window.values.len();
        for at in resets[first_reset..].iter().take_while(|at| **at < end) {
            change += series.points.values[*at - 1];
        }
        let zero = (is_counter && change > 0.0 && first >= 0.0).then(|| first / change);
        let edges = (window.times[0], window.times[window.times.len() - 1]);
        let factor = extrapolation(&window, edges, window.times.len(), zero, per_second);
        column.set_float(step, change * factor);
    }
    column
}

/// [`extrapolated`] of a series without histograms.
fn of_floats(
    frames: &[Frame],
    values: &[f64],
    resets: &[usize],
    is_counter: bool,
    per_second: Option<f64>,
) -> Column {
    let mut column = Column::absent(frames.len());
    let mut first_reset = 0;
    for (step, frame) in frames.iter().enumerate() {
        if frame.last == 0 {
            continue;
        }
        let first = values[frame.first];
        let mut change = values[frame.last] - first;
        while resets.get(first_reset).is_some_and(|at| *at <= frame.first) {
            first_reset += 1;
        }
        for at in resets[first_reset..].iter().take_while(|at| **at <= frame.last) {
            change += values[*at - 1];
        }
        // The counter may have begun within reach of the window's start.
        let near_zero = is_counter && change > 0.0 && first >= 0.0;
        let zero = near_zero.then(|| first / change);
        let factor = match zero {
            Some(zero) if frame.reach.sampled * zero < frame.reach.to_start => {
                frame.reach.factor(Some(zero), per_second)
            }
            _ => frame.factor,
        };
        column.set_float(step, change * factor);
    }
    column
}

/// Where a value is below its predecessor.
fn reset_positions(values: &[f64]) -> Vec<usize> {
    let falls = values.windows(2).enumerate().filter(|(_, pair)| pair[1] < pair[0]);
    falls.map(|(at, _)| at + 1).collect()
}

/// By what the change between the first and last sample is multiplied to cover the range.
///
/// Where a sample is within 1.1 mean distances of an edge the series is taken to reach that edge,
/// else to end half a mean distance beyond the sample. A counter is not extrapolated below zero:
/// `zero` is the first value over the change, which tells how long ago it was zero.
/// Source: Prometheus `promql/functions.go`, `extrapolatedRate`.
pub(super) fn extrapolation(
    window: &Window<'_>,
    edges: (i64, i64),
    samples: usize,
    zero: Option<f64>,
    per_second: Option<f64>,
) -> f64 {
    Reach::of(window, edges, samples).factor(zero, per_second)
}

/// How far, in seconds, the samples of a window are taken to reach beyond themselves.
#[derive(Clone, Copy, Default)]
struct Reach {
    /// From the first sample to the last.
    sampled: f64,
    to_start: f64,
    to_end: f64,
}

impl Reach {
    fn of(window: &Window<'_>, (first, last): (i64, i64), samples: usize) -> Self {
        let mut to_start = (first - window.start) as f64 / 1000.0;
        let mut to_end = (window.end - last) as f64 / 1000.0;
        let sampled = (last - first) as f64 / 1000.0;
        let mean_distance = sampled / (samples - 1) as f64;
        let threshold = mean_distance * 1.1;
        if to_start >= threshold {
            to_start = mean_distance / 2.0;
        }
        if to_end >= threshold {
            to_end = mean_distance / 2.0;
        }
        Self { sampled, to_start, to_end }
    }

    fn factor(self, zero: Option<f64>, per_second: Option<f64>) -> f64 {
        let Self { sampled, mut to_start, to_end } = self;
        if let Some(zero) = zero {
            let to_zero = sampled * zero;
            if to_zero < to_start {
                to_start = to_zero;
            }
        }
        let factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
        per_second.map_or(factor, |seconds| factor / seconds)
    }
}

/// `irate` or `idelta`: from the last two samples alone.
pub(super) fn instant(
    context: &mut Context<'_>,
    window: &Window<'_>,
    is_rate: bool,
) -> Option<Cell> {
    let floats = window.values.len();
    let histograms = window.histograms.len();
    if floats + histograms < 2 {
        return None;
    }
    // The kinds of the two latest samples.
    let mut latest: Vec<(i64, bool)> =
        window.times.iter().rev().take(2).map(|time| (*time, true)).collect();
    latest.extend(window.histograms.iter().rev().take(2).map(|(time, _)| (*time, false)));
    latest.sort_unstable_by_key(|(time, _)| std::cmp::Reverse(*time));
    let ((end, end_float), (start, start_float)) = (latest[0], latest[1]);
    let seconds = (end - start) as f64 / 1000.0;
    if seconds == 0.0 {
        return None;
    }
    match (start_float, end_float) {
        (true, true) => {
            let (before, after) = (window.values[floats - 2], window.values[floats - 1]);
            let change = if is_rate && after < before { after } else { after - before };
            Some(Cell::Float(if is_rate { change / seconds } else { change }))
        }
        (false, false) => {
            let pair = &window.histograms[histograms - 2..];
            super::histograms::histogram_instant(context, pair, is_rate, seconds)
        }
        _ => {
            context.notes.mixed_floats_histograms(context.metric, context.span);
            None
        }
    }
}

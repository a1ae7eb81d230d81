//! `rate`, `increase`, `delta` with extrapolation to the range, and `irate`, `idelta`.

use strata_model::Points;

use super::frames::{Frames, Reach};
use super::range::{RangeInput, RangeSeries, Window, Windows};
use super::starts::Stamp;
use super::windows::Context;
use crate::promql::value::{Cell, Column};

/// `rate`, `increase` or `delta` of one series at all steps.
pub(super) fn extrapolated(
    context: &mut Context<'_>,
    input: &RangeInput,
    series: &RangeSeries,
    name: &str,
    frames: &mut Frames,
) -> Column {
    let steps = input.reference.steps();
    let is_counter = name != "delta";
    let per_second = (name == "rate").then_some(input.range_ms as f64 / 1000.0);
    let resets = if is_counter { reset_positions(&series.points) } else { Vec::new() };
    if series.points.histograms.is_empty() && series.points.starts.floats.is_empty() {
        let seconds = per_second.unwrap_or(1.0);
        frames.over(input, &series.points, seconds);
        return of_floats(frames, &series.points.values, &resets, is_counter, seconds);
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
        let begun = window.begun().filter(|_| is_counter);
        if !window.histograms.is_empty() {
            if let Some(cell) =
                super::histograms::histogram_rate(context, &window, is_counter, per_second, begun)
            {
                column.set(step, cell);
            }
            continue;
        }
        if window.values.is_empty() || (window.values.len() < 2 && begun.is_none()) {
            continue;
        }
        if is_counter {
            window.note_overlaps(context);
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
        let origin = match begun {
            Some(start) => {
                change += first;
                Origin::Begun(start)
            }
            None if is_counter && change > 0.0 && first >= 0.0 => Origin::Zero(first / change),
            None => Origin::Unknown,
        };
        let edges = (window.times[0], window.times[window.times.len() - 1]);
        let factor = extrapolation(&window, edges, window.times.len(), origin, per_second);
        column.set_float(step, change * factor);
    }
    column
}

/// [`extrapolated`] of a series without histograms.
fn of_floats(
    frames: &Frames,
    values: &[f64],
    resets: &[usize],
    is_counter: bool,
    seconds: f64,
) -> Column {
    let mut column = Column::absent(frames.first.len());
    let mut first_reset = 0;
    let windows = frames.first.iter().zip(&frames.last).map(|(&a, &b)| (a as usize, b as usize));
    for (step, (from, to)) in windows.enumerate() {
        if from == to {
            continue;
        }
        let first = values[from];
        let mut change = values[to] - first;
        while resets.get(first_reset).is_some_and(|at| *at <= from) {
            first_reset += 1;
        }
        for at in resets[first_reset..].iter().take_while(|at| **at <= to) {
            change += values[*at - 1];
        }
        let factor = if is_counter && change > 0.0 && first >= 0.0 {
            near_zero(frames, step, first, change).map(|factor| factor / seconds)
        } else {
            None
        };
        column.set_float(step, change * factor.unwrap_or(frames.factor[step]));
    }
    column
}

/// The factor of a window within reach of whose start the counter began.
fn near_zero(frames: &Frames, step: usize, first: f64, change: f64) -> Option<f64> {
    let (sampled, to_start) = (frames.sampled[step], frames.to_start[step]);
    // Spares nearly all counters the division; the margin is far above what rounding makes of it.
    if sampled * first > to_start * change * (1.0 + 1e-9) {
        return None;
    }
    let to_zero = sampled * (first / change);
    (to_zero < to_start).then(|| frames.reach_from(step, to_zero).factor())
}

/// Where a counter began anew: its value is below that of its predecessor, or its start says so.
fn reset_positions(points: &Points) -> Vec<usize> {
    let (times, values, starts) = (&points.times, &points.values, &points.starts.floats);
    if !starts.is_empty() {
        let stamp = |at: usize| Stamp::of(times[at], starts, at);
        let anew = |at: usize| stamp(at).begins_anew_after(stamp(at - 1));
        return (1..values.len()).filter(|&at| values[at] < values[at - 1] || anew(at)).collect();
    }
    // Most counters never fall, and a loop without a way out compares several values at once.
    let follow = values.get(1..).unwrap_or_default();
    let pairs = values.iter().zip(follow);
    if pairs.clone().map(|(before, after)| usize::from(after < before)).sum::<usize>() == 0 {
        return Vec::new();
    }
    let falls = pairs.enumerate().filter(|(_, (before, after))| after < before);
    falls.map(|(at, _)| at + 1).collect()
}

/// What is known of a counter before its first sample.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    Unknown,
    /// The first value over the change, which tells how long ago it was zero; a counter is not
    /// extrapolated below zero.
    Zero(f64),
    /// When it was zero, in milliseconds, within the range: nothing is extrapolated.
    Begun(i64),
}

/// By what the change between the first and last sample is multiplied to cover the range.
pub(super) fn extrapolation(
    window: &Window<'_>,
    (first, last): (i64, i64),
    samples: usize,
    origin: Origin,
    per_second: Option<f64>,
) -> f64 {
    let edges = (first - window.start, last - first, window.end - last);
    let edges = (edges.0 as f64, edges.1 as f64, edges.2 as f64);
    let mut reach = Reach::of(edges, (samples - 1) as f64);
    match origin {
        Origin::Unknown => {}
        Origin::Zero(zero) => reach.to_start = (reach.sampled * zero).min(reach.to_start),
        Origin::Begun(start) => {
            (reach.sampled, reach.to_start) = ((last - start) as f64 / 1000.0, 0.0);
            if samples < 2 {
                // One sample tells no distance by which to go on.
                reach.to_end = 0.0;
            }
        }
    }
    per_second.map_or(reach.factor(), |seconds| reach.factor() / seconds)
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
            let stamp = |at: usize| Stamp::of(window.times[at], window.starts, at);
            let anew = || stamp(floats - 1).begins_anew_after(stamp(floats - 2));
            let reset = is_rate && (after < before || anew());
            let change = if reset { after } else { after - before };
            Some(Cell::Float(if is_rate { change / seconds } else { change }))
        }
        (false, false) => {
            let pair = &window.histograms[histograms - 2..];
            let anew = window.histogram_begins_anew(histograms - 1);
            super::histograms::histogram_instant(context, pair, (is_rate, anew), seconds)
        }
        _ => {
            context.notes.mixed_floats_histograms(context.metric, context.span);
            None
        }
    }
}

//! Lines and smooth curves through the samples of a window.

use super::kahan::KahanSum;
use super::range::Window;
use super::windows::Context;
use super::{Outcome, failed};
use crate::promql::value::Cell;

/// Note histograms that are passed over; false when there are too few floats.
fn has_two_floats(context: &mut Context<'_>, window: &Window<'_>) -> bool {
    if !window.values.is_empty() && !window.histograms.is_empty() {
        context.notes.ignored_in_range(context.metric, context.span);
    }
    window.values.len() >= 2
}

/// Slope per second and value at `at` of the least-squares line.
fn line(window: &Window<'_>, at: i64) -> (f64, f64) {
    let first = window.values[0];
    if window.values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut x_sum, mut y_sum) = (KahanSum::default(), KahanSum::default());
    let (mut xy_sum, mut xx_sum) = (KahanSum::default(), KahanSum::default());
    for (time, y) in window.times.iter().zip(window.values) {
        let x = time.saturating_sub(at) as f64 / 1e3;
        x_sum.add(x);
        y_sum.add(*y);
        xy_sum.add(x * y);
        xx_sum.add(x * x);
    }
    let n = window.values.len() as f64;
    let (x, y) = (x_sum.sum + x_sum.lost, y_sum.sum + y_sum.lost);
    let covariance = xy_sum.sum + xy_sum.lost - x * y / n;
    let variance = xx_sum.sum + xx_sum.lost - x * x / n;
    let slope = covariance / variance;
    (slope, y / n - slope * x / n)
}

pub(super) fn deriv(context: &mut Context<'_>, window: &Window<'_>) -> Option<Cell> {
    // Measured from a time near the samples, so that precision is not lost to the epoch.
    has_two_floats(context, window).then(|| Cell::Float(line(window, window.times[0]).0))
}

pub(super) fn predict_linear(
    context: &mut Context<'_>,
    window: &Window<'_>,
    seconds: f64,
) -> Option<Cell> {
    has_two_floats(context, window).then(|| {
        let (slope, now) = line(window, window.now);
        Cell::Float(slope * seconds + now)
    })
}

/// Holt's linear method: a smoothed level and a smoothed trend.
pub(super) fn double_exponential(
    context: &mut Context<'_>,
    window: &Window<'_>,
    smoothing: f64,
    trend_factor: f64,
) -> Outcome<Option<Cell>> {
    for (name, short, factor) in [("smoothing", "sf", smoothing), ("trend", "tf", trend_factor)] {
        if factor <= 0.0 || factor >= 1.0 {
            return Err(failed(format_args!(
                "invalid {name} factor. Expected: 0 < {short} < 1, got: {factor:.6}"
            )));
        }
    }
    if !has_two_floats(context, window) {
        return Ok(None);
    }
    let values = window.values;
    let (mut previous, mut level) = (0.0, values[0]);
    let mut trend = values[1] - values[0];
    for (at, value) in values.iter().enumerate().skip(1) {
        if at > 1 {
            trend = trend_factor * (level - previous) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + trend);
        (previous, level) = (level, next);
    }
    Ok(Some(Cell::Float(level)))
}

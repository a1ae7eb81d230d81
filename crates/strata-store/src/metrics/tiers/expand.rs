//! Windows as samples that a query understands.
//!
//! A tier has one point to a window, yet an instant selector looks back five minutes only, and
//! `rate` needs two samples in its range. So a window is cut into as many equal parts as it takes to
//! leave no range empty: its last, smallest, largest or mean value stands at the end of every part, a
//! sum is shared out between the parts, a count becomes that many samples, and a counter rises
//! evenly. Over ranges of whole windows nothing of this changes a result.

use std::sync::Arc;

use strata_model::sample::is_stale;
use strata_model::{NativeHistogram, STALE_NAN, SelectHints};

use super::{Column, Tier};

/// How far an instant selector looks back when it is not told otherwise, as in Prometheus.
const LOOKBACK_MS: i64 = 300_000;

/// No part is shorter: what is asked over less than this may find holes, as in raw samples.
const SHORTEST_PART_MS: i64 = 15_000;

/// `rate` needs two samples in its range; with three to a range, two are always in it.
const POINTS_FOR_TWO: i64 = 3;

/// What to read and how to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// One column, held over the window.
    Hold(Column),
    /// Sum over count, held over the window.
    Mean,
    /// The sum in equal shares.
    Shares,
    /// As many samples as there were.
    Samples,
    /// A counter without resets.
    Counter,
    /// A straight line from one last value to the next.
    Slope,
}

impl Plan {
    pub(super) fn of(hints: &SelectHints) -> Self {
        match hints.func.as_deref() {
            Some("min_over_time") => Self::Hold(Column::Min),
            Some("max_over_time") => Self::Hold(Column::Max),
            Some("avg_over_time") => Self::Mean,
            Some("sum_over_time") => Self::Shares,
            Some("count_over_time") => Self::Samples,
            Some("rate" | "increase" | "irate") => Self::Counter,
            Some("delta" | "idelta" | "deriv" | "predict_linear") => Self::Slope,
            _ => Self::Hold(Column::Last),
        }
    }

    /// Whether it takes two samples to answer.
    fn needs_two(self) -> bool {
        matches!(self, Self::Counter | Self::Slope)
    }

    /// Columns it needs, the leading one first.
    pub(super) fn columns(self) -> Vec<Column> {
        match self {
            Self::Hold(column) => vec![column],
            Self::Mean => vec![Column::Sum, Column::Count],
            Self::Shares => vec![Column::Sum],
            Self::Samples => vec![Column::Count],
            Self::Counter => vec![Column::Last, Column::Increase],
            Self::Slope => vec![Column::Last],
        }
    }
}

/// How windows of one tier are cut for one query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    step_ms: i64,
    parts: i64,
}

impl Cut {
    pub(super) fn new(tier: Tier, hints: &SelectHints, plan: Plan) -> Self {
        let step_ms = tier.step_ms();
        let asked = if hints.range_ms > 0 { hints.range_ms } else { LOOKBACK_MS };
        let longest = if plan.needs_two() { asked / POINTS_FOR_TWO } else { asked };
        let longest = longest.max(SHORTEST_PART_MS);
        Self { step_ms, parts: (step_ms + longest - 1) / longest }
    }

    fn start(self, time: i64) -> i64 {
        time.div_euclid(self.step_ms) * self.step_ms
    }

    /// The last millisecond of each part of the window that begins at `start`.
    fn ends(self, start: i64) -> impl Iterator<Item = i64> {
        (1..=self.parts).map(move |part| start + self.step_ms * part / self.parts - 1)
    }
}

/// A sample of the `Last` column.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Float(f64),
    Histogram(Arc<NativeHistogram>),
    Stale,
}

impl Entry {
    pub(super) fn of(value: f64) -> Self {
        if is_stale(value) { Self::Stale } else { Self::Float(value) }
    }
}

/// Show each last value over its whole window, or up to its own time where the series ended.
/// `entries` are in order of time; the day ends at `day_end`, behind which nothing is known.
pub(super) fn hold_last(
    entries: &[(i64, Entry)],
    cut: Cut,
    day_end: i64,
    mut put: impl FnMut(i64, &Entry),
) {
    for (at, (time, entry)) in entries.iter().enumerate() {
        if matches!(entry, Entry::Stale) {
            put(*time, entry);
            continue;
        }
        let start = cut.start(*time);
        let next = start + cut.step_ms;
        let goes_on = match entries.get(at + 1) {
            Some((_, Entry::Stale)) => false,
            Some((time, _)) => cut.start(*time) <= next,
            None => next >= day_end,
        };
        for end in cut.ends(start) {
            if goes_on || end < *time {
                put(end, entry);
            }
        }
        if !goes_on {
            put(*time, entry);
        }
    }
}

/// Show a statistic over its window, which ends at `end`.
pub(super) fn hold(end: i64, value: f64, cut: Cut, mut put: impl FnMut(i64, f64)) {
    cut.ends(cut.start(end)).for_each(|time| put(time, value));
}

/// Share a sum out evenly.
pub(super) fn share(end: i64, sum: f64, cut: Cut, mut put: impl FnMut(i64, f64)) {
    let share = sum / cut.parts as f64;
    cut.ends(cut.start(end)).for_each(|time| put(time, share));
}

/// As many samples as there were, evenly.
pub(super) fn samples(end: i64, count: f64, cut: Cut, mut put: impl FnMut(i64, f64)) {
    // Samples of a series are at least a millisecond apart.
    let all = Cut { parts: (count as i64).clamp(1, cut.step_ms), ..cut };
    all.ends(all.start(end)).for_each(|time| put(time, 1.0));
}

/// One window of a counter.
#[derive(Debug, Clone, Copy)]
pub(super) struct CounterPoint {
    pub(super) time: i64,
    pub(super) increase: f64,
    /// The counter's own value.
    pub(super) last: f64,
    pub(super) cut: Cut,
}

/// The counter as if it had never been reset.
///
/// When raw samples follow it ends at its own last value, so that they go on from there; values
/// before a reset may then be negative. Else it begins above all it rises, because `rate` takes a
/// counter near zero for one that has just begun and cuts short what it extends to the range's start.
pub(super) fn rise(points: &[CounterPoint], raw_follows: bool, mut put: impl FnMut(i64, f64)) {
    let total: f64 = points.iter().skip(1).map(|point| point.increase).sum();
    let end = points.iter().rev().map(|point| point.last).find(|last| !last.is_nan());
    let mut value = match end {
        Some(end) if raw_follows => end - total,
        Some(end) => end.max(0.0) + total,
        None => total,
    };
    let mut previous: Option<i64> = None;
    for point in points {
        let start = point.cut.start(point.time);
        let before = if previous.is_some() { value } else { value - point.increase };
        value = before + point.increase;
        let from = previous.filter(|&time| time >= start - point.cut.step_ms).unwrap_or(start - 1);
        let slope = point.increase / (point.time - from) as f64;
        for time in point.cut.ends(start).take_while(|&time| time < point.time) {
            put(time, before + slope * (time - from) as f64);
        }
        put(point.time, value);
        previous = Some(point.time);
    }
}

/// Make [`rise`] draw a line through the last values.
pub(super) fn join(points: &mut [CounterPoint]) {
    let mut previous: Option<f64> = None;
    for point in points {
        point.increase = previous.map_or(0.0, |previous| point.last - previous);
        previous = Some(point.last);
    }
}

/// A marker as the float it is stored as.
pub(super) fn float_of(entry: &Entry) -> Option<f64> {
    match entry {
        Entry::Float(value) => Some(*value),
        Entry::Stale => Some(STALE_NAN),
        Entry::Histogram(_) => None,
    }
}

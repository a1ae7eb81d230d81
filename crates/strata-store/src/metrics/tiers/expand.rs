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

    pub(super) fn start(self, time: i64) -> i64 {
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
    /// When the series began, where that is known to be in this window.
    pub(super) begins: Option<i64>,
}

/// The counter with its own values at the end of each window, rising evenly in between, so that it
/// goes on where raw samples or a series of another name begin. Where it was reset within a window
/// it rises by what would otherwise be lost, falls to zero, and rises to its own value.
pub(super) fn rise(points: &[CounterPoint], mut put: impl FnMut(i64, f64)) {
    let first = first_value(points);
    let mut known: Option<(i64, f64)> = None;
    for point in points {
        let start = point.cut.start(point.time);
        let (from, before) = match known {
            Some((time, value)) if time >= start - point.cut.step_ms => (time, value),
            Some((_, value)) => (start - 1, value),
            None => {
                if let Some(begins) = point.begins {
                    put(begins, first);
                }
                (point.begins.unwrap_or(start - 1), first)
            }
        };
        let last = if point.last.is_nan() { before + point.increase } else { point.last };
        draw(point, (from, before), last, &mut put);
        known = Some((point.time, last));
    }
}

/// What the counter had before the increase of the first window. A reset within the window leaves no
/// trace of it: zero is the least. NaN samples have no value, so the first number counts.
fn first_value(points: &[CounterPoint]) -> f64 {
    let mut risen = 0.0;
    for point in points {
        risen += point.increase;
        if !point.last.is_nan() {
            return if risen == 0.0 { point.last } else { (point.last - risen).max(0.0) };
        }
    }
    0.0
}

/// Rise from a moment and value to the window's last value.
fn draw(
    point: &CounterPoint,
    (from, before): (i64, f64),
    last: f64,
    put: &mut impl FnMut(i64, f64),
) {
    let CounterPoint { time, increase, cut, .. } = *point;
    let parts = cut.ends(cut.start(time)).skip_while(|end| *end <= from);
    let parts = parts.take_while(|end| *end < time);
    let lost = before + increase - last;
    let noise = 1e-9 * (before.abs() + increase.abs() + last.abs());
    if lost <= noise || lost.is_nan() || time - from < 2 {
        let slope = (last - before) / (time - from) as f64;
        parts.for_each(|end| put(end, before + slope * (end - from) as f64));
        put(time, last);
        return;
    }
    // What it rose before the reset, at the pace of the whole window.
    let risen = (increase - last).max(0.0);
    let share = if risen > 0.0 { risen / increase } else { 0.0 };
    let falls = from + (share * (time - from) as f64).round() as i64;
    let falls = falls.clamp(from + 1, time - 1);
    let slope = risen / (falls - from) as f64;
    let again = last / (time - falls) as f64;
    let mut parts = parts.peekable();
    while let Some(end) = parts.next_if(|end| *end < falls - 1) {
        put(end, before + slope * (end - from) as f64);
    }
    if falls - 1 > from {
        put(falls - 1, before + risen);
    }
    put(falls, 0.0);
    parts.filter(|end| *end > falls).for_each(|end| put(end, again * (end - falls) as f64));
    put(time, last);
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

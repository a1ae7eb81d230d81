//! Native histograms in operators, aggregations and ranges.

use std::sync::Arc;

use strata_model::histogram::{HistogramMean, HistogramSum, Keep, Merged};
use strata_model::{CounterResetHint, NativeHistogram};

use super::extended::bounds;
use super::range::Window;
use super::rate::{Origin, extrapolation};
use super::windows::Context;
use crate::promql::notes::{Combining, Notes};
use crate::promql::syntax::{BinaryOp, RangeKind, Span};
use crate::promql::value::{Cell, Row};

type Point = (i64, Arc<NativeHistogram>);

fn cell(histogram: NativeHistogram) -> Cell {
    Cell::Histogram(Arc::new(histogram))
}

/// Say of each histogram whether it follows its predecessor, where nothing says so yet. Where only
/// counts and sums are used, conflicts between hints can be told from them alone.
pub(super) fn settle_hints(points: &mut [Point]) {
    let mut previous: Option<Arc<NativeHistogram>> = None;
    for (_, histogram) in points {
        let original = Arc::clone(histogram);
        if let Some(last) = previous
            && original.counter_reset_hint == CounterResetHint::Unknown
        {
            let mut settled = NativeHistogram::clone(&original);
            let reset = original.detect_reset(&last);
            settled.counter_reset_hint =
                if reset { CounterResetHint::Reset } else { CounterResetHint::NotReset };
            *histogram = Arc::new(settled);
        }
        previous = Some(original);
    }
}

/// The histogram times a factor.
pub(super) fn scaled(histogram: &NativeHistogram, factor: f64) -> Arc<NativeHistogram> {
    Arc::new(histogram.mul(factor))
}

/// The histogram as the label value of `count_values`.
pub(super) fn text(histogram: &NativeHistogram) -> String {
    histogram.to_string()
}

pub(super) fn same_histogram(a: &NativeHistogram, b: &NativeHistogram) -> bool {
    a.same_data(b)
}

/// Whether the counter started anew between `before` and `after`.
pub(super) fn is_reset(before: &NativeHistogram, after: &NativeHistogram) -> bool {
    after.detect_reset(before)
}

/// A binary operation of which at least one operand is a histogram.
pub(super) fn binary(
    notes: &mut Notes,
    op: BinaryOp,
    left: &Cell,
    right: &Cell,
    span: Span,
) -> Option<(Cell, bool)> {
    let result = match (left, right, op) {
        (Cell::Float(factor), Cell::Histogram(h), BinaryOp::Mul)
        | (Cell::Histogram(h), Cell::Float(factor), BinaryOp::Mul) => h.mul(*factor),
        (Cell::Histogram(h), Cell::Float(divisor), BinaryOp::Div) => h.div(*divisor),
        (Cell::Histogram(h), Cell::Float(bound), BinaryOp::TrimUpper) => {
            return Some((cell(h.trim(*bound, Keep::Below)), true));
        }
        (Cell::Histogram(h), Cell::Float(bound), BinaryOp::TrimLower) => {
            return Some((cell(h.trim(*bound, Keep::Above)), true));
        }
        (Cell::Histogram(a), Cell::Histogram(b), BinaryOp::Equal) => {
            return Some((left.clone(), a.same_data(b)));
        }
        (Cell::Histogram(a), Cell::Histogram(b), BinaryOp::NotEqual) => {
            return Some((left.clone(), !a.same_data(b)));
        }
        (Cell::Histogram(a), Cell::Histogram(b), BinaryOp::Add | BinaryOp::Sub) => {
            return combined(notes, op, a, b, span);
        }
        _ => {
            let kind = |side: &Cell| match side {
                Cell::Float(_) => "float",
                Cell::Histogram(_) => "histogram",
            };
            notes.incompatible_types(kind(left), op.text(), kind(right), span);
            return None;
        }
    };
    Some((cell(result.compact(0)), true))
}

/// Sum or difference of two histograms.
fn combined(
    notes: &mut Notes,
    op: BinaryOp,
    a: &NativeHistogram,
    b: &NativeHistogram,
    span: Span,
) -> Option<(Cell, bool)> {
    let add = op == BinaryOp::Add;
    let Ok((mut result, merged)) = (if add { a.add(b) } else { a.sub(b) }) else {
        notes.incompatible_buckets(op.text(), span);
        return None;
    };
    if !add {
        result.counter_reset_hint = CounterResetHint::Gauge;
    }
    let combining = if add { Combining::Addition } else { Combining::Subtraction };
    // Prometheus carries one note per operation; a conflict goes before a reconciliation.
    if merged.bounds_reconciled {
        notes.reconciled_buckets(combining, span);
    } else if merged.reset_collision {
        notes.conflicting_resets(combining, span);
    }
    Some((cell(result.compact(0)), true))
}

/// What the hints of many histograms say together.
#[derive(Default)]
struct Hints {
    reset: bool,
    not_reset: bool,
}

impl Hints {
    fn see(&mut self, histogram: &NativeHistogram) {
        self.reset |= histogram.counter_reset_hint == CounterResetHint::Reset;
        self.not_reset |= histogram.counter_reset_hint == CounterResetHint::NotReset;
    }

    fn note(&self, notes: &mut Notes, span: Span) {
        if self.reset && self.not_reset {
            notes.conflicting_resets(Combining::Aggregation, span);
        }
    }
}

/// Sum or mean of histograms; on the first that does not fit, its index.
fn total<'a>(
    mut all: impl Iterator<Item = &'a NativeHistogram>,
    mean: bool,
    hints: &mut Hints,
) -> Result<Option<(NativeHistogram, Merged)>, usize> {
    let Some(first) = all.next() else { return Ok(None) };
    hints.see(first);
    let mut merged = Merged::default();
    let mut sum = HistogramSum::new(first);
    let mut average = HistogramMean::new(first);
    for (at, histogram) in all.enumerate() {
        hints.see(histogram);
        let step = if mean { average.add(histogram) } else { sum.add(histogram) };
        merged |= step.map_err(|_mixed| at + 1)?;
    }
    let result = if mean { average.mean() } else { sum.total() };
    Ok(Some((result, merged)))
}

/// `sum` or `avg` over the histograms of rows at a step.
pub(super) fn aggregate(
    notes: &mut Notes,
    rows: &[&Row],
    at: usize,
    mean: bool,
    span: Span,
) -> Option<Cell> {
    let mut hints = Hints::default();
    let all = rows.iter().filter_map(|row| row.column.histogram(at).map(AsRef::as_ref));
    match total(all, mean, &mut hints) {
        Ok(found) => {
            hints.note(notes, span);
            let (result, merged) = found?;
            if merged.bounds_reconciled {
                notes.reconciled_buckets(Combining::Aggregation, span);
            }
            Some(cell(result.compact(0)))
        }
        Err(row) => {
            let metric = rows.get(row).map_or("", |row| row.labels.metric_name());
            notes.mixed_bucket_kinds(metric, span);
            None
        }
    }
}

pub(super) fn sum_histograms(context: &mut Context<'_>, points: &[Point]) -> Option<Cell> {
    over_time(context, points, false)
}

pub(super) fn avg_histograms(context: &mut Context<'_>, points: &[Point]) -> Option<Cell> {
    over_time(context, points, true)
}

fn over_time(context: &mut Context<'_>, points: &[Point], mean: bool) -> Option<Cell> {
    let mut hints = Hints::default();
    let all = points.iter().map(|(_, histogram)| histogram.as_ref());
    let Ok(found) = total(all, mean, &mut hints) else {
        context.notes.mixed_bucket_kinds(context.metric, context.span);
        return None;
    };
    hints.note(context.notes, context.span);
    let (result, merged) = found?;
    if merged.bounds_reconciled {
        context.notes.reconciled_buckets(Combining::Aggregation, context.span);
    }
    Some(cell(result))
}

impl Context<'_> {
    /// `a - b`, or `None` (and a note) when they do not mix. Resets are the caller's business.
    fn minus(&mut self, a: &NativeHistogram, b: &NativeHistogram) -> Option<NativeHistogram> {
        let found = a.sub(b);
        self.noted(found.ok(), Combining::Subtraction)
    }

    fn plus(&mut self, a: &NativeHistogram, b: &NativeHistogram) -> Option<NativeHistogram> {
        let found = a.add(b);
        self.noted(found.ok(), Combining::Addition)
    }

    fn noted(
        &mut self,
        found: Option<(NativeHistogram, Merged)>,
        combining: Combining,
    ) -> Option<NativeHistogram> {
        let Some((result, merged)) = found else {
            self.notes.mixed_bucket_kinds(self.metric, self.span);
            return None;
        };
        if merged.bounds_reconciled {
            self.notes.reconciled_buckets(combining, self.span);
        }
        Some(result)
    }
}

/// `rate`, `increase` or `delta` of a window of at least two histograms, or one that has `begun` to
/// count inside the window, at that time.
pub(super) fn histogram_rate(
    context: &mut Context<'_>,
    window: &Window<'_>,
    is_counter: bool,
    per_second: Option<f64>,
    begun: Option<i64>,
) -> Option<Cell> {
    let points = window.histograms;
    let (first, last) = (points.first()?, points.last()?);
    let change = match points.len() {
        1 => None,
        _ => Some(change_over(context, window, is_counter)?),
    };
    let (mut change, origin) = match (change, begun) {
        (None, None) => return None,
        (None, Some(start)) => (NativeHistogram::clone(&first.1), Origin::Begun(start)),
        (Some(change), Some(start)) => (context.plus(&change, &first.1)?, Origin::Begun(start)),
        (Some(change), None) if is_counter && change.count > 0.0 && first.1.count >= 0.0 => {
            let zero = first.1.count / change.count;
            (change, Origin::Zero(zero))
        }
        (Some(change), None) => (change, Origin::Unknown),
    };
    let factor = extrapolation(window, (first.0, last.0), points.len(), origin, per_second);
    change = change.mul(factor);
    change.counter_reset_hint = CounterResetHint::Gauge;
    Some(cell(change))
}

/// What was added between the first and the last histogram, resets taken into account.
fn change_over(
    context: &mut Context<'_>,
    window: &Window<'_>,
    is_counter: bool,
) -> Option<NativeHistogram> {
    let points = window.histograms;
    let (first, last) = (&points[0].1, &points[points.len() - 1].1);
    let gauge = |h: &NativeHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    if is_counter && (gauge(first) || gauge(last)) {
        context.notes.not_a_counter(context.metric, context.span);
    }
    // After a reset the first histogram does not matter, and neither does its layout.
    let mut previous = Arc::clone(first);
    if is_counter && (window.histogram_begins_anew(1) || points[1].1.detect_reset(first)) {
        let second = &points[1].1;
        previous = Arc::new(NativeHistogram {
            schema: second.schema,
            custom_values: second.custom_values.clone(),
            ..NativeHistogram::default()
        });
    }
    let custom = previous.is_custom();
    let mut schema = previous.schema.min(last.schema);
    if is_counter {
        for (_, histogram) in &points[1..points.len() - 1] {
            if gauge(histogram) {
                context.notes.not_a_counter(context.metric, context.span);
            }
            if histogram.is_custom() != custom {
                context.notes.mixed_bucket_kinds(context.metric, context.span);
                return None;
            }
            schema = schema.min(histogram.schema);
        }
    }
    if last.is_custom() != custom {
        context.notes.mixed_bucket_kinds(context.metric, context.span);
        return None;
    }
    let mut change = context.minus(&last.reduce_resolution(schema), &previous)?;
    if is_counter {
        window.note_overlaps(context);
        for (at, (_, histogram)) in points.iter().enumerate().skip(1) {
            if window.histogram_begins_anew(at) || histogram.detect_reset(&previous) {
                change = context.plus(&change, &previous)?;
            }
            previous = Arc::clone(histogram);
        }
    } else if !gauge(first) || !gauge(last) {
        context.notes.not_a_gauge(context.metric, context.span);
    }
    change.counter_reset_hint = CounterResetHint::Gauge;
    Some(change.compact(0))
}

/// `irate` or `idelta` of the last two histograms.
pub(super) fn histogram_instant(
    context: &mut Context<'_>,
    pair: &[Point],
    (is_rate, begins_anew): (bool, bool),
    seconds: f64,
) -> Option<Cell> {
    let [(_, before), (_, after)] = pair else { return None };
    let gauge = |h: &NativeHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    if is_rate && (gauge(before) || gauge(after)) {
        context.notes.not_a_counter(context.metric, context.span);
    }
    if !is_rate && (!gauge(before) || !gauge(after)) {
        context.notes.not_a_gauge(context.metric, context.span);
    }
    let mut change = if is_rate && (begins_anew || after.detect_reset(before)) {
        NativeHistogram::clone(after)
    } else {
        context.minus(after, before)?
    };
    change.counter_reset_hint = CounterResetHint::Gauge;
    change.compact_in_place(0);
    Some(cell(if is_rate { change.div(seconds) } else { change }))
}

/// The histogram on the line through two. A counter that was reset started again at nothing.
fn interpolated(
    context: &mut Context<'_>,
    (before_at, before): &Point,
    (after_at, after): &Point,
    at: i64,
    is_counter: bool,
) -> Option<NativeHistogram> {
    if at == *before_at {
        return Some(NativeHistogram::clone(before));
    }
    if at == *after_at {
        return Some(NativeHistogram::clone(after));
    }
    let fraction = (at - before_at) as f64 / (after_at - before_at) as f64;
    if is_counter && after.detect_reset(before) {
        return Some(after.mul(fraction));
    }
    let part = context.minus(after, before)?.mul(fraction);
    context.plus(&part, before)
}

/// A smoothed instant selector over the histograms around `at`.
pub(super) fn smoothed_histogram(
    notes: &mut Notes,
    metric: &str,
    span: Span,
    points: &[Point],
    at: i64,
) -> Option<Cell> {
    let next = points.partition_point(|(time, _)| *time < at);
    if let Some((time, exact)) = points.get(next)
        && *time == at
    {
        return Some(Cell::Histogram(Arc::clone(exact)));
    }
    let before = points.get(next.checked_sub(1)?)?;
    let Some(after) = points.get(next) else {
        let mut carried = NativeHistogram::clone(&before.1);
        carried.counter_reset_hint = CounterResetHint::Unknown;
        return Some(cell(carried));
    };
    let mut context = Context { notes, metric, span, kind: RangeKind::Smoothed, range_ms: 0 };
    let gauge = |h: &NativeHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    let is_counter = !gauge(&before.1) || !gauge(&after.1);
    if before.1.is_custom() != after.1.is_custom() {
        context.notes.mixed_bucket_kinds(metric, span);
        return None;
    }
    interpolated(&mut context, before, after, at, is_counter).map(cell)
}

/// `rate`, `increase` or `delta` of histograms over an anchored or smoothed window.
pub(super) fn extended_histogram_rate(
    context: &mut Context<'_>,
    window: &Window<'_>,
    name: &str,
) -> Option<Cell> {
    let points = window.histograms;
    let smoothed = context.kind == RangeKind::Smoothed;
    let is_counter = name != "delta";
    let times: Vec<i64> = points.iter().map(|(time, _)| *time).collect();
    let (first, last) = bounds(&times, window.start, window.end, smoothed)?;
    if smoothed && times[first] > window.end {
        return None;
    }
    let custom = points[first].1.is_custom();
    for (_, histogram) in &points[first..=last] {
        if histogram.is_custom() != custom {
            context.notes.mixed_bucket_kinds(context.metric, context.span);
            return None;
        }
        if is_counter && histogram.counter_reset_hint == CounterResetHint::Gauge {
            context.notes.not_a_counter(context.metric, context.span);
        }
    }
    let left = if smoothed && times[first] < window.start {
        interpolated(context, &points[first], &points[first + 1], window.start, is_counter)?
    } else {
        NativeHistogram::clone(&points[first].1)
    };
    let right = if smoothed && last > 0 && times[last] > window.end {
        interpolated(context, &points[last - 1], &points[last], window.end, is_counter)?
    } else {
        NativeHistogram::clone(&points[last].1)
    };
    let gauge = |h: &NativeHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    if !is_counter && (!gauge(&left) || !gauge(&right)) {
        context.notes.not_a_gauge(context.metric, context.span);
    }
    let mut change = context.minus(&right, &left)?;
    if is_counter {
        let edges = Edges { left: &left, right: &right, first, last };
        for lost in resets_between(points, &edges, smoothed && times[first] < window.start) {
            change = context.plus(&change, &lost)?;
        }
    }
    if name == "rate" {
        change = change.div(context.range_ms as f64 / 1000.0);
    }
    change.counter_reset_hint = CounterResetHint::Gauge;
    Some(cell(change.compact(0)))
}

/// The ends of an extended range and the samples they come from.
struct Edges<'a> {
    left: &'a NativeHistogram,
    right: &'a NativeHistogram,
    first: usize,
    last: usize,
}

/// The histograms after which a counter was reset, between the edges of a range.
fn resets_between(
    points: &[Point],
    edges: &Edges<'_>,
    left_interpolated: bool,
) -> Vec<NativeHistogram> {
    let mut from = edges.first + 1;
    let mut previous = edges.left;
    if left_interpolated
        && let Some((_, next)) = points.get(from)
        && next.detect_reset(&points[edges.first].1)
    {
        // The interpolation to the left edge has taken this reset into account.
        previous = next;
        from += 1;
    }
    let mut lost = Vec::new();
    // The last sample is represented by the right edge.
    if from > edges.last {
        return lost;
    }
    for (_, histogram) in &points[from..edges.last] {
        if histogram.detect_reset(previous) {
            lost.push(previous.clone());
        }
        previous = histogram;
    }
    if edges.right.detect_reset(previous) {
        lost.push(previous.clone());
    }
    lost
}

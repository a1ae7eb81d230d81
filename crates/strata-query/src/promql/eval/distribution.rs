//! Functions of distributions: `histogram_*` over native and classic histograms.

use rustc_hash::FxHashMap;
use strata_model::histogram::{
    ClassicBucket, NanObservations, bucket_fraction, bucket_quantile, format_number,
};
use strata_model::{Labels, METRIC_NAME, NativeHistogram};

use super::elementwise::unknown;
use super::{Evaluator, Outcome, finish, text_of};
use crate::promql::notes::Forced;
use crate::promql::syntax::{Call, Expr, Span, parse_number};
use crate::promql::value::{Cell, Column, Row, Steps};

/// The label of a classic bucket's upper bound.
const BUCKET_LABEL: &str = "le";

/// The distributions among the rows of a vector.
struct Distributions<'a> {
    /// Rows with native histograms, each with the classic group of the same labels.
    native: Vec<(&'a Row, Option<usize>)>,
    classic: Vec<Classic<'a>>,
    /// Rows with floats whose bound cannot be read.
    unreadable: Vec<&'a Row>,
}

/// The buckets of one classic histogram.
struct Classic<'a> {
    labels: Labels,
    buckets: Vec<(f64, &'a Row)>,
}

impl<'a> Distributions<'a> {
    fn new(rows: &'a [Row]) -> Self {
        let mut known: FxHashMap<Labels, usize> = FxHashMap::default();
        let mut classic: Vec<Classic<'a>> = Vec::new();
        let mut unreadable = Vec::new();
        for row in rows {
            let bound = row.labels.get(BUCKET_LABEL).and_then(parse_number);
            let Some(bound) = bound else {
                unreadable.push(row);
                continue;
            };
            let labels = row.labels.filtered(|name| name != BUCKET_LABEL);
            let at = *known.entry(labels).or_insert_with_key(|labels| {
                classic.push(Classic { labels: labels.clone(), buckets: Vec::new() });
                classic.len() - 1
            });
            classic[at].buckets.push((bound, row));
        }
        let with_histograms = rows.iter().filter(|row| row.column.has_histograms());
        let native = with_histograms.map(|row| (row, known.get(&row.labels).copied())).collect();
        Self { native, classic, unreadable }
    }
}

/// What to compute of a distribution at a step.
trait Measure {
    fn native(
        &self,
        context: &mut Evaluator<'_>,
        h: &NativeHistogram,
        at: usize,
        name: &str,
    ) -> f64;
    fn classic(
        &self,
        context: &mut Evaluator<'_>,
        buckets: &mut Vec<ClassicBucket>,
        at: usize,
        name: &str,
    ) -> f64;
}

struct Quantile<'a> {
    q: &'a [f64],
    steps: Steps,
    span: Span,
}

impl Measure for Quantile<'_> {
    fn native(
        &self,
        context: &mut Evaluator<'_>,
        h: &NativeHistogram,
        at: usize,
        name: &str,
    ) -> f64 {
        let answer = h.quantile(self.q[at]);
        match answer.nan_observations {
            Some(NanObservations::MadeTheAnswerNan) => {
                context.notes.quantile_is_nan(name, self.span);
            }
            Some(NanObservations::SkewedTheAnswerUp) => {
                context.notes.quantile_is_skewed(name, self.span);
            }
            None => {}
        }
        answer.value
    }

    fn classic(
        &self,
        context: &mut Evaluator<'_>,
        buckets: &mut Vec<ClassicBucket>,
        at: usize,
        name: &str,
    ) -> f64 {
        let answer = bucket_quantile(self.q[at], buckets);
        if let Some(forced) = answer.forced {
            let now = self.steps.at(at);
            let forced = Forced {
                min_bucket: forced.min_bound,
                max_bucket: forced.max_bound,
                max_diff: forced.max_difference,
                first_ms: now,
                last_ms: now,
                samples: 1,
            };
            context.notes.forced_monotonic(name, forced, self.span);
        }
        answer.value
    }
}

struct Fraction<'a> {
    lower: &'a [f64],
    upper: &'a [f64],
    span: Span,
}

impl Measure for Fraction<'_> {
    fn native(
        &self,
        context: &mut Evaluator<'_>,
        h: &NativeHistogram,
        at: usize,
        name: &str,
    ) -> f64 {
        let answer = h.fraction(self.lower[at], self.upper[at]);
        if answer.nan_observations {
            context.notes.fraction_without_nan(name, self.span);
        }
        answer.value
    }

    fn classic(
        &self,
        _: &mut Evaluator<'_>,
        buckets: &mut Vec<ClassicBucket>,
        at: usize,
        _: &str,
    ) -> f64 {
        bucket_fraction(self.lower[at], self.upper[at], buckets)
    }
}

/// Functions of one native histogram.
fn simple(name: &str) -> Option<fn(&NativeHistogram) -> f64> {
    let function: fn(&NativeHistogram) -> f64 = match name {
        "histogram_count" => |h| h.count,
        "histogram_sum" => |h| h.sum,
        "histogram_avg" => NativeHistogram::avg,
        "histogram_stddev" => NativeHistogram::stddev,
        "histogram_stdvar" => NativeHistogram::stdvar,
        _ => return None,
    };
    Some(function)
}

impl Evaluator<'_> {
    pub(super) fn histogram_function(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        if let Some(function) = simple(node.func.name) {
            let rows = self.rows(&node.args[0], steps)?;
            return Ok(rows.into_iter().filter_map(|row| of_histograms(row, function)).collect());
        }
        match node.func.name {
            "histogram_quantile" => {
                let q = self.quantiles(&node.args[0], steps)?;
                let rows = self.rows(&node.args[1], steps)?;
                let measure = Quantile { q: &q, steps, span: node.args[1].span() };
                self.measure(&rows, &measure, measure.span, steps)
            }
            "histogram_quantiles" => self.histogram_quantiles(node, steps),
            "histogram_fraction" => {
                let lower = self.scalars(&node.args[0], steps)?;
                let upper = self.scalars(&node.args[1], steps)?;
                let rows = self.rows(&node.args[2], steps)?;
                let measure = Fraction { lower: &lower, upper: &upper, span: node.args[2].span() };
                self.measure(&rows, &measure, measure.span, steps)
            }
            name => Err(unknown(name)),
        }
    }

    /// A scalar argument that is a quantile; values that cannot be one are noted.
    fn quantiles(&mut self, arg: &Expr, steps: Steps) -> Outcome<Vec<f64>> {
        let values = self.scalars(arg, steps)?;
        for q in &values {
            if q.is_nan() || !(0.0..=1.0).contains(q) {
                self.notes.invalid_quantile(*q, arg.span());
            }
        }
        Ok(values)
    }

    fn histogram_quantiles(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        let rows = self.rows(&node.args[0], steps)?;
        let label = text_of(&node.args[1]);
        let mut out = Vec::new();
        for arg in node.args.iter().skip(2) {
            let q = self.quantiles(arg, steps)?;
            let measure = Quantile { q: &q, steps, span: node.args[0].span() };
            // The quantile may differ from step to step: one series per value.
            let mut distinct = q.clone();
            distinct.sort_by(f64::total_cmp);
            distinct.dedup_by(|a, b| a.to_bits() == b.to_bits());
            let all = self.measure(&rows, &measure, measure.span, steps)?;
            for value in distinct {
                let text = open_metrics(value);
                for row in &all {
                    let mut row = row.clone();
                    for (at, wanted) in q.iter().enumerate() {
                        if wanted.to_bits() != value.to_bits() {
                            row.column.clear(at);
                        }
                    }
                    row.labels = row.labels.to_builder().set(label, &text).build();
                    if !row.column.is_empty() {
                        out.push(row);
                    }
                }
            }
        }
        finish::merged(out)
    }

    /// Compute something of every distribution at every step.
    fn measure(
        &mut self,
        rows: &[Row],
        measure: &dyn Measure,
        span: Span,
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        let found = Distributions::new(rows);
        for row in &found.unreadable {
            if (0..steps.count).any(|at| row.column.float(at).is_some()) {
                let bound = row.labels.get(BUCKET_LABEL).unwrap_or("");
                self.notes.bad_bucket_label(row.labels.metric_name(), bound, span);
            }
        }
        let mut conflicts = vec![false; found.classic.len() * steps.count];
        let mut out = Vec::new();
        for (row, group) in &found.native {
            let name = row.labels.get(METRIC_NAME).unwrap_or("");
            let mut column = Column::absent(steps.count);
            for at in 0..steps.count {
                let Some(histogram) = row.column.histogram(at) else { continue };
                let classic = group.filter(|group| {
                    let buckets = &found.classic[*group].buckets;
                    buckets.iter().any(|(_, bucket)| bucket.column.float(at).is_some())
                });
                if let Some(group) = classic {
                    conflicts[group * steps.count + at] = true;
                    self.notes.mixed_classic_native(name, span);
                    continue;
                }
                let value = measure.native(self, histogram, at, name);
                column.set_float(at, value);
            }
            if !column.is_empty() {
                out.push(Row { labels: row.labels.clone(), drop_name: true, column });
            }
        }
        for (group, classic) in found.classic.iter().enumerate() {
            self.poll()?;
            let conflicts = &conflicts[group * steps.count..(group + 1) * steps.count];
            let column = self.classic_column(classic, measure, conflicts);
            if !column.is_empty() {
                out.push(Row { labels: classic.labels.clone(), drop_name: true, column });
            }
        }
        finish::merged(out)
    }

    fn classic_column(
        &mut self,
        classic: &Classic<'_>,
        measure: &dyn Measure,
        conflicts: &[bool],
    ) -> Column {
        let name = classic.labels.metric_name();
        let mut column = Column::absent(conflicts.len());
        let mut buckets = Vec::with_capacity(classic.buckets.len());
        for (at, conflict) in conflicts.iter().enumerate() {
            buckets.clear();
            buckets.extend(classic.buckets.iter().filter_map(|(upper_bound, row)| {
                let count = row.column.float(at)?;
                Some(ClassicBucket { upper_bound: *upper_bound, count })
            }));
            if !buckets.is_empty() && !conflict {
                let value = measure.classic(self, &mut buckets, at, name);
                column.set_float(at, value);
            }
        }
        column
    }
}

/// The row with a number in place of each histogram; floats go.
fn of_histograms(row: Row, function: fn(&NativeHistogram) -> f64) -> Option<Row> {
    let mut column = Column::absent(row.column.len());
    for at in 0..column.len() {
        if let Some(Cell::Histogram(histogram)) = row.column.cell(at) {
            column.set_float(at, function(&histogram));
        }
    }
    (!column.is_empty()).then_some(Row { labels: row.labels, drop_name: true, column })
}

/// A number as OpenMetrics writes label values: whole ones with `.0`.
fn open_metrics(value: f64) -> String {
    let text = format_number(value);
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if plain { text + ".0" } else { text }
}

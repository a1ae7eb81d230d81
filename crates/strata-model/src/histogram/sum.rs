//! Sums and means of many histograms: layouts reconciled, rounding compensated.

use super::arithmetic::{Merged, MixedSchemas};
use super::bounds::upper_bound;
use super::buckets::{cells, pack};
use super::compact::coarser_index;
use super::compensated::Compensated;
use super::custom::{common_bounds, rebucketed_index};
use super::{CounterResetHint, NativeHistogram, Span};

/// One side of a histogram: buckets by ascending index.
type Side = Vec<(i32, Compensated)>;

/// A running sum of histograms.
///
/// Operands may differ in layout. The sum takes the coarser schema, the wider zero bucket (widened
/// further if it would end inside a populated bucket), or the custom bounds all operands share.
///
/// Every observation stays counted. Prometheus drops those of an operand whose buckets lie within
/// its own zero bucket, which no client sends.
#[derive(Debug, Clone)]
pub struct HistogramSum {
    hint: CounterResetHint,
    schema: i32,
    zero_threshold: f64,
    zero_count: Compensated,
    count: Compensated,
    sum: Compensated,
    positive: Side,
    negative: Side,
    custom_values: Vec<f64>,
}

impl HistogramSum {
    /// A sum of one histogram.
    pub fn new(first: &NativeHistogram) -> Self {
        let side = |spans: &[Span], buckets: &[f64]| {
            cells(spans, buckets)
                .map(|(index, count)| (index, Compensated::new(count)))
                .collect::<Side>()
        };
        Self {
            hint: first.counter_reset_hint,
            schema: first.schema,
            zero_threshold: first.zero_threshold,
            zero_count: Compensated::new(first.zero_count),
            count: Compensated::new(first.count),
            sum: Compensated::new(first.sum),
            positive: side(&first.positive_spans, &first.positive_buckets),
            negative: side(&first.negative_spans, &first.negative_buckets),
            custom_values: first.custom_values.clone(),
        }
    }

    /// Add a histogram.
    ///
    /// # Errors
    /// Exponential and custom bounds do not mix; the sum is unchanged then.
    pub fn add(&mut self, other: &NativeHistogram) -> Result<Merged, MixedSchemas> {
        self.merge(Self::new(other))
    }

    /// Subtract a histogram. The hint follows the rules of addition; where the result is not a
    /// counter any more, the caller says so.
    ///
    /// # Errors
    /// Exponential and custom bounds do not mix; the sum is unchanged then.
    pub fn subtract(&mut self, other: &NativeHistogram) -> Result<Merged, MixedSchemas> {
        let mut negated = Self::new(other);
        negated.apply(|value| -value);
        self.merge(negated)
    }

    /// Multiply every count and the sum.
    pub fn multiply(&mut self, factor: f64) {
        self.apply(|value| value * factor);
    }

    /// Divide every count and the sum by a number other than 0.
    pub fn divide(&mut self, divisor: f64) {
        self.apply(|value| value / divisor);
    }

    /// Whether some count left the range of finite numbers.
    pub fn has_overflow(&self) -> bool {
        self.largest() == f64::INFINITY
    }

    /// The sum as a histogram, each count rounded once. Buckets that became empty stay.
    pub fn total(&self) -> NativeHistogram {
        let side = |side: &Side| pack(side.iter().map(|&(index, count)| (index, count.total())), 0);
        let (positive_spans, positive_buckets) = side(&self.positive);
        let (negative_spans, negative_buckets) = side(&self.negative);
        NativeHistogram {
            counter_reset_hint: self.hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count.total(),
            count: self.count.total(),
            sum: self.sum.total(),
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: self.custom_values.clone(),
        }
    }

    /// Buckets of the positive side in ascending order.
    pub(super) fn positive(&self) -> impl Iterator<Item = (i32, f64)> {
        self.positive.iter().map(|&(index, count)| (index, count.total()))
    }

    /// Buckets of the negative side from zero downwards.
    pub(super) fn negative(&self) -> impl Iterator<Item = (i32, f64)> {
        self.negative.iter().map(|&(index, count)| (index, count.total()))
    }

    /// Width and count of the zero bucket.
    pub(super) fn zero(&self) -> (f64, f64) {
        (self.zero_threshold, self.zero_count.total())
    }

    /// Widen the zero bucket to `wanted`, or further to the end of a populated bucket that `wanted`
    /// would cut, and take in the buckets it covers.
    pub(super) fn widen_zero(&mut self, wanted: f64) {
        let schema = self.schema;
        let mut threshold = wanted;
        loop {
            let cut = self.positive.iter().chain(&self.negative).find_map(|&(index, count)| {
                let upper = upper_bound(schema, index, &[]);
                let lower = upper_bound(schema, index.wrapping_sub(1), &[]);
                (count.value != 0.0 && lower < threshold && threshold < upper).then_some(upper)
            });
            match cut {
                Some(upper) => threshold = upper,
                None => break,
            }
        }
        for side in [&mut self.positive, &mut self.negative] {
            let covered = side.partition_point(|&(index, _)| {
                upper_bound(schema, index.wrapping_sub(1), &[]) < threshold
            });
            for (_, count) in side.drain(..covered) {
                self.zero_count.absorb(count);
            }
        }
        self.zero_threshold = threshold;
    }

    /// Move to a coarser exponential schema.
    pub(super) fn reduce_resolution(&mut self, target: i32) {
        let steps = self.schema.saturating_sub(target).max(0) as u32;
        for side in [&mut self.positive, &mut self.negative] {
            regroup(side, |index| coarser_index(index, steps));
        }
        self.schema = target;
    }

    /// Move to a subset of the custom bounds.
    pub(super) fn rebucket(&mut self, coarser: &[f64]) {
        let bounds = std::mem::replace(&mut self.custom_values, coarser.to_vec());
        regroup(&mut self.positive, |index| rebucketed_index(index, &bounds, coarser));
    }

    fn merge(&mut self, mut other: Self) -> Result<Merged, MixedSchemas> {
        let custom = self.schema == super::CUSTOM_BUCKETS_SCHEMA;
        if custom != (other.schema == super::CUSTOM_BUCKETS_SCHEMA) {
            return Err(MixedSchemas);
        }
        let (hint, reset_collision) = self.hint.combine(other.hint);
        self.hint = hint;
        let mut bounds_reconciled = false;
        if custom {
            if self.custom_values != other.custom_values {
                let common = common_bounds(&self.custom_values, &other.custom_values);
                self.rebucket(&common);
                other.rebucket(&common);
                bounds_reconciled = true;
            }
        } else {
            self.reconcile_zero(&mut other);
            self.reduce_resolution(self.schema.min(other.schema));
            other.reduce_resolution(self.schema);
        }
        self.zero_count.absorb(other.zero_count);
        self.count.absorb(other.count);
        self.sum.absorb(other.sum);
        unite(&mut self.positive, &other.positive);
        unite(&mut self.negative, &other.negative);
        Ok(Merged { reset_collision, bounds_reconciled })
    }

    fn reconcile_zero(&mut self, other: &mut Self) {
        loop {
            if self.zero_threshold > other.zero_threshold {
                other.widen_zero(self.zero_threshold);
            } else if self.zero_threshold < other.zero_threshold {
                self.widen_zero(other.zero_threshold);
            } else {
                return;
            }
        }
    }

    fn apply(&mut self, f: impl Fn(f64) -> f64) {
        for number in [&mut self.zero_count, &mut self.count, &mut self.sum] {
            *number = number.map(&f);
        }
        for (_, count) in self.positive.iter_mut().chain(&mut self.negative) {
            *count = count.map(&f);
        }
    }

    /// The largest magnitude among the counts and the sum; NaN is left out.
    fn largest(&self) -> f64 {
        let buckets = self.positive.iter().chain(&self.negative).map(|(_, count)| count.value);
        [self.zero_count.value, self.count.value, self.sum.value]
            .into_iter()
            .chain(buckets)
            .fold(0.0, |largest, value| value.abs().max(largest))
    }
}

/// A running arithmetic mean of histograms that does not overflow before its result does.
#[derive(Debug, Clone)]
pub struct HistogramMean {
    /// The sum so far, or the mean so far once a sum would overflow.
    running: HistogramSum,
    terms: f64,
    incremental: bool,
}

impl HistogramMean {
    /// A mean of one histogram.
    pub fn new(first: &NativeHistogram) -> Self {
        Self { running: HistogramSum::new(first), terms: 1.0, incremental: false }
    }

    /// Take in one more histogram.
    ///
    /// # Errors
    /// Exponential and custom bounds do not mix; the mean is unchanged then.
    pub fn add(&mut self, other: &NativeHistogram) -> Result<Merged, MixedSchemas> {
        if !self.incremental {
            let mut sum = self.running.clone();
            let merged = sum.add(other)?;
            if !sum.has_overflow() {
                self.running = sum;
                self.terms += 1.0;
                return Ok(merged);
            }
            self.running.divide(self.terms);
            self.incremental = true;
        }
        let terms = self.terms + 1.0;
        let mut mean = self.running.clone();
        mean.multiply(self.terms / terms);
        let merged = mean.add(&other.div(terms))?;
        self.running = mean;
        self.terms = terms;
        Ok(merged)
    }

    /// The mean as a histogram.
    pub fn mean(&self) -> NativeHistogram {
        if self.incremental {
            return self.running.total();
        }
        let mut mean = self.running.clone();
        mean.divide(self.terms);
        mean.total()
    }
}

/// Renumber the buckets of a side by a monotone function, adding up those that meet.
fn regroup(side: &mut Side, index_of: impl Fn(i32) -> i32) {
    let mut grouped: Side = Vec::with_capacity(side.len());
    for &(index, count) in side.iter() {
        let index = index_of(index);
        match grouped.last_mut() {
            Some(last) if last.0 == index => last.1.absorb(count),
            _ => grouped.push((index, count)),
        }
    }
    *side = grouped;
}

/// Add the buckets of `other` to `side`.
fn unite(side: &mut Side, other: &Side) {
    let same_layout = side.len() == other.len() && side.iter().zip(other).all(|(a, b)| a.0 == b.0);
    if same_layout {
        for (mine, theirs) in side.iter_mut().zip(other) {
            mine.1.absorb(theirs.1);
        }
        return;
    }
    let mut united: Side = Vec::with_capacity(side.len() + other.len());
    let (mut mine, mut theirs) = (side.iter().peekable(), other.iter().peekable());
    loop {
        match (mine.peek(), theirs.peek()) {
            (Some(&&a), Some(&&b)) if a.0 == b.0 => {
                let (index, mut count) = a;
                count.absorb(b.1);
                united.push((index, count));
                mine.next();
                theirs.next();
            }
            (Some(&&a), Some(&&b)) if a.0 < b.0 => {
                united.push(a);
                mine.next();
            }
            (Some(&&a), None) => {
                united.push(a);
                mine.next();
            }
            (_, Some(&&b)) => {
                united.push(b);
                theirs.next();
            }
            (None, None) => break,
        }
    }
    *side = united;
}

//! Arithmetic of one or two histograms.

use super::sum::HistogramSum;
use super::{CounterResetHint, NativeHistogram};

/// What had to be settled to merge two histograms. PromQL tells the user about either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    /// One operand was known to follow a counter reset, the other known not to.
    pub reset_collision: bool,
    /// Custom bounds differed; the result has only the bounds both had.
    pub bounds_reconciled: bool,
}

impl std::ops::BitOrAssign for Merged {
    fn bitor_assign(&mut self, other: Self) {
        self.reset_collision |= other.reset_collision;
        self.bounds_reconciled |= other.bounds_reconciled;
    }
}

/// Two histograms cannot be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot merge a histogram of exponential buckets with one of custom bounds")]
pub struct MixedSchemas;

impl CounterResetHint {
    /// The hint of a sum or difference, and whether the hints contradict each other.
    ///
    /// A gauge makes a gauge; an unknown makes an unknown; reset and not-reset contradict.
    pub fn combine(self, other: Self) -> (Self, bool) {
        match (self, other) {
            (a, b) if a == b => (a, false),
            (Self::Gauge, _) | (_, Self::Gauge) => (Self::Gauge, false),
            (Self::Unknown, _) | (_, Self::Unknown) => (Self::Unknown, false),
            _ => (Self::Unknown, true),
        }
    }
}

impl NativeHistogram {
    /// `self + other`. The result may hold empty buckets: [`Self::compact`] removes them.
    ///
    /// # Errors
    /// Exponential and custom bounds do not mix.
    pub fn add(&self, other: &Self) -> Result<(Self, Merged), MixedSchemas> {
        let mut sum = HistogramSum::new(self);
        let merged = sum.add(other)?;
        Ok((sum.total(), merged))
    }

    /// `self - other`. Keeps the hint rules of addition: an operator whose result is no counter sets
    /// [`CounterResetHint::Gauge`] itself.
    ///
    /// # Errors
    /// Exponential and custom bounds do not mix.
    pub fn sub(&self, other: &Self) -> Result<(Self, Merged), MixedSchemas> {
        let mut difference = HistogramSum::new(self);
        let merged = difference.subtract(other)?;
        Ok((difference.total(), merged))
    }

    /// Every count and the sum times `factor`; a negative factor makes a gauge.
    pub fn mul(&self, factor: f64) -> Self {
        self.scaled(factor < 0.0, |value| value * factor)
    }

    /// Every count and the sum divided by `divisor`; a negative divisor makes a gauge. Dividing by 0
    /// leaves no buckets, only infinite (or NaN) totals.
    pub fn div(&self, divisor: f64) -> Self {
        let mut quotient = self.scaled(divisor < 0.0, |value| value / divisor);
        if divisor == 0.0 {
            quotient.positive_spans.clear();
            quotient.positive_buckets.clear();
            quotient.negative_spans.clear();
            quotient.negative_buckets.clear();
        }
        quotient
    }

    /// `-self`, which is a gauge.
    pub fn neg(&self) -> Self {
        self.mul(-1.0)
    }

    /// Whether any number in the histogram is infinite.
    pub fn has_overflow(&self) -> bool {
        [self.zero_count, self.count, self.sum].iter().any(|value| value.is_infinite())
            || [&self.positive_buckets, &self.negative_buckets, &self.custom_values]
                .into_iter()
                .flatten()
                .any(|value| value.is_infinite())
    }

    fn scaled(&self, becomes_gauge: bool, f: impl Fn(f64) -> f64) -> Self {
        let mut scaled = self.clone();
        for number in [&mut scaled.zero_count, &mut scaled.count, &mut scaled.sum] {
            *number = f(*number);
        }
        for count in scaled.positive_buckets.iter_mut().chain(&mut scaled.negative_buckets) {
            *count = f(*count);
        }
        if becomes_gauge {
            scaled.counter_reset_hint = CounterResetHint::Gauge;
        }
        scaled
    }
}

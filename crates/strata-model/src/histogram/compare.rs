//! When two histograms are the same: to the bit, or close enough.

use super::NativeHistogram;
use super::buckets::cells;

/// Whether two numbers are equal up to `tolerance` relative to the sum of their magnitudes.
///
/// NaN equals NaN; next to zero the tolerance is relative to the smallest normal number.
pub fn almost_equal(a: f64, b: f64, tolerance: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let magnitude = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || magnitude < f64::MIN_POSITIVE {
        return difference < tolerance * f64::MIN_POSITIVE;
    }
    difference / magnitude.min(f64::MAX) < tolerance
}

impl NativeHistogram {
    /// Whether both hold the same data to the bit, whatever spans describe it. Hints do not count;
    /// empty buckets do.
    pub fn same_data(&self, other: &Self) -> bool {
        self.matches(other, |a, b| a.to_bits() == b.to_bits())
    }

    /// Whether both hold the same data with every count and the sum [`almost_equal`]. Hints do not
    /// count, nor do empty buckets.
    pub fn almost_equals(&self, other: &Self, tolerance: f64) -> bool {
        self.compact(0).matches(&other.compact(0), |a, b| almost_equal(a, b, tolerance))
    }

    fn matches(&self, other: &Self, same: impl Fn(f64, f64) -> bool) -> bool {
        let same_side = |mine: (&[_], &[f64]), theirs: (&[_], &[f64])| {
            mine.1.len() == theirs.1.len()
                && cells(mine.0, mine.1)
                    .zip(cells(theirs.0, theirs.1))
                    .all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
        };
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && (!self.is_custom() || self.custom_values == other.custom_values)
            && self.zero_threshold == other.zero_threshold
            && same(self.zero_count, other.zero_count)
            && same_side(
                (&self.negative_spans, &self.negative_buckets),
                (&other.negative_spans, &other.negative_buckets),
            )
            && same_side(
                (&self.positive_spans, &self.positive_buckets),
                (&other.positive_spans, &other.positive_buckets),
            )
    }
}

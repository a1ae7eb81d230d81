//! The share of observations between two values.

use super::NativeHistogram;
use super::buckets::Bucket;

/// A fraction with what PromQL tells the user about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FractionAnswer {
    pub value: f64,
    /// Observations of NaN were counted but lie in no interval, not even the widest.
    pub nan_observations: bool,
}

impl NativeHistogram {
    /// The share of observations in `lower..upper`, the inverse of [`Self::quantile`].
    ///
    /// Interpolates as that does. NaN without observations or with a NaN bound; 0 for an empty
    /// interval.
    pub fn fraction(&self, lower: f64, upper: f64) -> FractionAnswer {
        let plain = |value| FractionAnswer { value, nan_observations: false };
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return plain(f64::NAN);
        }
        if lower >= upper {
            return plain(0.0);
        }
        let (mut below_lower, mut below_upper) = (None, None);
        let mut rank = 0.0;
        let mut in_buckets = 0.0;
        for mut bucket in self.ascending() {
            in_buckets += bucket.count;
            let is_zero_bucket = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if is_zero_bucket {
                self.narrow_zero_bucket(&mut bucket);
            }
            let linear = self.is_custom() || is_zero_bucket;
            below_lower = below_lower.or_else(|| rank_of(lower, &bucket, rank, linear));
            below_upper = below_upper.or_else(|| rank_of(upper, &bucket, rank, linear));
            rank += bucket.count;
        }
        // NaN observations are in the count but in no bucket: no bound reaches them.
        let reachable = if self.sum.is_nan() { in_buckets } else { self.count };
        let clamp = |rank: Option<f64>| match rank {
            Some(rank) if rank > reachable => reachable,
            Some(rank) => rank,
            None => reachable,
        };
        FractionAnswer {
            value: (clamp(below_upper) - clamp(below_lower)) / self.count,
            nan_observations: self.sum.is_nan() && in_buckets < self.count,
        }
    }
}

/// How many observations lie below `value`, if this bucket can tell; `rank` lie below the bucket.
fn rank_of(value: f64, bucket: &Bucket, rank: f64, linear: bool) -> Option<f64> {
    if bucket.lower >= value {
        return Some(rank);
    }
    if bucket.upper <= value {
        return None;
    }
    // An infinitely wide bucket cannot be divided: all of it counts as below where it has no lower
    // bound, none of it where it has no upper one.
    if linear && bucket.lower == f64::NEG_INFINITY {
        return Some(bucket.count);
    }
    Some(rank + bucket.count * bucket.fraction_below(value, linear))
}

#[cfg(test)]
mod tests {
    use super::super::take_literal;

    fn check(text: &str, lower: f64, upper: f64, expected: f64) {
        let got = take_literal(text).unwrap().0.histogram.fraction(lower, upper).value;
        let same = got == expected || (got.is_nan() && expected.is_nan());
        assert!(
            same || (got - expected).abs() < 1e-12,
            "{text} in {lower}..{upper}: {got}, not {expected}"
        );
    }

    #[test]
    fn fractions_invert_quantiles() {
        let text =
            "{{schema:0 count:12 sum:1 z_bucket:2 z_bucket_w:0.5 buckets:[1 4] n_buckets:[2 3]}}";
        let histogram = take_literal(text).unwrap().0.histogram;
        for step in 1..20 {
            let q = f64::from(step) / 20.0;
            check(text, f64::NEG_INFINITY, histogram.quantile(q).value, q);
        }
    }

    #[test]
    fn bounds_outside_the_buckets_take_all_or_nothing() {
        let one = "{{schema:0 count:4 sum:6 buckets:[0 4]}}";
        check(one, f64::NEG_INFINITY, f64::INFINITY, 1.0);
        check(one, 2.0, 9.0, 0.0);
        check(one, 0.0, 2f64.sqrt(), 0.5);
        check(one, 3.0, 1.0, 0.0);
        check(one, f64::NAN, 1.0, f64::NAN);
        check("{{}}", 0.0, 1.0, f64::NAN);
    }

    #[test]
    fn infinitely_wide_custom_buckets_are_not_divided() {
        let custom = "{{schema:-53 count:4 sum:9 custom_values:[-2 4] buckets:[1 2 1]}}";
        check(custom, f64::NEG_INFINITY, -5.0, 0.25);
        // A bucket around 0 without negative buckets begins at 0: a quarter of 2 observations.
        check(custom, f64::NEG_INFINITY, 1.0, 0.375);
        check(custom, f64::NEG_INFINITY, 100.0, 0.75);
    }

    #[test]
    fn nan_observations_are_in_no_interval() {
        let histogram = take_literal("{{count:5 sum:NaN buckets:[0 4]}}").unwrap().0.histogram;
        let all = histogram.fraction(f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!((all.value, all.nan_observations), (0.8, true));
    }
}

//! Quantiles of a native histogram.

use super::NativeHistogram;
use super::buckets::Bucket;

/// What observations of NaN did to a quantile. They are counted but are in no bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NanObservations {
    /// The rank lies beyond every bucket, among the NaN: the quantile is NaN.
    MadeTheAnswerNan,
    /// They were ranked above every number, which moves the quantile up.
    SkewedTheAnswerUp,
}

/// A quantile with what PromQL tells the user about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileAnswer {
    pub value: f64,
    pub nan_observations: Option<NanObservations>,
}

impl NativeHistogram {
    /// The value below which a share `q` of the observations lies (0.5 is the median).
    ///
    /// Within a bucket the observations are taken to be spread evenly: on a logarithmic scale for
    /// exponential buckets, linearly for custom ones and for the zero bucket. A zero bucket with
    /// neighbours on one side only extends from 0 to that side; a first custom bucket of positive
    /// values begins at 0. NaN without observations; infinite for a `q` outside `0..=1`.
    pub fn quantile(&self, q: f64) -> QuantileAnswer {
        let plain = |value| QuantileAnswer { value, nan_observations: None };
        if q < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return plain(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return plain(f64::NAN);
        }
        // Counting from the nearer end loses less to rounding, but NaN observations are ranked at
        // the upper end, where no bucket is.
        let may_hold_nan = self.sum.is_nan();
        let from_below = may_hold_nan || q < 0.5;
        let rank = if from_below { q * self.count } else { (1.0 - q) * self.count };
        let mut buckets = self.ascending();
        let (mut bucket, reached) = if from_below {
            find_rank(&mut buckets, rank)
        } else {
            find_rank(&mut buckets.by_ref().rev(), rank)
        };
        if let Some(value) = self.narrow(&mut bucket) {
            return plain(value);
        }
        let reached = reached.min(self.count);
        if reached < rank {
            return if may_hold_nan {
                let nan_observations = Some(NanObservations::MadeTheAnswerNan);
                QuantileAnswer { value: f64::NAN, nan_observations }
            } else {
                plain(bucket.upper)
            };
        }
        let within = if from_below { rank - (reached - bucket.count) } else { reached - rank };
        let skewed = may_hold_nan && reached + buckets.map(|b| b.count).sum::<f64>() < self.count;
        QuantileAnswer {
            value: self.interpolate(&bucket, within / bucket.count),
            nan_observations: skewed.then_some(NanObservations::SkewedTheAnswerUp),
        }
    }

    /// Adjust the bounds of the bucket the quantile fell into; an answer if that is one already.
    fn narrow(&self, bucket: &mut Bucket) -> Option<f64> {
        if self.is_custom() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return Some(bucket.upper);
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return Some(bucket.lower);
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            self.narrow_zero_bucket(bucket);
        }
        None
    }

    /// Cut the zero bucket at 0 if only one side of it has buckets.
    pub(super) fn narrow_zero_bucket(&self, bucket: &mut Bucket) {
        match (self.negative_buckets.is_empty(), self.positive_buckets.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
    }

    fn interpolate(&self, bucket: &Bucket, fraction: f64) -> f64 {
        if self.is_custom() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
            return bucket.lower + (bucket.upper - bucket.lower) * fraction;
        }
        let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        if bucket.lower > 0.0 {
            return (lower + (upper - lower) * fraction).exp2();
        }
        -(upper + (lower - upper) * (1.0 - fraction)).exp2()
    }
}

/// The bucket that reaches `rank` and the count up to and including it. The last bucket seen if
/// none does.
fn find_rank(buckets: &mut impl Iterator<Item = Bucket>, rank: f64) -> (Bucket, f64) {
    let mut last = Bucket::default();
    let mut reached = 0.0;
    for bucket in buckets {
        last = bucket;
        reached += bucket.count;
        if bucket.count != 0.0 && reached >= rank {
            break;
        }
    }
    (last, reached)
}

#[cfg(test)]
mod tests {
    use super::super::take_literal;
    use super::*;

    fn check(text: &str, q: f64, expected: f64) {
        let got = take_literal(text).unwrap().0.histogram.quantile(q).value;
        let same = got == expected || (got.is_nan() && expected.is_nan());
        assert!(same || (got - expected).abs() < 1e-12, "{text} at {q}: {got}, not {expected}");
    }

    #[test]
    fn ranks_divide_an_exponential_bucket_on_a_logarithmic_scale() {
        let one = "{{schema:0 count:4 sum:6 buckets:[0 4]}}";
        check(one, 0.5, 2f64.sqrt());
        check(one, 0.0, 1.0);
        check(one, 1.0, 2.0);
        check(one, 0.25, 2f64.powf(0.25));
        let negative = "{{schema:0 count:4 sum:-6 n_buckets:[0 4]}}";
        check(negative, 0.5, -2f64.sqrt());
        check(negative, 0.25, -2f64.powf(0.75));
    }

    #[test]
    fn the_zero_bucket_is_linear_and_ends_at_zero_beside_empty_sides() {
        check("{{count:10 z_bucket:10 z_bucket_w:0.1}}", 0.25, -0.05);
        check("{{count:10 z_bucket:8 z_bucket_w:0.1 buckets:[2]}}", 0.4, 0.05);
        check("{{count:10 z_bucket:8 z_bucket_w:0.1 n_buckets:[2]}}", 0.6, -0.05);
    }

    #[test]
    fn custom_bounds_are_linear_and_open_at_the_ends() {
        let custom = "{{schema:-53 count:4 sum:9 custom_values:[2 4] buckets:[1 2 1]}}";
        check(custom, 0.125, 1.0);
        check(custom, 0.5, 3.0);
        check(custom, 1.0, 4.0);
        check("{{schema:-53 count:4 custom_values:[-2 4] buckets:[2 2]}}", 0.1, -2.0);
    }

    #[test]
    fn odd_questions_have_fixed_answers() {
        let one = "{{schema:0 count:4 sum:6 buckets:[0 4]}}";
        check(one, -0.1, f64::NEG_INFINITY);
        check(one, 1.1, f64::INFINITY);
        check(one, f64::NAN, f64::NAN);
        check("{{}}", 0.5, f64::NAN);
    }

    #[test]
    fn nan_observations_rank_above_all_numbers() {
        let skewed = "{{schema:0 count:5 sum:NaN buckets:[0 4]}}";
        let answer = |q| take_literal(skewed).unwrap().0.histogram.quantile(q);
        assert_eq!(answer(0.9).nan_observations, Some(NanObservations::MadeTheAnswerNan));
        assert!(answer(0.9).value.is_nan());
        assert_eq!(answer(0.4).nan_observations, Some(NanObservations::SkewedTheAnswerUp));
        assert_eq!(answer(0.4).value, 2f64.sqrt());
    }
}

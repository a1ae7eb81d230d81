//! Mean and spread, estimated from the buckets.

use super::compensated::Compensated;
use super::{Bucket, NativeHistogram};

impl NativeHistogram {
    /// Arithmetic mean of the observations (exact: it needs no buckets). NaN without observations.
    pub fn avg(&self) -> f64 {
        self.sum / self.count
    }

    /// Estimated variance of the observations: each bucket's at its midpoint, which is the geometric
    /// mean of exponential bounds, the arithmetic mean of custom ones, and 0 for the zero bucket.
    pub fn stdvar(&self) -> f64 {
        let mean = self.avg();
        let mut squares = Compensated::default();
        for bucket in self.ascending().filter(|bucket| bucket.count != 0.0) {
            let distance = self.midpoint(&bucket) - mean;
            squares.add(bucket.count * distance * distance);
        }
        squares.total() / self.count
    }

    /// Square root of [`Self::stdvar`].
    pub fn stddev(&self) -> f64 {
        self.stdvar().sqrt()
    }

    fn midpoint(&self, bucket: &Bucket) -> f64 {
        if self.is_custom() {
            f64::midpoint(bucket.upper, bucket.lower)
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::take_literal;

    #[test]
    fn spread_comes_from_bucket_midpoints() {
        let check = |text: &str, avg: f64, stdvar: f64| {
            let histogram = take_literal(text).unwrap().0.histogram;
            assert!((histogram.avg() - avg).abs() < 1e-12, "{text}: {}", histogram.avg());
            assert!((histogram.stdvar() - stdvar).abs() < 1e-12, "{text}: {}", histogram.stdvar());
            assert!((histogram.stddev() - stdvar.sqrt()).abs() < 1e-12);
        };
        // Midpoints sqrt(2) twice, mean sqrt(2): no spread at all.
        check("{{count:2 sum:2.8284271247461903 buckets:[0 2]}}", 2f64.sqrt(), 0.0);
        // Midpoints -sqrt(2), 0, sqrt(2) around 0: (2 + 0 + 2) / 3.
        check("{{count:3 z_bucket:1 buckets:[0 1] n_buckets:[0 1]}}", 0.0, 4.0 / 3.0);
        // Midpoints 1.5 and 3 around 2.25.
        check("{{schema:-53 count:2 sum:4.5 custom_values:[1 2 4] buckets:[0 1 1]}}", 2.25, 0.5625);
    }
}

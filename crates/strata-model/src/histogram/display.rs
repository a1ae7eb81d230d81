//! Histograms as text: the short form PromQL answers print.

use std::fmt::{self, Display, Formatter};

use super::{Bucket, NativeHistogram};

/// A number in the fewest digits that read back the same: `0.1`, `1e+06`, `-1.5e-07`, `+Inf`, `NaN`.
///
/// As Go's shortest `%g`, which PromQL prints values with: scientific below 10^-4 and from 10^6 on.
pub fn format_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

impl Display for Bucket {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(format_number);
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}

impl Display for NativeHistogram {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", format_number(self.count), format_number(self.sum))?;
        let mut negative: Vec<Bucket> = self.negative().collect();
        negative.reverse();
        let zero = self.zero_bucket();
        for bucket in negative.into_iter().chain([zero]).chain(self.positive()) {
            if bucket.count != 0.0 {
                write!(f, ", {bucket}")?;
            }
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::take_literal;
    use super::*;

    #[test]
    fn numbers_take_the_fewest_digits() {
        let check = |value: f64, expected: &str| assert_eq!(format_number(value), expected);
        check(0.1, "0.1");
        check(-0.0, "-0");
        check(100_000.0, "100000");
        check(1e6, "1e+06");
        check(-1_234_567.5, "-1.2345675e+06");
        check(0.0001, "0.0001");
        check(0.000_015, "1.5e-05");
        check(1e100, "1e+100");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
        check(f64::NAN, "NaN");
    }

    #[test]
    fn histograms_print_their_populated_buckets() {
        let text =
            "{{count:9 sum:1.5 z_bucket:2 z_bucket_w:0.001 buckets:[1 0 3] n_buckets:[2 1]}}";
        assert_eq!(
            take_literal(text).unwrap().0.histogram.to_string(),
            "{count:9, sum:1.5, [-2,-1):1, [-1,-0.5):2, [-0.001,0.001]:2, (0.5,1]:1, (2,4]:3}"
        );
        let custom = "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1]}}";
        assert_eq!(
            take_literal(custom).unwrap().0.histogram.to_string(),
            "{count:3, sum:0, [-Inf,1]:1, (1,2]:1, (2,+Inf]:1}"
        );
    }
}

//! Cutting observations off above or below a value (PromQL's `</` and `>/`).

use super::{Bucket, NativeHistogram};

/// Which observations a trim keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those up to the value: `histogram </ value`.
    Below,
    /// Those from the value on: `histogram >/ value`.
    Above,
}

/// What is left of a bucket.
struct Rest {
    count: f64,
    /// The value that stands for the observations left, to estimate their sum.
    midpoint: f64,
}

impl Rest {
    const NOTHING: Self = Self { count: 0.0, midpoint: 0.0 };
}

impl NativeHistogram {
    /// The histogram of the observations on one side of `value`.
    ///
    /// A bucket the value cuts is divided as for quantiles. Count and sum are estimated anew from
    /// the buckets if any changed; otherwise the histogram stays as it is.
    pub fn trim(&self, value: f64, keep: Keep) -> Self {
        let mut trimmed = self.clone();
        let mut estimate = Estimate::default();
        for (slot, bucket) in trimmed.positive_buckets.iter_mut().zip(self.positive()) {
            let rest = rest_of(&bucket, value, keep, self.is_custom(), 1.0);
            estimate.take(slot, &rest);
        }
        for (slot, bucket) in trimmed.negative_buckets.iter_mut().zip(self.negative()) {
            let rest = rest_of(&bucket, value, keep, self.is_custom(), -1.0);
            estimate.take(slot, &rest);
        }
        if self.zero_count > 0.0 {
            let rest = self.rest_of_zero_bucket(value, keep);
            estimate.take(&mut trimmed.zero_count, &rest);
        }
        if !estimate.changed {
            return self.clone();
        }
        trimmed.count = estimate.count;
        trimmed.sum = estimate.sum;
        trimmed.compact_in_place(0);
        trimmed
    }

    /// The zero bucket is linear, and ends at 0 where no populated bucket lies beyond.
    fn rest_of_zero_bucket(&self, value: f64, keep: Keep) -> Rest {
        let zero = self.zero_bucket();
        let has_negative = self.negative_buckets.iter().any(|&count| count != 0.0);
        let has_positive = self.positive_buckets.iter().any(|&count| count != 0.0);
        let lower = if has_positive && !has_negative { 0.0 } else { zero.lower };
        let upper = if has_negative && !has_positive { 0.0 } else { zero.upper };
        let whole = Rest { count: zero.count, midpoint: f64::midpoint(lower, upper) };
        let part = |from: f64, to: f64| Rest {
            count: zero.count * ((to - from) / (upper - lower)),
            midpoint: f64::midpoint(from, to),
        };
        match keep {
            Keep::Below if value <= lower => Rest::NOTHING,
            Keep::Below if value >= upper => whole,
            Keep::Below => part(lower, value),
            Keep::Above if value <= lower => whole,
            Keep::Above if value >= upper => Rest::NOTHING,
            Keep::Above => part(value, upper),
        }
    }
}

/// Count and sum of what is left so far.
#[derive(Default)]
struct Estimate {
    count: f64,
    sum: f64,
    changed: bool,
}

impl Estimate {
    fn take(&mut self, slot: &mut f64, rest: &Rest) {
        if *slot == 0.0 {
            return;
        }
        self.count += rest.count;
        self.sum += rest.midpoint * rest.count;
        if *slot != rest.count {
            *slot = rest.count;
            self.changed = true;
        }
    }
}

fn rest_of(bucket: &Bucket, value: f64, keep: Keep, linear: bool, sign: f64) -> Rest {
    let (all_kept, some_kept) = match keep {
        Keep::Below => (bucket.upper <= value, bucket.lower < value),
        Keep::Above => (bucket.lower >= value, bucket.upper > value),
    };
    if all_kept {
        let midpoint = midpoint(bucket.lower, bucket.upper, linear, sign);
        return Rest { count: bucket.count, midpoint };
    }
    if !some_kept {
        return Rest::NOTHING;
    }
    if bucket.lower == f64::NEG_INFINITY {
        return rest_without_lower_bound(bucket, value, keep);
    }
    if bucket.upper == f64::INFINITY {
        // How far up the observations go is unknown: below, none are certain; above, all may be.
        return match keep {
            Keep::Below => Rest::NOTHING,
            Keep::Above => Rest { count: bucket.count, midpoint: value },
        };
    }
    let below = bucket.count * bucket.fraction_below(value, linear);
    match keep {
        Keep::Below => Rest { count: below, midpoint: midpoint(bucket.lower, value, linear, sign) },
        Keep::Above => Rest {
            count: bucket.count - below,
            midpoint: midpoint(value, bucket.upper, linear, sign),
        },
    }
}

/// A cut through a bucket that reaches down to `-Inf`. One with a positive upper bound is taken to
/// begin at 0, as for quantiles; any other cannot be divided.
fn rest_without_lower_bound(bucket: &Bucket, value: f64, keep: Keep) -> Rest {
    let begins_at_zero = bucket.upper > 0.0 && bucket.upper < f64::INFINITY;
    match keep {
        Keep::Below if begins_at_zero && value > 0.0 => {
            Rest { count: bucket.count * value / bucket.upper, midpoint: value / 2.0 }
        }
        Keep::Below if bucket.upper <= 0.0 => Rest { count: bucket.count, midpoint: value },
        Keep::Above if value == f64::NEG_INFINITY => Rest { count: bucket.count, midpoint: 0.0 },
        Keep::Above if begins_at_zero && value >= 0.0 => Rest {
            count: bucket.count * (1.0 - value / bucket.upper),
            midpoint: f64::midpoint(value, bucket.upper),
        },
        Keep::Below | Keep::Above => Rest::NOTHING,
    }
}

/// The value that stands for an interval: its arithmetic middle if linear, else its geometric one
/// with the given sign. With one infinite end the other stands for it, or its half if that lies
/// above 0 and the lower end is the infinite one.
fn midpoint(lower: f64, upper: f64, linear: bool, sign: f64) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if linear => f64::midpoint(lower, upper),
        (false, false) => (lower * upper).abs().sqrt() * sign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::take_literal;
    use super::*;

    fn check(text: &str, value: f64, keep: Keep, expected: &str) {
        let got = take_literal(text).unwrap().0.histogram.trim(value, keep);
        let expected = take_literal(expected).unwrap().0.histogram;
        assert!(got.almost_equals(&expected, 1e-12), "{got}, not {expected}");
    }

    #[test]
    fn whole_buckets_go_or_stay() {
        let text = "{{schema:0 count:6 sum:20 buckets:[1 2 3]}}";
        check(text, 8.0, Keep::Below, text);
        check(text, 0.5, Keep::Above, text);
        // Midpoints of (0.5, 1] and (1, 2].
        check(text, 2.0, Keep::Below, "{{count:3 sum:3.5355339059327378 buckets:[1 2]}}");
        check(text, 2.0, Keep::Above, "{{count:3 sum:8.485281374238571 offset:2 buckets:[3]}}");
        check(text, 0.1, Keep::Below, "{{}}");
    }

    #[test]
    fn a_cut_bucket_is_divided() {
        let custom = "{{schema:-53 count:8 sum:20 custom_values:[2 4] buckets:[2 4 2]}}";
        check(
            custom,
            3.0,
            Keep::Below,
            "{{schema:-53 count:4 sum:7 custom_values:[2 4] buckets:[2 2]}}",
        );
        check(
            custom,
            1.0,
            Keep::Above,
            "{{schema:-53 count:7 sum:21.5 custom_values:[2 4] buckets:[1 4 2]}}",
        );
        check(
            custom,
            5.0,
            Keep::Above,
            "{{schema:-53 count:2 sum:10 custom_values:[2 4] buckets:[0 0 2]}}",
        );
    }

    #[test]
    fn the_zero_bucket_is_cut_on_its_populated_side() {
        check(
            "{{count:6 sum:3 z_bucket:4 z_bucket_w:0.5 buckets:[0 2]}}",
            0.25,
            Keep::Below,
            "{{count:2 sum:0.25 z_bucket:2 z_bucket_w:0.5}}",
        );
    }
}

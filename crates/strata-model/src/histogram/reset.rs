//! Whether a histogram of a counter began anew since its predecessor.

use super::bounds::upper_bound;
use super::custom::common_bounds;
use super::sum::HistogramSum;
use super::{CounterResetHint, NativeHistogram};

impl NativeHistogram {
    /// Whether the counter was reset between `previous` and this histogram.
    ///
    /// A hint decides if there is one. Otherwise any count that fell says so (the sum may fall by
    /// itself), and so does a layout that only a restart explains: a finer schema, a narrower zero
    /// bucket, or a zero bucket that now ends inside a bucket that was populated.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::Reset => return true,
            CounterResetHint::NotReset => return false,
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.is_custom() {
            return !previous.is_custom() || self.custom_buckets_fell(previous);
        }
        if previous.is_custom()
            || self.schema > previous.schema
            || self.zero_threshold < previous.zero_threshold
        {
            return true;
        }
        let mut before = HistogramSum::new(previous);
        if self.zero_threshold > previous.zero_threshold {
            before.widen_zero(self.zero_threshold);
        }
        let (threshold, zero_count) = before.zero();
        if threshold != self.zero_threshold || self.zero_count < zero_count {
            return true;
        }
        before.reduce_resolution(self.schema);
        let now = HistogramSum::new(self);
        // What lies within the zero bucket was counted there already.
        let outside = |&(index, _): &(i32, f64)| {
            upper_bound(self.schema, index, &[]) > self.zero_threshold || self.zero_threshold == 0.0
        };
        some_count_fell(before.positive().filter(outside), now.positive().filter(outside))
            || some_count_fell(before.negative().filter(outside), now.negative().filter(outside))
    }

    fn custom_buckets_fell(&self, previous: &Self) -> bool {
        let (mut now, mut before) = (HistogramSum::new(self), HistogramSum::new(previous));
        if self.custom_values != previous.custom_values {
            let common = common_bounds(&self.custom_values, &previous.custom_values);
            now.rebucket(&common);
            before.rebucket(&common);
        }
        some_count_fell(before.positive(), now.positive())
    }
}

/// Whether a bucket is smaller than before, or gone though it was populated.
fn some_count_fell(
    before: impl Iterator<Item = (i32, f64)>,
    now: impl Iterator<Item = (i32, f64)>,
) -> bool {
    let mut now = now.peekable();
    for (index, count) in before {
        while now.next_if(|&(at, _)| at < index).is_some() {}
        let fell = match now.peek() {
            Some(&(at, current)) if at == index => current < count,
            _ => count != 0.0,
        };
        if fell {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::take_literal;
    use super::*;

    fn histogram(text: &str) -> NativeHistogram {
        take_literal(text).unwrap().0.histogram
    }

    #[test]
    fn a_reset_shows_in_any_falling_count_or_finer_layout() {
        let check = |before: &str, now: &str, expected: bool| {
            assert_eq!(histogram(now).detect_reset(&histogram(before)), expected, "{before} {now}");
        };
        let base =
            "{{schema:1 count:7 sum:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2] n_buckets:[3]}}";
        check(base, base, false);
        check(
            base,
            "{{schema:1 count:6 sum:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2] n_buckets:[3]}}",
            true,
        );
        check(
            base,
            "{{schema:1 count:9 sum:1 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 2] n_buckets:[3]}}",
            false,
        );
        check(
            base,
            "{{schema:1 count:9 z_bucket:1 z_bucket_w:0.01 buckets:[5] n_buckets:[3]}}",
            true,
        );
        check(
            base,
            "{{schema:1 count:9 z_bucket:1 z_bucket_w:0.01 buckets:[2 4] n_buckets:[2]}}",
            true,
        );
        check(
            base,
            "{{schema:1 count:9 z_bucket:0 z_bucket_w:0.01 buckets:[2 4] n_buckets:[3]}}",
            true,
        );
        check(
            base,
            "{{schema:2 count:9 z_bucket:1 z_bucket_w:0.01 buckets:[2 4] n_buckets:[3]}}",
            true,
        );
        check(base, "{{schema:1 count:9 z_bucket:1 buckets:[2 4] n_buckets:[3]}}", true);
    }

    #[test]
    fn a_coarser_layout_alone_is_no_reset() {
        let fine = "{{schema:1 count:8 sum:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 4]}}";
        let check = |now: &str, expected| {
            assert_eq!(histogram(now).detect_reset(&histogram(fine)), expected, "{now}");
        };
        check("{{schema:0 count:8 sum:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 6]}}", false);
        check("{{schema:0 count:8 sum:9 z_bucket:1 z_bucket_w:0.01 buckets:[2 5]}}", true);
        check("{{schema:1 count:8 z_bucket:2 z_bucket_w:1 buckets:[2 4] offset:1}}", false);
        check("{{schema:1 count:8 z_bucket:2 z_bucket_w:1.2 buckets:[4] offset:2}}", true);
    }

    #[test]
    fn hints_decide_without_looking() {
        let mut now = histogram("{{count:1}}");
        let before = histogram("{{count:5}}");
        now.counter_reset_hint = CounterResetHint::NotReset;
        assert!(!now.detect_reset(&before));
        now = before.clone();
        now.counter_reset_hint = CounterResetHint::Reset;
        assert!(now.detect_reset(&before));
    }

    #[test]
    fn custom_bounds_compare_where_they_agree() {
        let check = |before: &str, now: &str, expected: bool| {
            assert_eq!(histogram(now).detect_reset(&histogram(before)), expected, "{before} {now}");
        };
        let before = "{{schema:-53 count:6 custom_values:[1 5 10] buckets:[1 2 2 1]}}";
        check(before, "{{schema:-53 count:6 custom_values:[5 10] buckets:[3 2 1]}}", false);
        check(before, "{{schema:-53 count:6 custom_values:[5 20] buckets:[2 4]}}", true);
        check(before, "{{schema:-53 count:6 custom_values:[2] buckets:[0 6]}}", false);
        check(before, "{{schema:0 count:6 buckets:[6]}}", true);
        check("{{schema:0 count:6 buckets:[6]}}", before, true);
    }
}

//! Buckets one by one: with their bounds, in either direction, and packed back into spans.

use super::bounds::upper_bound;
use super::{NativeHistogram, Span};

/// One bucket of a native histogram: a range of values and how many observations fell into it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bucket {
    pub lower: f64,
    pub upper: f64,
    pub lower_inclusive: bool,
    pub upper_inclusive: bool,
    pub count: f64,
    /// Index within the schema and sign; 0 and without meaning for the zero bucket.
    pub index: i32,
}

impl Bucket {
    /// The share of this bucket's width at or below `value`, for a value within finite bounds.
    ///
    /// `linear` is for custom buckets and the zero bucket; exponential buckets are divided on a
    /// logarithmic scale, as if a finer schema had populated its buckets evenly.
    pub fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let (lower, upper) = (self.lower.abs().log2(), self.upper.abs().log2());
        let at = value.abs().log2();
        if value > 0.0 {
            (at - lower) / (upper - lower)
        } else {
            1.0 - (at - upper) / (lower - upper)
        }
    }

    /// Which bounds belong to the bucket, as the Prometheus HTTP API numbers it:
    /// 0 upper only, 1 lower only, 2 neither, 3 both.
    pub fn boundary_rule(&self) -> u8 {
        match (self.lower_inclusive, self.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        }
    }
}

/// Walks spans and counts together as `(index, count)`.
///
/// Spans that promise more buckets than there are end early, and an index that leaves `i32` wraps:
/// an invalid histogram gives nonsense, never a panic.
#[derive(Clone)]
pub(super) struct Cells<'a> {
    spans: std::slice::Iter<'a, Span>,
    counts: std::slice::Iter<'a, f64>,
    index: i32,
    left_in_span: u32,
}

impl Iterator for Cells<'_> {
    type Item = (i32, f64);

    fn next(&mut self) -> Option<(i32, f64)> {
        while self.left_in_span == 0 {
            let span = self.spans.next()?;
            self.index = self.index.wrapping_add(span.offset);
            self.left_in_span = span.length;
        }
        let count = *self.counts.next()?;
        let index = self.index;
        self.index = index.wrapping_add(1);
        self.left_in_span -= 1;
        Some((index, count))
    }
}

/// Walk one side of a histogram.
pub(super) fn cells<'a>(spans: &'a [Span], counts: &'a [f64]) -> Cells<'a> {
    Cells { spans: spans.iter(), counts: counts.iter(), index: 0, left_in_span: 0 }
}

/// Pack ascending `(index, count)` into spans, filling gaps of up to `max_gap` with empty buckets.
pub(super) fn pack(
    cells: impl IntoIterator<Item = (i32, f64)>,
    max_gap: u32,
) -> (Vec<Span>, Vec<f64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut counts = Vec::new();
    let mut next_index = 0_i32;
    for (index, count) in cells {
        let gap = index.wrapping_sub(next_index);
        match spans.last_mut() {
            Some(span) if u32::try_from(gap).is_ok_and(|gap| gap <= max_gap) => {
                span.length += gap as u32 + 1;
                counts.extend(std::iter::repeat_n(0.0, gap as usize));
            }
            _ => spans.push(Span { offset: gap, length: 1 }),
        }
        counts.push(count);
        next_index = index.wrapping_add(1);
    }
    (spans, counts)
}

impl NativeHistogram {
    /// Positive buckets from zero upwards, empty ones included.
    pub fn positive(&self) -> impl Iterator<Item = Bucket> {
        cells(&self.positive_spans, &self.positive_buckets)
            .map(|(index, count)| self.positive_bucket(index, count))
    }

    /// Negative buckets from zero downwards, empty ones included.
    pub fn negative(&self) -> impl Iterator<Item = Bucket> {
        cells(&self.negative_spans, &self.negative_buckets)
            .map(|(index, count)| self.negative_bucket(index, count))
    }

    /// The zero bucket, populated or not. Meaningless for custom bounds.
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
            index: 0,
        }
    }

    /// Every bucket from the lowest values to the highest; `.rev()` goes the other way.
    ///
    /// Empty buckets are included, except the zero bucket. A bucket that reaches into the zero
    /// bucket begins where that ends.
    pub fn ascending(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        let negative: Vec<Bucket> = self.negative().collect();
        let positive: Vec<Bucket> = self.positive().collect();
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        let threshold = self.zero_threshold;
        let below = negative.into_iter().rev().map(move |mut bucket| {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            }
            bucket
        });
        let above = positive.into_iter().map(move |mut bucket| {
            if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
            bucket
        });
        below.chain(zero).chain(above)
    }

    /// Populated buckets as the Prometheus HTTP API lists them:
    /// `(boundary rule, lower, upper, count)`, see [`Bucket::boundary_rule`].
    pub fn api_buckets(&self) -> Vec<(u8, f64, f64, f64)> {
        self.ascending()
            .filter(|bucket| bucket.count != 0.0)
            .map(|bucket| (bucket.boundary_rule(), bucket.lower, bucket.upper, bucket.count))
            .collect()
    }

    fn positive_bucket(&self, index: i32, count: f64) -> Bucket {
        let lower = upper_bound(self.schema, index.wrapping_sub(1), &self.custom_values);
        let upper = upper_bound(self.schema, index, &self.custom_values);
        let (lower_inclusive, upper_inclusive) =
            if self.is_custom() { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count, index }
    }

    fn negative_bucket(&self, index: i32, count: f64) -> Bucket {
        let lower = -upper_bound(self.schema, index, &[]);
        let upper = -upper_bound(self.schema, index.wrapping_sub(1), &[]);
        let (lower_inclusive, upper_inclusive) = (lower < 0.0, upper > 0.0);
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count, index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both_sides() -> NativeHistogram {
        NativeHistogram {
            zero_threshold: 0.75,
            zero_count: 2.0,
            count: 12.0,
            positive_spans: vec![Span { offset: 0, length: 2 }, Span { offset: 1, length: 1 }],
            positive_buckets: vec![1.0, 0.0, 4.0],
            negative_spans: vec![Span { offset: 1, length: 2 }],
            negative_buckets: vec![3.0, 2.0],
            ..NativeHistogram::default()
        }
    }

    #[test]
    fn ascending_goes_through_zero_and_stops_at_its_threshold() {
        let bounds: Vec<(f64, f64, f64)> =
            both_sides().ascending().map(|b| (b.lower, b.upper, b.count)).collect();
        assert_eq!(
            bounds,
            [
                (-4.0, -2.0, 2.0),
                (-2.0, -1.0, 3.0),
                (-0.75, 0.75, 2.0),
                (0.75, 1.0, 1.0),
                (1.0, 2.0, 0.0),
                (4.0, 8.0, 4.0),
            ]
        );
        let mut backwards: Vec<f64> = both_sides().ascending().rev().map(|b| b.lower).collect();
        backwards.reverse();
        let forwards: Vec<f64> = both_sides().ascending().map(|b| b.lower).collect();
        assert_eq!(backwards, forwards);
    }

    #[test]
    fn the_api_lists_populated_buckets_with_their_boundary_rule() {
        let rules: Vec<(u8, f64)> =
            both_sides().api_buckets().iter().map(|&(rule, lower, ..)| (rule, lower)).collect();
        assert_eq!(rules, [(1, -4.0), (1, -2.0), (3, -0.75), (0, 0.75), (0, 4.0)]);
    }

    #[test]
    fn packing_fills_small_gaps_only() {
        let check = |max_gap, spans: &[(i32, u32)], counts: &[f64]| {
            let (got_spans, got_counts) = pack([(-3, 1.0), (-1, 2.0), (4, 3.0)], max_gap);
            let got: Vec<(i32, u32)> = got_spans.iter().map(|s| (s.offset, s.length)).collect();
            assert_eq!(got, spans);
            assert_eq!(got_counts, counts);
        };
        check(0, &[(-3, 1), (1, 1), (4, 1)], &[1.0, 2.0, 3.0]);
        check(1, &[(-3, 3), (4, 1)], &[1.0, 0.0, 2.0, 3.0]);
        check(4, &[(-3, 8)], &[1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0]);
    }

    #[test]
    fn broken_spans_end_early_instead_of_panicking() {
        let spans = [Span { offset: i32::MAX, length: 9 }, Span { offset: i32::MAX, length: 1 }];
        let got: Vec<(i32, f64)> = cells(&spans, &[1.0, 2.0]).collect();
        assert_eq!(got, [(i32::MAX, 1.0), (i32::MIN, 2.0)]);
    }
}

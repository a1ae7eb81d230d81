//! Histograms from other forms: integer deltas, OTLP's exponential histogram, classic buckets.

use super::buckets::{cells, pack};
use super::validate::Side;
use super::{
    CUSTOM_BUCKETS_SCHEMA, ClassicBucket, CounterResetHint, HistogramError, MAX_SCHEMA, MIN_SCHEMA,
    NativeHistogram, Span,
};

/// Schemas up to here are defined, though finer than [`MAX_SCHEMA`]: they are read and reduced.
/// Source: Prometheus native histogram specification, "Schema".
const MAX_DEFINED_SCHEMA: i32 = 52;

/// Zero threshold of an OTLP histogram that gives none: small enough to hold next to nothing.
/// Source: Prometheus' OTLP receiver uses the same.
const OTLP_ZERO_THRESHOLD: f64 = 1e-128;

/// Longest run of empty OTLP buckets kept instead of a new span, which costs as much.
const KEPT_GAP: u32 = 2;

/// A native histogram with integer counts, buckets as differences to the bucket before, as
/// Prometheus exposes it and remote write carries it.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeltaHistogram<'a> {
    pub counter_reset_hint: CounterResetHint,
    pub schema: i32,
    pub zero_threshold: f64,
    pub zero_count: u64,
    pub count: u64,
    pub sum: f64,
    pub positive: DeltaSide<'a>,
    pub negative: DeltaSide<'a>,
    pub custom_values: &'a [f64],
}

/// One side of a [`DeltaHistogram`].
#[derive(Debug, Clone, Copy, Default)]
pub struct DeltaSide<'a> {
    pub spans: &'a [Span],
    pub deltas: &'a [i64],
}

/// An exponential histogram as OTLP carries it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExponentialHistogram<'a> {
    pub scale: i32,
    pub zero_threshold: f64,
    pub zero_count: u64,
    pub count: u64,
    /// Absent where observations may be negative.
    pub sum: Option<f64>,
    pub positive: ExponentialSide<'a>,
    pub negative: ExponentialSide<'a>,
}

/// One side of an [`ExponentialHistogram`]: bucket `i` covers `(base^(offset+i), base^(offset+i+1)]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExponentialSide<'a> {
    pub offset: i32,
    pub counts: &'a [u64],
}

impl NativeHistogram {
    /// From integer counts with delta-encoded buckets.
    ///
    /// # Errors
    /// What [`Self::validate`] refuses, and a count that differs from the buckets' sum (it may be
    /// greater if the sum is NaN: observations of NaN are in no bucket).
    pub fn from_deltas(from: &DeltaHistogram<'_>) -> Result<Self, HistogramError> {
        let mut in_buckets = from.zero_count;
        let positive_buckets =
            absolute_counts(Side::Positive, from.positive.deltas, &mut in_buckets)?;
        let negative_buckets =
            absolute_counts(Side::Negative, from.negative.deltas, &mut in_buckets)?;
        check_count(from.count, in_buckets, from.sum)?;
        Self {
            counter_reset_hint: from.counter_reset_hint,
            schema: from.schema,
            zero_threshold: from.zero_threshold,
            zero_count: from.zero_count as f64,
            count: from.count as f64,
            sum: from.sum,
            positive_spans: from.positive.spans.to_vec(),
            negative_spans: from.negative.spans.to_vec(),
            positive_buckets,
            negative_buckets,
            custom_values: from.custom_values.to_vec(),
        }
        .accepted()
    }

    /// A histogram from outside, validated, and reduced to the finest schema in use if it is finer.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn accepted(self) -> Result<Self, HistogramError> {
        if !(MAX_SCHEMA + 1..=MAX_DEFINED_SCHEMA).contains(&self.schema) {
            self.validate()?;
            return Ok(self);
        }
        for (side, spans, buckets) in [
            (Side::Positive, &self.positive_spans, self.positive_buckets.len()),
            (Side::Negative, &self.negative_spans, self.negative_buckets.len()),
        ] {
            let promised: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
            if promised != buckets as u64 {
                return Err(HistogramError::SpansMismatch { side, spans: promised, buckets });
            }
        }
        let reduced = self.reduce_resolution(MAX_SCHEMA);
        reduced.validate()?;
        Ok(reduced)
    }

    /// From OTLP. A scale finer than 8 is reduced to it. A missing sum becomes NaN: not known.
    ///
    /// # Errors
    /// As [`Self::from_deltas`]; also a scale coarser than -4.
    pub fn from_exponential(from: &ExponentialHistogram<'_>) -> Result<Self, HistogramError> {
        if !(MIN_SCHEMA..=MAX_DEFINED_SCHEMA).contains(&from.scale) {
            return Err(HistogramError::Schema(from.scale));
        }
        let sum = from.sum.unwrap_or(f64::NAN);
        let mut in_buckets = from.zero_count;
        for &count in from.positive.counts.iter().chain(from.negative.counts) {
            in_buckets = in_buckets.checked_add(count).ok_or(HistogramError::CountOverflow)?;
        }
        check_count(from.count, in_buckets, sum)?;
        let (positive_spans, positive_buckets) = otlp_side(Side::Positive, &from.positive)?;
        let (negative_spans, negative_buckets) = otlp_side(Side::Negative, &from.negative)?;
        let given = from.zero_threshold;
        Self {
            counter_reset_hint: CounterResetHint::Unknown,
            schema: from.scale,
            zero_threshold: if given == 0.0 { OTLP_ZERO_THRESHOLD } else { given },
            zero_count: from.zero_count as f64,
            count: from.count as f64,
            sum,
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: Vec::new(),
        }
        .accepted()
    }

    /// From classic buckets with cumulative counts, in any order. Of two buckets with one bound the
    /// first counts. Without a `+Inf` bucket `count` (or the highest bucket) stands for it.
    ///
    /// # Errors
    /// Bounds that are NaN, counts that fall with a growing bound, and a `count` other than that of
    /// the `+Inf` bucket.
    pub fn from_classic(
        buckets: &[ClassicBucket],
        count: Option<f64>,
        sum: f64,
    ) -> Result<Self, HistogramError> {
        let mut sorted = buckets.to_vec();
        sorted.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
        sorted.dedup_by(|next, kept| next.upper_bound == kept.upper_bound);
        let highest = sorted.last().copied();
        if highest.is_none_or(|bucket| bucket.upper_bound < f64::INFINITY) {
            let count = count.or(highest.map(|bucket| bucket.count)).unwrap_or(0.0);
            sorted.push(ClassicBucket { upper_bound: f64::INFINITY, count });
        }
        let in_buckets = sorted.last().map_or(0.0, |bucket| bucket.count);
        let count = count.unwrap_or(in_buckets);
        if count != in_buckets {
            return Err(HistogramError::CountMismatch { count, in_buckets });
        }
        let mut below = 0.0;
        let counts: Vec<(i32, f64)> = sorted
            .iter()
            .enumerate()
            .map(|(index, bucket)| {
                let count = bucket.count - below;
                below = bucket.count;
                (index as i32, count)
            })
            .collect();
        let (positive_spans, positive_buckets) =
            pack(counts.into_iter().filter(|&(_, count)| count != 0.0), KEPT_GAP);
        sorted.pop();
        let histogram = Self {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum,
            positive_spans,
            positive_buckets,
            custom_values: sorted.iter().map(|bucket| bucket.upper_bound).collect(),
            ..Self::default()
        };
        histogram.validate()?;
        Ok(histogram)
    }
}

/// Undo delta encoding; adds the counts to `in_buckets`.
fn absolute_counts(
    side: Side,
    deltas: &[i64],
    in_buckets: &mut u64,
) -> Result<Vec<f64>, HistogramError> {
    let mut count = 0_i64;
    let mut counts = Vec::with_capacity(deltas.len());
    for (at, &delta) in deltas.iter().enumerate() {
        count = count.checked_add(delta).ok_or(HistogramError::CountOverflow)?;
        let Ok(observations) = u64::try_from(count) else {
            return Err(HistogramError::BucketCount { side, number: at + 1, count: count as f64 });
        };
        *in_buckets = in_buckets.checked_add(observations).ok_or(HistogramError::CountOverflow)?;
        counts.push(count as f64);
    }
    Ok(counts)
}

fn check_count(count: u64, in_buckets: u64, sum: f64) -> Result<(), HistogramError> {
    let fits = if sum.is_nan() { in_buckets <= count } else { in_buckets == count };
    if fits {
        return Ok(());
    }
    let (count, in_buckets) = (count as f64, in_buckets as f64);
    Err(HistogramError::CountMismatch { count, in_buckets })
}

fn otlp_side(
    side: Side,
    from: &ExponentialSide<'_>,
) -> Result<(Vec<Span>, Vec<f64>), HistogramError> {
    // OTLP numbers a bucket by its lower bound, Prometheus by its upper one.
    let first = i64::from(from.offset) + 1;
    let last = first + from.counts.len() as i64;
    let (Ok(offset), Ok(_)) = (i32::try_from(first), i32::try_from(last)) else {
        return Err(HistogramError::IndexOutOfRange { side, index: last });
    };
    let span = Span { offset, length: from.counts.len() as u32 };
    let counts: Vec<f64> = from.counts.iter().map(|&count| count as f64).collect();
    Ok(pack(cells(&[span], &counts).filter(|&(_, count)| count != 0.0), KEPT_GAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_add_up_to_counts() {
        let from = DeltaHistogram {
            schema: 1,
            zero_threshold: 0.01,
            zero_count: 1,
            count: 12,
            sum: 5.5,
            positive: DeltaSide {
                spans: &[Span { offset: -1, length: 2 }, Span { offset: 2, length: 1 }],
                deltas: &[3, -1, 4],
            },
            ..DeltaHistogram::default()
        };
        let histogram = NativeHistogram::from_deltas(&from).unwrap();
        assert_eq!(
            histogram.to_literal(),
            "{{schema:1 count:12 sum:5.5 z_bucket:1 z_bucket_w:0.01 offset:-1 buckets:[3 2 0 0 6]}}"
        );
        let wrong = DeltaHistogram { count: 11, ..from };
        let error = HistogramError::CountMismatch { count: 11.0, in_buckets: 12.0 };
        assert_eq!(NativeHistogram::from_deltas(&wrong), Err(error));
        let with_nan = DeltaHistogram { count: 13, sum: f64::NAN, ..from };
        assert!(NativeHistogram::from_deltas(&with_nan).is_ok());
        let negative = DeltaSide { deltas: &[3, -4, 4], ..from.positive };
        assert!(
            NativeHistogram::from_deltas(&DeltaHistogram { positive: negative, ..from }).is_err()
        );
        let huge = DeltaSide { deltas: &[i64::MAX, 1, 4], ..from.positive };
        let overflow = NativeHistogram::from_deltas(&DeltaHistogram { positive: huge, ..from });
        assert_eq!(overflow, Err(HistogramError::CountOverflow));
    }

    #[test]
    fn otlp_buckets_are_numbered_by_their_upper_bound() {
        let counts = [1, 0, 0, 0, 2];
        let from = ExponentialHistogram {
            count: 4,
            zero_count: 1,
            sum: Some(9.0),
            positive: ExponentialSide { offset: 0, counts: &counts },
            ..ExponentialHistogram::default()
        };
        let histogram = NativeHistogram::from_exponential(&from).unwrap();
        // Offset 0 at scale 0 is (1, 2].
        let bounds: Vec<_> = histogram.api_buckets().iter().map(|b| (b.1, b.2, b.3)).collect();
        assert_eq!(bounds, [(-1e-128, 1e-128, 1.0), (1.0, 2.0, 1.0), (16.0, 32.0, 2.0)]);
        let fine = ExponentialHistogram { scale: 10, ..from };
        let histogram = NativeHistogram::from_exponential(&fine).unwrap();
        assert_eq!((histogram.schema, histogram.positive_buckets), (8, vec![1.0, 2.0]));
        let coarse = ExponentialHistogram { scale: -5, ..from };
        assert_eq!(NativeHistogram::from_exponential(&coarse), Err(HistogramError::Schema(-5)));
        let unknown_sum = ExponentialHistogram { sum: None, ..from };
        assert!(NativeHistogram::from_exponential(&unknown_sum).unwrap().sum.is_nan());
        let side = ExponentialSide { offset: i32::MAX, counts: &counts };
        assert!(
            NativeHistogram::from_exponential(&ExponentialHistogram { positive: side, ..from })
                .is_err()
        );
    }

    #[test]
    fn classic_buckets_become_custom_ones() {
        let bucket = |upper_bound, count| ClassicBucket { upper_bound, count };
        let check = |buckets: &[ClassicBucket], count, expected: &str| {
            let histogram = NativeHistogram::from_classic(buckets, count, 7.5).unwrap();
            assert_eq!(histogram.to_literal(), expected);
        };
        let infinite = bucket(f64::INFINITY, 9.0);
        check(
            &[bucket(2.0, 5.0), bucket(1.0, 5.0), infinite],
            None,
            "{{schema:-53 count:9 sum:7.5 custom_values:[1 2] buckets:[5 0 4]}}",
        );
        check(
            &[bucket(1.0, 5.0)],
            Some(6.0),
            "{{schema:-53 count:6 sum:7.5 custom_values:[1] buckets:[5 1]}}",
        );
        check(&[], Some(6.0), "{{schema:-53 count:6 sum:7.5 custom_values:[] buckets:[6]}}");
        let twice = [bucket(1.0, 5.0), bucket(1.0, 4.0), infinite];
        check(&twice, Some(9.0), "{{schema:-53 count:9 sum:7.5 custom_values:[1] buckets:[5 4]}}");
        assert!(NativeHistogram::from_classic(&twice, Some(8.0), 0.0).is_err());
        let falling = [bucket(1.0, 5.0), bucket(2.0, 4.0), infinite];
        assert!(NativeHistogram::from_classic(&falling, None, 0.0).is_err());
    }
}

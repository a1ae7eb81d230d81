//! Exponential histograms as native histograms, and their sums.

use opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use strata_model::histogram::{ExponentialHistogram, ExponentialSide, MIN_SCHEMA};
use strata_model::{NativeHistogram, STALE_NAN};

use crate::native::NativeFault;

/// Longest run of empty buckets kept in a total instead of a new span, which costs as much.
const KEPT_GAP: u32 = 2;

/// A data point as a native histogram, coarsened to what one can say.
pub(super) fn read(
    point: &ExponentialHistogramDataPoint,
    buckets_max: usize,
) -> Result<NativeHistogram, NativeFault> {
    Ok(NativeHistogram::from_exponential(&ExponentialHistogram {
        scale: point.scale,
        zero_threshold: point.zero_threshold,
        zero_count: point.zero_count,
        count: point.count,
        sum: point.sum,
        positive: side(point.positive.as_ref(), buckets_max)?,
        negative: side(point.negative.as_ref(), buckets_max)?,
    })?)
}

fn side(buckets: Option<&Buckets>, buckets_max: usize) -> Result<ExponentialSide<'_>, NativeFault> {
    let Some(Buckets { offset, bucket_counts }) = buckets else {
        return Ok(ExponentialSide::default());
    };
    if bucket_counts.len() > buckets_max {
        return Err(NativeFault::TooManyBuckets(buckets_max));
    }
    Ok(ExponentialSide { offset: *offset, counts: bucket_counts })
}

/// A histogram of the same layout that has seen nothing.
pub(super) fn zeroed(histogram: &NativeHistogram) -> NativeHistogram {
    NativeHistogram {
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        ..NativeHistogram::default()
    }
}

/// Add a point's observations to a total, at the coarser of both schemas and the wider zero bucket,
/// and coarser still while there are more than `buckets_max` buckets on a side.
pub(super) fn add(total: &mut NativeHistogram, point: NativeHistogram, buckets_max: usize) {
    // Both are exponential; were one not, the series would begin anew.
    *total = total.add(&point).map_or(point, |(sum, _)| sum);
    while total.positive_buckets.len().max(total.negative_buckets.len()) > buckets_max
        && total.schema > MIN_SCHEMA
    {
        *total = total.reduce_resolution(total.schema - 1);
    }
    total.compact_in_place(KEPT_GAP);
}

/// The marker that ends a series of native histograms.
pub(super) fn stale() -> NativeHistogram {
    NativeHistogram { sum: STALE_NAN, ..NativeHistogram::default() }
}

#[cfg(test)]
mod tests {
    use strata_model::Span;
    use strata_model::histogram::{HistogramError, Side};

    use super::*;

    fn point(scale: i32, offset: i32, counts: &[u64]) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            scale,
            count: counts.iter().sum(),
            sum: Some(1.0),
            positive: Some(Buckets { offset, bucket_counts: counts.to_vec() }),
            ..ExponentialHistogramDataPoint::default()
        }
    }

    fn native(scale: i32, offset: i32, counts: &[u64]) -> NativeHistogram {
        read(&point(scale, offset, counts), 1000).unwrap()
    }

    #[test]
    fn buckets_become_spans_one_index_up() {
        let check = |counts: &[u64], spans: &[(i32, u32)], buckets: &[f64]| {
            let got = native(0, -2, counts);
            let expected: Vec<Span> =
                spans.iter().map(|&(offset, length)| Span { offset, length }).collect();
            assert_eq!((got.positive_spans, got.positive_buckets), (expected, buckets.to_vec()));
        };
        check(&[1, 2], &[(-1, 2)], &[1.0, 2.0]);
        check(&[0, 2], &[(0, 1)], &[2.0]);
        check(&[1, 0, 0, 2], &[(-1, 4)], &[1.0, 0.0, 0.0, 2.0]);
        check(&[1, 0, 0, 0, 2], &[(-1, 1), (3, 1)], &[1.0, 2.0]);
        check(&[], &[], &[]);
    }

    #[test]
    fn finer_scales_are_coarsened() {
        // At scale 10 OTLP buckets -1..=3 lie in buckets -1 and 0 of scale 8, ours 0 and 1.
        let got = native(10, -1, &[1, 2, 4, 8, 16]);
        assert_eq!((got.schema, got.positive_buckets), (8, vec![1.0, 30.0]));
        assert_eq!(got.positive_spans, [Span { offset: 0, length: 2 }]);
        assert_eq!(native(52, 5, &[1]).positive_spans, [Span { offset: 1, length: 1 }]);
    }

    #[test]
    fn nonsense_is_refused() {
        let check = |point: ExponentialHistogramDataPoint, expected: HistogramError| {
            assert_eq!(read(&point, 4), Err(NativeFault::Refused(expected)));
        };
        check(point(-5, 0, &[1]), HistogramError::Schema(-5));
        check(point(53, 0, &[1]), HistogramError::Schema(53));
        assert_eq!(read(&point(0, 0, &[1; 5]), 4), Err(NativeFault::TooManyBuckets(4)));
        let (side, index) = (Side::Positive, i64::from(i32::MAX) + 2);
        check(point(0, i32::MAX, &[1]), HistogramError::IndexOutOfRange { side, index });
        let few = ExponentialHistogramDataPoint { count: 1, ..point(0, 0, &[2]) };
        check(few, HistogramError::CountMismatch { count: 1.0, in_buckets: 2.0 });
        let negative = ExponentialHistogramDataPoint { zero_threshold: -1.0, ..point(0, 0, &[2]) };
        check(negative, HistogramError::ZeroThreshold(-1.0));
    }

    #[test]
    fn sums_meet_at_the_coarser_scale() {
        let mut sum = read(&point(1, 0, &[1, 2, 3, 4]), 1000).unwrap();
        add(&mut sum, read(&point(0, 1, &[10, 20]), 1000).unwrap(), 1000);
        let got = sum;
        assert_eq!((got.schema, got.count), (0, 40.0));
        assert_eq!(got.positive_buckets, [3.0, 17.0, 20.0]);
        assert_eq!(got.positive_spans, [Span { offset: 1, length: 3 }]);
    }

    #[test]
    fn a_wider_zero_bucket_swallows_the_small_ones() {
        let wide = ExponentialHistogramDataPoint { zero_threshold: 2.0, ..point(0, 3, &[1]) };
        let mut sum = read(&point(0, -1, &[5, 6, 7]), 1000).unwrap();
        add(&mut sum, read(&wide, 1000).unwrap(), 1000);
        let got = sum;
        assert_eq!((got.zero_count, got.zero_threshold, got.count), (11.0, 2.0, 19.0));
        assert_eq!(got.positive_buckets, [7.0, 0.0, 1.0]);
    }
}

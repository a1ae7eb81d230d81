//! Exponential histograms as native histograms, and their sums.

use opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use strata_model::{FaultCode, NativeHistogram, STALE_NAN, Span};

/// Finest schema of native histograms; finer OTLP scales are coarsened to it.
const SCALE_MAX: i32 = 8;

/// Coarsest schema of native histograms.
const SCALE_MIN: i32 = -4;

/// Width of the zero bucket when the sender names none, as Prometheus assumes.
const ZERO_THRESHOLD: f64 = 1e-128;

/// Empty buckets that are written out rather than ended with a new span: a span costs as much as
/// two buckets (Prometheus's client does the same).
const GAP_MAX: i32 = 2;

/// Why a data point was dropped.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub(super) enum ExponentialFault {
    #[error("scale {0}")]
    Scale(i32),
    #[error("{0} buckets")]
    TooManyBuckets(usize),
    #[error("offset {0}")]
    Offset(i32),
    #[error("zero threshold {0}")]
    ZeroThreshold(f64),
    #[error("{in_buckets} observations in buckets, {count} in all")]
    Count { in_buckets: f64, count: f64 },
}

impl ExponentialFault {
    pub(super) fn code(self) -> FaultCode {
        match self {
            Self::Scale(_) => FaultCode::Unsupported,
            Self::TooManyBuckets(_) => FaultCode::OverLimit,
            _ => FaultCode::Malformed,
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Scale(_) => "exponential histogram coarser than scale -4",
            Self::TooManyBuckets(_) => "exponential histogram with too many buckets",
            Self::Offset(_) => "exponential histogram with an offset beyond 32 bits",
            Self::ZeroThreshold(_) => "exponential histogram with a senseless zero threshold",
            Self::Count { .. } => "exponential histogram with fewer observations than its buckets",
        }
    }
}

/// Populated buckets by index, rising. Index `i` covers `(base^(i-1), base^i]` as in Prometheus,
/// one above OTLP's.
type Side = Vec<(i32, f64)>;

/// An exponential histogram that can be added to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exponential {
    scale: i32,
    zero_threshold: f64,
    zero_count: f64,
    count: f64,
    sum: f64,
    positive: Side,
    negative: Side,
}

impl Exponential {
    /// Take a data point apart, coarsened to what native histograms can say.
    pub(super) fn read(
        point: &ExponentialHistogramDataPoint,
        buckets_max: usize,
    ) -> Result<Self, ExponentialFault> {
        if point.scale < SCALE_MIN {
            return Err(ExponentialFault::Scale(point.scale));
        }
        let threshold = point.zero_threshold;
        if threshold.is_nan() || threshold < 0.0 || threshold.is_infinite() {
            return Err(ExponentialFault::ZeroThreshold(threshold));
        }
        let read =
            |side: Option<&Buckets>| side.map_or(Ok(Side::new()), |b| side_of(b, buckets_max));
        let mut histogram = Self {
            scale: point.scale,
            zero_threshold: if threshold > 0.0 { threshold } else { ZERO_THRESHOLD },
            zero_count: point.zero_count as f64,
            count: point.count as f64,
            sum: point.sum.unwrap_or(0.0),
            positive: read(point.positive.as_ref())?,
            negative: read(point.negative.as_ref())?,
        };
        let in_buckets =
            histogram.zero_count + total(&histogram.positive) + total(&histogram.negative);
        if in_buckets > histogram.count {
            return Err(ExponentialFault::Count { in_buckets, count: histogram.count });
        }
        histogram.coarsen(SCALE_MAX);
        Ok(histogram)
    }

    /// A histogram of the same layout that has seen nothing.
    pub(super) fn zeroed(&self) -> Self {
        Self {
            zero_count: 0.0,
            count: 0.0,
            sum: 0.0,
            positive: Side::new(),
            negative: Side::new(),
            ..*self
        }
    }

    /// Add another's observations, at the coarser of both scales and the wider zero bucket.
    pub(super) fn add(&mut self, mut other: Self, buckets_max: usize) {
        let scale = self.scale.min(other.scale);
        self.coarsen(scale);
        other.coarsen(scale);
        let threshold = self.zero_threshold.max(other.zero_threshold);
        self.widen_zero(threshold);
        other.widen_zero(threshold);
        self.zero_count += other.zero_count;
        self.count += other.count;
        self.sum += other.sum;
        self.positive = merge(&self.positive, &other.positive);
        self.negative = merge(&self.negative, &other.negative);
        while self.positive.len().max(self.negative.len()) > buckets_max && self.scale > SCALE_MIN {
            self.coarsen(self.scale - 1);
        }
    }

    /// Approximate bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + (self.positive.len() + self.negative.len()) * size_of::<(i32, f64)>()
    }

    pub(super) fn to_native(&self) -> NativeHistogram {
        let (positive_spans, positive_buckets) = spans(&self.positive);
        let (negative_spans, negative_buckets) = spans(&self.negative);
        NativeHistogram {
            schema: self.scale,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            ..NativeHistogram::default()
        }
    }

    /// Halve the resolution until `scale` is reached: 2^n neighbours become one bucket.
    fn coarsen(&mut self, scale: i32) {
        let steps = self.scale.saturating_sub(scale);
        if steps <= 0 {
            return;
        }
        for side in [&mut self.positive, &mut self.negative] {
            for (index, _) in side.iter_mut() {
                *index = ((i64::from(*index) - 1) >> steps.min(63)) as i32 + 1;
            }
            side.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
        }
        self.scale = scale;
    }

    /// Move buckets that lie within the wider zero bucket into it.
    fn widen_zero(&mut self, threshold: f64) {
        if threshold <= self.zero_threshold {
            return;
        }
        self.zero_threshold = threshold;
        let width = (-f64::from(self.scale)).exp2();
        for side in [&mut self.positive, &mut self.negative] {
            let zero_count = &mut self.zero_count;
            side.retain(|&(index, count)| {
                let within = (f64::from(index) * width).exp2() <= threshold;
                if within {
                    *zero_count += count;
                }
                !within
            });
        }
    }
}

/// The marker that ends a series of native histograms.
pub(super) fn stale() -> NativeHistogram {
    NativeHistogram { sum: STALE_NAN, ..NativeHistogram::default() }
}

fn side_of(buckets: &Buckets, buckets_max: usize) -> Result<Side, ExponentialFault> {
    if buckets.bucket_counts.len() > buckets_max {
        return Err(ExponentialFault::TooManyBuckets(buckets.bucket_counts.len()));
    }
    let end = i64::from(buckets.offset) + buckets.bucket_counts.len() as i64;
    if end >= i64::from(i32::MAX) {
        return Err(ExponentialFault::Offset(buckets.offset));
    }
    let indexed = (buckets.offset + 1..).zip(&buckets.bucket_counts);
    Ok(indexed
        .filter(|(_, count)| **count > 0)
        .map(|(index, &count)| (index, count as f64))
        .collect())
}

fn total(side: &Side) -> f64 {
    side.iter().map(|(_, count)| count).sum()
}

fn merge(one: &[(i32, f64)], two: &[(i32, f64)]) -> Side {
    let mut merged = Side::with_capacity(one.len().max(two.len()));
    let (mut one, mut two) = (one.iter().peekable(), two.iter().peekable());
    while let Some(&&(index, _)) = match (one.peek(), two.peek()) {
        (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
        (a, b) => a.or(b),
    } {
        let count = [&mut one, &mut two]
            .into_iter()
            .filter_map(|side| side.next_if(|bucket| bucket.0 == index))
            .map(|bucket| bucket.1)
            .sum();
        merged.push((index, count));
    }
    merged
}

fn spans(side: &Side) -> (Vec<Span>, Vec<f64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut counts = Vec::new();
    let mut next = 0_i32;
    for &(index, count) in side {
        let gap = index.saturating_sub(next);
        match spans.last_mut() {
            Some(span) if gap <= GAP_MAX => {
                span.length += gap as u32 + 1;
                counts.extend((0..gap).map(|_| 0.0));
            }
            _ => spans.push(Span { offset: gap, length: 1 }),
        }
        counts.push(count);
        next = index.saturating_add(1);
    }
    (spans, counts)
}

#[cfg(test)]
mod tests {
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
        Exponential::read(&point(scale, offset, counts), 1000).unwrap().to_native()
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
        assert_eq!(native(i32::MAX, 5, &[1]).positive_spans, [Span { offset: 1, length: 1 }]);
    }

    #[test]
    fn nonsense_is_refused() {
        let check = |point: ExponentialHistogramDataPoint, expected: ExponentialFault| {
            assert_eq!(Exponential::read(&point, 4), Err(expected));
        };
        check(point(-5, 0, &[1]), ExponentialFault::Scale(-5));
        check(point(0, 0, &[1; 5]), ExponentialFault::TooManyBuckets(5));
        check(point(0, i32::MAX, &[1]), ExponentialFault::Offset(i32::MAX));
        let few = ExponentialHistogramDataPoint { count: 1, ..point(0, 0, &[2]) };
        check(few, ExponentialFault::Count { in_buckets: 2.0, count: 1.0 });
        let negative = ExponentialHistogramDataPoint { zero_threshold: -1.0, ..point(0, 0, &[2]) };
        check(negative, ExponentialFault::ZeroThreshold(-1.0));
    }

    #[test]
    fn sums_meet_at_the_coarser_scale() {
        let mut sum = Exponential::read(&point(1, 0, &[1, 2, 3, 4]), 1000).unwrap();
        sum.add(Exponential::read(&point(0, 1, &[10, 20]), 1000).unwrap(), 1000);
        let got = sum.to_native();
        assert_eq!((got.schema, got.count), (0, 40.0));
        assert_eq!(got.positive_buckets, [3.0, 17.0, 20.0]);
        assert_eq!(got.positive_spans, [Span { offset: 1, length: 3 }]);
    }

    #[test]
    fn a_wider_zero_bucket_swallows_the_small_ones() {
        let wide = ExponentialHistogramDataPoint { zero_threshold: 2.0, ..point(0, 3, &[1]) };
        let mut sum = Exponential::read(&point(0, -1, &[5, 6, 7]), 1000).unwrap();
        sum.add(Exponential::read(&wide, 1000).unwrap(), 1000);
        let got = sum.to_native();
        assert_eq!((got.zero_count, got.zero_threshold, got.count), (11.0, 2.0, 19.0));
        assert_eq!(got.positive_buckets, [7.0, 0.0, 1.0]);
    }
}

//! Native histograms as Prometheus's two protobuf messages carry them: that of a page and that of
//! remote write. They number their fields differently and otherwise say the same.

use strata_model::histogram::{DeltaHistogram, DeltaSide, HistogramError};
use strata_model::{CounterResetHint, FaultCode, NativeHistogram, Span};

/// Why a histogram was dropped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum NativeFault {
    #[error("more than {0} buckets, spans or bounds")]
    TooManyBuckets(usize),
    #[error(transparent)]
    Refused(#[from] HistogramError),
}

impl NativeFault {
    pub(crate) fn code(&self) -> FaultCode {
        match self {
            Self::TooManyBuckets(_) => FaultCode::OverLimit,
            Self::Refused(error) => error.code(),
        }
    }

    /// The constant under which alike faults are folded.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::TooManyBuckets(_) => "native histogram with too many buckets",
            Self::Refused(error) => error.kind(),
        }
    }
}

/// A `Histogram` message. Counts come either as integers, buckets as differences to the bucket
/// before, or as floats.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) counter_reset_hint: CounterResetHint,
    pub(crate) count: u64,
    pub(crate) count_float: f64,
    pub(crate) sum: f64,
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) zero_count: u64,
    pub(crate) zero_count_float: f64,
    pub(crate) positive: WireSide,
    pub(crate) negative: WireSide,
    pub(crate) custom_values: Vec<f64>,
}

/// Buckets on one side of zero.
#[derive(Debug, Default)]
pub(crate) struct WireSide {
    pub(crate) spans: Vec<Span>,
    pub(crate) deltas: Vec<i64>,
    pub(crate) counts: Vec<f64>,
}

impl WireSide {
    fn len(&self) -> usize {
        self.spans.len().max(self.deltas.len()).max(self.counts.len())
    }
}

impl Wire {
    /// Length of the longest list in the message.
    pub(crate) fn len(&self) -> usize {
        self.positive.len().max(self.negative.len()).max(self.custom_values.len())
    }

    /// Whether the message of a page has a native part at all. A histogram without observations
    /// says so with an empty span.
    pub(crate) fn is_native(&self) -> bool {
        !self.positive.spans.is_empty()
            || !self.negative.spans.is_empty()
            || self.zero_threshold > 0.0
            || self.zero_count > 0
            || self.zero_count_float > 0.0
    }

    /// Total count, whichever way it is written.
    pub(crate) fn total(&self) -> f64 {
        if self.count_float == 0.0 { self.count as f64 } else { self.count_float }
    }

    fn is_float(&self) -> bool {
        self.count_float != 0.0
            || self.zero_count_float != 0.0
            || !self.positive.counts.is_empty()
            || !self.negative.counts.is_empty()
    }

    /// The histogram with absolute float counts, or what contradicts itself in it.
    pub(crate) fn into_histogram(self) -> Result<NativeHistogram, HistogramError> {
        let mut histogram = self.convert()?;
        // Senders mark a histogram without observations by a span without buckets.
        for spans in [&mut histogram.positive_spans, &mut histogram.negative_spans] {
            if spans.iter().all(|span| span.length == 0) {
                spans.clear();
            }
        }
        Ok(histogram)
    }

    fn convert(self) -> Result<NativeHistogram, HistogramError> {
        if !self.is_float() {
            return NativeHistogram::from_deltas(&DeltaHistogram {
                counter_reset_hint: self.counter_reset_hint,
                schema: self.schema,
                zero_threshold: self.zero_threshold,
                zero_count: self.zero_count,
                count: self.count,
                sum: self.sum,
                positive: delta_side(&self.positive),
                negative: delta_side(&self.negative),
                custom_values: &self.custom_values,
            });
        }
        NativeHistogram {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count_float,
            count: self.count_float,
            sum: self.sum,
            positive_spans: self.positive.spans,
            negative_spans: self.negative.spans,
            positive_buckets: self.positive.counts,
            negative_buckets: self.negative.counts,
            custom_values: self.custom_values,
        }
        .accepted()
    }
}

fn delta_side(side: &WireSide) -> DeltaSide<'_> {
    DeltaSide { spans: &side.spans, deltas: &side.deltas }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(spans: &[(i32, u32)], deltas: &[i64], counts: &[f64]) -> WireSide {
        WireSide {
            spans: spans.iter().map(|&(offset, length)| Span { offset, length }).collect(),
            deltas: deltas.to_vec(),
            counts: counts.to_vec(),
        }
    }

    #[test]
    fn nonsense_is_refused_and_fine_schemas_are_coarsened() {
        let check = |wire: Wire, expected: Result<&str, &str>| {
            let said = format!("{wire:?}");
            let got = wire.into_histogram();
            let got = got.as_ref().map(NativeHistogram::to_literal).map_err(HistogramError::kind);
            assert_eq!(got.as_deref().map_err(|kind| *kind), expected, "{said}");
        };
        let whole =
            || Wire { count: 3, positive: side(&[(0, 2)], &[1, 1], &[]), ..Wire::default() };
        let float = || Wire {
            count_float: 1.5,
            positive: side(&[(0, 2)], &[], &[0.5, 1.0]),
            ..Wire::default()
        };
        check(whole(), Ok("{{count:3 buckets:[1 2]}}"));
        let empty = Wire { positive: side(&[(0, 0)], &[], &[]), ..Wire::default() };
        check(empty, Ok("{{}}"));
        check(float(), Ok("{{count:1.5 buckets:[0.5 1]}}"));
        check(Wire { schema: 10, ..whole() }, Ok("{{schema:8 count:3 buckets:[1 2]}}"));
        let unknown = "native histogram of an unknown schema";
        check(Wire { schema: -5, ..whole() }, Err(unknown));
        check(Wire { schema: 53, ..whole() }, Err(unknown));
        let total = "native histogram with a count below zero or NaN";
        check(Wire { count_float: f64::NAN, ..float() }, Err(total));
        check(Wire { count_float: -1.0, ..float() }, Err(total));
        let zero = "native histogram with a malformed zero bucket";
        check(Wire { zero_threshold: -1.0, ..whole() }, Err(zero));
        check(Wire { zero_threshold: f64::INFINITY, ..whole() }, Err(zero));
        check(Wire { zero_count_float: f64::NAN, ..float() }, Err(zero));
        let disagree = "native histogram whose buckets and count disagree";
        check(Wire { count: 2, ..whole() }, Err(disagree));
        let bucket = "native histogram with a bucket count below zero or NaN";
        check(Wire { positive: side(&[(0, 1)], &[], &[f64::NAN]), ..float() }, Err(bucket));
        let bounds = "native histogram with contradictory bounds";
        let custom =
            |bounds: &[f64]| Wire { schema: -53, custom_values: bounds.to_vec(), ..whole() };
        check(custom(&[1.0]), Ok("{{schema:-53 count:3 custom_values:[1] buckets:[1 2]}}"));
        check(custom(&[1.0, f64::INFINITY]), Err(bounds));
        check(custom(&[2.0, 1.0]), Err(bounds));
    }
}

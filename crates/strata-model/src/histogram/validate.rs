//! Whether a histogram from outside makes sense.

use crate::FaultCode;

use super::{CUSTOM_BUCKETS_SCHEMA, MAX_SCHEMA, MIN_SCHEMA, NativeHistogram, Span};

/// Bucket indices beyond this, in either direction, have no float value in any schema: schema 8
/// needs 1074 * 256 indices down to the smallest positive number.
const MAX_INDEX: i64 = 1 << 20;

/// What is wrong with a histogram.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HistogramError {
    #[error("cannot use schema {0}: it is neither within -4..=8 nor -53")]
    Schema(i32),
    #[error("cannot place a span of {side} buckets: span {number} begins before the last one ends")]
    NegativeOffset { side: Side, number: usize },
    #[error("cannot place {side} bucket {index}: no number is that large or small")]
    IndexOutOfRange { side: Side, index: i64 },
    #[error("cannot match {side} buckets to spans: {spans} promised, {buckets} present")]
    SpansMismatch { side: Side, spans: u64, buckets: usize },
    #[error("cannot accept {count} observations in {side} bucket {number}")]
    BucketCount { side: Side, number: usize, count: f64 },
    #[error("cannot accept {0} observations in the zero bucket")]
    ZeroCount(f64),
    #[error("cannot accept a zero bucket of width {0}")]
    ZeroThreshold(f64),
    #[error("cannot accept {0} observations in all")]
    Count(f64),
    #[error("cannot hold {in_buckets} observations in buckets when there are {count} in all")]
    CountMismatch { count: f64, in_buckets: f64 },
    #[error("cannot add up bucket counts beyond 2^64")]
    CountOverflow,
    #[error("cannot use custom bounds with exponential schema {0}")]
    UnexpectedBounds(i32),
    #[error("cannot use a zero bucket or negative buckets with custom bounds")]
    UnexpectedBuckets,
    #[error("cannot use custom bound {bound} after {previous}: bounds must be finite and grow")]
    Bounds { previous: f64, bound: f64 },
    #[error("cannot fit {buckets} custom buckets into {bounds} bounds")]
    TooFewBounds { bounds: usize, buckets: i64 },
}

impl HistogramError {
    /// The class of fault a source is charged with.
    pub fn code(&self) -> FaultCode {
        match self {
            Self::Schema(_) => FaultCode::Unsupported,
            _ => FaultCode::Malformed,
        }
    }

    /// A constant sentence, under which faults alike are counted together.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Schema(_) => "native histogram of an unknown schema",
            Self::NegativeOffset { .. } => "native histogram whose spans overlap",
            Self::IndexOutOfRange { .. } => "native histogram with a bucket out of range",
            Self::SpansMismatch { .. } => "native histogram whose spans and buckets disagree",
            Self::BucketCount { .. } => "native histogram with a bucket count below zero or NaN",
            Self::ZeroCount(_) | Self::ZeroThreshold(_) => {
                "native histogram with a malformed zero bucket"
            }
            Self::Count(_) => "native histogram with a count below zero or NaN",
            Self::CountMismatch { .. } => "native histogram whose buckets and count disagree",
            Self::CountOverflow => "native histogram whose counts overflow",
            Self::UnexpectedBounds(_)
            | Self::UnexpectedBuckets
            | Self::Bounds { .. }
            | Self::TooFewBounds { .. } => "native histogram with contradictory bounds",
        }
    }
}

/// A side of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Positive,
    Negative,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
        })
    }
}

impl NativeHistogram {
    /// Whether the parts fit together and no count is negative or NaN.
    ///
    /// The total is not compared with the buckets: float counts add up inexactly, and observations
    /// of NaN are in no bucket. A sum of NaN (also the stale marker) is fine.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn validate(&self) -> Result<(), HistogramError> {
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            self.validate_custom()?;
        } else if (MIN_SCHEMA..=MAX_SCHEMA).contains(&self.schema) {
            if !self.custom_values.is_empty() {
                return Err(HistogramError::UnexpectedBounds(self.schema));
            }
            if !(self.zero_threshold >= 0.0 && self.zero_threshold.is_finite()) {
                return Err(HistogramError::ZeroThreshold(self.zero_threshold));
            }
            if !is_count(self.zero_count) {
                return Err(HistogramError::ZeroCount(self.zero_count));
            }
        } else {
            return Err(HistogramError::Schema(self.schema));
        }
        if !is_count(self.count) {
            return Err(HistogramError::Count(self.count));
        }
        validate_side(Side::Positive, &self.positive_spans, &self.positive_buckets)?;
        validate_side(Side::Negative, &self.negative_spans, &self.negative_buckets)
    }

    fn validate_custom(&self) -> Result<(), HistogramError> {
        if self.zero_count != 0.0
            || self.zero_threshold != 0.0
            || !self.negative_spans.is_empty()
            || !self.negative_buckets.is_empty()
        {
            return Err(HistogramError::UnexpectedBuckets);
        }
        let mut previous = f64::NEG_INFINITY;
        for &bound in &self.custom_values {
            if !(bound.is_finite() && bound > previous) {
                return Err(HistogramError::Bounds { previous, bound });
            }
            previous = bound;
        }
        if let Some(span) = self.positive_spans.first()
            && span.offset < 0
        {
            return Err(HistogramError::NegativeOffset { side: Side::Positive, number: 1 });
        }
        let buckets: i64 =
            self.positive_spans.iter().map(|s| i64::from(s.offset) + i64::from(s.length)).sum();
        let bounds = self.custom_values.len();
        if buckets > bounds as i64 + 1 {
            return Err(HistogramError::TooFewBounds { bounds, buckets });
        }
        Ok(())
    }
}

/// Check the spans and counts of one side.
fn validate_side(side: Side, spans: &[Span], buckets: &[f64]) -> Result<(), HistogramError> {
    validate_spans(side, spans, buckets.len())?;
    match buckets.iter().position(|&count| !is_count(count)) {
        Some(at) => Err(HistogramError::BucketCount {
            side,
            number: at + 1,
            count: buckets.get(at).copied().unwrap_or(f64::NAN),
        }),
        None => Ok(()),
    }
}

/// Check that spans ascend, stay within the float range and promise `buckets` buckets.
pub(super) fn validate_spans(
    side: Side,
    spans: &[Span],
    buckets: usize,
) -> Result<(), HistogramError> {
    let mut promised = 0_u64;
    let mut index = 0_i64;
    for (at, span) in spans.iter().enumerate() {
        if at > 0 && span.offset < 0 {
            return Err(HistogramError::NegativeOffset { side, number: at + 1 });
        }
        index += i64::from(span.offset);
        if index < -MAX_INDEX {
            return Err(HistogramError::IndexOutOfRange { side, index });
        }
        index += i64::from(span.length);
        if index > MAX_INDEX {
            return Err(HistogramError::IndexOutOfRange { side, index });
        }
        promised += u64::from(span.length);
    }
    if promised != buckets as u64 {
        return Err(HistogramError::SpansMismatch { side, spans: promised, buckets });
    }
    Ok(())
}

fn is_count(count: f64) -> bool {
    count >= 0.0
}

#[cfg(test)]
mod tests {
    use super::super::take_literal;
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |text: &str, expected: Option<&str>| {
            let histogram = take_literal(text).unwrap().0.histogram;
            let got = histogram.validate().err().map(|error| error.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
        };
        check("{{}}", None);
        check(
            "{{schema:3 count:9 sum:NaN z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[5]}}",
            None,
        );
        check("{{schema:-53 count:4 custom_values:[1 2] buckets:[1 2 1]}}", None);
        check("{{schema:9}}", Some("cannot use schema 9: it is neither within -4..=8 nor -53"));
        check("{{count:-1}}", Some("cannot accept -1 observations in all"));
        check("{{count:NaN}}", Some("cannot accept NaN observations in all"));
        check("{{buckets:[1 -2]}}", Some("cannot accept -2 observations in positive bucket 2"));
        check("{{n_buckets:[NaN]}}", Some("cannot accept NaN observations in negative bucket 1"));
        check("{{z_bucket:-1}}", Some("cannot accept -1 observations in the zero bucket"));
        check("{{z_bucket_w:-1}}", Some("cannot accept a zero bucket of width -1"));
        check("{{custom_values:[1]}}", Some("cannot use custom bounds with exponential schema 0"));
        check(
            "{{schema:-53 z_bucket:1}}",
            Some("cannot use a zero bucket or negative buckets with custom bounds"),
        );
        check(
            "{{schema:-53 custom_values:[2 2]}}",
            Some("cannot use custom bound 2 after 2: bounds must be finite and grow"),
        );
        check(
            "{{schema:-53 custom_values:[2] buckets:[1 1 1]}}",
            Some("cannot fit 3 custom buckets into 1 bounds"),
        );
        check(
            "{{schema:-53 custom_values:[2] buckets:[1] offset:-1}}",
            Some("cannot place a span of positive buckets: span 1 begins before the last one ends"),
        );
        check(
            "{{buckets:[1] offset:2000000000}}",
            Some("cannot place positive bucket 2000000001: no number is that large or small"),
        );
    }

    #[test]
    fn spans_must_match_buckets_and_ascend() {
        let mut histogram = take_literal("{{count:1 buckets:[1]}}").unwrap().0.histogram;
        histogram.positive_spans.push(Span { offset: -1, length: 1 });
        let side = Side::Positive;
        assert_eq!(histogram.validate(), Err(HistogramError::NegativeOffset { side, number: 2 }));
        histogram.positive_spans = vec![Span { offset: 0, length: u32::MAX }];
        assert!(matches!(histogram.validate(), Err(HistogramError::IndexOutOfRange { .. })));
        histogram.positive_spans = vec![Span { offset: 0, length: 2 }];
        let mismatch = HistogramError::SpansMismatch { side, spans: 2, buckets: 1 };
        assert_eq!(histogram.validate(), Err(mismatch));
    }
}

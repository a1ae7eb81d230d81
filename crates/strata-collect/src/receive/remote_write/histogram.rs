//! The `Histogram` message, alike in both versions but for a start time that is not used.

use std::sync::Arc;

use strata_model::histogram::CUSTOM_BUCKETS_SCHEMA;
use strata_model::{CounterResetHint, FaultCode, HistogramSample, NativeHistogram, Span};

use crate::receive::ReceiveLimits;
use crate::receive::wire::{Fields, WireError, unzigzag};

/// Why a histogram was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HistogramFault {
    #[error("schema {0}")]
    Schema(i64),
    #[error("{spans} buckets in spans, {counts} counts")]
    SpansAndCounts { spans: u64, counts: usize },
    #[error("a bucket sinks below zero")]
    NegativeCount,
    #[error("custom bounds do not fit the schema or do not rise")]
    CustomBounds,
    #[error("more than {0} buckets, spans or bounds")]
    TooManyBuckets(usize),
}

impl HistogramFault {
    pub(super) fn code(self) -> FaultCode {
        match self {
            Self::Schema(_) => FaultCode::Unsupported,
            Self::TooManyBuckets(_) => FaultCode::OverLimit,
            _ => FaultCode::Malformed,
        }
    }

    /// The constant under which alike faults are folded.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Schema(_) => "native histogram of an unknown schema",
            Self::SpansAndCounts { .. } => "native histogram whose spans and counts disagree",
            Self::NegativeCount => "native histogram with a negative bucket",
            Self::CustomBounds => "native histogram with contradictory bounds",
            Self::TooManyBuckets(_) => "native histogram with too many buckets",
        }
    }
}

/// One sign's buckets as they stand on the wire.
#[derive(Debug, Default)]
struct Side {
    spans: Vec<Span>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

impl Side {
    fn len(&self) -> usize {
        self.spans.len().max(self.deltas.len()).max(self.counts.len())
    }
}

/// Read a message; the inner error is a histogram that is framed well but says nonsense.
/// The sample's series index is left at zero.
pub(super) fn read(
    message: &[u8],
    limits: &ReceiveLimits,
) -> Result<Result<HistogramSample, HistogramFault>, WireError> {
    let mut histogram = NativeHistogram::default();
    let (mut positive, mut negative) = (Side::default(), Side::default());
    let mut at_ms = 0;
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 | 6 => {
                let count = field.varint(number)? as f64;
                *(if number == 1 { &mut histogram.count } else { &mut histogram.zero_count }) =
                    count;
            }
            2 => histogram.count = field.double(number)?,
            3 => histogram.sum = field.double(number)?,
            4 => histogram.schema = field.zigzag(number)? as i32,
            5 => histogram.zero_threshold = field.double(number)?,
            7 => histogram.zero_count = field.double(number)?,
            8 => negative.spans.push(span(field.bytes(number)?)?),
            9 => field.for_each_varint(number, |raw| negative.deltas.push(unzigzag(raw)))?,
            10 => field.for_each_double(number, |count| negative.counts.push(count))?,
            11 => positive.spans.push(span(field.bytes(number)?)?),
            12 => field.for_each_varint(number, |raw| positive.deltas.push(unzigzag(raw)))?,
            13 => field.for_each_double(number, |count| positive.counts.push(count))?,
            14 => histogram.counter_reset_hint = reset_hint(field.varint(number)?),
            15 => at_ms = field.varint(number)? as i64,
            16 => field.for_each_double(number, |bound| histogram.custom_values.push(bound))?,
            _ => {}
        }
        // Checked on the way, so that a long message is not gathered before it is refused.
        let largest = positive.len().max(negative.len()).max(histogram.custom_values.len());
        if largest > limits.buckets {
            return Ok(Err(HistogramFault::TooManyBuckets(limits.buckets)));
        }
    }
    Ok(assemble(histogram, positive, negative).map(|histogram| HistogramSample {
        series: 0,
        at_ms,
        histogram: Arc::new(histogram),
    }))
}

fn span(message: &[u8]) -> Result<Span, WireError> {
    let mut span = Span::default();
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => span.offset = field.zigzag(number)? as i32,
            2 => span.length = field.varint(number)? as u32,
            _ => {}
        }
    }
    Ok(span)
}

fn reset_hint(number: u64) -> CounterResetHint {
    match number {
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        3 => CounterResetHint::Gauge,
        _ => CounterResetHint::Unknown,
    }
}

fn assemble(
    mut histogram: NativeHistogram,
    positive: Side,
    negative: Side,
) -> Result<NativeHistogram, HistogramFault> {
    let custom = histogram.schema == CUSTOM_BUCKETS_SCHEMA;
    if !custom && !(-4..=8).contains(&histogram.schema) {
        return Err(HistogramFault::Schema(i64::from(histogram.schema)));
    }
    if custom {
        check_custom(&histogram, &positive, &negative)?;
    } else if !histogram.custom_values.is_empty() {
        return Err(HistogramFault::CustomBounds);
    }
    (histogram.positive_spans, histogram.positive_buckets) = absolute(positive)?;
    (histogram.negative_spans, histogram.negative_buckets) = absolute(negative)?;
    Ok(histogram)
}

/// Custom bounds rise, and buckets lie within them (the last one is `+Inf`).
fn check_custom(
    histogram: &NativeHistogram,
    positive: &Side,
    negative: &Side,
) -> Result<(), HistogramFault> {
    let bounds = &histogram.custom_values;
    let rises = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    let sane = bounds.iter().all(|bound| !bound.is_nan());
    let end: i64 =
        positive.spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
    let starts_low = positive.spans.iter().any(|span| span.offset < 0);
    if !rises || !sane || starts_low || end > bounds.len() as i64 + 1 || !negative.spans.is_empty()
    {
        return Err(HistogramFault::CustomBounds);
    }
    Ok(())
}

/// Turn deltas into absolute counts and compare them with the spans.
fn absolute(side: Side) -> Result<(Vec<Span>, Vec<f64>), HistogramFault> {
    let mut counts = side.counts;
    let given = counts.len() + side.deltas.len();
    let spans: u64 = side.spans.iter().map(|span| u64::from(span.length)).sum();
    if spans != given as u64 || !spans_rise(&side.spans) {
        return Err(HistogramFault::SpansAndCounts { spans, counts: given });
    }
    let mut running = 0_i64;
    for delta in side.deltas {
        running = running.checked_add(delta).ok_or(HistogramFault::NegativeCount)?;
        counts.push(running as f64);
    }
    if counts.iter().any(|&count| count < 0.0) {
        return Err(HistogramFault::NegativeCount);
    }
    Ok((side.spans, counts))
}

/// Whether later spans start after earlier ones and every index fits 32 bits.
fn spans_rise(spans: &[Span]) -> bool {
    let mut end = 0_i64;
    spans.iter().enumerate().all(|(index, span)| {
        end += i64::from(span.offset) + i64::from(span.length);
        (index == 0 || span.offset >= 0) && i32::try_from(end).is_ok()
    })
}

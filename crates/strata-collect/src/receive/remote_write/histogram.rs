//! The `Histogram` message, alike in both versions but for a start time that is not used.

use std::sync::Arc;

use strata_model::{CounterResetHint, HistogramSample, Span};

use crate::native::{NativeFault, Wire};
use crate::receive::ReceiveLimits;
use crate::receive::wire::{Fields, WireError, unzigzag};

/// Read a message; the inner error is a histogram that is framed well but says nonsense.
/// The sample's series index is left at zero.
pub(super) fn read(
    message: &[u8],
    limits: &ReceiveLimits,
) -> Result<Result<HistogramSample, NativeFault>, WireError> {
    let mut wire = Wire::default();
    let mut at_ms = 0;
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => wire.count = field.varint(number)?,
            2 => wire.count_float = field.double(number)?,
            3 => wire.sum = field.double(number)?,
            4 => wire.schema = field.zigzag(number)? as i32,
            5 => wire.zero_threshold = field.double(number)?,
            6 => wire.zero_count = field.varint(number)?,
            7 => wire.zero_count_float = field.double(number)?,
            8 => wire.negative.spans.push(span(field.bytes(number)?)?),
            9 => field.for_each_varint(number, |raw| wire.negative.deltas.push(unzigzag(raw)))?,
            10 => field.for_each_double(number, |count| wire.negative.counts.push(count))?,
            11 => wire.positive.spans.push(span(field.bytes(number)?)?),
            12 => field.for_each_varint(number, |raw| wire.positive.deltas.push(unzigzag(raw)))?,
            13 => field.for_each_double(number, |count| wire.positive.counts.push(count))?,
            14 => wire.counter_reset_hint = reset_hint(field.varint(number)?),
            15 => at_ms = field.varint(number)? as i64,
            16 => field.for_each_double(number, |bound| wire.custom_values.push(bound))?,
            _ => {}
        }
        // Checked on the way, so that a long message is not gathered before it is refused.
        if wire.len() > limits.buckets {
            return Ok(Err(NativeFault::TooManyBuckets(limits.buckets)));
        }
    }
    Ok(wire.into_histogram().map_err(NativeFault::Refused).map(|histogram| HistogramSample {
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

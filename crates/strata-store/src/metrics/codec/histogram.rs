//! A native histogram as bytes: spans as integers, counts as integers where they are whole.
//!
//! Bucket counts of a counter histogram are whole numbers, so each is written as the `ZigZag` delta
//! to its left neighbour; when any count is not whole, the whole list is written as raw floats.

use strata_model::{CounterResetHint, NativeHistogram, Span};

use super::decimal::{from_integer, to_integer};
use super::varint::{Reader, put_i64, put_u64};

const WHOLE: u8 = 0;
const RAW: u8 = 1;

/// Append `histogram` to `out`.
pub(crate) fn encode(histogram: &NativeHistogram, out: &mut Vec<u8>) {
    out.push(match histogram.counter_reset_hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    });
    put_i64(out, i64::from(histogram.schema));
    for value in [histogram.zero_threshold, histogram.sum] {
        out.extend_from_slice(&value.to_bits().to_le_bytes());
    }
    put_counts(&[histogram.zero_count, histogram.count], out);
    for (spans, buckets) in [
        (&histogram.positive_spans, &histogram.positive_buckets),
        (&histogram.negative_spans, &histogram.negative_buckets),
    ] {
        put_u64(out, spans.len() as u64);
        for span in spans {
            put_i64(out, i64::from(span.offset));
            put_u64(out, u64::from(span.length));
        }
        put_counts(buckets, out);
    }
    put_counts(&histogram.custom_values, out);
}

/// Decode one histogram; `None` when damaged.
pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<NativeHistogram> {
    let counter_reset_hint = match reader.u8()? {
        0 => CounterResetHint::Unknown,
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        3 => CounterResetHint::Gauge,
        _ => return None,
    };
    let schema = i32::try_from(reader.i64()?).ok()?;
    let zero_threshold = f64::from_bits(reader.fixed_u64()?);
    let sum = f64::from_bits(reader.fixed_u64()?);
    let &[zero_count, count] = take_counts(reader)?.as_slice() else { return None };
    let positive_spans = take_spans(reader)?;
    let positive_buckets = take_counts(reader)?;
    let negative_spans = take_spans(reader)?;
    let negative_buckets = take_counts(reader)?;
    Some(NativeHistogram {
        counter_reset_hint,
        schema,
        zero_threshold,
        zero_count,
        count,
        sum,
        positive_spans,
        negative_spans,
        positive_buckets,
        negative_buckets,
        custom_values: take_counts(reader)?,
    })
}

/// Whether spans and buckets agree in number, so that readers may walk them together.
pub(crate) fn is_consistent(histogram: &NativeHistogram) -> bool {
    let length = |spans: &[Span]| spans.iter().map(|span| u64::from(span.length)).sum::<u64>();
    length(&histogram.positive_spans) == histogram.positive_buckets.len() as u64
        && length(&histogram.negative_spans) == histogram.negative_buckets.len() as u64
}

fn put_counts(counts: &[f64], out: &mut Vec<u8>) {
    put_u64(out, counts.len() as u64);
    let whole: Option<Vec<i64>> = counts.iter().map(|&count| to_integer(count, 0)).collect();
    if let Some(whole) = whole {
        out.push(WHOLE);
        let mut last = 0;
        for value in whole {
            put_i64(out, value - last);
            last = value;
        }
    } else {
        out.push(RAW);
        for count in counts {
            out.extend_from_slice(&count.to_bits().to_le_bytes());
        }
    }
}

fn take_counts(reader: &mut Reader<'_>) -> Option<Vec<f64>> {
    let count = reader.count(1)?;
    match reader.u8()? {
        WHOLE => {
            let mut last = 0_i64;
            let mut next = || {
                last = last.wrapping_add(reader.i64()?);
                Some(from_integer(last, 0))
            };
            (0..count).map(|_| next()).collect()
        }
        RAW => (0..count).map(|_| reader.fixed_u64().map(f64::from_bits)).collect(),
        _ => None,
    }
}

fn take_spans(reader: &mut Reader<'_>) -> Option<Vec<Span>> {
    let count = reader.count(2)?;
    let mut next = || {
        let offset = i32::try_from(reader.i64()?).ok()?;
        Some(Span { offset, length: u32::try_from(reader.u64()?).ok()? })
    };
    (0..count).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count() -> impl Strategy<Value = f64> {
        prop_oneof![(0..100_000_u32).prop_map(f64::from), 0.0..1e6_f64]
    }

    proptest! {
        #[test]
        fn histograms_round_trip(
            schema in -53..9_i32, whole in proptest::collection::vec(count(), 0..30), odd in any::<i32>(), sum in -1e9..1e9_f64,
        ) {
            let histogram = NativeHistogram {
                counter_reset_hint: CounterResetHint::NotReset,
                schema,
                zero_threshold: 1e-128,
                zero_count: 3.0,
                count: whole.iter().sum(),
                sum,
                positive_spans: vec![Span { offset: odd, length: whole.len() as u32 }],
                positive_buckets: whole.clone(),
                custom_values: whole,
                ..NativeHistogram::default()
            };
            prop_assert!(is_consistent(&histogram));
            let mut bytes = Vec::new();
            encode(&histogram, &mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(decode(&mut reader), Some(histogram));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&mut Reader::new(&bytes));
        }
    }
}

//! One series' values in a block: integers of a decimal scale as deltas, or XOR byte planes.
//!
//! Lossless bit by bit. First byte is the mode: constant, decimal (with delta or delta of delta),
//! or XOR. Values that a decimal column cannot hold (a staleness marker, a NaN, `-0.0`) are listed
//! beside it as exceptions, so that one marker at the end of a series does not spoil the column.

use super::decimal;
use super::varint::{Reader, length, put_i64, put_u64, zigzag};

const CONSTANT: u8 = 0x80;
const XOR: u8 = 0x40;
/// Added to the scale: the column holds deltas of deltas.
const SECOND_ORDER: u8 = 0x20;
const SCALE_MASK: u8 = 0x1f;

/// One exception costs nine or ten bytes; XOR costs four to nine a value. So decimals win while
/// fewer than one in eight values is an exception.
const EXCEPTION_SHARE: usize = 8;

/// Encode the bits of at least one value.
pub(crate) fn encode(bits: &[u64], out: &mut Vec<u8>) {
    let Some((&first, rest)) = bits.split_first() else { return };
    if rest.iter().all(|&value| value == first) {
        out.push(CONSTANT);
        out.extend_from_slice(&first.to_le_bytes());
        return;
    }
    match as_integers(bits) {
        Some(column) => encode_integers(&column, out),
        None => encode_xor(bits, out),
    }
}

/// Decode `count` values; `None` when damaged.
pub(crate) fn decode(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let mode = reader.u8()?;
    out.reserve(count);
    match mode {
        CONSTANT => {
            let value = f64::from_bits(reader.fixed_u64()?);
            out.extend(std::iter::repeat_n(value, count));
        }
        XOR => decode_xor(&mut reader, count, out)?,
        _ => decode_integers(mode, &mut reader, count, out)?,
    }
    reader.is_empty().then_some(())
}

struct Integers {
    scale: u8,
    values: Vec<i64>,
    /// Index and bits of values that are not decimals; `values` repeats its predecessor there.
    exceptions: Vec<(usize, u64)>,
}

fn as_integers(bits: &[u64]) -> Option<Integers> {
    let allowed = bits.len() / EXCEPTION_SHARE + 1;
    let mut scale = 0;
    let mut failures = 0;
    for &value in bits {
        match decimal::smallest(f64::from_bits(value), scale) {
            Some((needed, _)) => scale = needed,
            None => failures += 1,
        }
        if failures > allowed {
            return None;
        }
    }
    let mut values = Vec::with_capacity(bits.len());
    let mut exceptions = Vec::new();
    let mut last = 0;
    for (index, &value) in bits.iter().enumerate() {
        match decimal::to_integer(f64::from_bits(value), scale) {
            Some(integer) => last = integer,
            None => exceptions.push((index, value)),
        }
        values.push(last);
    }
    (exceptions.len() <= allowed).then_some(Integers { scale, values, exceptions })
}

fn encode_integers(column: &Integers, out: &mut Vec<u8>) {
    let (mut first_order, mut second_order) = (0, 0);
    let (mut last, mut delta) = (0_i64, 0_i64);
    for &value in &column.values {
        let next = value - last;
        first_order += length(zigzag(next));
        second_order += length(zigzag(next - delta));
        (last, delta) = (value, next);
    }
    let second = second_order < first_order;
    out.push(column.scale | if second { SECOND_ORDER } else { 0 });
    put_u64(out, column.exceptions.len() as u64);
    for &(index, bits) in &column.exceptions {
        put_u64(out, index as u64);
        out.extend_from_slice(&bits.to_le_bytes());
    }
    let (mut last, mut delta) = (0_i64, 0_i64);
    for &value in &column.values {
        let next = value - last;
        put_i64(out, if second { next - delta } else { next });
        (last, delta) = (value, next);
    }
}

fn decode_integers(
    mode: u8,
    reader: &mut Reader<'_>,
    count: usize,
    out: &mut Vec<f64>,
) -> Option<()> {
    let scale = mode & SCALE_MASK;
    if mode & !(SCALE_MASK | SECOND_ORDER) != 0 || scale > decimal::MAX_SCALE {
        return None;
    }
    let start = out.len();
    let exceptions = reader.count(9)?;
    let mut marked = reader.clone();
    for _ in 0..exceptions {
        reader.u64()?;
        reader.bytes(8)?;
    }
    let second = mode & SECOND_ORDER != 0;
    let (mut last, mut delta) = (0_i64, 0_i64);
    for _ in 0..count {
        let next = reader.i64()?;
        delta = if second { delta.wrapping_add(next) } else { next };
        last = last.wrapping_add(delta);
        out.push(decimal::from_integer(last, scale));
    }
    for _ in 0..exceptions {
        let index = usize::try_from(marked.u64()?).ok()?;
        *out.get_mut(start.checked_add(index)?)? = f64::from_bits(marked.fixed_u64()?);
    }
    Some(())
}

/// Bytes of the XOR with the previous value, most significant plane first: equal exponents and
/// zero mantissa tails become runs of zeros, which zstd packs away.
fn encode_xor(bits: &[u64], out: &mut Vec<u8>) {
    out.push(XOR);
    for plane in (0..8).rev() {
        let mut previous = 0;
        for &value in bits {
            out.push(((value ^ previous) >> (8 * plane)) as u8);
            previous = value;
        }
    }
}

fn decode_xor(reader: &mut Reader<'_>, count: usize, out: &mut Vec<f64>) -> Option<()> {
    let planes = reader.bytes(count.checked_mul(8)?)?;
    let mut previous = 0_u64;
    for index in 0..count {
        let mut xor = 0_u64;
        for plane in 0..8 {
            xor = (xor << 8) | u64::from(*planes.get(plane * count + index)?);
        }
        previous ^= xor;
        out.push(f64::from_bits(previous));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strata_model::sample::STALE_NAN_BITS;

    fn round_trip(bits: &[u64]) -> usize {
        let mut bytes = Vec::new();
        encode(bits, &mut bytes);
        let mut back = Vec::new();
        assert_eq!(decode(&bytes, bits.len(), &mut back), Some(()));
        let back: Vec<u64> = back.into_iter().map(f64::to_bits).collect();
        assert_eq!(back, bits);
        bytes.len()
    }

    #[test]
    fn a_steady_counter_that_ends_takes_little_more_than_a_byte_a_value() {
        let mut bits: Vec<u64> = (0..100).map(|i| (f64::from(i) * 12.5).to_bits()).collect();
        bits.push(STALE_NAN_BITS);
        assert!(round_trip(&bits) < 130);
    }

    #[test]
    fn a_constant_takes_nine_bytes() {
        assert_eq!(round_trip(&[1.25_f64.to_bits(); 500]), 9);
    }

    fn value() -> impl Strategy<Value = u64> {
        prop_oneof![
            4 => (-100_000_i64..100_000, 0..=4_u8)
                .prop_map(|(i, e)| decimal::from_integer(i, e).to_bits()),
            1 => any::<u64>(),
            1 => Just(STALE_NAN_BITS),
            1 => any::<f64>().prop_map(f64::to_bits),
        ]
    }

    proptest! {
        #[test]
        fn any_bits_round_trip(bits in proptest::collection::vec(value(), 1..80)) {
            round_trip(&bits);
        }

        #[test]
        fn mostly_decimal_bits_round_trip(
            mut bits in proptest::collection::vec((0_i64..1_000).prop_map(|i| (i as f64 / 10.0).to_bits()), 20..80),
            at in any::<prop::sample::Index>(), odd in any::<u64>(),
        ) {
            let at = at.index(bits.len());
            bits[at] = odd;
            round_trip(&bits);
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..60), count in 0..100_usize) {
            let _ = decode(&bytes, count, &mut Vec::new());
        }
    }
}

//! The packed stream of one series in the head: one token a sample, appended in time order.
//!
//! Time is the delta of deltas. The value is the delta of its decimal integer at the current
//! scale; `RAW` escapes to the XOR with the previous float, `RESCALE` to a larger decimal scale.
//! Measured on the generated mix: about three bytes a sample, time included, against sixteen plain.

use crate::metrics::codec::decimal;
use crate::metrics::codec::varint::{Reader, put_i64, put_u64, unzigzag, zigzag};

/// Value token: a nibble pair (leading and trailing zero bytes of the XOR) and its middle follow.
const RAW: u64 = 0;
/// Value token: a scale byte and the integer itself follow.
const RESCALE: u64 = 1;
/// Added to every `ZigZag` delta so that the escapes stay free.
const ESCAPES: u64 = 2;
const ESCAPES_U8: u8 = ESCAPES as u8;

/// After this many raw values in a row the series is taken for binary noise and the search over
/// scales, the dearest step, is skipped.
const PATIENCE: u8 = 4;

/// What encoder and decoder both remember between samples.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct State {
    pub(crate) last_time: i64,
    pub(crate) last_bits: u64,
    delta: i64,
    integer: i64,
    scale: u8,
    raw_run: u8,
}

impl State {
    /// Append the token of a sample to `out`.
    pub(crate) fn encode(&mut self, time: i64, bits: u64, out: &mut Vec<u8>) {
        let delta = time.wrapping_sub(self.last_time);
        put_i64(out, delta.wrapping_sub(self.delta));
        self.delta = delta;
        self.last_time = time;
        let value = f64::from_bits(bits);
        if let Some(integer) = decimal::to_integer(value, self.scale) {
            put_u64(out, zigzag(integer - self.integer) + ESCAPES);
            self.integer = integer;
            self.raw_run = 0;
        } else if let Some((scale, integer)) = self.rescale(value) {
            put_u64(out, RESCALE);
            out.push(scale);
            put_i64(out, integer);
            (self.scale, self.integer, self.raw_run) = (scale, integer, 0);
        } else {
            put_u64(out, RAW);
            put_xor(bits ^ self.last_bits, out);
            self.raw_run = self.raw_run.saturating_add(1);
        }
        self.last_bits = bits;
    }

    fn rescale(&self, value: f64) -> Option<(u8, i64)> {
        if self.raw_run >= PATIENCE {
            return None;
        }
        // The scale is never lowered, or values of mixed length would send it up and down.
        decimal::smallest(value, self.scale + 1)
    }

    /// Read one token; `None` at the end or at damage.
    #[inline]
    pub(crate) fn decode(&mut self, reader: &mut Reader<'_>) -> Option<(i64, u64)> {
        self.delta = self.delta.wrapping_add(reader.i64()?);
        self.last_time = self.last_time.wrapping_add(self.delta);
        match reader.u64()? {
            RAW => self.last_bits ^= take_xor(reader)?,
            RESCALE => {
                self.scale = reader.u8().filter(|&scale| scale <= decimal::MAX_SCALE)?;
                self.integer = reader.i64()?;
                self.last_bits = decimal::from_integer(self.integer, self.scale).to_bits();
            }
            token => self.step(token),
        }
        Some((self.last_time, self.last_bits))
    }

    /// Move the value on by a token that is no escape.
    #[inline]
    fn step(&mut self, token: u64) {
        self.integer = self.integer.wrapping_add(unzigzag(token - ESCAPES));
        self.last_bits = decimal::from_integer(self.integer, self.scale).to_bits();
    }
}

fn put_xor(xor: u64, out: &mut Vec<u8>) {
    let lead = xor.leading_zeros() / 8;
    let tail = if xor == 0 { 0 } else { xor.trailing_zeros() / 8 };
    out.push((lead << 4 | tail) as u8);
    let bytes = xor.to_be_bytes();
    out.extend_from_slice(bytes.get(lead as usize..8 - tail as usize).unwrap_or_default());
}

fn take_xor(reader: &mut Reader<'_>) -> Option<u64> {
    let shape = reader.u8()?;
    let (lead, tail) = (usize::from(shape >> 4), usize::from(shape & 15));
    let middle = 8_usize.checked_sub(lead + tail)?;
    let mut bytes = [0; 8];
    bytes.get_mut(lead..lead + middle)?.copy_from_slice(reader.bytes(middle)?);
    Some(u64::from_be_bytes(bytes))
}

/// Unpack a stream of about `count` samples that goes on from `state`, values by their bits or as
/// what `value` makes of these.
pub(crate) fn decode_all<V>(
    mut state: State,
    bytes: &[u8],
    count: usize,
    times: &mut Vec<i64>,
    values: &mut Vec<V>,
    value: impl Fn(u64) -> V,
) {
    times.reserve(count);
    values.reserve(count);
    let mut rest = bytes;
    loop {
        // By far the commonest tokens: on time, and a value delta of one byte or two.
        let (token, tail) = match *rest {
            [0, value @ ESCAPES_U8..0x80, ref tail @ ..] => (u64::from(value), tail),
            [0, low @ 0x80..=u8::MAX, high @ 1..0x80, ref tail @ ..] => {
                (u64::from(low & 0x7f) | u64::from(high) << 7, tail)
            }
            _ => {
                let mut reader = Reader::new(rest);
                let Some((time, bits)) = state.decode(&mut reader) else { return };
                rest = reader.rest();
                times.push(time);
                values.push(value(bits));
                continue;
            }
        };
        rest = tail;
        state.last_time = state.last_time.wrapping_add(state.delta);
        state.step(token);
        times.push(state.last_time);
        values.push(value(state.last_bits));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = u64> {
        prop_oneof![
            4 => (-100_000_i64..100_000, 0..=4_u8)
                .prop_map(|(i, e)| decimal::from_integer(i, e).to_bits()),
            1 => any::<u64>(),
            1 => any::<f64>().prop_map(f64::to_bits),
        ]
    }

    proptest! {
        #[test]
        fn streams_round_trip(samples in proptest::collection::vec((any::<i64>(), value()), 0..60)) {
            let mut state = State::default();
            let mut bytes = Vec::new();
            for &(time, bits) in &samples {
                state.encode(time, bits, &mut bytes);
            }
            let (mut times, mut values) = (Vec::new(), Vec::new());
            decode_all(State::default(), &bytes, samples.len(), &mut times, &mut values, |bits| bits);
            prop_assert_eq!(times.into_iter().zip(values).collect::<Vec<_>>(), samples);
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            decode_all(State::default(), &bytes, 0, &mut Vec::new(), &mut Vec::new(), f64::from_bits);
        }
    }

    #[test]
    fn a_scraped_gauge_takes_under_four_bytes_a_sample() {
        let mut state = State::default();
        let mut bytes = Vec::new();
        for i in 0..120_i64 {
            let value = 60.0 + (i * 7 % 13) as f64 / 10.0;
            state.encode(1_700_000_000_000 + i * 15_000 + i % 3, value.to_bits(), &mut bytes);
        }
        assert!(bytes.len() < 120 * 3, "{}", bytes.len());
    }
}

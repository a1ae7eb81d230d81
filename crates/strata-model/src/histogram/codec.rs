//! A compact binary form for storage.
//!
//! Layout: one byte of flags, the schema, the zero threshold unless it is the customary one, the
//! sum, zero count and count, the positive side, the negative side and the custom bounds if there
//! are any. Integers are LEB128 varints, signed ones in zigzag; floats are 8 bytes, little endian.
//! Counts are varints if all of them are whole (buckets as differences to their neighbour), else
//! floats. The encoding is exact to the bit.

use super::{CounterResetHint, NativeHistogram, Span};

const HINT_MASK: u8 = 0b11;
const WHOLE_COUNTS: u8 = 1 << 2;
const HAS_NEGATIVE: u8 = 1 << 3;
const CUSTOMARY_THRESHOLD: u8 = 1 << 4;
const HAS_BOUNDS: u8 = 1 << 5;
const KNOWN_FLAGS: u8 = HINT_MASK | WHOLE_COUNTS | HAS_NEGATIVE | CUSTOMARY_THRESHOLD | HAS_BOUNDS;

/// `2^-128`, the zero threshold client libraries use unless told otherwise.
const CUSTOMARY_ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 128) << 52);

/// Up to here every whole number is a float.
const MAX_WHOLE: u64 = 1 << 53;

/// Bytes are not an encoded histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("cannot decode a histogram: it ends too early")]
    Truncated,
    #[error("cannot decode a histogram: flags {0:#010b} are not known")]
    Flags(u8),
    #[error("cannot decode a histogram: a number is out of range")]
    Number,
    #[error("cannot decode a histogram: {0} bytes follow its end")]
    Trailing(usize),
}

impl NativeHistogram {
    /// Append the binary form to `out`. A reader finds the end by itself.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let has_negative = !self.negative_spans.is_empty() || !self.negative_buckets.is_empty();
        let whole = [self.zero_count, self.count]
            .iter()
            .chain(&self.positive_buckets)
            .chain(&self.negative_buckets)
            .all(|&count| whole(count).is_some());
        let customary = self.zero_threshold.to_bits() == CUSTOMARY_ZERO_THRESHOLD.to_bits();
        let mut flags = hint_bits(self.counter_reset_hint);
        for (set, flag) in [
            (whole, WHOLE_COUNTS),
            (has_negative, HAS_NEGATIVE),
            (customary, CUSTOMARY_THRESHOLD),
            (!self.custom_values.is_empty(), HAS_BOUNDS),
        ] {
            if set {
                flags |= flag;
            }
        }
        out.push(flags);
        put_signed(out, i64::from(self.schema));
        if !customary {
            put_float(out, self.zero_threshold);
        }
        put_float(out, self.sum);
        for count in [self.zero_count, self.count] {
            put_count(out, count, whole);
        }
        put_side(out, &self.positive_spans, &self.positive_buckets, whole);
        if has_negative {
            put_side(out, &self.negative_spans, &self.negative_buckets, whole);
        }
        if !self.custom_values.is_empty() {
            put_unsigned(out, self.custom_values.len() as u64);
            for &bound in &self.custom_values {
                put_float(out, bound);
            }
        }
    }

    /// Read a binary form that fills `bytes`.
    ///
    /// # Errors
    /// The bytes are not one, or more follow. What decodes is not validated.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match Self::decode_prefix(bytes)? {
            (histogram, []) => Ok(histogram),
            (_, rest) => Err(DecodeError::Trailing(rest.len())),
        }
    }

    /// Read a binary form from the start of `bytes`; also returns what follows.
    ///
    /// Takes memory in proportion to the bytes read, whatever they claim.
    ///
    /// # Errors
    /// The bytes do not start with one.
    pub fn decode_prefix(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut input = Input { rest: bytes };
        let flags = input.byte()?;
        if flags & !KNOWN_FLAGS != 0 {
            return Err(DecodeError::Flags(flags));
        }
        let whole = flags & WHOLE_COUNTS != 0;
        let schema = i32::try_from(input.signed()?).map_err(out_of_range)?;
        let zero_threshold = if flags & CUSTOMARY_THRESHOLD == 0 {
            input.float()?
        } else {
            CUSTOMARY_ZERO_THRESHOLD
        };
        let sum = input.float()?;
        let zero_count = input.count(whole)?;
        let count = input.count(whole)?;
        let (positive_spans, positive_buckets) = input.side(whole)?;
        let (negative_spans, negative_buckets) =
            if flags & HAS_NEGATIVE == 0 { Default::default() } else { input.side(whole)? };
        let custom_values = if flags & HAS_BOUNDS == 0 {
            Vec::new()
        } else {
            let bounds = input.length(size_of::<f64>())?;
            (0..bounds).map(|_| input.float()).collect::<Result<_, _>>()?
        };
        let histogram = Self {
            counter_reset_hint: hint_of_bits(flags),
            schema,
            zero_threshold,
            zero_count,
            count,
            sum,
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values,
        };
        Ok((histogram, input.rest))
    }
}

fn hint_bits(hint: CounterResetHint) -> u8 {
    match hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    }
}

fn hint_of_bits(flags: u8) -> CounterResetHint {
    match flags & HINT_MASK {
        0 => CounterResetHint::Unknown,
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        _ => CounterResetHint::Gauge,
    }
}

/// The count as a whole number, if it is one to the bit (`-0.0` is not).
fn whole(count: f64) -> Option<u64> {
    let number = count as u64;
    (number <= MAX_WHOLE && (number as f64).to_bits() == count.to_bits()).then_some(number)
}

fn put_unsigned(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_unsigned(out, ((number << 1) ^ (number >> 63)) as u64);
}

fn put_float(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_bits().to_le_bytes());
}

fn put_count(out: &mut Vec<u8>, count: f64, as_whole: bool) {
    if as_whole {
        put_unsigned(out, count as u64);
    } else {
        put_float(out, count);
    }
}

fn put_side(out: &mut Vec<u8>, spans: &[Span], buckets: &[f64], as_whole: bool) {
    put_unsigned(out, spans.len() as u64);
    for span in spans {
        put_signed(out, i64::from(span.offset));
        put_unsigned(out, u64::from(span.length));
    }
    put_unsigned(out, buckets.len() as u64);
    let mut previous = 0;
    for &count in buckets {
        if as_whole {
            put_signed(out, count as i64 - previous);
            previous = count as i64;
        } else {
            put_float(out, count);
        }
    }
}

fn out_of_range<E>(_cause: E) -> DecodeError {
    DecodeError::Number
}

/// Encoded bytes still to read.
struct Input<'a> {
    rest: &'a [u8],
}

impl Input<'_> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return Err(DecodeError::Number);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::Number)
    }

    fn signed(&mut self) -> Result<i64, DecodeError> {
        let number = self.unsigned()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn float(&mut self) -> Result<f64, DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(f64::from_bits(u64::from_le_bytes(*bytes)))
    }

    fn count(&mut self, as_whole: bool) -> Result<f64, DecodeError> {
        if !as_whole {
            return self.float();
        }
        match self.unsigned()? {
            number @ 0..=MAX_WHOLE => Ok(number as f64),
            _ => Err(DecodeError::Number),
        }
    }

    /// A number of items of at least `item_bytes` each, checked against the bytes there are.
    fn length(&mut self, item_bytes: usize) -> Result<usize, DecodeError> {
        let length = usize::try_from(self.unsigned()?).map_err(out_of_range)?;
        if length > self.rest.len() / item_bytes {
            return Err(DecodeError::Truncated);
        }
        Ok(length)
    }

    fn side(&mut self, as_whole: bool) -> Result<(Vec<Span>, Vec<f64>), DecodeError> {
        let spans = (0..self.length(2)?)
            .map(|_| {
                let offset = i32::try_from(self.signed()?).map_err(out_of_range)?;
                let length = u32::try_from(self.unsigned()?).map_err(out_of_range)?;
                Ok(Span { offset, length })
            })
            .collect::<Result<_, DecodeError>>()?;
        let buckets = self.length(if as_whole { 1 } else { size_of::<f64>() })?;
        let mut previous = 0_i64;
        let counts = (0..buckets)
            .map(|_| {
                if !as_whole {
                    return self.float();
                }
                previous = previous.checked_add(self.signed()?).ok_or(DecodeError::Number)?;
                match u64::try_from(previous) {
                    Ok(number @ 0..=MAX_WHOLE) => Ok(number as f64),
                    _ => Err(DecodeError::Number),
                }
            })
            .collect::<Result<_, DecodeError>>()?;
        Ok((spans, counts))
    }
}

#[cfg(test)]
mod tests {
    use super::super::take_literal;
    use super::*;

    #[test]
    fn whole_counts_take_a_byte_or_two_each() {
        let check = |text: &str, bytes: usize| {
            let histogram = take_literal(text).unwrap().0.histogram;
            let mut out = Vec::new();
            histogram.encode(&mut out);
            assert_eq!(out.len(), bytes, "{text}");
            assert_eq!(NativeHistogram::decode(&out), Ok(histogram));
        };
        check("{{}}", 22);
        check(
            "{{schema:3 count:60 sum:4.5 z_bucket_w:2.938735877055719e-39 buckets:[10 20 30]}}",
            19,
        );
        check("{{count:0.5 buckets:[0.5]}}", 46);
        check(
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1] counter_reset_hint:gauge}}",
            44,
        );
    }

    #[test]
    fn broken_bytes_are_refused() {
        let mut out = Vec::new();
        take_literal("{{count:3 buckets:[1 2]}}").unwrap().0.histogram.encode(&mut out);
        for end in 0..out.len() {
            assert_eq!(NativeHistogram::decode(&out[..end]), Err(DecodeError::Truncated));
        }
        out.push(0);
        assert_eq!(NativeHistogram::decode(&out), Err(DecodeError::Trailing(1)));
        assert_eq!(NativeHistogram::decode(&[0x80]), Err(DecodeError::Flags(0x80)));
        let huge_length =
            [&[WHOLE_COUNTS | CUSTOMARY_THRESHOLD, 0][..], &[0; 10], &[0xff; 9], &[1]];
        assert_eq!(NativeHistogram::decode(&huge_length.concat()), Err(DecodeError::Truncated));
    }
}

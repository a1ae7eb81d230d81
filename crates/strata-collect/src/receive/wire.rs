//! A scanner over protobuf wire bytes that copies nothing.
//!
//! Encoding: <https://protobuf.dev/programming-guides/encoding/>.

use super::DecodeError;

/// Why bytes are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("protobuf ends in the middle of a field")]
    Truncated,
    #[error("protobuf varint is longer than 64 bits")]
    VarintTooLong,
    #[error("protobuf field has number 0 or one beyond 2^29")]
    FieldNumber,
    #[error("protobuf field has wire type {0}, which is not in use")]
    WireType(u8),
    #[error("protobuf field {0} has another type than the schema says")]
    Mismatch(u32),
}

impl From<WireError> for DecodeError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of one message that are yet to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The next field's number and value, or `None` at the end of the message.
    #[expect(
        clippy::inline_always,
        reason = "returned through memory the result costs more than reading the field"
    )]
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if number == 0 || number >= 1 << 29 {
            return Err(WireError::FieldNumber);
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(WireError::WireType(other as u8)),
        };
        Ok(Some((number, value)))
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next field if it has this tag byte and fewer than 128 bytes, else nothing is taken.
    /// A way around the general case for what nearly every field of a body is.
    #[inline]
    pub(super) fn short(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.short_with_tail(tag).and_then(|(tail, size)| tail.get(..size))
    }

    /// As [`Self::short`], but everything from the field's bytes on, and how many are the field's.
    #[inline]
    pub(super) fn short_with_tail(&mut self, tag: u8) -> Option<(&'a [u8], usize)> {
        let (&[first, length], tail) = self.0.split_first_chunk::<2>()?;
        if first != tag || length >= 0x80 {
            return None;
        }
        self.0 = tail.get(usize::from(length)..)?;
        Some((tail, usize::from(length)))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        let (&first, rest) = self.0.split_first().ok_or(WireError::Truncated)?;
        if first < 0x80 {
            self.0 = rest;
            return Ok(u64::from(first));
        }
        self.long_varint()
    }

    /// A `double` in field 1 and a varint in field 2 and nothing else, as samples are written.
    #[inline]
    pub(super) fn double_and_varint(mut self) -> Option<(f64, u64)> {
        let (&[0x09, bits @ .., 0x10], rest) = self.0.split_first_chunk::<10>()? else {
            return None;
        };
        self.0 = rest;
        let second = self.varint().ok()?;
        self.0.is_empty().then_some((f64::from_le_bytes(bits), second))
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for (index, &byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                if index == 9 && byte > 1 {
                    return Err(WireError::VarintTooLong);
                }
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() < 10 { WireError::Truncated } else { WireError::VarintTooLong })
    }
}

impl<'a> Value<'a> {
    /// The bytes of a message, string or packed field.
    #[inline]
    pub(super) fn bytes(self, number: u32) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Mismatch(number)),
        }
    }

    /// A `uint64`, `int64`, `uint32`, enum or bool.
    #[inline]
    pub(super) fn varint(self, number: u32) -> Result<u64, WireError> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(WireError::Mismatch(number)),
        }
    }

    /// A `double`.
    #[inline]
    pub(super) fn double(self, number: u32) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(WireError::Mismatch(number)),
        }
    }

    /// A `sint32` or `sint64`.
    pub(super) fn zigzag(self, number: u32) -> Result<i64, WireError> {
        self.varint(number).map(unzigzag)
    }

    /// Each value of a repeated varint, packed or not.
    #[inline]
    pub(super) fn for_each_varint(
        self,
        number: u32,
        mut each: impl FnMut(u64),
    ) -> Result<(), WireError> {
        // One call of `each`, so that it is inlined.
        let (mut single, mut packed) = match self {
            Self::Varint(value) => (Some(value), Fields(&[])),
            Self::Bytes(packed) => (None, Fields(packed)),
            _ => return Err(WireError::Mismatch(number)),
        };
        while single.is_some() || !packed.0.is_empty() {
            each(match single.take() {
                Some(value) => value,
                None => packed.varint()?,
            });
        }
        Ok(())
    }

    /// Each value of a repeated double, packed or not.
    pub(super) fn for_each_double(
        self,
        number: u32,
        mut each: impl FnMut(f64),
    ) -> Result<(), WireError> {
        match self {
            Self::Fixed64(bits) => each(f64::from_bits(bits)),
            Self::Bytes(packed) => {
                let (chunks, rest) = packed.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(WireError::Truncated);
                }
                for chunk in chunks {
                    each(f64::from_le_bytes(*chunk));
                }
            }
            _ => return Err(WireError::Mismatch(number)),
        }
        Ok(())
    }
}

/// Signed value of a zigzag-encoded varint.
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_or_refused() {
        let check = |bytes: &[u8], expected: Result<Option<(u32, Value<'_>)>, WireError>| {
            assert_eq!(Fields::new(bytes).next(), expected, "{bytes:x?}");
        };
        check(&[], Ok(None));
        check(&[0x08, 0x96, 0x01], Ok(Some((1, Value::Varint(150)))));
        check(&[0x12, 0x02, b'h', b'i'], Ok(Some((2, Value::Bytes(b"hi")))));
        check(&[0x0d, 1, 0, 0, 0], Ok(Some((1, Value::Fixed32(1)))));
        check(&[0x09, 1, 0, 0, 0, 0, 0, 0], Err(WireError::Truncated));
        check(&[0x12, 0x03, b'h', b'i'], Err(WireError::Truncated));
        check(&[0x08, 0xff], Err(WireError::Truncated));
        check(&[0x0b], Err(WireError::WireType(3)));
        check(&[0x00, 0x00], Err(WireError::FieldNumber));
        let mut longest = vec![0x08];
        longest.extend([0xff; 9]);
        longest.push(0x01);
        check(&longest, Ok(Some((1, Value::Varint(u64::MAX)))));
        longest[10] = 0x02;
        check(&longest, Err(WireError::VarintTooLong));
    }

    #[test]
    fn zigzag_covers_both_ends() {
        let check = |raw: u64, expected: i64| assert_eq!(unzigzag(raw), expected);
        check(0, 0);
        check(1, -1);
        check(2, 1);
        check(u64::MAX, i64::MIN);
        check(u64::MAX - 1, i64::MAX);
    }
}

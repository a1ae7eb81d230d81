//! The protobuf wire format, read field by field without copying.

/// The value of one field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    /// Of no field we read.
    Fixed32,
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], &'static str> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err("a field has the wrong wire type"),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, &'static str> {
        std::str::from_utf8(self.bytes()?).map_err(|_utf8| "a label is not UTF-8")
    }

    pub(crate) fn double(self) -> Result<f64, &'static str> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err("a field has the wrong wire type"),
        }
    }

    pub(crate) fn unsigned(self) -> Result<u64, &'static str> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err("a field has the wrong wire type"),
        }
    }

    /// A zigzag number (`sint32`, `sint64`).
    pub(crate) fn signed(self) -> Result<i64, &'static str> {
        self.unsigned().map(zigzag)
    }
}

pub(crate) fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Take a varint of at most ten bytes.
pub(crate) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..70).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        // The tenth byte holds one bit; more would not fit.
        if shift == 63 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*bytes)
}

/// The fields of a message in the order of the wire. Ends after the first error.
#[derive(Debug, Clone)]
pub(crate) struct Message<'a> {
    rest: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let tag = varint(&mut self.rest)?;
        let number = u32::try_from(tag >> 3).ok().filter(|&number| number > 0)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(fixed(&mut self.rest)?)),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).ok()?;
                let (bytes, tail) = self.rest.split_at_checked(length)?;
                self.rest = tail;
                Value::Bytes(bytes)
            }
            5 => {
                fixed::<4>(&mut self.rest)?;
                Value::Fixed32
            }
            _ => return None,
        };
        Some((number, value))
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<(u32, Value<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or("a message is not well formed"))
    }
}

/// Append the doubles of a repeated field, packed or one by one, up to `max` in all.
pub(crate) fn doubles(
    value: Value<'_>,
    numbers: &mut Vec<f64>,
    max: usize,
) -> Result<(), &'static str> {
    match value {
        Value::Fixed64(bits) => numbers.push(f64::from_bits(bits)),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() && numbers.len() <= max {
                let bytes = fixed(&mut packed).ok_or("a message is not well formed")?;
                numbers.push(f64::from_le_bytes(bytes));
            }
        }
        _ => return Err("a field has the wrong wire type"),
    }
    if numbers.len() > max { Err(TOO_MANY) } else { Ok(()) }
}

/// Append the zigzag numbers of a repeated field, packed or one by one, up to `max` in all.
pub(crate) fn zigzags(
    value: Value<'_>,
    numbers: &mut Vec<i64>,
    max: usize,
) -> Result<(), &'static str> {
    match value {
        Value::Varint(number) => numbers.push(zigzag(number)),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() && numbers.len() <= max {
                numbers.push(zigzag(varint(&mut packed).ok_or("a message is not well formed")?));
            }
        }
        _ => return Err("a field has the wrong wire type"),
    }
    if numbers.len() > max { Err(TOO_MANY) } else { Ok(()) }
}

/// The reason by which a histogram beyond its bound is refused.
pub(crate) const TOO_MANY: &str = "the histogram has too many buckets";

//! One series' values in a block: integers of a decimal scale as deltas, or XOR, as byte planes.
//!
//! Lossless bit by bit. What is irregular (mode, first values, exceptions) goes to the block's
//! head; the residuals go to its byte planes, lowest byte first, which all series of the block
//! share. Values that a decimal column cannot hold (a staleness marker, a NaN, `-0.0`) are listed
//! as exceptions, so that one marker at the end of a series does not spoil the column.

use std::ops::Range;

use super::decimal::{self, from_integer};
use super::varint::{Reader, put_i64, put_u64, unzigzag, zigzag};

/// Bytes of a float, and so the most planes there are.
pub(crate) const PLANES: usize = 8;

const CONSTANT: u8 = 0x80;
const XOR: u8 = 0x40;
/// Added to the scale: the column holds deltas of deltas.
const SECOND_ORDER: u8 = 0x20;
const SCALE_MASK: u8 = 0x1f;

/// One exception costs nine or ten bytes; XOR costs four to eight a value. So decimals win while
/// fewer than one in eight values is an exception.
const EXCEPTION_SHARE: usize = 8;

/// Encode the bits of at least one value.
pub(crate) fn encode(bits: &[u64], head: &mut Vec<u8>, planes: &mut [Vec<u8>; PLANES]) {
    let Some((&first, rest)) = bits.split_first() else { return };
    if rest.iter().all(|&value| value == first) {
        head.push(CONSTANT);
        head.extend_from_slice(&first.to_le_bytes());
        return;
    }
    if let Some(column) = as_integers(bits) {
        encode_integers(&column, head, planes);
    } else {
        head.push(XOR);
        let mut previous = 0;
        let residuals = bits.iter().map(|&value| value ^ std::mem::replace(&mut previous, value));
        spread(&residuals.collect::<Vec<_>>(), PLANES, planes);
    }
}

fn spread(residuals: &[u64], width: usize, planes: &mut [Vec<u8>; PLANES]) {
    for (index, plane) in planes.iter_mut().enumerate().take(width) {
        plane.extend(residuals.iter().map(|residual| (residual >> (8 * index)) as u8));
    }
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

fn encode_integers(column: &Integers, head: &mut Vec<u8>, planes: &mut [Vec<u8>; PLANES]) {
    let deltas = |values: &[i64]| -> Vec<i64> {
        values.iter().zip(values.iter().skip(1)).map(|(a, b)| b - a).collect()
    };
    let bits = |values: &[i64]| -> u32 {
        values.iter().map(|&value| u64::BITS - zigzag(value).leading_zeros()).sum()
    };
    let first = deltas(&column.values);
    let second = deltas(&first);
    let use_second = bits(&second) < bits(&first);
    head.push(column.scale | if use_second { SECOND_ORDER } else { 0 });
    put_i64(head, column.values.first().copied().unwrap_or_default());
    if use_second {
        put_i64(head, first.first().copied().unwrap_or_default());
    }
    let residuals: Vec<u64> =
        if use_second { second } else { first }.into_iter().map(zigzag).collect();
    let all = residuals.iter().fold(0, |all, residual| all | residual);
    let width = (u64::BITS - all.leading_zeros()).div_ceil(8) as usize;
    head.push(width as u8);
    spread(&residuals, width, planes);
    put_u64(head, column.exceptions.len() as u64);
    for &(index, bits) in &column.exceptions {
        put_u64(head, index as u64);
        head.extend_from_slice(&bits.to_le_bytes());
    }
}

/// How the values of one column are laid out.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Constant(u64),
    Xor,
    Integers { scale: u8, first: i64, delta: Option<i64> },
}

/// The head of one column.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    mode: Mode,
    count: usize,
    exceptions: Vec<(usize, u64)>,
    /// Planes used.
    pub(crate) width: usize,
    /// Residuals, that is bytes in each plane used.
    pub(crate) residuals: usize,
}

impl Layout {
    /// Read the head of a column of `count` values; `None` when damaged.
    pub(crate) fn read(reader: &mut Reader<'_>, count: usize) -> Option<Self> {
        let mode = reader.u8()?;
        let mut layout =
            Self { mode: Mode::Xor, count, exceptions: Vec::new(), width: 0, residuals: 0 };
        match mode {
            CONSTANT => layout.mode = Mode::Constant(reader.fixed_u64()?),
            XOR => (layout.width, layout.residuals) = (PLANES, count),
            _ => layout.read_integers(mode, reader)?,
        }
        Some(layout)
    }

    fn read_integers(&mut self, mode: u8, reader: &mut Reader<'_>) -> Option<()> {
        let scale = mode & SCALE_MASK;
        if mode & !(SCALE_MASK | SECOND_ORDER) != 0 || scale > decimal::MAX_SCALE {
            return None;
        }
        let first = reader.i64()?;
        let second = mode & SECOND_ORDER != 0;
        let delta = if second { Some(reader.i64()?) } else { None };
        self.mode = Mode::Integers { scale, first, delta };
        self.residuals = self.count.checked_sub(1 + usize::from(second))?;
        self.width = usize::from(reader.u8()?);
        for _ in 0..reader.count(9)? {
            let index = usize::try_from(reader.u64()?).ok().filter(|&index| index < self.count)?;
            self.exceptions.push((index, reader.fixed_u64()?));
        }
        (self.width <= PLANES).then_some(())
    }

    /// Bytes of memory it takes beside itself.
    pub(crate) fn bytes(&self) -> usize {
        self.exceptions.len() * size_of::<(usize, u64)>()
    }

    /// Append the values in `within` to `out`. `planes` are this column's parts, `width` of them
    /// with `residuals` bytes each; `room` is used for what lies between.
    pub(crate) fn decode(
        &self,
        planes: &[&[u8]],
        within: Range<usize>,
        room: &mut Vec<u64>,
        out: &mut Vec<f64>,
    ) {
        let within = within.start.min(self.count)..within.end.min(self.count);
        let start = out.len();
        out.reserve(within.len());
        match self.mode {
            Mode::Constant(bits) => {
                out.extend(std::iter::repeat_n(f64::from_bits(bits), within.len()));
            }
            Mode::Xor => {
                self.gather(planes, within.end, room);
                let mut bits = 0;
                for residual in room.iter_mut() {
                    bits ^= *residual;
                    *residual = bits;
                }
                let wanted = room.get(within.clone()).unwrap_or_default();
                out.extend(wanted.iter().copied().map(f64::from_bits));
            }
            Mode::Integers { scale, first, delta } => {
                // Values that the residuals do not tell: the first, and with deltas of deltas the
                // second.
                let given = 1 + usize::from(delta.is_some());
                self.gather(planes, within.end.saturating_sub(given), room);
                let second = first.wrapping_add(delta.unwrap_or_default());
                let heads = [first, second];
                let heads = heads.get(..given).unwrap_or_default();
                let heads = heads.get(within.start.min(given)..within.end.min(given));
                out.extend(heads.unwrap_or_default().iter().map(|&i| from_integer(i, scale)));
                integrate(room, if delta.is_some() { second } else { first }, delta);
                let wanted = within.start.saturating_sub(given)..within.end.saturating_sub(given);
                let wanted = room.get(wanted).unwrap_or_default();
                if scale == 0 {
                    // Most counters; spares the division.
                    out.extend(wanted.iter().map(|&integer| integer as i64 as f64));
                } else {
                    let power = decimal::power(scale);
                    out.extend(wanted.iter().map(|&integer| integer as i64 as f64 / power));
                }
            }
        }
        for &(index, bits) in self.exceptions.iter().filter(|(index, _)| within.contains(index)) {
            if let Some(value) = out.get_mut(start + index - within.start) {
                *value = f64::from_bits(bits);
            }
        }
    }

    /// The first `count` residuals, put together from the planes.
    fn gather(&self, planes: &[&[u8]], count: usize, room: &mut Vec<u64>) {
        room.clear();
        room.resize(count.min(self.residuals), 0);
        for (index, plane) in planes.iter().enumerate() {
            for (residual, &byte) in room.iter_mut().zip(*plane) {
                *residual |= u64::from(byte) << (8 * index);
            }
        }
    }
}

/// From residuals to the integers after `value`, in place. With `delta` they are changes of it,
/// else changes of the value.
fn integrate(room: &mut [u64], mut value: i64, delta: Option<i64>) {
    let Some(mut step) = delta else {
        for residual in room {
            value = value.wrapping_add(unzigzag(*residual));
            *residual = value as u64;
        }
        return;
    };
    for residual in room {
        step = step.wrapping_add(unzigzag(*residual));
        value = value.wrapping_add(step);
        *residual = value as u64;
    }
}

//! One series' values in a block: integers of a decimal scale as deltas, or XOR, as byte planes.
//!
//! Lossless bit by bit. What is irregular (mode, first values, exceptions) goes to the block's
//! head; the residuals go to its byte planes, lowest byte first, which all series of the block
//! share. Values that a decimal column cannot hold (a staleness marker, a NaN, `-0.0`) are listed
//! as exceptions, so that one marker at the end of a series does not spoil the column.

use super::decimal;
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

    /// Append the values to `out`. `planes` are this column's parts, `width` of them with
    /// `residuals` bytes each.
    pub(crate) fn decode(&self, planes: &[&[u8]], out: &mut Vec<f64>) {
        let start = out.len();
        let mut residuals = vec![0_u64; self.residuals];
        for (index, plane) in planes.iter().enumerate() {
            for (residual, &byte) in residuals.iter_mut().zip(*plane) {
                *residual |= u64::from(byte) << (8 * index);
            }
        }
        out.reserve(self.count);
        match self.mode {
            Mode::Constant(bits) => {
                out.extend(std::iter::repeat_n(f64::from_bits(bits), self.count));
            }
            Mode::Xor => {
                let mut bits = 0;
                out.extend(residuals.into_iter().map(|residual| {
                    bits ^= residual;
                    f64::from_bits(bits)
                }));
            }
            Mode::Integers { scale, first, delta } => {
                out.push(decimal::from_integer(first, scale));
                let mut value = first;
                let mut step = delta.unwrap_or_default();
                if delta.is_some() {
                    value = value.wrapping_add(step);
                    out.push(decimal::from_integer(value, scale));
                }
                let integers = residuals.into_iter().map(|residual| {
                    let residual = unzigzag(residual);
                    step = if delta.is_some() { step.wrapping_add(residual) } else { residual };
                    value = value.wrapping_add(step);
                    value
                });
                if scale == 0 {
                    // Most counters; spares the division.
                    out.extend(integers.map(|integer| integer as f64));
                } else {
                    out.extend(integers.map(|integer| decimal::from_integer(integer, scale)));
                }
            }
        }
        for &(index, bits) in &self.exceptions {
            if let Some(value) = out.get_mut(start + index) {
                *value = f64::from_bits(bits);
            }
        }
    }
}

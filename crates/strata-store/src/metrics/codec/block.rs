//! A block: the values of up to 64 series of one metric over one window.
//!
//! `[xxh3 low 32 bits][sections]`. The first section is the head: LEB128 column count and for each
//! column slot, time-column id, sample count and the layout of its values. Behind it lie the byte
//! planes that all columns share; a plane of at least [`OWN_SECTION`] bytes is a section of its
//! own, shorter ones follow the head. Each section is compressed by itself, so that each plane gets
//! statistics of its own: low bytes are noise, high bytes are nearly constant.
//!
//! Measured on the generated GPU, engine and host mix, 240 samples a series, bytes a sample and
//! CPU ns to encode: planes in sections under zstd-3 1.148 and 32; LEB128 deltas under zstd-3
//! 1.250 and 20; `pco` level 8 over the same groups 1.174 and 60, level 4 1.330 and 40. One series
//! alone takes a third more: series of one metric behave alike.

use std::ops::Range;

use super::frame::{self, Framer, Unpacker};
use super::values::{self, Layout, PLANES};
use super::varint::{Reader, put_u64};

/// Series to a block. More gains little compression and makes reading one series dearer.
pub(crate) const SERIES: usize = 64;

/// Samples of one series in one block; a window with more is written as several parts. Bounds the
/// memory of unpacking a block to a few MiB.
pub(crate) const MAX_SAMPLES: usize = 8_192;

/// A plane shorter than this does not repay a compression header of its own.
const OWN_SECTION: usize = 512;

/// Collects columns into a block.
#[derive(Default)]
pub(crate) struct BlockBuilder {
    columns: usize,
    head: Vec<u8>,
    planes: [Vec<u8>; PLANES],
}

impl BlockBuilder {
    /// Add the column of the series in `slot`, whose times are the column `times` of the same
    /// seal. Slots must come in increasing order.
    pub(crate) fn push(&mut self, slot: u8, times: u32, bits: &[u64]) {
        put_u64(&mut self.head, u64::from(slot));
        put_u64(&mut self.head, u64::from(times));
        put_u64(&mut self.head, bits.len() as u64);
        values::encode(bits, &mut self.head, &mut self.planes);
        self.columns += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.columns == 0
    }

    /// The block; the builder is empty again.
    pub(crate) fn finish(&mut self, framer: &mut Framer) -> Vec<u8> {
        let mut first = Vec::with_capacity(self.head.len() + 2);
        put_u64(&mut first, self.columns as u64);
        first.append(&mut self.head);
        for plane in self.planes.iter_mut().filter(|plane| plane.len() < OWN_SECTION) {
            first.append(plane);
        }
        let mut block = vec![0; frame::CHECKSUM];
        framer.section(&first, &mut block);
        for plane in self.planes.iter_mut().filter(|plane| !plane.is_empty()) {
            framer.section(plane, &mut block);
            plane.clear();
        }
        self.columns = 0;
        frame::seal(&mut block);
        block
    }
}

/// One column of an opened block, values still packed.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) slot: u8,
    /// Id of the time column within the seal.
    pub(crate) times: u32,
    pub(crate) count: usize,
    layout: Layout,
    /// Where its residuals begin in each plane it uses.
    starts: [usize; PLANES],
}

/// An opened block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) columns: Vec<Column>,
    planes: [Vec<u8>; PLANES],
}

impl Block {
    /// Check and unpack; `None` when damaged.
    pub(crate) fn open(block: &[u8], unpacker: &mut Unpacker) -> Option<Self> {
        Self::open_sections(frame::verified(block)?, unpacker)
    }

    /// Unpack the part behind the checksum; `None` when damaged.
    pub(crate) fn open_sections(sections: &[u8], unpacker: &mut Unpacker) -> Option<Self> {
        let mut sections = Reader::new(sections);
        let first = unpacker.section(&mut sections)?;
        let mut reader = Reader::new(&first);
        let count = reader.count(4)?;
        if count > SERIES {
            return None;
        }
        let mut lengths = [0; PLANES];
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let slot = u8::try_from(reader.u64()?).ok();
            let slot = slot.filter(|&slot| usize::from(slot) < SERIES)?;
            let times = u32::try_from(reader.u64()?).ok()?;
            let count = usize::try_from(reader.u64()?).ok();
            let count = count.filter(|&n| n > 0 && n <= MAX_SAMPLES)?;
            let layout = Layout::read(&mut reader, count)?;
            let starts = lengths;
            for length in lengths.iter_mut().take(layout.width) {
                *length += layout.residuals;
            }
            columns.push(Column { slot, times, count, layout, starts });
        }
        let mut planes: [Vec<u8>; PLANES] = Default::default();
        for (plane, &length) in planes.iter_mut().zip(&lengths) {
            if length < OWN_SECTION {
                *plane = reader.bytes(length)?.to_vec();
            }
        }
        for (plane, &length) in planes.iter_mut().zip(&lengths) {
            if length >= OWN_SECTION {
                *plane = unpacker.section(&mut sections).filter(|raw| raw.len() == length)?;
            }
        }
        (reader.is_empty() && sections.is_empty()).then_some(Self { columns, planes })
    }

    /// Bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|column| size_of::<Column>() + column.layout.bytes());
        let planes = self.planes.iter().map(Vec::len).sum::<usize>();
        size_of::<Self>() + columns.sum::<usize>() + planes
    }

    /// Append the values in `within` of a column of this block to `out`, using `room` for what lies
    /// between.
    pub(crate) fn decode(
        &self,
        column: &Column,
        within: Range<usize>,
        room: &mut Vec<u64>,
        out: &mut Vec<f64>,
    ) {
        let layout = &column.layout;
        let mut parts: [&[u8]; PLANES] = [&[]; PLANES];
        for ((part, plane), &start) in parts.iter_mut().zip(&self.planes).zip(&column.starts) {
            *part = plane.get(start..start + layout.residuals).unwrap_or_default();
        }
        layout.decode(parts.get(..layout.width).unwrap_or_default(), within, room, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::codec::decimal;
    use proptest::prelude::*;
    use strata_model::sample::STALE_NAN_BITS;

    fn block_of(columns: &[Vec<u64>]) -> Vec<u8> {
        let mut builder = BlockBuilder::default();
        for (slot, bits) in columns.iter().enumerate() {
            builder.push(slot as u8, slot as u32 * 3, bits);
        }
        builder.finish(&mut Framer::new(3))
    }

    fn round_trip(columns: &[Vec<u64>]) -> usize {
        let bytes = block_of(columns);
        let block = Block::open(&bytes, &mut Unpacker::default()).unwrap();
        assert_eq!(block.columns.len(), columns.len());
        for (slot, (column, bits)) in block.columns.iter().zip(columns).enumerate() {
            assert_eq!((column.slot as usize, column.times as usize), (slot, slot * 3));
            for within in [0..bits.len(), 1..bits.len(), 0..1, 2..5, bits.len() / 2..bits.len()] {
                let mut values = vec![7.0];
                block.decode(column, within.clone(), &mut vec![9], &mut values);
                let back: Vec<u64> = values.into_iter().skip(1).map(f64::to_bits).collect();
                let wanted = within.start.min(bits.len())..within.end.min(bits.len());
                assert_eq!(back, bits[wanted], "{within:?}");
            }
        }
        bytes.len()
    }

    #[test]
    fn a_steady_counter_that_ends_takes_little_more_than_its_marker() {
        let mut bits: Vec<u64> = (0..100).map(|i| (f64::from(i) * 12.5).to_bits()).collect();
        bits.push(STALE_NAN_BITS);
        assert!(round_trip(&[bits]) < 150);
    }

    #[test]
    fn constants_take_nothing_but_themselves() {
        assert!(round_trip(&vec![vec![1.25_f64.to_bits(); 500]; 64]) < 500);
    }

    fn value() -> impl Strategy<Value = u64> {
        prop_oneof![
            6 => (-100_000_i64..100_000, 0..=4_u8)
                .prop_map(|(i, e)| decimal::from_integer(i, e).to_bits()),
            1 => any::<u64>(),
            1 => Just(STALE_NAN_BITS),
            1 => any::<f64>().prop_map(f64::to_bits),
        ]
    }

    fn column() -> impl Strategy<Value = Vec<u64>> {
        prop_oneof![
            proptest::collection::vec(value(), 1..40),
            proptest::collection::vec(
                (0_i64..1_000).prop_map(|i| (i as f64 / 10.0).to_bits()),
                1..300
            ),
            proptest::collection::vec(any::<u64>(), 1..100),
        ]
    }

    proptest! {
        #[test]
        fn any_bits_round_trip(columns in proptest::collection::vec(column(), 1..8)) {
            round_trip(&columns);
        }

        #[test]
        fn one_flipped_bit_is_seen(columns in proptest::collection::vec(column(), 1..4), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let mut bytes = block_of(&columns);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Block::open(&bytes, &mut Unpacker::default()).is_none());
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(block) = Block::open_sections(&bytes, &mut Unpacker::default()) {
                for column in &block.columns {
                    block.decode(column, 0..column.count, &mut Vec::new(), &mut Vec::new());
                }
            }
        }
    }
}

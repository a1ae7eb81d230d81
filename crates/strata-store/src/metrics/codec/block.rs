//! A block: the values of up to 64 series of one metric over one window.
//!
//! Body (inside a [`super::frame`]): LEB128 column count; per column slot, time-column id, sample
//! count and byte length; then the columns' bytes. Measured on a generated GPU, engine and host
//! mix: 64 series together under zstd-3 take a third less than each on its own, because series of
//! one metric behave alike; `pco` over the same groups is as small and four times slower to write.

use super::values;
use super::varint::{Reader, put_u64};

/// Series to a block. More gains little compression and makes reading one series dearer.
pub(crate) const SERIES: usize = 64;

/// Samples of one series in one block; a window with more is written as several parts. Keeps an
/// unpacked block below [`super::frame::MAX_RAW`].
pub(crate) const MAX_SAMPLES: usize = 8_192;

/// Collects columns into the body of a block.
#[derive(Default)]
pub(crate) struct BlockBuilder {
    columns: usize,
    directory: Vec<u8>,
    data: Vec<u8>,
}

impl BlockBuilder {
    /// Add the column of the series in `slot`, whose times are the column `times` of the same
    /// seal. Slots must come in increasing order.
    pub(crate) fn push(&mut self, slot: u8, times: u32, bits: &[u64]) {
        let start = self.data.len();
        values::encode(bits, &mut self.data);
        put_u64(&mut self.directory, u64::from(slot));
        put_u64(&mut self.directory, u64::from(times));
        put_u64(&mut self.directory, bits.len() as u64);
        put_u64(&mut self.directory, (self.data.len() - start) as u64);
        self.columns += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.columns == 0
    }

    /// The body; the builder is empty again.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.directory.len() + self.data.len() + 2);
        put_u64(&mut body, self.columns as u64);
        body.append(&mut self.directory);
        body.append(&mut self.data);
        self.columns = 0;
        body
    }
}

/// One column of a decoded directory, values still packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    pub(crate) slot: u8,
    /// Id of the time column within the seal.
    pub(crate) times: u32,
    pub(crate) count: usize,
    data: &'a [u8],
}

impl Column<'_> {
    /// Append the values to `out`; `None` when damaged.
    pub(crate) fn decode(&self, out: &mut Vec<f64>) -> Option<()> {
        values::decode(self.data, self.count, out)
    }
}

/// Read the directory of a block; `None` when damaged.
pub(crate) fn columns(body: &[u8]) -> Option<Vec<Column<'_>>> {
    let mut reader = Reader::new(body);
    let count = reader.count(4)?;
    if count > SERIES {
        return None;
    }
    let mut heads = Vec::with_capacity(count);
    for _ in 0..count {
        let slot = u8::try_from(reader.u64()?).ok().filter(|&slot| usize::from(slot) < SERIES)?;
        let times = u32::try_from(reader.u64()?).ok()?;
        let samples = usize::try_from(reader.u64()?).ok().filter(|&n| n <= MAX_SAMPLES)?;
        heads.push((slot, times, samples, usize::try_from(reader.u64()?).ok()?));
    }
    let columns = heads.into_iter().map(|(slot, times, count, bytes)| {
        Some(Column { slot, times, count, data: reader.bytes(bytes)? })
    });
    columns.collect::<Option<Vec<_>>>().filter(|_| reader.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_round_trip(
            series in proptest::collection::btree_map(0..64_u8, (any::<u32>(), proptest::collection::vec(any::<u64>(), 1..20)), 0..8),
        ) {
            let mut builder = BlockBuilder::default();
            for (&slot, (times, bits)) in &series {
                builder.push(slot, *times, bits);
            }
            let body = builder.finish();
            let columns = columns(&body).unwrap();
            prop_assert_eq!(columns.len(), series.len());
            for (column, (slot, (times, bits))) in columns.iter().zip(&series) {
                let mut values = Vec::new();
                prop_assert_eq!(column.decode(&mut values), Some(()));
                let back: Vec<u64> = values.into_iter().map(f64::to_bits).collect();
                prop_assert_eq!((column.slot, column.times, &back), (*slot, *times, bits));
            }
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            for column in columns(&bytes).unwrap_or_default() {
                let _ = column.decode(&mut Vec::new());
            }
        }
    }
}

//! A packed copy of one series of the head.

use std::ops::Range;

use super::chunk::{self, State};

/// A native histogram in packed form with its time.
pub(crate) type PackedHistogram = (i64, Box<[u8]>);

/// Everything of one series that is in the head, packed; unpacked outside the lock. Its bytes lie
/// with those of the others that were copied with it: ten thousand of them would be as many pieces
/// of memory.
#[derive(Debug, Default, Clone)]
pub(crate) struct HeadSlice {
    /// What is sealed already and older than all of `chain`.
    pub(super) sealed: Option<Packed>,
    pub(super) chain: Packed,
    pub(super) late: Vec<(i64, u64)>,
    pub(crate) histograms: Vec<PackedHistogram>,
}

/// Samples in time order.
#[derive(Debug, Default, Clone)]
pub(super) struct Packed {
    /// What the first goes on from.
    pub(super) state: State,
    /// Where they lie in what was copied.
    pub(super) bytes: Range<usize>,
    pub(super) count: usize,
}

/// What the head told of one series at one moment.
#[derive(Debug)]
pub(crate) struct InHead {
    pub(crate) slice: Option<HeadSlice>,
    /// Whether the disk may hold samples in the range too.
    pub(crate) sealed: bool,
}

impl HeadSlice {
    /// Append the float samples in time order, values by their bits or as what `value` makes of
    /// these. `bytes` is what the slice was copied to.
    pub(crate) fn floats<V>(
        &self,
        bytes: &[u8],
        times: &mut Vec<i64>,
        values: &mut Vec<V>,
        value: impl Fn(u64) -> V,
    ) {
        let start = times.len();
        let start_of_values = values.len();
        for packed in self.sealed.iter().chain([&self.chain]) {
            let chain = bytes.get(packed.bytes.clone()).unwrap_or_default();
            chunk::decode_all(packed.state, chain, packed.count, times, values, &value);
        }
        if self.late.is_empty() {
            return;
        }
        let tail_times = times.split_off(start);
        let tail_values = values.split_off(start_of_values);
        let mut late = self.late.iter().copied().peekable();
        for (time, of) in tail_times.into_iter().zip(tail_values) {
            while let Some(early) = late.next_if(|early| early.0 < time) {
                times.push(early.0);
                values.push(value(early.1));
            }
            times.push(time);
            values.push(of);
        }
        times.extend(late.clone().map(|sample| sample.0));
        values.extend(late.map(|sample| value(sample.1)));
    }
}

//! Memory for the head's packed samples: fixed segments in chains, given back all at once.
//!
//! A growing `Vec` per series would double, copy and leave holes; 100,000 of them growing in step
//! are the worst case for an allocator. A chain of 128-byte segments wastes half a segment a
//! series and never moves.

/// Bytes of a segment; the first four are the index of the next.
const SEGMENT: usize = 128;
const LINK: usize = 4;
/// Payload bytes of a segment.
const PAYLOAD: usize = SEGMENT - LINK;
/// Segments allocated together (512 KiB).
const PAGE: usize = 4_096;
/// No segment.
const NONE: u32 = u32::MAX;

/// A chain of segments that belongs to one series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    first: u32,
    last: u32,
    /// Payload bytes in the whole chain.
    bytes: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Self { first: NONE, last: NONE, bytes: 0 }
    }
}

/// An end that a chain once had; the default is its beginning.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    segment: u32,
    /// Payload bytes before it.
    bytes: u32,
}

impl Chain {
    /// Where the chain ends now.
    pub(crate) fn end(&self) -> Place {
        Place { segment: self.last, bytes: self.bytes }
    }
}

/// All segments of the head.
#[derive(Default)]
pub(crate) struct Pool {
    pages: Vec<Box<[[u8; SEGMENT]]>>,
    /// Segments handed out since the last [`Pool::clear`].
    used: usize,
}

impl Pool {
    /// Append `data` to `chain`.
    pub(crate) fn append(&mut self, chain: &mut Chain, mut data: &[u8]) {
        while !data.is_empty() {
            let filled = chain.bytes as usize % PAYLOAD;
            if filled == 0 {
                self.extend(chain);
            }
            let (now, later) = data.split_at(data.len().min(PAYLOAD - filled));
            let start = LINK + filled;
            let segment = self.segment_mut(chain.last);
            segment[start..start + now.len()].copy_from_slice(now);
            chain.bytes += now.len() as u32;
            data = later;
        }
    }

    /// Copy the chain's bytes to the end of `out`, from where it ended at `from`.
    pub(crate) fn read(&self, chain: Chain, from: Place, out: &mut Vec<u8>) {
        let mut left = (chain.bytes - from.bytes) as usize;
        let (mut at, mut skip) = match from.bytes {
            0 => (chain.first, 0),
            // A segment that was full then has its next one by now, if there is anything to read.
            bytes => (from.segment, (bytes as usize - 1) % PAYLOAD + 1),
        };
        out.reserve(left);
        while left > 0 {
            let segment = &self.pages[at as usize / PAGE][at as usize % PAGE];
            let take = left.min(PAYLOAD - skip);
            out.extend_from_slice(&segment[LINK + skip..LINK + skip + take]);
            left -= take;
            skip = 0;
            let mut link = [0; LINK];
            link.copy_from_slice(&segment[..LINK]);
            at = u32::from_le_bytes(link);
        }
    }

    /// Forget every chain. Pages are kept for the next window, less those it hardly needs.
    pub(crate) fn clear(&mut self) {
        let needed = self.used.div_ceil(PAGE);
        self.pages.truncate(needed + needed / 4 + 1);
        self.used = 0;
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.pages.len() * PAGE * SEGMENT
    }

    /// Bytes of the segments that are handed out.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used * SEGMENT
    }

    fn extend(&mut self, chain: &mut Chain) {
        let index = self.used as u32;
        self.used += 1;
        if self.used > self.pages.len() * PAGE {
            self.pages.push(vec![[0; SEGMENT]; PAGE].into_boxed_slice());
        }
        if chain.first == NONE {
            chain.first = index;
        } else {
            let last = self.segment_mut(chain.last);
            last[..LINK].copy_from_slice(&index.to_le_bytes());
        }
        chain.last = index;
    }

    fn segment_mut(&mut self, index: u32) -> &mut [u8; SEGMENT] {
        &mut self.pages[index as usize / PAGE][index as usize % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chains_keep_their_bytes_apart(
            writes in proptest::collection::vec((0..3_usize, proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
        ) {
            let mut pool = Pool::default();
            let mut chains = [Chain::default(); 3];
            let mut model = [Vec::new(), Vec::new(), Vec::new()];
            let mut ends = Vec::new();
            for (to, data) in &writes {
                pool.append(&mut chains[*to], data);
                model[*to].extend_from_slice(data);
                ends.push((*to, chains[*to].end(), model[*to].len()));
            }
            for (chain, expected) in chains.iter().zip(&model) {
                let mut out = Vec::new();
                pool.read(*chain, Place::default(), &mut out);
                prop_assert_eq!(&out, expected);
            }
            for (of, place, bytes) in ends {
                let mut out = Vec::new();
                pool.read(chains[of], place, &mut out);
                prop_assert_eq!(&out, &model[of][bytes..]);
            }
        }
    }
}

//! The outer shell of every blob in a day file: checksum, method, length, bytes.
//!
//! `[xxh3 low 32 bits, little endian][method][LEB128 raw length][data]`; the checksum covers all
//! that follows it. SQLite does not checksum its pages, so a flipped bit is found here.

use super::varint::{Reader, put_u64};

const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// Below this many bytes zstd's own header outweighs what it saves.
const WORTH_COMPRESSING: usize = 64;

/// No blob is larger when unpacked: a block is at most 64 series of
/// [`super::block::MAX_SAMPLES`] samples of at most ten bytes.
pub(crate) const MAX_RAW: usize = 16 << 20;

/// Compresses bodies into frames with one reused context.
pub(crate) struct Framer {
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl Framer {
    /// A framer that compresses at this zstd level; without memory for a context it stores raw.
    pub(crate) fn new(level: i32) -> Self {
        Self { zstd: zstd::bulk::Compressor::new(level).ok() }
    }

    /// Wrap `body`, compressed when that is shorter.
    pub(crate) fn wrap(&mut self, body: &[u8]) -> Vec<u8> {
        let packed = match &mut self.zstd {
            Some(zstd) if body.len() >= WORTH_COMPRESSING => zstd.compress(body).ok(),
            _ => None,
        };
        let packed = packed.filter(|packed| packed.len() < body.len());
        let (method, data) = packed.as_deref().map_or((RAW, body), |packed| (ZSTD, packed));
        let mut out = Vec::with_capacity(data.len() + 10);
        out.extend_from_slice(&[0; 4]);
        out.push(method);
        put_u64(&mut out, body.len() as u64);
        out.extend_from_slice(data);
        let sum = checksum(out.get(4..).unwrap_or_default());
        if let Some(head) = out.first_chunk_mut::<4>() {
            *head = sum;
        }
        out
    }
}

/// Unwrap a frame; `None` when it is damaged.
pub(crate) fn unwrap(frame: &[u8]) -> Option<Vec<u8>> {
    let (sum, rest) = frame.split_first_chunk::<4>()?;
    if checksum(rest) != *sum {
        return None;
    }
    let mut reader = Reader::new(rest);
    let method = reader.u8()?;
    let length = usize::try_from(reader.u64()?).ok().filter(|&length| length <= MAX_RAW)?;
    let body = match method {
        RAW => reader.rest().to_vec(),
        ZSTD => zstd::bulk::decompress(reader.rest(), length).ok()?,
        _ => return None,
    };
    (body.len() == length).then_some(body)
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    (xxhash_rust::xxh3::xxh3_64(bytes) as u32).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bodies_round_trip_and_one_flipped_bit_is_seen(
            body in proptest::collection::vec(0..4_u8, 0..400), at in any::<prop::sample::Index>(), bit in 0..8_u32,
        ) {
            let mut frame = Framer::new(3).wrap(&body);
            prop_assert_eq!(unwrap(&frame), Some(body));
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
            prop_assert_eq!(unwrap(&frame), None);
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = unwrap(&bytes);
        }
    }
}

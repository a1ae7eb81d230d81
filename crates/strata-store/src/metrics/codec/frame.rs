//! The outer shell of every blob in a day file: checksum, then sections.
//!
//! `[xxh3 low 32 bits, little endian][section]..`, a section being `[method][LEB128 raw
//! length][LEB128 packed length][data]`; the checksum covers all that follows it. SQLite does not
//! checksum its pages, so a flipped bit is found here.

use super::varint::{Reader, put_u64};

const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// Bytes of the checksum.
pub(crate) const CHECKSUM: usize = 4;

/// Below this many bytes zstd's own header outweighs what it saves.
const WORTH_COMPRESSING: usize = 64;

/// No section is larger when unpacked: far above a plane or head of a block, above the label sets
/// of one row, and above the families of one file.
const MAX_RAW: usize = 64 << 20;

/// Compresses sections with one reused context.
pub(crate) struct Framer {
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl Framer {
    /// A framer that compresses at this zstd level; without memory for a context it stores raw.
    pub(crate) fn new(level: i32) -> Self {
        Self { zstd: zstd::bulk::Compressor::new(level).ok() }
    }

    /// Append `body` as a section, compressed when that is shorter.
    pub(crate) fn section(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let packed = match &mut self.zstd {
            Some(zstd) if body.len() >= WORTH_COMPRESSING => zstd.compress(body).ok(),
            _ => None,
        };
        let packed = packed.filter(|packed| packed.len() < body.len());
        let (method, data) = packed.as_deref().map_or((RAW, body), |packed| (ZSTD, packed));
        out.push(method);
        put_u64(out, body.len() as u64);
        put_u64(out, data.len() as u64);
        out.extend_from_slice(data);
    }

    /// Wrap one body as a whole blob.
    pub(crate) fn wrap(&mut self, body: &[u8]) -> Vec<u8> {
        let mut out = vec![0; CHECKSUM];
        self.section(body, &mut out);
        seal(&mut out);
        out
    }
}

/// Write the checksum of what follows into the first bytes.
pub(crate) fn seal(frame: &mut [u8]) {
    if let Some((sum, rest)) = frame.split_first_chunk_mut::<CHECKSUM>() {
        *sum = checksum(rest);
    }
}

/// What follows the checksum; `None` when it does not fit.
pub(crate) fn verified(frame: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = frame.split_first_chunk::<CHECKSUM>()?;
    (checksum(rest) == *sum).then_some(rest)
}

/// Unpacks sections with one reused context, which is made when first needed: making one costs as
/// much as unpacking several blocks.
#[derive(Default)]
pub(crate) struct Unpacker {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Unpacker {
    /// Unpack the next section; `None` when damaged.
    pub(crate) fn section(&mut self, reader: &mut Reader<'_>) -> Option<Vec<u8>> {
        let method = reader.u8()?;
        let length = usize::try_from(reader.u64()?).ok().filter(|&length| length <= MAX_RAW)?;
        let packed = reader.count(1)?;
        let data = reader.bytes(packed)?;
        let body = match method {
            RAW => data.to_vec(),
            ZSTD => self.decompress(data, length)?,
            _ => return None,
        };
        (body.len() == length).then_some(body)
    }

    fn decompress(&mut self, data: &[u8], length: usize) -> Option<Vec<u8>> {
        if self.zstd.is_none() {
            self.zstd = zstd::bulk::Decompressor::new().ok();
        }
        self.zstd.as_mut()?.decompress(data, length).ok()
    }

    /// Unwrap a blob of one section; `None` when damaged.
    pub(crate) fn unwrap(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let mut reader = Reader::new(verified(frame)?);
        self.section(&mut reader).filter(|_| reader.is_empty())
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
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
            prop_assert_eq!(Unpacker::default().unwrap(&frame), Some(body));
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
            prop_assert_eq!(Unpacker::default().unwrap(&frame), None);
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Unpacker::default().section(&mut Reader::new(&bytes));
        }
    }
}

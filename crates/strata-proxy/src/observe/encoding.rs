//! A decoded copy of an encoded answer, within bounds. The bytes themselves pass on encoded.

use std::io::Write;

use flate2::write::{GzDecoder, ZlibDecoder};

/// Encoded bytes decoded at a time: deflate makes at most about a thousand of one, so a megabyte.
const STEP_BYTES: usize = 1024;
/// Decoded bytes read of one answer. A longer one is passed on and read no further.
const DECODED_MAX: u64 = 256 << 20;

/// How an answer is encoded.
#[derive(Debug)]
pub(crate) enum Decoder {
    Identity,
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
    /// Not understood, broken, or too long.
    Blind,
}

impl Decoder {
    /// The decoder for this `Content-Encoding`.
    pub(crate) fn of(encoding: Option<&str>) -> Self {
        match encoding.map(str::trim) {
            None | Some("" | "identity") => Self::Identity,
            Some("gzip" | "x-gzip") => Self::Gzip(GzDecoder::new(Vec::new())),
            Some("deflate") => Self::Deflate(ZlibDecoder::new(Vec::new())),
            Some(_) => Self::Blind,
        }
    }

    /// Decode on; `told` gets the plain bytes. `read` counts them over the whole answer.
    pub(crate) fn feed(&mut self, bytes: &[u8], read: &mut u64, told: &mut dyn FnMut(&[u8])) {
        if let Self::Identity = self {
            told(bytes);
            return;
        }
        for step in bytes.chunks(STEP_BYTES) {
            let plain = match self {
                Self::Gzip(decoder) => decode(decoder, step, GzDecoder::get_mut),
                Self::Deflate(decoder) => decode(decoder, step, ZlibDecoder::get_mut),
                Self::Identity | Self::Blind => return,
            };
            let Some(plain) = plain else {
                *self = Self::Blind;
                return;
            };
            *read += plain.len() as u64;
            if *read > DECODED_MAX {
                *self = Self::Blind;
                return;
            }
            told(&plain);
        }
    }

    pub(crate) fn is_blind(&self) -> bool {
        matches!(self, Self::Blind)
    }
}

/// Decode one step and take what came of it; flushed, so that no event waits in the decoder.
fn decode<D: Write>(
    decoder: &mut D,
    step: &[u8],
    plain: impl Fn(&mut D) -> &mut Vec<u8>,
) -> Option<Vec<u8>> {
    decoder.write_all(step).ok()?;
    decoder.flush().ok()?;
    Some(std::mem::take(plain(decoder)))
}

//! The bytes of a segment: a head, then frames of lines.
//!
//! A frame is the length of its zstd, the XXH3 of it, both little-endian, and the zstd of lines of JSON.
//! The head is the first frame, with one line.

use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::error::ContentError;
use super::exchange::Line;

/// Format of the files.
const FORMAT: u32 = 1;
/// Length and checksum in front of a frame.
const HEAD_BYTES: usize = 12;
/// Bytes of one frame, compressed and plain: a batch has at most 64 calls of at most 16 MiB.
const FRAME_MAX: u64 = 1 << 30;
/// Content is written once and read seldom: the default level.
const LEVEL: i32 = 3;

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    format: u32,
    pub(super) route: String,
    /// How long its content is kept where no configuration says otherwise.
    pub(super) keep_ms: u64,
}

impl Head {
    pub(super) fn new(route: &str, keep_ms: u64) -> Self {
        Self { format: FORMAT, route: route.to_owned(), keep_ms }
    }

    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        pack(&text)
    }
}

/// Lines as a frame.
pub(super) fn of(lines: &[Line]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line).map_err(io::Error::other)?;
        text.push(b'\n');
    }
    pack(&text)
}

fn pack(text: &[u8]) -> io::Result<Vec<u8>> {
    if text.len() as u64 > FRAME_MAX {
        return Err(io::Error::other("more than a frame holds"));
    }
    let packed = zstd::bulk::compress(text, LEVEL)?;
    let length = u32::try_from(packed.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(HEAD_BYTES + packed.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&xxh3_64(&packed).to_le_bytes());
    frame.extend_from_slice(&packed);
    Ok(frame)
}

/// What a segment was read to be.
#[derive(Debug)]
pub(super) struct Segment {
    /// `None` where not even that is whole.
    pub(super) head: Option<Head>,
    /// Bytes up to the end of the last whole frame.
    pub(super) whole: u64,
    /// Bytes behind it: a frame that was being written, or damage.
    pub(super) torn: u64,
}

/// Read a segment; `take` gets every line that can be read.
pub(super) fn read(path: &Path, take: &mut dyn FnMut(Line)) -> Result<Segment, ContentError> {
    walk(path, &mut |packed| {
        let text = unpack(packed)?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.filter_map(|line| serde_json::from_slice(line).ok()).for_each(&mut *take);
        Ok(())
    })
}

/// Where a segment ends, by the checksums of its frames: nothing behind the head is unpacked.
pub(super) fn ends(path: &Path) -> Result<Segment, ContentError> {
    walk(path, &mut |_| Ok(()))
}

/// What a segment says of itself; `None` where not even that is whole. Reads no more than that.
pub(super) fn head(path: &Path) -> Result<Option<Head>, ContentError> {
    let fail = |source| ContentError::file("read", path, source);
    let file = std::fs::File::open(path).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    match frame(&mut io::BufReader::new(file), size).map_err(fail)? {
        Some((packed, _)) => known(path, &packed),
        None => Ok(None),
    }
}

/// The head that a first frame is; `None` where it is none.
fn known(path: &Path, packed: &[u8]) -> Result<Option<Head>, ContentError> {
    let text = unpack(packed).map_err(|source| ContentError::file("read", path, source))?;
    match serde_json::from_slice::<Head>(&text) {
        Ok(head) if head.format > FORMAT => Err(ContentError::TooNew { path: path.to_owned() }),
        Ok(head) => Ok(Some(head)),
        Err(_) => Ok(None),
    }
}

/// Go through the frames behind the head, still packed.
fn walk(
    path: &Path,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<Segment, ContentError> {
    let fail = |source| ContentError::file("read", path, source);
    let file = std::fs::File::open(path).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    let mut reader = io::BufReader::new(file);
    let mut segment = Segment { head: None, whole: 0, torn: 0 };
    while let Some((packed, length)) = frame(&mut reader, size - segment.whole).map_err(fail)? {
        if segment.head.is_some() {
            take(&packed).map_err(fail)?;
        } else {
            segment.head = known(path, &packed)?;
            if segment.head.is_none() {
                break;
            }
        }
        segment.whole += length;
    }
    segment.torn = size.saturating_sub(segment.whole);
    Ok(segment)
}

/// The next frame, packed, and its length in the file; `None` where there is no whole one.
fn frame(reader: &mut impl Read, left: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut head = [0; HEAD_BYTES];
    if left < HEAD_BYTES as u64 {
        return Ok(None);
    }
    if let Err(error) = reader.read_exact(&mut head) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let (length, sum) = head.split_at(4);
    let length = u64::from(u32::from_le_bytes(length.try_into().unwrap_or_default()));
    let sum = u64::from_le_bytes(sum.try_into().unwrap_or_default());
    if length > FRAME_MAX || length + HEAD_BYTES as u64 > left {
        return Ok(None);
    }
    let mut packed = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by take")]
    reader.take(length).read_to_end(&mut packed)?;
    let whole = packed.len() as u64 == length && xxh3_64(&packed) == sum;
    Ok(whole.then_some((packed, length + HEAD_BYTES as u64)))
}

fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let decoder = zstd::stream::read::Decoder::new(packed)?;
    let mut text = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by take")]
    decoder.take(FRAME_MAX).read_to_end(&mut text)?;
    Ok(text)
}

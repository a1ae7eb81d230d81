//! Reading the log back at start: every whole record, and a clean end where damage begins.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::MAGIC;
use super::record::{HEADER, Record, decode, header};

/// What came of reading one segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) records: u64,
    /// Bytes behind the last whole record.
    pub(crate) damaged_bytes: u64,
}

/// Hand every whole record of the segment at `path` to `take`. With `cut`, bytes behind the last
/// whole record are removed, so that they cannot be mistaken for anything later.
pub(crate) fn replay(path: &Path, cut: bool, mut take: impl FnMut(Record)) -> io::Result<Replayed> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut replayed = Replayed::default();
    let mut whole = 0_u64;
    let mut magic = [0; MAGIC.len()];
    if fill(&mut reader, &mut magic)? && &magic == MAGIC {
        whole = MAGIC.len() as u64;
        let mut payload = Vec::new();
        while let Some(record) = next(&mut reader, &mut payload)? {
            whole += (HEADER + payload.len()) as u64;
            replayed.records += 1;
            take(record);
        }
    }
    replayed.damaged_bytes = length.saturating_sub(whole);
    if cut && replayed.damaged_bytes > 0 {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(replayed)
}

/// The next whole record; `None` at the end or where damage begins.
fn next(reader: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<Option<Record>> {
    let mut head = [0; HEADER];
    if !fill(reader, &mut head)? {
        return Ok(None);
    }
    let Some((length, sum)) = header(&head) else { return Ok(None) };
    payload.clear();
    payload.resize(length, 0);
    if !fill(reader, payload)? {
        return Ok(None);
    }
    Ok(decode(payload, sum))
}

/// Fill the buffer; `false` when the file ends first.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

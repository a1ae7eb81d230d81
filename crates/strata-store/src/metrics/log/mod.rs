//! The batch log: what was acknowledged but not yet sealed into a day file.
//!
//! Segments `log-<number>.log`, appended to by one thread. A seal starts a new segment; when the
//! day files have taken everything older, the older segments are removed. Own files rather than
//! rows in SQLite: a commit is one `write` and one `fdatasync` of the bytes themselves, where
//! SQLite writes every page twice (to its own log, then to the table).

pub(crate) mod record;
mod replay;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(crate) use self::replay::replay;

/// First bytes of a segment: name and version of the format.
const MAGIC: &[u8; 8] = b"STRALOG1";

/// Path of the segment with this number.
pub(crate) fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("log-{number:010}.log"))
}

/// Numbers of the segments in `dir`, ascending.
pub(crate) fn segments(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("log-")?.strip_suffix(".log"));
        numbers.extend(number.and_then(|digits| digits.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Remove the segments numbered below `keep_from`.
pub(crate) fn remove_before(dir: &Path, keep_from: u32) -> io::Result<()> {
    for number in segments(dir)?.into_iter().filter(|&number| number < keep_from) {
        std::fs::remove_file(segment_path(dir, number))?;
    }
    Ok(())
}

/// Make names created in `dir` survive a power failure.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The segment that is written now.
pub(crate) struct Segment {
    file: File,
    number: u32,
    /// Bytes known to be whole records; what lies beyond is the rest of a failed write.
    whole: u64,
    dirty_tail: bool,
}

impl Segment {
    /// Start the segment with this number.
    pub(crate) fn create(dir: &Path, number: u32) -> io::Result<Self> {
        let path = segment_path(dir, number);
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
        file.write_all(MAGIC)?;
        file.sync_all()?;
        sync_dir(dir)?;
        Ok(Self { file, number, whole: MAGIC.len() as u64, dirty_tail: false })
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Whether no record was written yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole == MAGIC.len() as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.whole
    }

    /// Write whole records. After an error nothing of them counts, and the next call starts by
    /// cutting off what the failed one may have left.
    pub(crate) fn write(&mut self, records: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::FileExt as _;
        if self.dirty_tail {
            self.file.set_len(self.whole)?;
            self.dirty_tail = false;
        }
        self.dirty_tail = true;
        self.file.write_all_at(records, self.whole)?;
        self.dirty_tail = false;
        self.whole += records.len() as u64;
        Ok(())
    }

    /// Wait until what was written would survive a power failure.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

//! Bytes on their way into a segment.

use std::fs::File;
use std::io::{self, Write};

/// What writes and cuts segments: files as they are, and in tests a disk that fills up within a write.
pub trait Disk: Send + Sync + 'static {
    /// Write all of it where the file stands.
    ///
    /// # Errors
    /// As the file has it; a part may have been written.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;

    /// Make the file end there.
    ///
    /// # Errors
    /// As the file has it.
    fn cut(&self, file: &File, end: u64) -> io::Result<()>;
}

/// Files as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl Disk for Files {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn cut(&self, file: &File, end: u64) -> io::Result<()> {
        file.set_len(end)
    }
}

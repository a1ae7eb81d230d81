//! Where the host's files are, and reading them without allocating each time.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use strata_model::{Fault, FaultCode, SourceState};

use crate::collector::CollectError;

/// No single file the collectors read is larger on a sane host: `/proc/stat` of 1,024 processors with
/// 4,096 interrupts is about 100 kB, mountstats of 500 NFS mounts about 3 MB.
const FILE_BYTES_MAX: usize = 8 << 20;

/// Room for most files of procfs in one read.
const FIRST_READ_BYTES: usize = 16 << 10;

/// The prefix under which the host's `/proc`, `/sys` and `/dev` are found: `/`, or where a container
/// has the host mounted.
#[derive(Debug, Clone)]
pub(crate) struct HostRoot {
    root: PathBuf,
    /// `/proc/net` and `/proc/mounts` show the reader's own namespaces. When we look at the host from
    /// inside a container, those of process 1 are the host's.
    namespace_of: &'static str,
}

impl HostRoot {
    pub(crate) fn new(root: &Path) -> Self {
        let own = root == Path::new("/");
        Self { root: root.to_owned(), namespace_of: if own { "self" } else { "1" } }
    }

    /// `below` is written without a leading slash: `proc/stat`.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// A path inside the host as its mount table writes it.
    pub(crate) fn inside(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// A file of the host's network or mount namespace: `net/dev`, `mounts`, `mountstats`.
    pub(crate) fn namespaced(&self, below: &str) -> PathBuf {
        self.root.join("proc").join(self.namespace_of).join(below)
    }

    /// Whether this is the root of the process itself.
    pub(crate) fn is_own(&self) -> bool {
        self.namespace_of == "self"
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge { path: PathBuf },
}

impl ReadError {
    /// The file is not there, or the kernel was built or started without it.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.state(), SourceState::Unsupported)
    }

    /// The kernel refused it to this user.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self.state(), SourceState::Denied)
    }

    fn state(&self) -> SourceState {
        match self {
            Self::TooLarge { .. } => SourceState::Failing,
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::Unsupported => SourceState::Unsupported,
                io::ErrorKind::PermissionDenied => SourceState::Denied,
                _ => SourceState::Failing,
            },
        }
    }

    /// The fault, with the operating system's reason in the message.
    pub(crate) fn fault(&self) -> Fault {
        let message = match self {
            Self::Read { source, .. } => format!("{self}: {source}"),
            Self::TooLarge { .. } => self.to_string(),
        };
        let code = match (self, self.state()) {
            (Self::TooLarge { .. }, _) => FaultCode::TooLarge,
            (_, SourceState::Unsupported) => FaultCode::Unsupported,
            (_, SourceState::Denied) => FaultCode::Denied,
            _ => FaultCode::Io,
        };
        Fault::new(code, message)
    }

    /// The whole part cannot work because of it. `hint` is what helps when the file is absent.
    pub(crate) fn fatal(&self, hint: &str) -> CollectError {
        let state = self.state();
        let hint = match state {
            SourceState::Denied => {
                "run strata as root, or give it CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE".to_owned()
            }
            SourceState::Unsupported => hint.to_owned(),
            _ => String::new(),
        };
        CollectError { fault: self.fault(), state, hint }
    }
}

/// Reads files into one buffer that is kept from round to round.
#[derive(Debug, Default)]
pub(crate) struct FileReader {
    buffer: Vec<u8>,
}

impl FileReader {
    /// The whole file, which procfs may hand out in several pieces.
    pub(crate) fn read(&mut self, path: &Path) -> Result<&[u8], ReadError> {
        let error = |source| ReadError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(error)?;
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                if filled >= FILE_BYTES_MAX {
                    return Err(ReadError::TooLarge { path: path.to_owned() });
                }
                self.buffer.resize((filled * 2).max(FIRST_READ_BYTES), 0);
            }
            match file.read(&mut self.buffer[filled..]) {
                Ok(0) => return Ok(&self.buffer[..filled]),
                Ok(count) => filled += count,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(error(source)),
            }
        }
    }

    /// A file that the kernel always hands out in one piece: an attribute of sysfs (one page at most),
    /// or a file of one record.
    pub(crate) fn read_small(&mut self, path: &Path) -> Result<&[u8], ReadError> {
        if self.buffer.is_empty() {
            self.buffer.resize(FIRST_READ_BYTES, 0);
        }
        let read = File::open(path).and_then(|mut file| file.read(&mut self.buffer));
        match read {
            Ok(count) => Ok(&self.buffer[..count]),
            Err(source) => Err(ReadError::Read { path: path.to_owned(), source }),
        }
    }

    /// An attribute of sysfs that holds one number; `None` when it is absent or says something else.
    pub(crate) fn number(&mut self, path: &Path) -> Option<u64> {
        super::fields::number(self.read_small(path).ok()?.trim_ascii())
    }

    /// An attribute of sysfs that holds one word or line; `None` when it is absent or empty.
    pub(crate) fn word(&mut self, path: &Path) -> Option<String> {
        let text = super::fields::text(self.read_small(path).ok()?.trim_ascii());
        if text.is_empty() { None } else { Some(text.into_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_those_of_the_host() {
        let check = |root: &str, expected: &str| {
            assert_eq!(
                HostRoot::new(Path::new(root)).namespaced("net/dev"),
                Path::new(expected),
                "{root}"
            );
        };
        check("/", "/proc/self/net/dev");
        check("/host", "/host/proc/1/net/dev");
    }

    #[test]
    fn files_larger_than_the_first_buffer_are_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        std::fs::write(&path, vec![b'x'; FIRST_READ_BYTES * 3 + 7]).unwrap();
        let mut reader = FileReader::default();
        assert_eq!(reader.read(&path).unwrap().len(), FIRST_READ_BYTES * 3 + 7);
        std::fs::write(&path, "short").unwrap();
        assert_eq!(reader.read(&path).unwrap(), b"short");
    }

    #[test]
    fn endless_files_are_refused() {
        let mut reader = FileReader::default();
        let refused = reader.read(Path::new("/dev/zero"));
        assert!(matches!(refused, Err(ReadError::TooLarge { .. })));
    }

    #[test]
    fn a_missing_file_is_unsupported_not_failing() {
        let mut reader = FileReader::default();
        let error = reader.read(Path::new("/proc/no-such-file")).unwrap_err();
        assert!(error.is_absent());
        assert_eq!(error.fatal("do this").hint, "do this");
    }
}

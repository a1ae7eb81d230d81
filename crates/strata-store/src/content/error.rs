//! What can go wrong with captured content.

use std::io;
use std::path::{Path, PathBuf};

/// Why content cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    #[error("cannot {action} {path}")]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{path} was written by a newer version")]
    TooNew { path: PathBuf },
}

impl ContentError {
    pub(super) fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }
}

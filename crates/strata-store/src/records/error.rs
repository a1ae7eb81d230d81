//! Why the record store cannot be opened or written.

use std::io;
use std::path::PathBuf;

use strata_model::record::RecordError;

/// What failed, and on which file.
#[derive(Debug, thiserror::Error)]
pub enum RecordStoreError {
    #[error("cannot {action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot {action} {path}: {source}")]
    Database { action: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error("{path} was written by a newer version (format {found}, this one knows {known})")]
    TooNew { path: PathBuf, found: i64, known: i64 },
    #[error("cannot start the thread that writes records")]
    Thread(#[source] io::Error),
}

impl From<RecordStoreError> for RecordError {
    fn from(error: RecordStoreError) -> Self {
        Self::Storage(error.to_string())
    }
}

//! Reading records beside a process that writes them, or without one.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use strata_model::Clock;
use strata_model::record::{RecordError, RecordQuery, StoredFeedback, StoredRequest};

use super::error::RecordStoreError;
use super::files::Files;
use super::options::RecordOptions;
use super::{feedback, read};

/// The records in a directory, as they are: nothing is made, written or removed.
pub struct RecordReader(Files);

impl RecordReader {
    /// Those in `dir`; none where it is not there.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, RecordStoreError> {
        // Only what is written and removed depends on the settings.
        let settings = RecordOptions::default().validate(dir).map_err(|_problems| {
            let source = std::io::Error::other("the default settings do not hold");
            RecordStoreError::File { action: "open", path: dir.to_owned(), source }
        })?;
        Ok(Self(Files::as_they_are(settings, clock)?))
    }

    /// Single requests.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn requests(&self, query: &RecordQuery) -> Result<Vec<StoredRequest>, RecordError> {
        read::requests(&self.0, query)
    }

    /// Feedback given within a time (microseconds since the Unix epoch), newest first.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn feedback(
        &self,
        range_us: Range<i64>,
        limit: usize,
    ) -> Result<Vec<StoredFeedback>, RecordError> {
        feedback::read(&self.0, &range_us, limit)
    }
}

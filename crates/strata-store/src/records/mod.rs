//! Records on disk: one SQLite file per day, `records-YYYYMMDD.db`.
//!
//! | table | row | found by |
//! |---|---|---|
//! | `request` | one GenAI request, merged from all doors; `sightings` has each as it came | team, model, duration; model, duration; start |
//! | `ident` | the hash of one id of a request | hash |
//! | `span` | one span of a trace | trace |
//! | `feedback` | one judgement and, once seen, the request it is about | hash of its target; idempotency key |
//! | `rollup` | sums of an hour by tenant, team, app, model | hour first |
//!
//! One thread writes. A transaction takes everything that waits, rollups included, and is on disk
//! (WAL, `synchronous=FULL`) before anybody is answered. A request belongs to the day it began;
//! sightings that began on both sides of midnight are joined in the file of the first to come.

mod backup;
mod day;
mod error;
mod feedback;
mod files;
mod options;
mod read;
mod reader;
mod rollup;
mod row;
mod sample;
mod sql;
mod verify;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use strata_model::Clock;
use strata_model::meter::Meter;
use strata_model::record::{
    Judgement, RecordBatch, RecordError, RecordQuery, RecordReceipt, RecordSink, RecordSource,
    RequestSightings, RollupQuery, RollupRow, SampleQuery, Samples, SqlAnswer, StoredFeedback,
    StoredRequest,
};
use strata_model::sink::{BoxFuture, SinkError};

pub use error::RecordStoreError;
pub use options::{RecordOptions, RecordSettings};
pub use reader::RecordReader;
pub use verify::RecordsReport;

use files::Files;
use writer::Writer;

/// The records of this machine. Cheap to clone; every clone is the same store.
#[derive(Clone)]
pub struct RecordStore(Arc<Inner>);

struct Inner {
    files: Arc<Files>,
    writer: Writer,
}

impl RecordStore {
    /// Open the store and remove what is older than the retention.
    ///
    /// # Errors
    /// When the directory cannot be made or listed, or the writing thread cannot start. A damaged
    /// file of a day is told when that day is read or written.
    pub fn open(
        settings: RecordSettings,
        clock: Arc<dyn Clock>,
        meter: &Meter,
    ) -> Result<Self, RecordStoreError> {
        let files = Arc::new(Files::open(settings, clock)?);
        let writer = Writer::start(Arc::clone(&files), meter)?;
        Ok(Self(Arc::new(Inner { files, writer })))
    }

    /// Read every record of the files in `dir` back. Works while a process has them open.
    ///
    /// # Errors
    /// When the directory cannot be listed. Damage is no error, see [`RecordsReport::damage`].
    pub fn verify(dir: &Path) -> Result<RecordsReport, RecordStoreError> {
        verify::verify(dir)
    }

    /// Copy the records in `dir` to the new directory `to`. Works while a process has them open.
    ///
    /// # Errors
    /// When a file cannot be read or written, or `to` is there already; then nothing is left of it.
    pub fn backup_of(dir: &Path, to: &Path) -> Result<(), RecordStoreError> {
        backup::backup(dir, to)
    }

    /// Write what waits and end the writing thread. Appends after this are refused.
    pub fn close(&self) {
        self.0.writer.close();
    }
}

impl RecordSink for RecordStore {
    fn append(&self, batch: RecordBatch) -> BoxFuture<'_, Result<RecordReceipt, SinkError>> {
        Box::pin(self.0.writer.append(batch))
    }
}

impl RecordSource for RecordStore {
    fn requests(&self, query: &RecordQuery) -> Result<Vec<StoredRequest>, RecordError> {
        read::requests(&self.0.files, query)
    }

    fn request(&self, uid: &str) -> Result<Option<RequestSightings>, RecordError> {
        sample::request(&self.0.files, uid)
    }

    fn under_way(&self, replica: &str, range_us: Range<i64>) -> Result<u64, RecordError> {
        sample::under_way(&self.0.files, replica, &range_us)
    }

    fn samples(&self, query: &SampleQuery) -> Result<Samples, RecordError> {
        sample::samples(&self.0.files, query)
    }

    fn judgements(
        &self,
        model: &str,
        range_us: Range<i64>,
        limit: usize,
    ) -> Result<Vec<Judgement>, RecordError> {
        sample::judgements(&self.0.files, model, &range_us, limit)
    }

    fn rollup(&self, query: &RollupQuery) -> Result<Vec<RollupRow>, RecordError> {
        rollup::read(&self.0.files, query)
    }

    fn feedback(
        &self,
        range_us: Range<i64>,
        limit: usize,
    ) -> Result<Vec<StoredFeedback>, RecordError> {
        feedback::read(&self.0.files, &range_us, limit)
    }

    fn sql(&self, text: &str, range_us: Range<i64>) -> Result<SqlAnswer, RecordError> {
        sql::answer(&self.0.files, text, &range_us)
    }
}

#[cfg(test)]
mod beside;
#[cfg(test)]
mod tests;

//! Captured content on disk: what was asked and answered on routes that say so.
//!
//! ```text
//! content/                  0700; nothing is made before the first call is kept
//!   lock                    held while a segment is written or rewritten
//!   ROUTE/                  one directory a route
//!     1795848122000.seg     the calls of up to an hour, from this moment on (milliseconds)
//! ```
//!
//! A segment is a head and frames, each a zstd of lines of JSON behind its length and checksum. A frame
//! is written whole and synced; what a crash left of one is cut off. Segments are the unit of deletion:
//! by age, by space. To forget single calls a segment is written anew without them.
//!
//! Only what a [`Redacted`] holds can be written, so there is no way past the redactor.

mod disk;
mod error;
mod exchange;
mod forget;
mod frame;
#[cfg(test)]
mod full;
mod keep;
mod segments;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strata_model::Clock;

pub use disk::{Disk, Files};
pub use error::ContentError;
pub use exchange::{Exchange, Gap, MEDIA, Redacted};
pub use forget::Forgotten;
pub use segments::{RouteContent, Seen};

use exchange::Line;
use keep::Kept;
use segments::Segments;

/// How the content of one route is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePlan {
    pub route: String,
    /// What is older is deleted.
    pub retention: Duration,
    /// Most bytes on disk; beyond it the oldest segments are deleted.
    pub disk_bytes: u64,
}

/// What an append did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    /// Bytes on disk, compressed.
    pub bytes: u64,
    /// Segments that were deleted to keep within the space of the route.
    pub crowded_out: u64,
}

/// Something that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    Exchange(Box<Exchange>),
    Gap(Gap),
}

/// The captured content of a directory. Opening touches nothing.
#[derive(Clone)]
pub struct ContentStore {
    segments: Arc<Segments>,
}

impl ContentStore {
    /// That of a directory, which need not be there.
    pub fn at(dir: &Path, clock: Arc<dyn Clock>) -> Self {
        Self::on(dir, clock, Arc::new(Files))
    }

    /// The same, written by way of this disk.
    pub fn on(dir: &Path, clock: Arc<dyn Clock>, disk: Arc<dyn Disk>) -> Self {
        Self { segments: Arc::new(Segments { dir: dir.to_owned(), clock, disk }) }
    }

    /// Where it lies.
    pub fn dir(&self) -> &PathBuf {
        &self.segments.dir
    }

    /// Write calls and gaps of a route, and wait until they would survive a crash of the machine. Blocks.
    ///
    /// # Errors
    /// When it cannot be written, by whatever cause; then nothing of it is there.
    pub fn append(
        &self,
        plan: &RoutePlan,
        calls: Vec<Redacted>,
        gaps: Vec<Gap>,
    ) -> Result<Appended, ContentError> {
        let calls = calls.into_iter().map(|call| Line::Exchange(Box::new(call.into_exchange())));
        let lines: Vec<Line> = calls.chain(gaps.into_iter().map(Line::Gap)).collect();
        if lines.is_empty() {
            return Ok(Appended::default());
        }
        let _held = self.segments.hold()?;
        let bytes = keep::append(&self.segments, plan, &lines)?;
        let kept = Kept { retention: plan.retention, disk_bytes: plan.disk_bytes };
        let crowded_out = keep::make_room(&self.segments, &plan.route, &kept)?;
        Ok(Appended { bytes, crowded_out })
    }

    /// Delete what is too old, of all routes, those too that are captured no more. Those of `plans` as
    /// they say, others as was said when they were written. The number of segments deleted.
    ///
    /// # Errors
    /// When a directory cannot be read or a segment not be deleted.
    pub fn sweep(&self, plans: &[RoutePlan]) -> Result<u64, ContentError> {
        if !self.segments.dir.is_dir() {
            return Ok(0);
        }
        let _held = self.segments.hold()?;
        keep::sweep(&self.segments, plans)
    }

    /// Read what began within a time (microseconds since the Unix epoch), oldest segments first.
    ///
    /// # Errors
    /// When the directory cannot be read. Damage is no error, see [`Seen`].
    pub fn visit(
        &self,
        range_us: &Range<i64>,
        route: Option<&str>,
        take: &mut dyn FnMut(Found),
    ) -> Result<Seen, ContentError> {
        self.segments.visit(range_us, route, take)
    }

    /// Delete the calls that `which` says, for good. Works while a process writes.
    ///
    /// # Errors
    /// When a segment cannot be read or written anew; those before it are done.
    pub fn forget(&self, which: &dyn Fn(&Exchange) -> bool) -> Result<Forgotten, ContentError> {
        if !self.segments.dir.is_dir() {
            return Ok(Forgotten::default());
        }
        let _held = self.segments.hold()?;
        forget::forget(&self.segments, which)
    }

    /// What there is, by route.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn status(&self) -> Result<Vec<RouteContent>, ContentError> {
        self.segments.status()
    }
}

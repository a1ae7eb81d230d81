//! The directory: which routes and segments there are, and reading them.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strata_model::Clock;

use super::Found;
use super::disk::Disk;
use super::error::ContentError;
use super::exchange::Line;
use super::frame::{self, Segment};

const LOCK: &str = "lock";
const SUFFIX: &str = ".seg";
/// Only this user: what people said is in there.
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

pub(super) struct Segments {
    pub(super) dir: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) disk: Arc<dyn Disk>,
}

/// What was met while reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    pub segments: u64,
    /// Segments with bytes that cannot be read: the end of one that is being written, or damage.
    pub torn: u64,
}

/// What there is of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteContent {
    pub route: String,
    pub calls: u64,
    pub segments: u64,
    /// On disk, compressed.
    pub bytes: u64,
    /// When the first and the last call began, microseconds since the Unix epoch.
    pub first_us: Option<i64>,
    pub last_us: Option<i64>,
    /// How long it is kept by what its last segment says, milliseconds.
    pub keep_ms: u64,
    /// Calls that are not there, by reason.
    pub gaps: std::collections::BTreeMap<String, u64>,
    /// Segments with bytes that cannot be read.
    pub torn: u64,
}

impl Segments {
    /// Take the lock; others wait until it is dropped. Makes the directory.
    pub(super) fn hold(&self) -> Result<File, ContentError> {
        make_dir(&self.dir)?;
        let path = self.dir.join(LOCK);
        let mut options = private();
        let file = options.write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| ContentError::file("open", &path, error))?;
        file.lock().map_err(|error| ContentError::file("lock", &path, error))?;
        Ok(file)
    }

    /// Where segments of a route lie.
    pub(super) fn route_dir(&self, route: &str) -> PathBuf {
        self.dir.join(escaped(route))
    }

    /// Directories of routes.
    pub(super) fn routes(&self) -> Result<Vec<PathBuf>, ContentError> {
        let mut dirs = entries(&self.dir)?;
        dirs.retain(|path| path.is_dir());
        Ok(dirs)
    }

    pub(super) fn visit(
        &self,
        range_us: &Range<i64>,
        route: Option<&str>,
        take: &mut dyn FnMut(Found),
    ) -> Result<Seen, ContentError> {
        let mut seen = Seen::default();
        let dirs = match route {
            Some(route) => vec![self.route_dir(route)],
            None => self.routes()?,
        };
        for dir in dirs {
            for (_, path) in of_dir(&dir)? {
                let Some(segment) = read(&path, &mut |line| {
                    let (at, found) = match line {
                        Line::Exchange(one) => (one.start_us, Found::Exchange(one)),
                        Line::Gap(gap) => (gap.at_us, Found::Gap(gap)),
                    };
                    if range_us.contains(&at) {
                        take(found);
                    }
                })?
                else {
                    continue;
                };
                seen.segments += 1;
                seen.torn += u64::from(segment.torn > 0);
            }
        }
        Ok(seen)
    }

    pub(super) fn status(&self) -> Result<Vec<RouteContent>, ContentError> {
        let mut all = Vec::new();
        for dir in self.routes()? {
            let mut told = RouteContent::default();
            for (_, path) in of_dir(&dir)? {
                let segment = read(&path, &mut |line| match line {
                    Line::Exchange(one) => {
                        told.calls += 1;
                        let at = one.start_us;
                        told.first_us = Some(told.first_us.map_or(at, |first| first.min(at)));
                        told.last_us = told.last_us.max(Some(at));
                    }
                    Line::Gap(gap) => *told.gaps.entry(gap.reason).or_default() += gap.count,
                })?;
                let Some(segment) = segment else { continue };
                told.segments += 1;
                told.bytes += segment.whole + segment.torn;
                told.torn += u64::from(segment.torn > 0);
                if let Some(head) = segment.head {
                    told.route = head.route;
                    told.keep_ms = head.keep_ms;
                }
            }
            if told.segments > 0 {
                all.push(told);
            }
        }
        all.sort_by(|a, b| a.route.cmp(&b.route));
        Ok(all)
    }
}

/// Read a segment; `None` when it has been deleted since it was listed.
fn read(path: &Path, take: &mut dyn FnMut(Line)) -> Result<Option<Segment>, ContentError> {
    match frame::read(path, take) {
        Ok(segment) => Ok(Some(segment)),
        Err(ContentError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Segments of a directory with the moment they begin (milliseconds), oldest first.
pub(super) fn of_dir(dir: &Path) -> Result<Vec<(i64, PathBuf)>, ContentError> {
    let mut found: Vec<(i64, PathBuf)> = Vec::new();
    for path in entries(dir)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(start_ms) = name.strip_suffix(SUFFIX).and_then(|ms| ms.parse().ok()) {
            found.push((start_ms, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Name of the segment that begins at a moment.
pub(super) fn name_of(start_ms: i64) -> String {
    format!("{start_ms}{SUFFIX}")
}

/// What is in a directory; nothing where there is none.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, ContentError> {
    let fail = |error| ContentError::file("list", dir, error);
    let listed = match std::fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    listed.map(|entry| entry.map(|entry| entry.path()).map_err(fail)).collect()
}

/// Make a directory that only this user can enter, and those above it that are missing.
pub(super) fn make_dir(dir: &Path) -> Result<(), ContentError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir);
    made.map_err(|error| ContentError::file("make", dir, error))
}

/// How files are opened that only this user can read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE_MODE);
    options
}

/// A route as the name of a directory: letters, digits, `-` and `_` as they are, other bytes as `~` and
/// two digits. Never `.` or `..`, and no two routes have one name.
fn escaped(route: &str) -> String {
    let sign = |byte: u8| match byte {
        b'-' | b'_' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("~{byte:02x}"),
    };
    let name: String = route.bytes().map(sign).collect();
    if name.is_empty() { "~".to_owned() } else { name }
}

//! Writing, and keeping within age and space.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::RoutePlan;
use super::disk::Disk;
use super::error::ContentError;
use super::exchange::Line;
use super::forget::remove_draft;
use super::frame::{self, Head};
use super::segments::{Segments, make_dir, name_of, of_dir, private};

/// A segment holds the calls of at most so long, and of at most a part of the time it is kept: it goes as
/// a whole when its first call is too old.
const SPAN_MAX: Duration = Duration::from_hours(1);
const SPANS: u32 = 24;
/// A segment takes at most so much, and at most a part of the space of its route, for the same reason.
const SEGMENT_MAX: u64 = 64 << 20;
const SEGMENTS: u64 = 8;

/// How much of a route stays.
pub(super) struct Kept {
    pub(super) retention: Duration,
    pub(super) disk_bytes: u64,
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Write lines to the segment of now, which is begun where there is none. The bytes written.
pub(super) fn append(
    segments: &Segments,
    plan: &RoutePlan,
    lines: &[Line],
) -> Result<u64, ContentError> {
    let dir = segments.route_dir(&plan.route);
    make_dir(&dir)?;
    let now_ms = segments.clock.now_ms();
    let span_ms = millis(SPAN_MAX.min(plan.retention / SPANS)).max(1);
    let newest = of_dir(&dir)?.pop();
    // A clock that was set back goes on in the segment of later, so that their order stays.
    let start_ms = newest.as_ref().map_or(now_ms, |(newest_ms, _)| now_ms.max(newest_ms + 1));
    let open = newest.filter(|(start_ms, _)| now_ms - start_ms < span_ms);
    let most = SEGMENT_MAX.min(plan.disk_bytes / SEGMENTS);
    if let Some((_, path)) = open
        && let Some((mut file, end)) = go_on(segments, &path, most)?
    {
        let frame = frame::of(lines).map_err(|error| ContentError::file("write", &path, error))?;
        write(segments.disk.as_ref(), (&mut file, &path), end, &frame)?;
        return Ok(frame.len() as u64);
    }
    begin(segments, plan, start_ms, lines)
}

/// A segment that takes more, with its end; what a crash left behind that is overwritten. `None` where
/// it is full or holds nothing that could be gone on with.
fn go_on(segments: &Segments, path: &Path, most: u64) -> Result<Option<(File, u64)>, ContentError> {
    let segment = frame::ends(path)?;
    if segment.head.is_none() || segment.whole >= most {
        return Ok(None);
    }
    let file = private().write(true).open(path);
    let file = file.map_err(|error| ContentError::file("open", path, error))?;
    if segment.torn > 0 {
        tracing::warn!(path = %path.display(), bytes = segment.torn, "a torn end was cut off");
        let cut = segments.disk.cut(&file, segment.whole);
        cut.map_err(|error| ContentError::file("cut", path, error))?;
    }
    Ok(Some((file, segment.whole)))
}

/// A new segment with its head and lines.
fn begin(
    segments: &Segments,
    plan: &RoutePlan,
    start_ms: i64,
    lines: &[Line],
) -> Result<u64, ContentError> {
    let dir = &segments.route_dir(&plan.route);
    let path = dir.join(name_of(start_ms));
    let fail = |error| ContentError::file("write", &path, error);
    let keep_ms = u64::try_from(plan.retention.as_millis()).unwrap_or(u64::MAX);
    let mut bytes = Head::new(&plan.route, keep_ms).bytes().map_err(fail)?;
    bytes.extend_from_slice(&frame::of(lines).map_err(fail)?);
    let file = private().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| ContentError::file("make", &path, error))?;
    if let Err(error) = write(segments.disk.as_ref(), (&mut file, &path), 0, &bytes) {
        drop(fs::remove_file(&path));
        return Err(error);
    }
    sync_dir(dir)?;
    // The first segment of a route makes its directory too.
    dir.parent().map_or(Ok(()), sync_dir)?;
    Ok(bytes.len() as u64)
}

/// Write a frame at the end. A disk that is full leaves the segment as it was.
fn write(
    disk: &dyn Disk,
    (file, path): (&mut File, &Path),
    end: u64,
    frame: &[u8],
) -> Result<(), ContentError> {
    let mut put = || -> io::Result<()> {
        file.seek(SeekFrom::Start(end))?;
        disk.write(file, frame)?;
        file.sync_data()
    };
    put().map_err(|error| {
        // What cannot be cut now is found torn by the next who writes.
        drop(disk.cut(file, end));
        ContentError::file("write", path, error)
    })
}

/// A name that was given or taken is on disk.
pub(super) fn sync_dir(dir: &Path) -> Result<(), ContentError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| ContentError::file("sync", dir, error))
}

/// Delete the oldest segments of a route until it keeps within its space. The newest stays.
pub(super) fn make_room(
    segments: &Segments,
    route: &str,
    kept: &Kept,
) -> Result<u64, ContentError> {
    let mut all = of_dir(&segments.route_dir(route))?;
    let now_ms = segments.clock.now_ms();
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |file| file.len());
    let mut total: u64 = all.iter().map(|(_, path)| size(path)).sum();
    let (mut crowded_out, newest) = (0, all.pop());
    for (start_ms, path) in &all {
        let old = is_old(*start_ms, now_ms, kept.retention);
        if !old && total <= kept.disk_bytes {
            break;
        }
        total = total.saturating_sub(size(path));
        remove(path)?;
        crowded_out += u64::from(!old);
    }
    drop(newest);
    Ok(crowded_out)
}

fn is_old(start_ms: i64, now_ms: i64, retention: Duration) -> bool {
    start_ms.saturating_add(millis(retention)) <= now_ms
}

/// Delete what is too old. The number of segments deleted. One that cannot be deleted, or that nobody
/// can say the age of, keeps no other.
///
/// # Errors
/// The first of all, after everything else is done.
pub(super) fn sweep(segments: &Segments, plans: &[RoutePlan]) -> Result<u64, ContentError> {
    let (mut gone, mut failed) = (0, None);
    let now_ms = segments.clock.now_ms();
    for dir in segments.routes()? {
        let plan = plans.iter().find(|plan| segments.route_dir(&plan.route) == dir);
        if let Err(error) = remove_draft(&dir) {
            failed.get_or_insert(error);
        }
        for (start_ms, path) in of_dir(&dir)? {
            match remove_old(&path, start_ms, now_ms, plan) {
                Ok(old) => gone += u64::from(old),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
    }
    failed.map_or(Ok(gone), Err)
}

fn remove_old(
    path: &Path,
    start_ms: i64,
    now_ms: i64,
    plan: Option<&RoutePlan>,
) -> Result<bool, ContentError> {
    let retention = match plan {
        Some(plan) => plan.retention,
        None => match frame::head(path)? {
            Some(head) => Duration::from_millis(head.keep_ms),
            // Nobody can read it.
            None => Duration::ZERO,
        },
    };
    let old = is_old(start_ms, now_ms, retention);
    if old {
        remove(path)?;
    }
    Ok(old)
}

pub(super) fn remove(path: &Path) -> Result<(), ContentError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ContentError::file("delete", path, error))
        }
        _ => Ok(()),
    }
}

//! Forgetting single calls: segments that hold them are written anew without them.

use std::path::Path;

use super::disk::Disk;
use super::error::ContentError;
use super::exchange::{Exchange, Line};
use super::frame::{self, Head};
use super::keep::{remove, sync_dir};
use super::segments::{Segments, of_dir, private};

/// Lines of a frame that is written anew.
const TOGETHER: usize = 64;
/// Where a segment is written anew.
const DRAFT: &str = "draft";

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub calls: u64,
    /// Segments that were written anew or deleted.
    pub segments: u64,
    /// Segments with an end that cannot be read: nobody can say what is in it.
    pub torn: u64,
}

/// Forget, with the lock held.
pub(super) fn forget(
    segments: &Segments,
    which: &dyn Fn(&Exchange) -> bool,
) -> Result<Forgotten, ContentError> {
    let mut forgotten = Forgotten::default();
    for dir in segments.routes()? {
        remove_draft(&dir)?;
        for (_, path) in of_dir(&dir)? {
            let (mut hit, mut rest) = (0_u64, 0_u64);
            let segment = frame::read(&path, &mut |line| match line {
                Line::Exchange(one) if which(&one) => hit += 1,
                _ => rest += 1,
            })?;
            forgotten.torn += u64::from(segment.torn > 0);
            let Some(head) = segment.head.filter(|_| hit > 0) else { continue };
            if rest == 0 {
                remove(&path)?;
            } else {
                anew(segments.disk.as_ref(), (&dir, &path), &head, which)?;
            }
            sync_dir(&dir)?;
            forgotten.calls += hit;
            forgotten.segments += 1;
        }
    }
    Ok(forgotten)
}

/// Delete what a crash left of a segment that was being written anew: nothing else would ever find it.
/// With the lock held.
pub(super) fn remove_draft(dir: &Path) -> Result<(), ContentError> {
    remove(&dir.join(DRAFT))
}

/// Write a segment beside itself, without what is forgotten, and put it in its place. Where that fails
/// the segment is as it was.
fn anew(
    disk: &dyn Disk,
    (dir, path): (&Path, &Path),
    head: &Head,
    which: &dyn Fn(&Exchange) -> bool,
) -> Result<(), ContentError> {
    let draft = dir.join(DRAFT);
    let written = write(disk, (&draft, path), head, which);
    if written.is_err() {
        // On a disk that is full it would be in the way.
        drop(std::fs::remove_file(&draft));
    }
    written?;
    std::fs::rename(&draft, path).map_err(|error| ContentError::file("replace", path, error))
}

fn write(
    disk: &dyn Disk,
    (draft, path): (&Path, &Path),
    head: &Head,
    which: &dyn Fn(&Exchange) -> bool,
) -> Result<(), ContentError> {
    let fail = |error| ContentError::file("write", draft, error);
    let file = private().write(true).create(true).truncate(true).open(draft);
    let mut file = file.map_err(fail)?;
    disk.write(&mut file, &head.bytes().map_err(fail)?).map_err(fail)?;
    let (mut waiting, mut failed) = (Vec::new(), None);
    let mut flush = |waiting: &mut Vec<Line>| {
        if failed.is_none() && !waiting.is_empty() {
            failed = frame::of(waiting).and_then(|frame| disk.write(&mut file, &frame)).err();
        }
        waiting.clear();
    };
    frame::read(path, &mut |line| {
        if !matches!(&line, Line::Exchange(one) if which(one)) {
            waiting.push(line);
        }
        if waiting.len() == TOGETHER {
            flush(&mut waiting);
        }
    })?;
    flush(&mut waiting);
    if let Some(error) = failed {
        return Err(fail(error));
    }
    file.sync_all().map_err(fail)
}

//! Copying a store from outside, whether a process has it open or not.
//!
//! The log is copied before the day files. What a running store moves in between is then in both,
//! and each day file says which segments it has taken, so it counts once.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::day;
use super::error::StoreError;
use super::{log, tiers};

/// Copy the store in `dir` to the new directory `to`. Under its own name it appears when it is
/// whole.
pub(super) fn backup(dir: &Path, to: &Path) -> Result<(), StoreError> {
    let taken = |kind| StoreError::file("back up to", to, std::io::Error::from(kind));
    if to.exists() {
        return Err(taken(ErrorKind::AlreadyExists));
    }
    let mut name = to.file_name().ok_or_else(|| taken(ErrorKind::InvalidInput))?.to_owned();
    name.push(".unfinished");
    let unfinished = to.with_file_name(name);
    fs::create_dir(&unfinished)
        .map_err(|error| StoreError::file("make directory", &unfinished, error))?;
    let copied = copy_all(dir, &unfinished).and_then(|()| {
        fs::rename(&unfinished, to).map_err(|error| StoreError::file("name", to, error))
    });
    if copied.is_err()
        && let Err(error) = fs::remove_dir_all(&unfinished)
    {
        tracing::warn!(path = %unfinished.display(), %error, "cannot remove an unfinished backup");
    }
    copied?;
    let parent = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    log::sync_dir(parent).map_err(|error| StoreError::file("sync directory", parent, error))
}

fn copy_all(dir: &Path, to: &Path) -> Result<(), StoreError> {
    let listed = |error| StoreError::file("list", dir, error);
    for number in log::segments(dir).map_err(listed)? {
        copy_segment(&log::segment_path(dir, number), &log::segment_path(to, number))?;
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir).map_err(listed)? {
        let entry = entry.map_err(listed)?;
        let name = entry.file_name();
        let is_data = name.to_str().is_some_and(|name| {
            day::number_of(name).is_some() || tiers::parse_name(name).is_some()
        });
        if is_data {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    for path in files {
        let Some(name) = path.file_name() else { continue };
        copy_database(&path, &to.join(name))?;
    }
    log::sync_dir(to).map_err(|error| StoreError::file("sync directory", to, error))
}

/// Copy a segment that may be written to: its whole records. One that is gone by now has been
/// sealed into the day files, which are copied later.
fn copy_segment(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::copy(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound && !from.exists() => return Ok(()),
        Err(error) => return Err(StoreError::file("back up", from, error)),
        Ok(_) => {}
    }
    let copied = |error| StoreError::file("write", to, error);
    log::replay(to, true, drop).map_err(copied)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(copied)
}

/// Copy a day or tier file as one consistent snapshot. One that is gone by now was too old to be
/// kept.
fn copy_database(from: &Path, to: &Path) -> Result<(), StoreError> {
    let copied = day::open_reader(from).and_then(|source| {
        let copied = source.execute("VACUUM INTO ?1", [to.to_string_lossy().as_ref()]);
        copied.map(drop).map_err(|error| StoreError::database("back up", from, error))
    });
    match copied {
        Err(_) if !from.exists() => return Ok(()),
        other => other?,
    }
    let synced = File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|error| StoreError::file("sync", to, error))
}

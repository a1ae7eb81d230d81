//! Copying records from outside, whether a process has them open or not.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::RecordStoreError;
use super::files::{day_of_name, open_reader};

fn fail(action: &'static str, path: &Path, source: std::io::Error) -> RecordStoreError {
    RecordStoreError::File { action, path: path.to_owned(), source }
}

/// The files of days in a directory, the oldest first.
pub(super) fn day_files(dir: &Path) -> Result<Vec<PathBuf>, RecordStoreError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| fail("list", dir, error))? {
        let entry = entry.map_err(|error| fail("list", dir, error))?;
        if entry.file_name().to_str().and_then(day_of_name).is_some() {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Copy the records in `dir` to the new directory `to`: each day as one consistent snapshot, with
/// what was acknowledged until then.
pub(super) fn backup(dir: &Path, to: &Path) -> Result<(), RecordStoreError> {
    let files = day_files(dir)?;
    // Fails where there is something already: nothing is written over.
    fs::create_dir(to).map_err(|error| fail("make directory", to, error))?;
    let copied = files.iter().try_for_each(|from| match from.file_name() {
        Some(name) => copy(from, &to.join(name)),
        None => Ok(()),
    });
    let synced = copied.and_then(|()| {
        File::open(to).and_then(|dir| dir.sync_all()).map_err(|error| fail("sync", to, error))
    });
    if synced.is_err()
        && let Err(error) = fs::remove_dir_all(to)
    {
        tracing::warn!(path = %to.display(), %error, "cannot remove an unfinished backup");
    }
    synced
}

/// One day. One that is gone by now was too old to be kept.
fn copy(from: &Path, to: &Path) -> Result<(), RecordStoreError> {
    let copied = open_reader(from).and_then(|source| {
        source.execute("VACUUM INTO ?1", [to.to_string_lossy().as_ref()]).map(drop)
    });
    if let Err(source) = copied {
        let gone = fs::metadata(from).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let path = from.to_owned();
        let error = RecordStoreError::Database { action: "back up", path, source };
        return if gone { Ok(()) } else { Err(error) };
    }
    File::open(to).and_then(|file| file.sync_all()).map_err(|error| fail("sync", to, error))
}

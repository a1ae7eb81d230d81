//! Listing the folders of sysfs and procfs.

use std::path::Path;

/// The names in a folder, at most `limit`, in the order of the file system; none when there is no
/// such folder. Names that are not UTF-8 do not occur in sysfs and procfs and are left out.
pub(crate) fn names(folder: &Path, limit: usize) -> impl Iterator<Item = String> + use<> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .take(limit)
}

/// As [`names`], in order of name: what is beyond a limit is then the same from round to round.
pub(crate) fn sorted(folder: &Path, limit: usize) -> Vec<String> {
    let mut names: Vec<String> = names(folder, limit).collect();
    names.sort_unstable();
    names
}

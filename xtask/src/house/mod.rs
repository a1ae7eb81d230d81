//! The house tests: what ARCHITECTURE.md promises about the source tree, checked.

mod arrows;
mod files;
mod mistakes;
mod names;
mod pitfalls;

use std::path::{Path, PathBuf};

/// Every `.rs` file below `folder`, in order of path.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Whether a file holds nothing but tests: they may read files and metrics in any way.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests") || path.file_stem().is_some_and(|stem| stem == "tests")
}

/// The folders of the crates, in order.
fn crates() -> Vec<PathBuf> {
    let mut folders: Vec<_> = std::fs::read_dir(crate::check::root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
}

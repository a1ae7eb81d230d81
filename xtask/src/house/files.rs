//! What every source file promises: a header, a bounded size, plain ASCII, a place in its crate.

use std::path::Path;

use super::{crates, rust_files};

/// Lines a file may have, tests included.
const LINES_MAX: usize = 800;

/// Files that may contain `unsafe`, each with an `#![expect(unsafe_code, reason = ..)]`.
const UNSAFE_FILES: &[&str] = &[
    "l1_gpu/nvidia/library/mod.rs",
    "l1_gpu/nvidia/library/structs.rs",
    "strata-nvml-standin/src/lib.rs",
    "strata-nvml-standin/src/topology.rs",
    "strata-nvml-standin/src/gpm.rs",
    "strata-nvml-standin/src/exports.rs",
];

fn all_files() -> Vec<std::path::PathBuf> {
    let root = crate::check::root();
    let mut files = rust_files(&root.join("crates"));
    files.extend(rust_files(&root.join("xtask")));
    files.extend(rust_files(&root.join("fuzz")));
    files
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in all_files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let header = text.lines().find(|line| !line.starts_with("#!")).unwrap_or("");
        assert!(header.starts_with("//! "), "{} does not open with //!", file.display());
    }
}

#[test]
fn files_are_short_enough_to_read() {
    for file in all_files() {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", file.display());
    }
}

#[test]
fn source_is_ascii() {
    for file in all_files() {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            assert!(line.is_ascii(), "{}:{} is not ASCII", file.display(), number + 1);
        }
    }
}

#[test]
fn unsafe_stays_in_listed_files() {
    for file in all_files() {
        let listed = UNSAFE_FILES.iter().any(|listed| file.ends_with(listed));
        if listed || file.ends_with(Path::new("house/files.rs")) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(!line.contains("unsafe {"), "{}: unsafe in an unlisted file", file.display());
        }
    }
}

#[test]
fn no_file_is_left_out_of_its_crate() {
    for folder in crates() {
        let source = folder.join("src");
        for file in rust_files(&source) {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            let mut parent = file.parent().unwrap();
            if ["lib", "main"].contains(&stem) && parent == source {
                continue;
            }
            let mut module = stem.to_owned();
            if stem == "mod" {
                module = parent.file_name().unwrap().to_str().unwrap().to_owned();
                parent = parent.parent().unwrap();
            }
            let declared = ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| {
                let text = std::fs::read_to_string(parent.join(name)).unwrap_or_default();
                text.contains(&format!("mod {module};"))
            });
            assert!(declared, "{} is not part of its crate", file.display());
        }
    }
}

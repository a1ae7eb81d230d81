//! Which crate may use which, which crates are pure, and what every manifest has in common.

use super::{crates, is_test, rust_files};

/// A crate's whole list of local dependencies, from the lowest floor up. Dev-dependencies may add
/// those of [`FOR_TESTS`].
const ARROWS: &[(&str, &[&str])] = &[
    ("strata-model", &[]),
    ("strata-shm", &[]),
    ("strata-collect", &["strata-model", "strata-shm"]),
    ("strata-store", &["strata-model"]),
    ("strata-query", &["strata-model"]),
    ("strata-world", &["strata-model", "strata-query"]),
    ("strata-cost", &["strata-model", "strata-world"]),
    ("strata-diagnose", &["strata-model", "strata-world", "strata-cost"]),
    ("strata-view", &["strata-model", "strata-world", "strata-cost", "strata-diagnose"]),
    ("strata-serve", &["strata-model", "strata-collect", "strata-query", "strata-view"]),
    ("strata-tui", &["strata-view"]),
    ("strata-sim", &["strata-model"]),
    ("strata-proxy", &["strata-model"]),
    ("strata-forward", &["strata-model"]),
    ("strata-nccl", &["strata-shm"]),
    ("strata-cuda", &["strata-shm"]),
    ("strata-nvml-standin", &[]),
];

/// What tests may use of any floor: the simulated cluster, and the engine that answers what a World
/// asks.
const FOR_TESTS: &[&str] = &["strata-sim", "strata-query"];

/// Crates without I/O, async or a clock of their own, and what must not appear in them.
const PURE: &[&str] = &[
    "strata-model",
    "strata-world",
    "strata-cost",
    "strata-diagnose",
    "strata-view",
    "strata-sim",
];
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "tokio::",
    "Instant::now",
    "SystemTime",
    "async fn",
];

fn manifest(folder: &std::path::Path) -> toml::Table {
    std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

fn local(table: Option<&toml::Value>) -> Vec<String> {
    let names = table.and_then(toml::Value::as_table).map(|table| table.keys().cloned());
    names.into_iter().flatten().filter(|name| name.starts_with("strata")).collect()
}

#[test]
fn arrows_point_down() {
    for folder in crates() {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "strata" {
            continue; // the composition root may use everything
        }
        let (_, allowed) = ARROWS
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("{name} has no row in the arrow table"));
        let manifest = manifest(&folder);
        for used in local(manifest.get("dependencies")) {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
        for used in local(manifest.get("dev-dependencies")) {
            let fine = FOR_TESTS.contains(&used.as_str()) || allowed.contains(&used.as_str());
            assert!(fine, "tests of {name} must not use {used}");
        }
    }
}

#[test]
fn manifests_are_alike() {
    for folder in crates() {
        let manifest = manifest(&folder);
        let package = manifest["package"].as_table().unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert_eq!(package["name"].as_str(), Some(name), "folder and crate are named alike");
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name} takes the lints");
        assert!(package.contains_key("description"), "{name} says what it is");
        for (dependency, value) in manifest.get("dependencies").unwrap().as_table().unwrap() {
            let shared = value.get("workspace").and_then(toml::Value::as_bool);
            assert_eq!(shared, Some(true), "{name} takes {dependency} from the workspace");
        }
    }
}

#[test]
fn pure_crates_are_pure() {
    for folder in crates() {
        if !PURE.iter().any(|pure| folder.ends_with(pure)) {
            continue;
        }
        let files = rust_files(&folder.join("src"));
        for file in files.into_iter().filter(|file| !is_test(file)) {
            let text = std::fs::read_to_string(&file).unwrap();
            for word in IMPURE_WORDS {
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                for line in code {
                    assert!(!line.contains(word), "{}: {word} in a pure crate", file.display());
                }
            }
        }
    }
}

#[test]
fn architecture_names_every_crate() {
    let text = std::fs::read_to_string(crate::check::root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() <= 300, "ARCHITECTURE.md is read in one sitting");
    for folder in crates() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(text.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name {name}");
    }
}

#[test]
fn every_dependency_is_argued_for() {
    let root = crate::check::root();
    let manifest: toml::Table =
        std::fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let names = manifest["workspace"]["dependencies"].as_table().unwrap();
    for name in names.keys().filter(|name| !name.starts_with("strata")) {
        assert!(text.contains(&format!("`{name}`")), "ARCHITECTURE.md does not argue for {name}");
    }
}

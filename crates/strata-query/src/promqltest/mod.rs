//! Runs files in Prometheus's promqltest language against an evaluator.
//!
//! The language: `load` and `clear` fill and empty a store, `eval instant` and `eval range` ask it,
//! and the lines below an `eval` say what must come out. As in Prometheus, an instant query is also
//! asked with every selector pinned by `@` at other evaluation times, and as the middle step of a
//! range query; all must agree.

mod compare;
mod description;
mod expectation;
mod numbers;
pub mod random;

mod runner;
mod script;
mod source;
mod variants;

use std::fmt::Write as _;
use std::path::Path;

pub use runner::{Embedded, Subject, load_all, run};
pub use source::MemorySource;

/// One case that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Line of the `eval`, from 1.
    pub line: usize,
    pub what: String,
}

/// What became of the cases of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileReport {
    pub passed: usize,
    pub failed: Vec<Failure>,
}

/// Run files against the embedded evaluator; a table of passed and failed cases per file, with the
/// first failures of each. False when any failed or could not be read.
pub fn run_files<P: AsRef<Path>>(paths: &[P], failures_shown: usize) -> (String, bool) {
    let mut table = String::new();
    let mut all = FileReport::default();
    for path in paths {
        let path = path.as_ref();
        let name = path.display();
        let report = match std::fs::read_to_string(path) {
            Ok(text) => run(&text, &Embedded::default()),
            Err(error) => FileReport {
                passed: 0,
                failed: vec![Failure { line: 0, what: format!("cannot read: {error}") }],
            },
        };
        let (passed, failed) = (report.passed, report.failed.len());
        // Writing to a String cannot fail.
        let _infallible = writeln!(table, "{passed:>5} passed {failed:>4} failed  {name}");
        for failure in report.failed.iter().take(failures_shown) {
            let _infallible = writeln!(table, "      {name}:{}: {}", failure.line, failure.what);
        }
        all.passed += passed;
        all.failed.extend(report.failed);
    }
    let (passed, failed) = (all.passed, all.failed.len());
    let _infallible = writeln!(table, "{passed:>5} passed {failed:>4} failed  in all");
    (table, all.failed.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Our own cases: one file per subject, under `crates/strata-query/promqltest/`.
    #[test]
    fn own_cases_hold() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("promqltest");
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "test"))
            .collect();
        files.sort();
        assert!(files.len() >= 5, "the case files are missing from {}", folder.display());
        let (table, passed) = run_files(&files, 20);
        assert!(passed, "{table}");
    }

    #[test]
    fn a_wrong_expectation_fails() {
        let check = |expected: &str, failures: usize| {
            let text = format!("load 1m\n  m 1 2 3\n\neval instant at 2m m\n{expected}\n");
            let report = run(&text, &Embedded::default());
            assert_eq!(report.failed.len(), failures, "{expected}: {report:?}");
        };
        check("  m 3", 0);
        check("  m 4", 1);
        check("  m{a=\"b\"} 3", 1);
        check("", 1);
        check("  expect fail", 1);
        check("  expect warn\n  m 3", 1);
    }
}

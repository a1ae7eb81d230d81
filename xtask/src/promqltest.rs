//! `cargo xtask promqltest FILE...`: our engine against files in Prometheus's test language.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::out;

/// Failures printed per file without `--verbose`.
const FAILURES_SHOWN: usize = 3;

/// Run `files` and print passed and failed cases per file.
pub(crate) fn run(files: &[PathBuf], verbose: bool) -> Result<()> {
    if files.is_empty() {
        bail!("name at least one file, for example crates/strata-query/promqltest/functions.test");
    }
    let shown = if verbose { usize::MAX } else { FAILURES_SHOWN };
    let (table, passed) = strata_query::promqltest::run_files(files, shown);
    out::line(table.trim_end());
    if !passed {
        bail!("some cases failed");
    }
    Ok(())
}

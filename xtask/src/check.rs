//! `cargo xtask check` and `cargo xtask docs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::out;

/// The workspace root: the parent of this package.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Run one step and fail with its command line when it fails.
pub(crate) fn step(program: &str, arguments: &[&str]) -> Result<()> {
    step_with(program, arguments, &[])
}

fn step_with(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    out::line(format!("== {line}"));
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Formatting, lints, tests and documentation, in the order that fails fastest.
pub(crate) fn check(tests_only: bool) -> Result<()> {
    if !tests_only {
        step("cargo", &["fmt", "--all", "--check"])?;
        let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        step("cargo", &lints)?;
    }
    step("cargo", &["test", "--workspace", "--locked", "--no-fail-fast"])?;
    if !tests_only {
        let docs = ["doc", "--workspace", "--no-deps", "--locked"];
        step_with("cargo", &docs, &[("RUSTDOCFLAGS", "-D warnings")])?;
    }
    out::line("all checks passed");
    Ok(())
}

/// Write docs/reference from the program itself.
pub(crate) fn docs() -> Result<()> {
    step("cargo", &["run", "--quiet", "--package", "strata", "--", "docs", "docs/reference"])
}

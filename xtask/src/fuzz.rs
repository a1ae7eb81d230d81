//! `cargo xtask fuzz`: every fuzz target for a while, and what came of it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{check, out};

/// Run `targets`, all when empty, for `seconds` each.
pub(crate) fn run(targets: &[String], seconds: u32) -> Result<()> {
    let cargo_fuzz = Command::new("cargo").args(["fuzz", "--version"]).output();
    if !cargo_fuzz.is_ok_and(|output| output.status.success()) {
        out::line("SKIPPED: cargo-fuzz is not installed (cargo install cargo-fuzz)");
        return Ok(());
    }
    let all = known()?;
    let chosen: Vec<&String> =
        if targets.is_empty() { all.iter().collect() } else { targets.iter().collect() };
    if let Some(unknown) = chosen.iter().find(|target| !all.contains(target)) {
        bail!("there is no target {unknown}; known are {}", all.join(", "));
    }
    out::line("| target | runs | edges covered | outcome |\n|---|---|---|---|");
    let mut found = Vec::new();
    for target in chosen {
        let (row, sound) = fuzz(target, seconds)?;
        out::line(row);
        if !sound {
            found.push(target.as_str());
        }
    }
    if !found.is_empty() {
        bail!("inputs that break it are in fuzz/artifacts: {}", found.join(", "));
    }
    Ok(())
}

/// Names of the targets, from their files.
fn known() -> Result<Vec<String>> {
    let folder = check::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).context("cannot list the fuzz targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// A row of the table, and whether nothing was found.
fn fuzz(target: &str, seconds: u32) -> Result<(String, bool)> {
    let output = Command::new("cargo")
        .args(["fuzz", "run", target, "--", "-print_final_stats=1"])
        .arg(format!("-max_total_time={seconds}"))
        // The sanitizer's switches are unstable; the compiler is the pinned one.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(check::root())
        .output()
        .context("cannot start cargo fuzz")?;
    let log = String::from_utf8_lossy(&output.stderr);
    let runs = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let covered = log.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()
    });
    let outcome = if output.status.success() {
        "nothing found".to_owned()
    } else {
        let cause = log
            .lines()
            .find(|line| ["panicked", "ERROR", "error"].iter().any(|word| line.contains(word)));
        format!("FOUND: {}", cause.unwrap_or("see the log of cargo fuzz run").trim())
    };
    let (runs, covered) = (runs.unwrap_or("-").trim(), covered.unwrap_or("-"));
    Ok((format!("| `{target}` | {runs} | {covered} | {outcome} |"), output.status.success()))
}

//! `cargo xtask browser`: the pages in a real Chromium, on data of `strata demo`.
//!
//! Chromium comes from Debian's package, the driver and the accessibility checker from npm, pinned in
//! `xtask/browser/package-lock.json`. Where one of them is missing the check says so and is skipped.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{check, out};

/// Programs that a Chromium may be called.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Ends the server when the check is over, whatever its outcome.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait().map(drop)) {
            out::line(format!("cannot end the server: {error}"));
        }
    }
}

/// Longest time to the first page, in milliseconds: the figure that an optimized build must reach,
/// and what an unoptimized one on a busy machine does.
const FIRST_PAGE_MS: [u32; 2] = [1_000, 10_000];

/// Run the checks; screenshots go to `shots`, if given.
pub(crate) fn run(debug: bool, shots: Option<&Path>, scratch: &Path) -> Result<()> {
    let Some(chromium) = CHROMIUM.iter().find_map(|name| program(name)) else {
        out::line("SKIPPED: no chromium is installed, the pages were not looked at");
        return Ok(());
    };
    if program("node").is_none() || program("npm").is_none() {
        out::line("SKIPPED: node and npm are not installed, the pages were not looked at");
        return Ok(());
    }
    let folder = check::root().join("xtask/browser");
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder);
    if let Err(error) = run_to_end(&mut install) {
        out::line(format!(
            "SKIPPED: the pages were not looked at, the driver is not there: {error}"
        ));
        return Ok(());
    }
    let profile = if debug { "dev" } else { "release" };
    check::step("cargo", &["build", "--profile", profile, "--locked", "--package", "strata"])?;
    if scratch.exists() {
        bail!("{} exists: name a scratch folder that does not", scratch.display());
    }
    std::fs::create_dir_all(scratch)?;
    let mut checks = Command::new("node");
    let patience = FIRST_PAGE_MS[usize::from(debug)].to_string();
    checks.args(["check.mjs", &patience]).arg(chromium).current_dir(&folder);
    let program = if debug { "target/debug/strata" } else { "target/release/strata" };
    let outcome = look(checks, &check::root().join(program), shots, scratch);
    std::fs::remove_dir_all(scratch)?;
    outcome
}

/// Start the demo and look at it.
fn look(mut checks: Command, program: &Path, shots: Option<&Path>, scratch: &Path) -> Result<()> {
    let (_server, url) = demo(program, scratch)?;
    checks.arg(url);
    if let Some(shots) = shots {
        std::fs::create_dir_all(shots)
            .with_context(|| format!("cannot make {}", shots.display()))?;
        checks.arg(std::path::absolute(shots)?);
    }
    run_to_end(&mut checks)
}

/// Start `strata demo` on a free port; its address is in the first document it prints.
fn demo(program: &Path, data: &Path) -> Result<(Server, String)> {
    let mut child = Command::new(program)
        .args(["demo", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start strata demo")?;
    let output = child.stdout.take().context("standard output is piped")?;
    let server = Server(child);
    let mut text = String::new();
    for line in BufReader::new(output).lines() {
        text.push_str(&line?);
        if let Ok(said) = serde_json::from_str::<serde_json::Value>(&text) {
            let url = said["url"].as_str().context("strata demo says no url")?;
            return Ok((server, url.to_owned()));
        }
    }
    bail!("strata demo ended before it said where it answers: {text}")
}

fn run_to_end(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

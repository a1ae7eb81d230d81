//! `strata check`: is the configuration right, and does what it names answer?

mod owners;
mod prices;
mod proxy;
mod scrape;
mod server;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use strata_model::Clock;

use crate::cli::CheckArgs;
use crate::config::{Places, Settings};
use crate::out::{Out, Told};

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Trial {
    what: String,
    ok: bool,
    /// What came of it, or what went wrong.
    outcome: String,
    /// What a person can do about it; empty when all is well.
    hint: String,
    /// Where the configuration asks for it; the defaults are in no file.
    file: Option<PathBuf>,
    line: Option<usize>,
}

impl Trial {
    /// As a row of the table for people.
    fn row(&self) -> Vec<String> {
        if self.ok {
            return vec!["ok".to_owned(), self.what.clone(), self.outcome.clone()];
        }
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
            _ => String::new(),
        };
        let hint = if self.hint.is_empty() { String::new() } else { format!(" ({})", self.hint) };
        let outcome = format!("{place}{}{hint}", self.outcome);
        vec!["FAILED".to_owned(), self.what.clone(), outcome]
    }
}

/// What went wrong with a trial, and what to do about it.
struct Failure {
    message: String,
    hint: String,
}

impl Failure {
    fn new(message: impl std::fmt::Display, hint: impl Into<String>) -> Self {
        Self { message: message.to_string(), hint: hint.into() }
    }
}

/// Gathers trials, each with the place that asked for it.
struct Report<'a> {
    places: Places<'a>,
    trials: Vec<Trial>,
}

impl Report<'_> {
    /// Enter what came of trying the option at `path`.
    fn add(
        &mut self,
        what: impl Into<String>,
        path: &str,
        result: std::result::Result<String, Failure>,
    ) {
        let line = self.places.line(path);
        let file = line.and(self.places.file).map(Path::to_owned);
        let (ok, outcome, hint) = match result {
            Ok(outcome) => (true, outcome, String::new()),
            Err(failure) => (false, failure.message, failure.hint),
        };
        self.trials.push(Trial { what: what.into(), ok, outcome, hint, file, line });
    }
}

/// Try everything the settings name and print what came of it.
pub(crate) async fn run(
    settings: &Settings,
    config: Option<&Path>,
    arguments: &CheckArgs,
    out: Out,
    clock: &dyn Clock,
) -> Result<()> {
    let mut report = Report { places: Places::of(config), trials: Vec::new() };
    let file = config.map_or("the defaults".to_owned(), |path| path.display().to_string());
    report.add("configuration", "", Ok(format!("{file}: valid")));
    proxy::tell_captures(settings, &mut report);
    prices::try_all(settings, &mut report);
    if !arguments.offline {
        server::try_all(settings, &mut report).await;
        owners::try_all(settings, &mut report, clock).await;
        for (index, job) in settings.scrape.iter().enumerate() {
            scrape::try_job(job, &format!("scrape[{index}]"), &mut report, clock).await;
        }
    }
    print(&report.trials, out)
}

fn print(trials: &[Trial], out: Out) -> Result<()> {
    let failed = trials.iter().filter(|trial| !trial.ok).count();
    if out.json {
        out.document(&serde_json::json!({ "ok": failed == 0, "trials": trials }))?;
    } else {
        out.table(&trials.iter().map(Trial::row).collect::<Vec<_>>())?;
    }
    if failed > 0 {
        return Err(Told(format!("{failed} of {} checks failed", trials.len())).into());
    }
    Ok(())
}

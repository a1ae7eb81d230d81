//! `strata check`: is the configuration right, and does what it names answer?

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;
use strata_collect::Collector;
use strata_collect::scrape::{Job, ScrapeSettings, SourceRules, Target};
use strata_model::Clock;
use strata_model::meter::Meter;
use strata_model::text::format_duration;
use strata_query::RemoteSettings;

use super::run::environment_lookup;
use super::serve;
use crate::cli::CheckArgs;
use crate::clock::SystemClock;
use crate::config::{Settings, TokenSource};
use crate::out::{Out, Told};

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Trial {
    what: String,
    ok: bool,
    /// What came of it, or what went wrong and what to do.
    outcome: String,
}

impl Trial {
    fn new(what: impl Into<String>, result: Result<String, String>) -> Self {
        let ok = result.is_ok();
        Self { what: what.into(), ok, outcome: result.unwrap_or_else(|problem| problem) }
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
    let mut trials = Vec::new();
    let file = config.map_or("the defaults".to_owned(), |path| path.display().to_string());
    trials.push(Trial::new("configuration", Ok(format!("{file}: valid"))));
    if !arguments.offline {
        trials.push(Trial::new("data directory", writable(&settings.store.dir)));
        trials.push(Trial::new("listen address", free(settings.server.listen).await));
        if let Some(result) = token(&settings.token) {
            trials.push(Trial::new("bearer token", result));
        }
        if let Some(remote) = &settings.metrics {
            let what = format!("metrics engine {}", remote.url);
            trials.push(Trial::new(what, try_engine(remote, settings, clock).await));
        }
        for job in &settings.scrape {
            trials.extend(try_job(job, clock).await);
        }
    }
    let failed = trials.iter().filter(|trial| !trial.ok).count();
    if out.json {
        out.document(&serde_json::json!({ "ok": failed == 0, "trials": trials }))?;
    } else {
        let rows = trials.iter().map(|trial| {
            let word = if trial.ok { "ok" } else { "FAILED" };
            vec![word.to_owned(), trial.what.clone(), trial.outcome.clone()]
        });
        out.table(&rows.collect::<Vec<_>>())?;
    }
    if failed > 0 {
        return Err(Told(format!("{failed} of {} checks failed", trials.len())).into());
    }
    Ok(())
}

/// Whether files can be made in the data directory, or it can be made.
fn writable(dir: &Path) -> Result<String, String> {
    let mut existing = dir;
    while !existing.exists() {
        existing = match existing.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    let probe = existing.join(format!(".strata-check-{}", std::process::id()));
    std::fs::write(&probe, b"").map_err(|error| format!("{}: {error}", existing.display()))?;
    std::fs::remove_file(&probe).map_err(|error| format!("{}: {error}", probe.display()))?;
    Ok(format!("{} can be written", dir.display()))
}

async fn free(address: std::net::SocketAddr) -> Result<String, String> {
    match tokio::net::TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) => Err(format!("{address}: {error} (is a strata running already?)")),
    }
}

fn token(source: &TokenSource) -> Option<Result<String, String>> {
    match source {
        TokenSource::None => None,
        TokenSource::File(path) => Some(match std::fs::metadata(path) {
            Ok(_) => Ok(format!("{} is there", path.display())),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }),
        TokenSource::Env(name) => Some(match super::run::environment(name) {
            Some(_) => Ok(format!("the variable {name} is set")),
            None => Err(format!("the variable {name} is not set")),
        }),
    }
}

/// Ask the distant engine which names it has.
async fn try_engine(
    remote: &RemoteSettings,
    settings: &Settings,
    clock: &dyn Clock,
) -> Result<String, String> {
    let own: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let engine = serve::engine(remote.clone(), settings, own, Meter::default())
        .map_err(|error| format!("{error:#}"))?;
    let (names, canonical) = serve::first_look(&engine, clock).await?;
    Ok(format!("{names} metrics of the last hour, {canonical} of them under canonical names"))
}

/// Fetch every target of a job once, as the scheduler would, and look at the lists of targets.
async fn try_job(settings: &ScrapeSettings, clock: &dyn Clock) -> Vec<Trial> {
    let name = format!("scrape {}", settings.job);
    let job = match Job::new(settings.clone(), environment_lookup(), SourceRules::default()) {
        Ok(job) => job,
        Err(error) => return vec![Trial::new(name, Err(format!("{error:#}")))],
    };
    let mut trials = Vec::new();
    for address in &settings.targets {
        let what = format!("{name} {address}");
        trials.push(Trial::new(what, try_target(&job, address, clock).await));
    }
    for path in &settings.file_sd {
        let result = match std::fs::metadata(path) {
            Ok(_) => Ok("the list is there".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        trials.push(Trial::new(format!("{name} {}", path.display()), result));
    }
    trials
}

async fn try_target(job: &Job, address: &str, clock: &dyn Clock) -> Result<String, String> {
    let target = Target::of(job.settings(), address, &BTreeMap::new())?;
    let deadline = target.timeout;
    let mut collector = job.collector(target, None);
    let round = tokio::time::timeout(deadline, collector.collect(clock.now_ms())).await;
    match round {
        Err(_elapsed) => Err(format!("no answer within {}", format_duration(deadline))),
        Ok(Err(error)) => Err(format!("{error} ({})", error.hint)),
        Ok(Ok(harvest)) => {
            let faults = harvest.faults.iter().map(|fault| fault.count).sum::<u64>();
            Ok(format!("{} samples, {faults} faults", harvest.batch.sample_count()))
        }
    }
}

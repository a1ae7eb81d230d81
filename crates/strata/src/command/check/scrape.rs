//! Trying what a scrape job names: secrets, certificates, targets, and lists with their targets.

use std::collections::BTreeMap;

use strata_collect::scrape::{
    Authorization, Job, ListTrial, ScrapeSettings, Secret, SourceRules, Target,
};
use strata_collect::{CollectError, Collector};
use strata_model::Clock;
use strata_model::text::format_duration;

use super::super::run::environment_lookup;
use super::{Failure, Report};

/// Targets that are asked at the same time.
const AT_ONCE: usize = 16;
/// Targets of one list that are asked; a fleet shows on its first ones what is wrong.
const LISTED_MAX: usize = 100;
/// Lines of a list that are told one by one.
const TOLD_MAX: usize = 10;

/// Try a job at `path` of the configuration, as it would run.
pub(super) async fn try_job(
    settings: &ScrapeSettings,
    path: &str,
    report: &mut Report<'_>,
    clock: &dyn Clock,
) {
    let name = format!("scrape {}", settings.job);
    let mut broken = false;
    for (option, file, tried) in settings.try_certificates() {
        broken |= tried.is_err();
        let told = match tried {
            Ok(()) => Ok(format!("{} can be used", file.display())),
            Err(error) => {
                let error = anyhow::Error::from(error);
                let hint = "it must be PEM, with a key that belongs to the certificate";
                Err(Failure::new(format!("{error:#}"), hint))
            }
        };
        report.add(format!("{name} {option}"), &format!("{path}.{option}"), told);
    }
    if broken {
        return;
    }
    let job = match Job::new(settings.clone(), environment_lookup(), SourceRules::default()) {
        Ok(job) => job,
        Err(error) => {
            let error = anyhow::Error::from(error);
            return report.add(name, path, Err(Failure::new(format!("{error:#}"), "")));
        }
    };
    if let Some((option, place)) = secret(&settings.authorization) {
        let told = job.try_secret().map(|()| format!("{place} holds one")).map_err(failure);
        broken = told.is_err();
        report.add(format!("{name} secret"), &format!("{path}.{option}"), told);
    }
    if broken {
        return;
    }
    let trying = Trying { job: &job, name: &name, path, at_ms: clock.now_ms() };
    trying.static_targets(report).await;
    trying.lists(report).await;
}

/// The option and the place of what the job proves itself with.
fn secret(authorization: &Authorization) -> Option<(&'static str, String)> {
    let (file, env, secret) = match authorization {
        Authorization::None => return None,
        Authorization::Bearer(secret) => ("bearer_token_file", "bearer_token_env", secret),
        Authorization::Basic { password, .. } => {
            ("basic_auth.password_file", "basic_auth.password_env", password)
        }
    };
    Some(match secret {
        Secret::File(path) => (file, path.display().to_string()),
        Secret::Env(name) => (env, format!("the variable {name}")),
    })
}

/// A job that can be asked.
struct Trying<'a> {
    job: &'a Job,
    /// `scrape` and the name of the job.
    name: &'a str,
    /// Its place in the configuration.
    path: &'a str,
    at_ms: i64,
}

impl Trying<'_> {
    async fn static_targets(&self, report: &mut Report<'_>) {
        let mut targets = Vec::new();
        for (index, address) in self.job.settings().targets.iter().enumerate() {
            let what = format!("{} {address}", self.name);
            let path = format!("{}.targets[{index}]", self.path);
            match Target::of(self.job.settings(), address, &BTreeMap::new()) {
                Ok(target) => targets.push((what, path, target)),
                Err(problem) => report.add(what, &path, Err(Failure::new(problem, ""))),
            }
        }
        self.targets(targets, report).await;
    }

    async fn lists(&self, report: &mut Report<'_>) {
        for (index, file) in self.job.settings().file_sd.iter().enumerate() {
            let path = format!("{}.file_sd[{index}]", self.path);
            let tried = self.job.try_file(file);
            self.list(&file.display().to_string(), path, tried, report).await;
        }
        for (index, (url, _refresh)) in self.job.settings().http_sd.iter().enumerate() {
            let path = format!("{}.http_sd[{index}].url", self.path);
            let tried = self.job.try_service(url).await;
            self.list(url, path, tried, report).await;
        }
    }

    /// What a list says, and then what its targets say.
    async fn list(
        &self,
        place: &str,
        path: String,
        tried: Result<ListTrial, CollectError>,
        report: &mut Report<'_>,
    ) {
        let what = format!("{} {place}", self.name);
        let list = match tried {
            Ok(list) => list,
            Err(error) => {
                // That a running job keeps its last list is no comfort here.
                let hint = format!("{place} must hold a list as in Prometheus's service discovery");
                let error = Failure::new(error, hint);
                return report.add(what, &path, Err(error));
            }
        };
        let named = list.targets.len();
        let told = if list.problems.is_empty() {
            let tried = named.min(LISTED_MAX);
            let rest = if tried < named { format!(", {tried} are tried") } else { String::new() };
            Ok(format!("{named} targets{rest}"))
        } else {
            let told: Vec<&str> = list.problems.iter().take(TOLD_MAX).map(String::as_str).collect();
            let (count, told) = (list.problems.len(), told.join("; "));
            Err(Failure::new(
                format!("{count} of the list cannot be used: {told}"),
                "mend the list",
            ))
        };
        report.add(what, &path, told);
        let targets = list.targets.into_iter().take(LISTED_MAX).map(|target| {
            let address = target.labels.get("instance").unwrap_or(&target.id).to_owned();
            (format!("{} {address}", self.name), path.clone(), target)
        });
        self.targets(targets.collect(), report).await;
    }

    /// Ask targets, some at a time, and enter them in the order they were named.
    async fn targets(&self, targets: Vec<(String, String, Target)>, report: &mut Report<'_>) {
        let mut targets = targets.into_iter().peekable();
        while targets.peek().is_some() {
            let running: Vec<_> = targets
                .by_ref()
                .take(AT_ONCE)
                .map(|(what, path, target)| {
                    (what, path, tokio::spawn(ask(self.job.clone(), target, self.at_ms)))
                })
                .collect();
            for (what, path, asked) in running {
                let broke = |error| Err(Failure::new(error, "this is a bug of Stratascope"));
                let told = asked.await.unwrap_or_else(broke);
                report.add(what, &path, told);
            }
        }
    }
}

/// Fetch the page of a target once, as the scheduler would.
async fn ask(job: Job, target: Target, at_ms: i64) -> Result<String, Failure> {
    let deadline = target.timeout;
    let mut collector = job.collector(target, None);
    match tokio::time::timeout(deadline, collector.collect(at_ms)).await {
        Err(_elapsed) => {
            let message = format!("no answer within {}", format_duration(deadline));
            Err(Failure::new(message, "is it up? a slow page needs a longer timeout"))
        }
        Ok(Err(error)) => Err(failure(error)),
        Ok(Ok(harvest)) => {
            let faults = harvest.faults.iter().map(|fault| fault.count).sum::<u64>();
            Ok(format!("{} samples, {faults} faults", harvest.batch.sample_count()))
        }
    }
}

fn failure(error: CollectError) -> Failure {
    Failure { message: error.fault.message, hint: error.hint }
}

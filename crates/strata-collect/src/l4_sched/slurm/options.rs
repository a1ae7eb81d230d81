//! How Slurm is asked, as written in `strata.toml` and as checked.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{format_duration, parse_duration};

/// Whether the controller is asked from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlurmQueue {
    /// Where `squeue` is found, but not on compute nodes without the controller: a thousand agents
    /// must not ask it all at once.
    Auto,
    /// Wherever it is found.
    On,
    /// Never.
    Off,
}

/// `[slurm]`: the queue by Slurm's own commands, and the jobs on this node by their control groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlurmOptions {
    /// Read jobs and, as `queue` says, the queue.
    pub enabled: bool,
    /// Whether `squeue` and `scontrol` are run here.
    pub queue: SlurmQueue,
    /// How often, at least "10s".
    pub interval: String,
    /// How long one command may take; shorter than the interval.
    pub timeout: String,
    /// Folder of the commands; they are looked for on the PATH when left out.
    pub bin_dir: Option<PathBuf>,
    /// Jobs to write series of at most, running ones with GPUs first.
    pub jobs_max: usize,
}

impl Default for SlurmOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            queue: SlurmQueue::Auto,
            interval: "30s".to_owned(),
            timeout: "10s".to_owned(),
            bin_dir: None,
            jobs_max: 5000,
        }
    }
}

/// [`SlurmOptions`] that were found to make sense.
#[derive(Debug, Clone)]
pub struct SlurmSettings {
    pub enabled: bool,
    pub queue: SlurmQueue,
    pub interval: Duration,
    pub(super) timeout: Duration,
    pub bin_dir: Option<PathBuf>,
    pub(super) jobs_max: usize,
}

/// Slurm's own advice is not to run `squeue` in a loop.
const INTERVAL_MIN: Duration = Duration::from_secs(10);
const JOBS_MAX: usize = 10_000;

impl SlurmOptions {
    /// Check everything.
    ///
    /// # Errors
    /// Every problem found.
    pub fn validate(&self) -> Result<SlurmSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut read = |setting: &str, text: &str| match parse_duration(text) {
            Ok(duration) => duration,
            Err(message) => {
                problems.push(Problem::new(setting, message));
                INTERVAL_MIN
            }
        };
        let (interval, timeout) =
            (read("interval", &self.interval), read("timeout", &self.timeout));
        if interval < INTERVAL_MIN {
            let message = format!("must be at least {}", format_duration(INTERVAL_MIN));
            problems.push(Problem::new("interval", message));
        }
        if problems.is_empty() && timeout >= interval {
            problems.push(Problem::new("timeout", "must be shorter than interval"));
        }
        if self.jobs_max > JOBS_MAX {
            problems.push(Problem::new("jobs_max", format!("must be at most {JOBS_MAX}")));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(SlurmSettings {
            enabled: self.enabled,
            queue: self.queue,
            interval,
            timeout,
            bin_dir: self.bin_dir.clone(),
            jobs_max: self.jobs_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_all_problems_are_told() {
        assert!(SlurmOptions::default().validate().is_ok());
        let check = |interval: &str, timeout: &str, expected: &[&str]| {
            let (interval, timeout) = (interval.to_owned(), timeout.to_owned());
            let options = SlurmOptions { interval, timeout, ..SlurmOptions::default() };
            let problems = options.validate().err().unwrap_or_default();
            let paths: Vec<_> = problems.iter().map(|problem| &*problem.path).collect();
            assert_eq!(paths, expected);
        };
        check("1s", "x", &["timeout", "interval"]);
        check("20s", "20s", &["timeout"]);
        check("20s", "5s", &[]);
    }
}

//! What a person can set about the store, and the checked form the store works with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{format_duration, parse_bytes, parse_duration};

/// When an acknowledged write has reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fsync {
    /// Before it is acknowledged: nothing acknowledged is lost when the power fails.
    #[default]
    Full,
    /// Within a second: nothing is lost when the process dies, up to a second when the power fails.
    Normal,
}

/// The embedded store of metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreOptions {
    /// How long samples are kept as they came. A day's file is removed when all of it is older.
    pub retention: String,
    /// How long the 5 minute tier is kept; never shorter than the samples themselves. "0s" switches
    /// it off and removes it.
    pub retention_5m: String,
    /// How long the 1 hour tier is kept; never shorter than what is finer. "0s" switches it off and
    /// removes it.
    pub retention_1h: String,
    /// How far behind the newest sample of its series a sample may be. Two senders of one series,
    /// or a receiver that retries, deliver minutes late; Prometheus takes nothing late by default.
    pub out_of_order_window: String,
    /// How far ahead of this machine's clock a sample may be.
    pub future_tolerance: String,
    /// Most series with samples of the last `retention`; about 400 bytes of memory each. Series
    /// that are left in the tiers only do not count, but with them there are at most four times
    /// as many.
    pub series_limit: usize,
    /// Memory for batches that wait to be written; beyond it the oldest are dropped.
    pub queue: String,
    /// Samples of this much time stay in memory before they are sealed into the day's file.
    pub head_window: String,
    /// When an acknowledged write has reached the disk: "full" or "normal".
    pub fsync: Fsync,
    /// Most series one query may read.
    pub select_series_limit: usize,
    /// Most samples one query may hold of what it reads.
    pub select_samples_limit: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            retention: "15d".to_owned(),
            retention_5m: "90d".to_owned(),
            retention_1h: "2y".to_owned(),
            out_of_order_window: "10m".to_owned(),
            future_tolerance: "10m".to_owned(),
            series_limit: 2_000_000,
            queue: "64MiB".to_owned(),
            head_window: "1h".to_owned(),
            fsync: Fsync::Full,
            select_series_limit: 500_000,
            // Eight to sixteen bytes a sample: 0.8 GB at most, what a small machine can bear.
            select_samples_limit: 50_000_000,
        }
    }
}

/// The checked form of [`StoreOptions`].
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSettings {
    /// Where the files lie; made when it is missing.
    pub dir: PathBuf,
    pub retention: Duration,
    /// Zero when there is no such tier.
    pub retention_5m: Duration,
    /// Zero when there is no such tier.
    pub retention_1h: Duration,
    pub out_of_order_window: Duration,
    pub future_tolerance: Duration,
    pub series_limit: usize,
    pub queue_bytes: usize,
    pub head_window: Duration,
    pub fsync: Fsync,
    pub select_series_limit: usize,
    pub select_samples_limit: usize,
}

impl StoreOptions {
    /// Check all fields; `dir` is where the files go.
    ///
    /// # Errors
    /// Every problem, each with the name of its field.
    pub fn validate(&self, dir: &Path) -> Result<StoreSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut duration = |name: &str, text: &str, least: Duration, most: Duration| {
            match parse_duration(text) {
                Ok(value) if value >= least && value <= most => return value,
                Ok(_) => {
                    let (least, most) = (format_duration(least), format_duration(most));
                    let message = format!("{text:?} is not between {least} and {most}");
                    problems.push(Problem::new(name, message));
                }
                Err(message) => problems.push(Problem::new(name, message)),
            }
            least
        };
        let hour = Duration::from_hours(1);
        let century = hour * 24 * 365 * 100;
        let retention = duration("retention", &self.retention, hour, century);
        let retention_5m = duration("retention_5m", &self.retention_5m, Duration::ZERO, century);
        let retention_1h = duration("retention_1h", &self.retention_1h, Duration::ZERO, century);
        let retention_5m = at_least(retention_5m, retention);
        let retention_1h = at_least(retention_1h, retention.max(retention_5m));
        let out_of_order_window =
            duration("out_of_order_window", &self.out_of_order_window, Duration::ZERO, 24 * hour);
        let future_tolerance =
            duration("future_tolerance", &self.future_tolerance, Duration::ZERO, 24 * hour);
        let head_window = duration("head_window", &self.head_window, hour / 60, 6 * hour);
        let queue_bytes = match parse_bytes(&self.queue) {
            Ok(bytes) if bytes >= 1 << 20 => bytes as usize,
            Ok(_) => {
                let message = format!("{:?} is less than 1MiB", self.queue);
                problems.push(Problem::new("queue", message));
                0
            }
            Err(message) => {
                problems.push(Problem::new("queue", message));
                0
            }
        };
        for (name, value) in [
            ("series_limit", self.series_limit),
            ("select_series_limit", self.select_series_limit),
            ("select_samples_limit", self.select_samples_limit),
        ] {
            if value == 0 {
                problems.push(Problem::new(name, "0 would refuse everything"));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(StoreSettings {
            dir: dir.to_owned(),
            retention,
            retention_5m,
            retention_1h,
            out_of_order_window,
            future_tolerance,
            series_limit: self.series_limit,
            queue_bytes,
            head_window,
            fsync: self.fsync,
            select_series_limit: self.select_series_limit,
            select_samples_limit: self.select_samples_limit,
        })
    }
}

/// How long a tier is really kept: never shorter than what is finer, so that a longer `retention`
/// alone is enough to keep more. Zero stays zero: there is no such tier.
fn at_least(tier: Duration, finer: Duration) -> Duration {
    if tier.is_zero() { tier } else { tier.max(finer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_every_problem_is_named() {
        assert!(StoreOptions::default().validate(Path::new("x")).is_ok());
        let options = StoreOptions {
            retention: "forever".to_owned(),
            queue: "1B".to_owned(),
            series_limit: 0,
            ..StoreOptions::default()
        };
        let problems = options.validate(Path::new("x")).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(fields, ["retention", "queue", "series_limit"]);
    }

    #[test]
    fn a_tier_is_kept_at_least_as_long_as_what_is_finer() {
        let check = |raw: &str, five: &str, hour: &str, expected: [u64; 2]| {
            let options = StoreOptions {
                retention: raw.to_owned(),
                retention_5m: five.to_owned(),
                retention_1h: hour.to_owned(),
                ..StoreOptions::default()
            };
            let settings = options.validate(Path::new("x")).unwrap();
            let days = [settings.retention_5m, settings.retention_1h].map(|d| d.as_secs() / 86_400);
            assert_eq!(days, expected, "{raw} {five} {hour}");
        };
        check("15d", "90d", "2y", [90, 730]);
        check("15d", "14d", "1d", [15, 15]);
        check("15d", "90d", "60d", [90, 90]);
        check("200d", "90d", "2y", [200, 730]);
        check("15d", "0s", "1d", [0, 15]);
        check("15d", "0s", "0s", [0, 0]);
    }
}

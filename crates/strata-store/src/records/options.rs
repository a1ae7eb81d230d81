//! What a person can set about records, and the checked form.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{parse_bytes, parse_duration};

/// Records of single requests, spans and feedback. No content of requests is ever among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordOptions {
    /// Keep records at all; without them the doors for traces, logs and feedback are closed.
    pub enabled: bool,
    /// How long records are kept. A day's file is removed when all of it is older.
    pub retention: String,
    /// Most disk space; beyond it the oldest days are removed.
    pub disk: String,
    /// Most requests, spans and pieces of feedback, each, of one day; what comes beyond is refused
    /// and counted.
    pub day_records_max: u64,
    /// Store the comments of feedback. They are written by people and may hold anything.
    pub feedback_comments: bool,
    /// Names of scores of which less is better, such as `hallucination` and `toxicity`: models are
    /// compared by them so.
    pub less_is_better: Vec<String>,
    /// Keep the spans that are no requests (tools, agents, handlers), without their content.
    pub spans: bool,
    /// How long one question in SQL may take.
    pub sql_timeout: String,
    /// Most rows of an answer to a question in SQL.
    pub sql_rows_max: usize,
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            retention: "30d".to_owned(),
            disk: "20GiB".to_owned(),
            day_records_max: 10_000_000,
            feedback_comments: false,
            less_is_better: Vec::new(),
            spans: true,
            sql_timeout: "10s".to_owned(),
            sql_rows_max: 10_000,
        }
    }
}

/// The checked form of [`RecordOptions`].
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSettings {
    pub enabled: bool,
    /// Where the files lie; made when it is missing.
    pub dir: PathBuf,
    pub retention: Duration,
    pub disk_bytes: u64,
    pub day_records_max: u64,
    pub feedback_comments: bool,
    pub less_is_better: Vec<String>,
    pub spans: bool,
    pub sql_timeout: Duration,
    pub sql_rows_max: usize,
}

impl RecordOptions {
    /// Check all fields; the files go into `dir`.
    ///
    /// # Errors
    /// Every problem, each with the name of its field.
    pub fn validate(&self, dir: &Path) -> Result<RecordSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut duration = |name: &str, text: &str, least: Duration, most: Duration| {
            let message = match parse_duration(text) {
                Ok(value) if (least..=most).contains(&value) => return value,
                Ok(_) => format!("{text:?} is not between {least:?} and {most:?}"),
                Err(message) => message,
            };
            problems.push(Problem::new(name, message));
            least
        };
        let (hour, year) = (Duration::from_hours(1), Duration::from_hours(24 * 366));
        let retention = duration("retention", &self.retention, hour, year * 100);
        let sql_timeout =
            duration("sql_timeout", &self.sql_timeout, Duration::from_millis(100), hour);
        let disk_bytes = parse_bytes(&self.disk).unwrap_or_else(|message| {
            problems.push(Problem::new("disk", message));
            0
        });
        if self.day_records_max == 0 {
            problems.push(Problem::new("day_records_max", "0 would refuse everything"));
        }
        if !(1..=1_000_000).contains(&self.sql_rows_max) {
            problems.push(Problem::new("sql_rows_max", "must be between 1 and 1000000"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(RecordSettings {
            enabled: self.enabled,
            dir: dir.to_owned(),
            retention,
            disk_bytes,
            day_records_max: self.day_records_max,
            feedback_comments: self.feedback_comments,
            less_is_better: self.less_is_better.clone(),
            spans: self.spans,
            sql_timeout,
            sql_rows_max: self.sql_rows_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_every_problem_is_named() {
        assert!(RecordOptions::default().validate(Path::new("x")).is_ok());
        let bad = RecordOptions {
            retention: "1s".to_owned(),
            disk: "much".to_owned(),
            day_records_max: 0,
            sql_rows_max: 0,
            ..RecordOptions::default()
        };
        let problems = bad.validate(Path::new("x")).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(fields, ["retention", "disk", "day_records_max", "sql_rows_max"]);
    }
}

//! `[discover]`: finding sources on this host, as written in the configuration, and checked.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{format_duration, parse_duration};

/// Finding sources on this host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiscoverOptions {
    /// Look for engines and exporters on this host.
    pub enabled: bool,
    /// How often to look.
    pub interval: String,
    /// Ports to ask beside the well-known ones.
    pub ports: Vec<u16>,
    /// Ports never to ask.
    pub skip_ports: Vec<u16>,
    /// How often what was found is scraped.
    pub scrape_interval: String,
    /// How long such a scrape may take.
    pub scrape_timeout: String,
}

impl Default for DiscoverOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: "15s".to_owned(),
            ports: Vec::new(),
            skip_ports: Vec::new(),
            scrape_interval: "15s".to_owned(),
            scrape_timeout: "10s".to_owned(),
        }
    }
}

/// Checked discovery options.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscoverSettings {
    pub enabled: bool,
    pub interval: Duration,
    pub ports: Vec<u16>,
    pub skip_ports: Vec<u16>,
    pub scrape_interval: Duration,
    pub scrape_timeout: Duration,
}

impl DiscoverOptions {
    /// Check the options.
    ///
    /// # Errors
    /// All problems at once.
    pub fn validate(&self) -> Result<DiscoverSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut duration = |field: &str, text: &str, least| match parse_duration(text) {
            Ok(duration) if duration >= least => duration,
            Ok(_) => {
                let message = format!("the shortest is {}", format_duration(least));
                problems.push(Problem::new(field, message));
                Duration::ZERO
            }
            Err(message) => {
                problems.push(Problem::new(field, message));
                Duration::ZERO
            }
        };
        let second = Duration::from_secs(1);
        let interval = duration("interval", &self.interval, second);
        let scrape_interval = duration("scrape_interval", &self.scrape_interval, second);
        // Shorter than the shortest interval, as a timeout has to be.
        let scrape_timeout = duration("scrape_timeout", &self.scrape_timeout, second / 10);
        if problems.is_empty() && scrape_timeout >= scrape_interval {
            let message = "the timeout must be shorter than the interval";
            problems.push(Problem::new("scrape_timeout", message));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(DiscoverSettings {
            enabled: self.enabled,
            interval,
            ports: self.ports.clone(),
            skip_ports: self.skip_ports.clone(),
            scrape_interval,
            scrape_timeout,
        })
    }
}

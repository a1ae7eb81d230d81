//! A Prometheus that scrapes itself and sends us what it gets by remote write.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value as Json;

use super::{Method, Question, answer, report, seconds};
use crate::bench::figures::now_ms;
use crate::bench::process::{Kind, Server};
use crate::out;

/// How long it scrapes, once a second, before the two stores are compared.
const SCRAPING: Duration = Duration::from_secs(15);
/// The newest samples are on their way; those older than this must have arrived after the tries.
const UNDER_WAY_MS: i64 = 1_000;
const TRIES: u32 = 40;
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Samples by label set.
type Samples = BTreeMap<String, Vec<Json>>;

pub(super) struct Live {
    pub(super) http: reqwest::Client,
    pub(super) prometheus: Server,
    started_ms: i64,
}

impl Live {
    /// Start one that sends to `ours`.
    pub(super) async fn start(
        http: &reqwest::Client,
        program: &Path,
        scratch: &Path,
        ours: &Server,
    ) -> Result<Self> {
        let config = format!(
            "global:\n  scrape_interval: 1s\n\
             scrape_configs:\n  - job_name: prometheus\n    static_configs:\n      - targets: [OWN_ADDRESS]\n\
             remote_write:\n  - url: {}/api/v1/write\n    queue_config:\n      batch_send_deadline: 500ms\n    metadata_config:\n      send_interval: 2s\n",
            ours.url
        );
        let prometheus = Server::start_program(Kind::Prometheus, program, scratch, &config).await?;
        Ok(Self { http: http.clone(), prometheus, started_ms: now_ms() })
    }

    /// Whether every sample arrived, once and unchanged, and nothing was refused.
    pub(super) async fn compare(&self, ours: &Server) -> Result<usize> {
        let scraped = Duration::from_millis((now_ms() - self.started_ms).unsigned_abs());
        tokio::time::sleep(SCRAPING.saturating_sub(scraped)).await;
        let at_ms = now_ms() - UNDER_WAY_MS;
        let mut differences = Vec::new();
        let sent = samples(&self.http, &self.prometheus, at_ms).await?;
        for _ in 0..TRIES {
            let arrived = samples(&self.http, ours, at_ms).await?;
            differences = unequal(&sent, &arrived);
            if differences.is_empty() {
                break;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
        let log = self.prometheus.log()?;
        differences.extend(log.lines().filter(|line| complains(line)).map(str::to_owned));
        let trouble = self.trouble().await?;
        if trouble != "0" {
            differences.push(format!("{trouble} samples failed, were dropped or sent again"));
        }
        let count: usize = sent.values().map(Vec::len).sum();
        out::line(format!(
            "remote write of a Prometheus that scrapes itself: {count} samples of {} series in \
             {} s, {} differences",
            sent.len(),
            (at_ms - self.started_ms) / 1000,
            differences.len()
        ));
        if count == 0 {
            differences.push("it scraped nothing".to_owned());
        }
        Ok(report(&differences))
    }

    /// What its own counters say of remote write.
    async fn trouble(&self) -> Result<String> {
        let query = "sum({__name__=~\"prometheus_remote_storage_(samples|metadata|exemplars)_\
                     (failed|dropped|retried)_total\"})";
        let question = Question::new(Method::Get, "/api/v1/query", &[("query", query)]);
        let json = question.ask(&self.http, &self.prometheus).await?.json()?;
        let value = json["data"]["result"][0]["value"][1].as_str();
        Ok(value.context("no counters of remote write")?.to_owned())
    }
}

/// A line of the log that says that something went wrong.
fn complains(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.contains("level=error") || (line.contains("level=warn") && line.contains("remote"))
}

/// Everything that was scraped up to a time.
async fn samples(http: &reqwest::Client, server: &Server, at_ms: i64) -> Result<Samples> {
    let time = seconds(at_ms);
    let pairs = [("query", "{job=\"prometheus\"}[1h]"), ("time", &time)];
    let question = Question::new(Method::Post, "/api/v1/query", &pairs);
    let json = question.ask(http, server).await?.json()?;
    let result = json["data"]["result"].as_array().with_context(|| format!("no result: {json}"))?;
    let series = result.iter().map(|series| {
        let values = series["values"].as_array().cloned().unwrap_or_default();
        (answer::labels(series), values)
    });
    Ok(series.collect())
}

fn unequal(sent: &Samples, arrived: &Samples) -> Vec<String> {
    let mut differences = Vec::new();
    for (labels, values) in sent {
        match arrived.get(labels) {
            None => differences.push(format!("{labels} did not arrive")),
            Some(got) if got != values => differences.push(format!(
                "{labels}: {} samples sent, {} arrived, or with other values",
                values.len(),
                got.len()
            )),
            Some(_) => {}
        }
    }
    let invented = arrived.keys().filter(|labels| !sent.contains_key(*labels));
    differences.extend(invented.map(|labels| format!("{labels} was never sent")));
    differences
}

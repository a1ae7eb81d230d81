//! Shipping rounds of the mix to a server and waiting until it can be asked for them.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use super::mix::Mix;
use super::process::{Kind, Server, client};
use super::wire::Encoder;

/// Bodies under way at once, as the shards of a Prometheus sender.
const IN_FLIGHT: usize = 8;
/// Retries of one body while the server says it is overloaded.
const RETRIES_MAX: u32 = 100;
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Ship `rounds` scrapes of `mix`, `step_ms` apart, the last one ending at `end_ms`.
/// Returns how many samples were sent.
pub(crate) async fn ship(
    server: &Server,
    mix: &mut Mix,
    rounds: i64,
    step_ms: i64,
    end_ms: i64,
) -> Result<u64> {
    let encoder = Encoder::new(mix);
    let http = client()?;
    let url = format!("{}/api/v1/write", server.url);
    for round in 0..rounds {
        let at_ms = end_ms - (rounds - round) * step_ms;
        let bodies = encoder.round(mix, at_ms);
        mix.advance();
        let mut open = tokio::task::JoinSet::new();
        for body in bodies {
            if open.len() == IN_FLIGHT {
                open.join_next().await.context("a task is open")???;
            }
            open.spawn(post(http.clone(), url.clone(), body));
        }
        while let Some(done) = open.join_next().await {
            done??;
        }
    }
    Ok(mix.series() as u64 * rounds as u64)
}

/// Send one remote-write body, again while the server says it is overloaded.
pub(crate) async fn post(http: reqwest::Client, url: String, body: Vec<u8>) -> Result<()> {
    let mut last = String::new();
    for _ in 0..RETRIES_MAX {
        let answer = http
            .post(&url)
            .header("Content-Encoding", "snappy")
            .header("Content-Type", "application/x-protobuf")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0")
            .body(body.clone())
            .send()
            .await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        last = format!("{status}: {}", answer.text().await.unwrap_or_default());
        if !status.is_server_error() && status.as_u16() != 429 {
            break;
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    bail!("remote write was refused: {last}")
}

/// Make what was shipped visible to queries at once, where a server delays it.
pub(crate) async fn flush(server: &Server) -> Result<()> {
    if server.kind == Kind::VictoriaMetrics {
        reqwest::get(format!("{}/internal/force_flush", server.url)).await?.error_for_status()?;
    }
    Ok(())
}

/// Ask in PromQL over a range; the answer's `data.result`.
pub(crate) async fn range(
    http: &reqwest::Client,
    server: &Server,
    query: &str,
    start_ms: i64,
    end_ms: i64,
    step_s: i64,
) -> Result<Json> {
    let mut url = reqwest::Url::parse(&format!("{}/api/v1/query_range", server.url))?;
    url.query_pairs_mut()
        .append_pair("query", query)
        .append_pair("start", &format!("{:.3}", start_ms as f64 / 1000.0))
        .append_pair("end", &format!("{:.3}", end_ms as f64 / 1000.0))
        .append_pair("step", &step_s.to_string())
        .append_pair("nocache", "1");
    let answer: Json = serde_json::from_slice(&http.get(url).send().await?.bytes().await?)?;
    if answer["status"] != "success" {
        bail!("{} refused {query}: {}", server.kind.name(), answer["error"]);
    }
    Ok(answer["data"]["result"].clone())
}

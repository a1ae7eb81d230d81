//! What the simulated programs tell of single requests, sent as real ones send it: spans to
//! `POST /v1/traces`, judgements to `POST /v1/logs` (those of the past, with their time) and
//! `POST /v1/feedback` (as they are given). It begins when the server answers, so nobody waits for
//! it, and what is newest comes first.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use strata_sim::{Opinion, Sim, Size};
use tokio::task::JoinHandle;

use super::stage::Stage;

/// Requests of the past that are told, about: what a store takes in two seconds.
const PAST_REQUESTS: f64 = 8_192.0;
/// Requests a GPU answers in a second on a calm day.
const REQUESTS_PER_GPU_SECOND: f64 = 1.0;
/// GPUs of which all live requests are told.
const LIVE_GPUS: f64 = 256.0;
/// Requests of one body.
const TOGETHER: usize = 256;
/// A batch processor sends about as often.
const EVERY: Duration = Duration::from_secs(1);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A judgement older than this is told with its time.
const LATE_MS: i64 = 10_000;

/// The failure that is told, once.
const NEWS_ATTEMPT: u64 = 3;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Shares of the conversations that are told: of the past and of what comes. Powers of two, so that
/// a count times its inverse is whole.
pub(super) fn shares(size: Size, history: Duration) -> (f64, f64) {
    let gpus = (size.nodes * size.gpus_per_node) as f64;
    let past = gpus * REQUESTS_PER_GPU_SECOND * history.as_secs_f64();
    (power_of_two(PAST_REQUESTS / past.max(1.0)), power_of_two(LIVE_GPUS / gpus))
}

/// The largest power of two that is not above `share`, at most 1.
fn power_of_two(share: f64) -> f64 {
    share.min(1.0).log2().floor().exp2()
}

/// A body on its way.
struct Letter {
    path: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

/// Tell from now on, until the handle is aborted.
pub(super) fn start(stage: &Arc<Stage>, mut server: SocketAddr) -> Result<JoinHandle<()>> {
    if server.ip().is_unspecified() {
        server.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build();
    let http = http.context("cannot set up the HTTP client")?;
    let stage = Arc::clone(stage);
    Ok(tokio::spawn(async move {
        // Whoever opened the first page is served first.
        tokio::time::sleep(EVERY).await;
        loop {
            let began_ms = stage.now_ms();
            let here = Arc::clone(&stage);
            let letters = tokio::task::spawn_blocking(move || {
                let now_ms = here.now_ms();
                here.change(now_ms, |sim| write(sim, now_ms))
            });
            let letters = match letters.await {
                Ok(letters) => letters,
                Err(error) => return tracing::error!(%error, "the simulation ended badly"),
            };
            let is_all = letters.is_empty();
            for letter in letters {
                send(&http, server, &letter).await;
            }
            // Half of the time is left to those who look.
            let took_ms = u64::try_from(stage.now_ms() - began_ms).unwrap_or(0);
            let pause = if is_all { EVERY } else { EVERY.min(Duration::from_millis(took_ms)) };
            tokio::time::sleep(pause).await;
        }
    }))
}

/// The next spans, and the judgements that are due.
fn write(sim: &mut Sim, now_ms: i64) -> Vec<Letter> {
    let spans = sim.export_spans(TOGETHER);
    let spans = spans.map(|body| Letter { path: "/v1/traces", kind: PROTOBUF, body });
    let mut letters: Vec<Letter> = spans.into_iter().collect();
    let opinions = sim.take_opinions();
    let (late, fresh): (Vec<_>, Vec<_>) =
        opinions.into_iter().partition(|one| one.at_ms < now_ms - LATE_MS);
    if !late.is_empty() {
        let body = Opinion::log_export(&late);
        letters.push(Letter { path: "/v1/logs", kind: PROTOBUF, body });
    }
    letters.extend(fresh.iter().map(|one| {
        let body = json!({
            "target": { "response_id": one.response_id },
            "value": one.liked,
            "idempotency_key": one.response_id,
        });
        Letter { path: "/v1/feedback", kind: JSON, body: body.to_string().into_bytes() }
    }));
    letters
}

/// Send until it was taken, as senders of OTLP do: what is refused for good is not sent again.
async fn send(http: &reqwest::Client, server: SocketAddr, letter: &Letter) {
    let url = format!("http://{server}{}", letter.path);
    for attempt in 1_u64.. {
        let request = http.post(&url).header(CONTENT_TYPE, letter.kind);
        let why = match request.body(letter.body.clone()).send().await {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) if !is_passing(answer.status()) => {
                let status = answer.status().as_u16();
                return tracing::error!(status, path = letter.path, "simulated requests refused");
            }
            Ok(answer) => answer.status().to_string(),
            Err(error) => error.to_string(),
        };
        // A server that is about to end takes nothing, which is no news.
        if attempt == NEWS_ATTEMPT {
            tracing::warn!(why, path = letter.path, "simulated requests wait to be taken");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether it is worth trying again (OTLP specification, "Retryable Response Codes").
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_clusters_and_short_pasts_are_told_whole() {
        let check = |nodes: usize, minutes: u64, expected: (f64, f64)| {
            let size = Size { nodes, gpus_per_node: 8 };
            assert_eq!(shares(size, Duration::from_mins(minutes)), expected, "{nodes} {minutes}");
        };
        check(2, 5, (1.0, 1.0));
        check(2, 60, (0.125, 1.0));
        check(2, 0, (1.0, 1.0));
        check(128, 60, (1.0 / 512.0, 0.25));
    }
}

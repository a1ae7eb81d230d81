//! Questions about single requests, asked as `strata requests` asks them: over HTTP, of a running
//! server that was sent the requests as spans.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use super::Row;
use super::figures::{STRATA_QUIET, now_ms, tick};
use super::process::{Kind, Server, client};
use super::spans::ship;
use super::spans::wire::{SPANS_PER_BODY, Shape, Traces};
use crate::out;

/// The part of the requests that each of the other days has.
const A_DAY: usize = 50;
const DAYS: u64 = 30;
const HOUR_NS: u64 = 3_600_000_000_000;
const DAY_NS: u64 = 24 * HOUR_NS;
/// Times that each question is asked; the first of each is in its figure too.
const ROUNDS: usize = 20;

/// Measure below `scratch`, with this many requests in the six hours.
pub(crate) async fn measure(scratch: &Path, requests: usize) -> Result<Vec<Row>> {
    // A month and a day, so that the oldest requests are not swept while they are asked for.
    let config = format!("{STRATA_QUIET}[records]\nretention = '40d'\n");
    let server = Server::start(Kind::Strata, scratch, &config).await?;
    let end_ns = now_ms() as u64 * 1_000_000;
    let (many, sent) = fill(&server, end_ns, requests).await?;
    let range = |from_ns: u64| {
        format!("start={}&end={}", from_ns / 1_000_000_000, end_ns.div_ceil(1_000_000_000) + 1)
    };
    let slowest = format!(
        "requests?{}&order=slowest&limit=20&where=team%3Dteam3&where=model%3Dmodel2",
        range(end_ns - 6 * HOUR_NS)
    );
    let slowest = ask(&server, &slowest, |answer| {
        let count = answer["requests"].as_array().map_or(0, Vec::len);
        ensure!(count == 20, "{count} requests were told: {answer}");
        Ok(())
    });
    let slowest = slowest.await?;
    let sums = format!("requests/sums?{}&by=team,model&limit=1000", range(end_ns - DAYS * DAY_NS));
    let sums = ask(&server, &sums, |answer| {
        let sums = answer["sums"].as_array().context("there are no sums")?;
        let all: u64 = sums.iter().filter_map(|one| one["requests"].as_u64()).sum();
        ensure!(
            all as usize == sent && sums.len() == 100,
            "{all} of {sent}, {} groups",
            sums.len()
        );
        Ok(())
    });
    let sums = sums.await?;
    let told = |times: &[f64], about: String| {
        format!(
            "median {:.1} ms, slowest {:.1} of {ROUNDS}; {about}",
            median(times),
            times[ROUNDS - 1]
        )
    };
    let row = |what, times: &[f64], about, must, aim| {
        let verdict = format!("{:.1} ms", median(times));
        Row { what, values: told(times, about), verdict, must, aim }
    };
    Ok(vec![
        row(
            "slowest 20 by team and model of the requests of 6 h, over HTTP",
            &slowest,
            format!("{many} requests in the six hours, {sent} in all"),
            "50 ms",
            "20 ms",
        ),
        row(
            "sums of 30 days by team and model from hourly rollups, over HTTP",
            &sums,
            "100 groups, all requests counted".to_owned(),
            "20 ms",
            "5 ms",
        ),
    ])
}

/// Send a month of requests; how many are in the six hours, and in all.
async fn fill(server: &Server, end_ns: u64, requests: usize) -> Result<(usize, usize)> {
    let url = format!("{}/v1/traces", server.url);
    let begun = tick();
    let mut sent = 0;
    for day in (1..DAYS).rev() {
        let from = end_ns - day * DAY_NS;
        sent += ship(&url, calls(requests / A_DAY, (from, DAY_NS), day)).await?;
    }
    let many = ship(&url, calls(requests, (end_ns - 6 * HOUR_NS, 6 * HOUR_NS), 0)).await?;
    sent += many;
    out::line(format!(
        "{sent} requests sent in {:.0} s, {:.0} s of CPU; {:.0} bytes a request on disk",
        begun.elapsed().as_secs_f64(),
        server.cpu_seconds()?,
        super::process::folder_bytes(&server.data) as f64 / sent as f64
    ));
    Ok((many, sent))
}

/// Bodies of this many calls spread over a time.
fn calls(count: usize, (from_ns, over_ns): (u64, u64), seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut traces = Traces::new(Shape::Calls, seed);
    (0..count).step_by(SPANS_PER_BODY).map(move |begin| {
        let spans = SPANS_PER_BODY.min(count - begin);
        traces.body(spans, |random| from_ns + random.u64(0..over_ns))
    })
}

/// Ask again and again; the times in milliseconds, ascending.
async fn ask(
    server: &Server,
    question: &str,
    right: impl Fn(&Json) -> Result<()>,
) -> Result<Vec<f64>> {
    let http = client()?;
    let url = format!("{}/api/v1/{question}", server.url);
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = tick();
        let answer = http.get(&url).send().await?.bytes().await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        right(&serde_json::from_slice(&answer)?)?;
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn median(times: &[f64]) -> f64 {
    times[times.len() / 2]
}

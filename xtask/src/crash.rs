//! `cargo xtask crash`: kill -9 a server that is being written to, again and again, and look for
//! every sample it had acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value as Json;

use crate::bench::figures::STRATA_QUIET;
use crate::bench::process::{Kind, Server};
use crate::bench::wire;
use crate::{check, out};

/// Series written at once in every body.
const SERIES: usize = 20;
/// Samples of each series in one body.
const SAMPLES: i64 = 5;
/// Writers whose requests overlap, so that a kill meets group commits half done.
const WRITERS: usize = 4;

/// Acknowledged samples: series number -> time in ms -> value.
type Acknowledged = BTreeMap<(usize, usize), BTreeMap<i64, f64>>;

/// Kill and check `rounds` times over one data directory.
pub(crate) fn run(rounds: u32, seed: u64, scratch: &Path) -> Result<()> {
    check::step("cargo", &["build", "--release", "--locked", "--package", "strata"])?;
    if scratch.exists() {
        bail!("{} exists: name a scratch folder that does not", scratch.display());
    }
    std::fs::create_dir_all(scratch)?;
    out::line(format!("seed {seed}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let total = runtime.block_on(kill_rounds(rounds, seed, scratch))?;
    std::fs::remove_dir_all(scratch)?;
    out::line(format!("{rounds} kills, {total} acknowledged samples, none lost"));
    Ok(())
}

async fn kill_rounds(rounds: u32, seed: u64, scratch: &Path) -> Result<usize> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Acknowledged::new();
    let start_ms = crate::bench::figures::now_ms() - 3_600_000;
    let mut next = [0_i64; WRITERS];
    for round in 0..rounds {
        let server = Server::start(Kind::Strata, scratch, STRATA_QUIET).await?;
        let url = format!("{}/api/v1/write", server.url);
        let writers: Vec<_> = next
            .iter()
            .enumerate()
            .map(|(writer, first)| tokio::spawn(write(url.clone(), writer, start_ms, *first)))
            .collect();
        tokio::time::sleep(Duration::from_millis(random.u64(20..1500))).await;
        drop(server); // SIGKILL by its own process id
        for (writer, task) in writers.into_iter().enumerate() {
            let (sent, acknowledged) = task.await?;
            next[writer] = sent;
            for (key, samples) in acknowledged {
                all.entry(key).or_default().extend(samples);
            }
        }
        let server = Server::start(Kind::Strata, scratch, STRATA_QUIET).await?;
        for (key, samples) in &all {
            let kept = read(&server, *key, start_ms).await?;
            for (at, value) in samples {
                ensure!(
                    kept.get(at) == Some(value),
                    "round {round}: series {key:?} lost its acknowledged sample at {at}"
                );
            }
        }
        drop(server);
        let count: usize = all.values().map(BTreeMap::len).sum();
        out::line(format!("round {round}: {count} acknowledged samples are all there"));
    }
    Ok(all.values().map(BTreeMap::len).sum())
}

/// Write until the server goes away. Returns where to go on and what was acknowledged.
async fn write(url: String, writer: usize, start_ms: i64, first: i64) -> (i64, Acknowledged) {
    let http = reqwest::Client::new();
    let mut acknowledged = Acknowledged::new();
    let mut at = first;
    loop {
        let mut rows = Vec::new();
        for series in 0..SERIES {
            let labels = vec![
                ("__name__".to_owned(), "crash_test".to_owned()),
                ("series".to_owned(), series.to_string()),
                ("writer".to_owned(), writer.to_string()),
            ];
            let samples = (0..SAMPLES).map(|n| (start_ms + (at + n) * 2, (at + n) as f64));
            rows.push((labels, samples.collect::<Vec<_>>()));
        }
        let request = http
            .post(&url)
            .header("Content-Encoding", "snappy")
            .header("Content-Type", "application/x-protobuf")
            .body(wire::body(&rows));
        // A body under way when the server dies may or may not be stored; it is not sent again.
        at += SAMPLES;
        match request.send().await {
            Ok(answer) if answer.status().is_success() => {
                for (series, (_, samples)) in rows.into_iter().enumerate() {
                    acknowledged.entry((writer, series)).or_default().extend(samples);
                }
            }
            Ok(_) => {}
            Err(_) => return (at, acknowledged),
        }
    }
}

/// All stored samples of one series.
async fn read(
    server: &Server,
    (writer, series): (usize, usize),
    start_ms: i64,
) -> Result<BTreeMap<i64, f64>> {
    let mut url = reqwest::Url::parse(&format!("{}/api/v1/query", server.url))?;
    let query = format!("crash_test{{writer=\"{writer}\",series=\"{series}\"}}[2h]");
    url.query_pairs_mut()
        .append_pair("query", &query)
        .append_pair("time", &(start_ms / 1000 + 7_000).to_string());
    let answer: Json = serde_json::from_slice(&reqwest::get(url).await?.bytes().await?)?;
    ensure!(answer["status"] == "success", "the query failed: {answer}");
    let values = answer["data"]["result"][0]["values"].as_array();
    let points = values.into_iter().flatten().map(|pair| {
        let at = (pair[0].as_f64().context("a time")? * 1000.0).round() as i64;
        Ok((at, pair[1].as_str().context("a value")?.parse()?))
    });
    points.collect()
}

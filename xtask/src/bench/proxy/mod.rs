//! What the proxy adds: time to answers and events, and memory for each open stream; beside the same
//! load without it, in turns, in one run.

mod load;
mod script;

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value as Json;

use super::figures::{STRATA_QUIET, now_ms};
use super::process::{Kind, Server, client};
use super::{Row, process};
use crate::out;
use load::{Load, Open, Seen};

/// Turns of each way; they alternate, so that what else the machine does falls on both.
const TURNS: u32 = 4;
const DOCUMENTS: Load = Load { documents: 1_000, streams: 0, gap_ms: 50, seconds: 5 };
/// 1,000 streams of 20 events a second, and 1,000 answers in one piece a second beside them.
const ALL: Load = Load { documents: 1_000, streams: 1_000, gap_ms: 50, seconds: 6 };
/// Streams that are open while memory is read.
const OPEN: [usize; 2] = [1_000, 4_000];

/// A proxy before the scripted upstream.
struct Stage {
    server: Server,
    direct: String,
    proxied: String,
}

impl Stage {
    async fn start(scratch: &Path, direct: &str) -> Result<Self> {
        let proxied = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let config = format!(
            "{STRATA_QUIET}[proxy]\nlisten = '{proxied}'\nconnections_max = 8192\n\
             [[proxy.upstreams]]\nurl = 'http://{direct}'\n"
        );
        let server = Server::start(Kind::Strata, scratch, &config).await?;
        Ok(Self { server, direct: direct.to_owned(), proxied })
    }

    /// Calls that have a record. Sums are of whole hours, so from well before the first.
    async fn recorded(&self) -> Result<u64> {
        let url = format!(
            "{}/api/v1/requests/sums?by=model&start={}&end={}",
            self.server.url,
            now_ms() / 1_000 - 7_200,
            now_ms() / 1_000 + 60
        );
        let answer = client()?.get(url).send().await?.bytes().await?;
        let answer: Json = serde_json::from_slice(&answer)?;
        let sums = answer["sums"].as_array().context("there are no sums of records")?;
        Ok(sums.iter().filter_map(|one| one["requests"].as_u64()).sum())
    }
}

/// Measure below `scratch`.
pub(crate) async fn measure(scratch: &Path) -> Result<Vec<Row>> {
    if cfg!(debug_assertions) {
        bail!(
            "the load would take most of the machine: \
             cargo run --release --package xtask -- bench proxy"
        );
    }
    let direct = script::serve().await?;
    let memory = memory(&scratch.join("memory"), &direct).await?;
    let stage = Stage::start(&scratch.join("time"), &direct).await?;
    let documents = compare(&stage, DOCUMENTS).await?;
    let all = compare(&stage, ALL).await?;
    let expected = documents.proxied.calls + all.proxied.calls;
    let mut recorded = 0;
    for _ in 0..100 {
        recorded = stage.recorded().await?;
        if recorded >= expected {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    ensure!(recorded == expected, "{recorded} of {expected} calls have a record");
    let words = |ways: &Ways, direct: &[u64], proxied: &[u64]| {
        format!(
            "p50 / p99 {} ms, without it {} ms; {} of each; {:.0} us of CPU for a call of either kind, \
             events included; all {recorded} calls recorded",
            both(quantiles(proxied)),
            both(quantiles(direct)),
            proxied.len(),
            ways.cpu_us
        )
    };
    let row = |what, values, (direct, proxied): (&[u64], &[u64])| {
        let (without, with) = (quantiles(direct), quantiles(proxied));
        let verdict = format!("{} ms", both([with[0] - without[0], with[1] - without[1]]));
        Row { what, values, verdict, must: "0.3 / 2 ms", aim: "0.1 / 0.5 ms" }
    };
    let of = |ways: &Ways, what, (direct, proxied): (&[u64], &[u64])| {
        row(what, words(ways, direct, proxied), (direct, proxied))
    };
    Ok(vec![
        of(
            &documents,
            "proxy: added to an answer in one piece, 1,000/s",
            (&documents.direct.documents, &documents.proxied.documents),
        ),
        of(
            &all,
            "proxy: the same while 1,000 streams have 20 events a second each",
            (&all.direct.documents, &all.proxied.documents),
        ),
        of(
            &all,
            "proxy: added to an event of these streams",
            (&all.direct.events, &all.proxied.events),
        ),
        memory,
    ])
}

/// The same load with and without the proxy.
struct Ways {
    direct: Seen,
    proxied: Seen,
    /// CPU time of the proxy's process per call, microseconds.
    cpu_us: f64,
}

async fn compare(stage: &Stage, load: Load) -> Result<Ways> {
    let (mut direct, mut proxied) = (Seen::default(), Seen::default());
    let before = stage.server.cpu_seconds()?;
    for _ in 0..TURNS {
        direct.add(load::run(&stage.direct, load).await?);
        proxied.add(load::run(&stage.proxied, load).await?);
    }
    let cpu_us = (stage.server.cpu_seconds()? - before) * 1e6 / proxied.calls as f64;
    out::line(format!("{load:?}: direct {}", told(&direct)));
    out::line(format!("{load:?}: proxied {}", told(&proxied)));
    Ok(Ways { direct, proxied, cpu_us })
}

/// Resident memory of a fresh proxy for each stream that is open.
async fn memory(scratch: &Path, direct: &str) -> Result<Row> {
    let stage = Stage::start(scratch, direct).await?;
    // What the first calls make once is no stream's.
    let warm = Load { documents: 100, streams: 20, gap_ms: 50, seconds: 3 };
    load::run(&stage.proxied, warm).await?;
    let idle = stage.server.rss_bytes(false)?;
    let mut open = Open::default();
    let mut each = Vec::new();
    for count in OPEN {
        open.grow(&stage.proxied, count).await?;
        each.push((stage.server.rss_bytes(false)? - idle) / count as f64 / 1e3);
    }
    out::line(format!("kB for an open stream: {each:.1?}"));
    let [few, many] = each[..] else { bail!("there are two counts of streams") };
    Ok(Row {
        what: "proxy: memory of an open stream",
        values: format!(
            "{few:.1} kB with {} open, {many:.1} kB with {}; {:.0} MB without any, resident; {} files",
            OPEN[0],
            OPEN[1],
            idle / 1e6,
            process::open_files(stage.server.pid())?
        ),
        verdict: format!("{:.1} kB", few.max(many)),
        must: "64 kB",
        aim: "24 kB",
    })
}

fn told(seen: &Seen) -> String {
    let kinds = [(&seen.documents, "an answer in one piece"), (&seen.events, "an event")];
    let there = kinds.iter().filter(|(times, _)| !times.is_empty());
    let words = there.map(|(times, what)| format!("{} ms for {what}", both(quantiles(times))));
    words.collect::<Vec<_>>().join(", ")
}

/// The 50th and 99th percentile, milliseconds.
fn quantiles(times: &[u64]) -> [f64; 2] {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    [0.5, 0.99].map(|fraction| {
        let place = (sorted.len() as f64 * fraction) as usize;
        sorted.get(place).or(sorted.last()).map_or(f64::NAN, |ns| *ns as f64 / 1e6)
    })
}

fn both([middle, high]: [f64; 2]) -> String {
    format!("{middle:.3} / {high:.3}")
}

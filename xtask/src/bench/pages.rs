//! How long the server takes for each page over a fleet with a day of history.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::figures::{STRATA_QUIET, now_ms, tick};
use super::load;
use super::mix::Mix;
use super::process::{Kind, Server, client};
use super::{History, Row};
use crate::out;

const PAGES: [&str; 7] = ["overview", "gpus", "hosts", "engines", "requests", "topology", "doctor"];
/// Times each page is asked for. Longer apart than a page is kept (a second, or twice the time that it
/// took), or copies would be timed.
const ROUNDS: usize = 5;
const KEPT: std::time::Duration = std::time::Duration::from_millis(1_100);
const HOUR_MS: i64 = 3_600_000;
/// Fleets above this are sampled once a minute instead of every 15 s: a day of them would take an
/// hour to ship.
const FINE_GPUS: usize = 2_000;

/// Pages over `gpus` GPUs (their nodes, and an engine for every eight) x 24 h, for the default
/// window of an hour and for the whole day.
pub(crate) async fn measure(scratch: &Path, gpus: usize, history: History) -> Result<Vec<Row>> {
    let nodes = gpus.div_ceil(8);
    let step_ms = if gpus > FINE_GPUS { 60_000 } else { 15_000 };
    let mut mix = Mix::fleet(nodes, nodes, 3);
    let series = mix.series();
    let server = Server::start(Kind::Strata, scratch, STRATA_QUIET).await?;
    let rounds = i64::from(history.hours) * HOUR_MS / step_ms;
    load::ship(&server, &mut mix, rounds, step_ms, now_ms()).await?;
    let http = client()?;
    let mut values = Vec::new();
    let mut worst = 0.0_f64;
    for range in ["1h", "24h"] {
        let mut parts = Vec::new();
        for page in PAGES {
            let url = format!("{}/api/v1/pages/{page}?since={range}", server.url);
            let (mut times, mut cores): (Vec<f64>, Vec<f64>) = Default::default();
            for _ in 0..ROUNDS {
                let last = times.last().map_or(0.0, |last| *last / 1e3);
                tokio::time::sleep(KEPT.max(std::time::Duration::from_secs_f64(2.1 * last))).await;
                // The newest samples must stay within the pages' look-back.
                mix.advance();
                load::ship(&server, &mut mix, 1, step_ms, now_ms()).await?;
                let (used, started) = (server.cpu_seconds()?, tick());
                let answer = http.get(&url).send().await?;
                let status = answer.status();
                let body = answer.bytes().await?;
                times.push(started.elapsed().as_secs_f64() * 1e3);
                cores.push((server.cpu_seconds()? - used) * 1e3);
                if !status.is_success() {
                    bail!("{url}: {status}: {}", String::from_utf8_lossy(&body));
                }
            }
            let first = times[0];
            let (median, core) = (median(times)?, median(cores)?);
            worst = worst.max(median);
            parts.push(format!("{page} {median:.0} (first {first:.0}, processor {core:.0})"));
        }
        values.push(format!("{range}: {}", parts.join(", ")));
    }
    if history.hold {
        out::line(values.join("\n"));
        out::line(format!("the server is {}, its process {}", server.url, server.pid()));
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(step_ms as u64)).await;
            mix.advance();
            load::ship(&server, &mut mix, 1, step_ms, now_ms()).await?;
        }
    }
    let large = gpus > FINE_GPUS;
    Ok(vec![Row {
        what: "server time of a page (and processor time of the server), ms, median of 5",
        values: format!(
            "{gpus} GPUs x {} h at {} s, {series} series; {}",
            history.hours,
            step_ms / 1000,
            values.join("; ")
        ),
        verdict: format!("{worst:.0} ms at worst"),
        must: if large { "500 ms" } else { "150 ms" },
        aim: if large { "300 ms" } else { "100 ms" },
    }])
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("there are rounds")
}

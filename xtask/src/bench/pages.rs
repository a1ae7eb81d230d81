//! How long the server takes for each page over a fleet with a day of history.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Row;
use super::figures::{STRATA_QUIET, now_ms, tick};
use super::load;
use super::mix::Mix;
use super::process::{Kind, Server};

const PAGES: [&str; 7] = ["overview", "gpus", "hosts", "engines", "requests", "topology", "doctor"];
/// Times each page is asked for. Longer apart than a page is kept, or copies would be timed.
const ROUNDS: usize = 5;
const KEPT: std::time::Duration = std::time::Duration::from_millis(1_100);
const DAY_MS: i64 = 24 * 3_600_000;
/// Fleets above this are sampled once a minute instead of every 15 s: a day of them would take an
/// hour to ship.
const FINE_GPUS: usize = 2_000;

/// Pages over `gpus` GPUs (their nodes, and an engine for every eight) x 24 h, for the default
/// window of an hour and for the whole day.
pub(crate) async fn measure(scratch: &Path, gpus: usize) -> Result<Vec<Row>> {
    let nodes = gpus.div_ceil(8);
    let step_ms = if gpus > FINE_GPUS { 60_000 } else { 15_000 };
    let mut mix = Mix::fleet(nodes, nodes, 3);
    let series = mix.series();
    let server = Server::start(Kind::Strata, scratch, STRATA_QUIET).await?;
    let rounds = DAY_MS / step_ms;
    load::ship(&server, &mut mix, rounds, step_ms, now_ms()).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut values = Vec::new();
    let mut worst = 0.0_f64;
    for range in ["1h", "24h"] {
        let mut parts = Vec::new();
        for page in PAGES {
            let url = format!("{}/api/v1/pages/{page}?since={range}", server.url);
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                tokio::time::sleep(KEPT).await;
                // The newest samples must stay within the pages' look-back.
                mix.advance();
                load::ship(&server, &mut mix, 1, step_ms, now_ms()).await?;
                let started = tick();
                let answer = http.get(&url).send().await?;
                let status = answer.status();
                let body = answer.bytes().await?;
                times.push(started.elapsed().as_secs_f64() * 1e3);
                if !status.is_success() {
                    bail!("{url}: {status}: {}", String::from_utf8_lossy(&body));
                }
            }
            let first = times[0];
            times.sort_by(f64::total_cmp);
            let median = *times.get(ROUNDS / 2).context("there are rounds")?;
            worst = worst.max(median);
            parts.push(format!("{page} {median:.0} (first {first:.0})"));
        }
        values.push(format!("{range}: {}", parts.join(", ")));
    }
    let large = gpus > FINE_GPUS;
    Ok(vec![Row {
        what: "server time of a page, ms, median of 5",
        values: format!(
            "{gpus} GPUs x 24 h at {} s, {series} series; {}",
            step_ms / 1000,
            values.join("; ")
        ),
        verdict: format!("{worst:.0} ms at worst"),
        must: if large { "500 ms" } else { "150 ms" },
        aim: if large { "300 ms" } else { "100 ms" },
    }])
}

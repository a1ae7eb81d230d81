//! How each figure is measured.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};

use super::mix::Mix;
use super::process::{Kind, Server, client};
use super::{Figure, Given, History, Row, load};

const STEP_MS: i64 = 15_000;
/// Our server for the bench: nothing but what it is sent.
pub(crate) const STRATA_QUIET: &str = "[discover]
enabled = false
[host]
parts = []
[server]
otlp_grpc_listen = ''
otlp_http_listen = ''
";
const PROMETHEUS_QUIET: &str = "global: {}\n";
const ALL: [Kind; 3] = [Kind::Strata, Kind::VictoriaMetrics, Kind::Prometheus];

/// The configuration under which a server collects nothing by itself.
fn quiet(kind: Kind) -> &'static str {
    if kind == Kind::Strata { STRATA_QUIET } else { PROMETHEUS_QUIET }
}

/// Measure one figure below `scratch`.
pub(crate) async fn measure(
    figure: Figure,
    history: History,
    scratch: &Path,
    given: Given<'_>,
) -> Result<Vec<Row>> {
    match figure {
        Figure::Ingest => ingest(scratch).await,
        Figure::Query => query(scratch).await,
        Figure::Scrape => scrape(scratch).await,
        Figure::Memory => memory(scratch).await,
        Figure::Agent => agent(scratch).await,
        Figure::Pages => super::pages::measure(scratch, 1_000, history).await,
        Figure::PagesLarge => super::pages::measure(scratch, 10_000, history).await,
        Figure::Proxy => super::proxy::measure(scratch).await,
        Figure::Spans => super::spans::measure(scratch, given.rotel).await,
        Figure::Records => super::records::measure(scratch, given.requests).await,
        Figure::Saturation => {
            anyhow::bail!("saturation needs no server: it is measured by itself, with --trace")
        }
    }
}

/// Wall time in milliseconds.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn tick() -> Instant {
    Instant::now()
}

/// Two hours of about 20,000 series into us and VictoriaMetrics.
async fn ingest(scratch: &Path) -> Result<Vec<Row>> {
    let mut rates = Vec::new();
    let mut sizes = Vec::new();
    let mut series = 0;
    for kind in [Kind::Strata, Kind::VictoriaMetrics] {
        let mut mix = Mix::cluster(110, 7);
        series = mix.series();
        let server = Server::start(kind, scratch, quiet(kind)).await?;
        let before = server.cpu_seconds()?;
        let samples = load::ship(&server, &mut mix, 480, STEP_MS, now_ms() - STEP_MS).await?;
        load::flush(&server).await?;
        rates.push(samples as f64 / (server.cpu_seconds()? - before));
        sizes.push(server.stop()? as f64 / samples as f64);
    }
    Ok(vec![
        Row {
            what: "remote-write ingest per core vs VictoriaMetrics",
            values: format!(
                "{:.2} M vs {:.2} M samples per CPU second, {series} series, 2 h",
                rates[0] / 1e6,
                rates[1] / 1e6
            ),
            verdict: format!("{:.2}x", rates[0] / rates[1]),
            must: "0.8x",
            aim: "1.5x",
        },
        Row {
            what: "bytes per sample on disk vs VictoriaMetrics",
            values: format!("{:.2} vs {:.2} B, after a clean stop", sizes[0], sizes[1]),
            verdict: format!("{:.2}x", sizes[0] / sizes[1]),
            must: "1.0x",
            aim: "0.7x",
        },
    ])
}

/// `sum by (model)(rate(x[5m]))` over 1,000 series and 6 h, step 60 s: best of twenty.
async fn query(scratch: &Path) -> Result<Vec<Row>> {
    let text = "sum by (model_name) (rate(vllm:generation_tokens_total[5m]))";
    let rounds = 6 * 240;
    let mut times = Vec::new();
    let mut groups = Vec::new();
    for kind in ALL {
        let mut mix = Mix::counters("vllm:generation_tokens_total", 1_000, 11);
        let server = Server::start(kind, scratch, quiet(kind)).await?;
        let end = now_ms() - STEP_MS;
        load::ship(&server, &mut mix, rounds, STEP_MS, end).await?;
        load::flush(&server).await?;
        let http = client()?;
        let mut best = f64::INFINITY;
        for _ in 0..20 {
            let started = tick();
            let start = end - rounds * STEP_MS;
            let result = load::range(&http, &server, text, start, end, 60).await?;
            best = best.min(started.elapsed().as_secs_f64());
            groups.push(result.as_array().map_or(0, Vec::len));
        }
        times.push(best * 1e3);
    }
    ensure!(groups.iter().all(|count| *count == 10), "the answers differ: {groups:?} groups");
    let faster = times[1].min(times[2]);
    Ok(vec![Row {
        what: "`sum by (model)(rate(x[5m]))`, 1,000 series, 6 h, step 60 s",
        values: format!(
            "{:.1} ms vs {:.1} (VictoriaMetrics), {:.1} (Prometheus), best of 20",
            times[0], times[1], times[2]
        ),
        verdict: format!("{:.2}x the faster", times[0] / faster),
        must: "1.0x",
        aim: "0.5x",
    }])
}

/// CPU per scrape of a real 65 kB page, parsing and storing included, 40 targets every second.
async fn scrape(scratch: &Path) -> Result<Vec<Row>> {
    const TARGETS: usize = 40;
    const SECONDS: u64 = 40;
    let page = std::fs::read(crate::check::root().join("fixtures/metrics/vllm-0.32.0.prom"))?;
    let port = super::load_page::serve(page).await?;
    let mut costs = Vec::new();
    for kind in [Kind::Strata, Kind::Prometheus] {
        let config = scrape_config(kind, port, TARGETS);
        let server = Server::start(kind, scratch, &config).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = server.cpu_seconds()?;
        tokio::time::sleep(Duration::from_secs(SECONDS)).await;
        let used = server.cpu_seconds()? - before;
        costs.push(used / (TARGETS as f64 * SECONDS as f64) * 1e3);
    }
    Ok(vec![Row {
        what: "scrape of a 65 kB vLLM page vs Prometheus's scrape",
        values: format!(
            "{:.2} vs {:.2} CPU ms per scrape, {TARGETS} targets each second, stored",
            costs[0], costs[1]
        ),
        verdict: format!("{:.1}x", costs[1] / costs[0]),
        must: "1x",
        aim: "3x",
    }])
}

fn scrape_config(kind: Kind, port: u16, targets: usize) -> String {
    // Different query strings make different targets of one page.
    if kind == Kind::Strata {
        let jobs = (0..targets).map(|n| {
            format!(
                "[[scrape]]\njob = \"page-{n}\"\ninterval = \"1s\"\ntimeout = \"900ms\"\n\
                 targets = [\"127.0.0.1:{port}\"]\n"
            )
        });
        return format!("{STRATA_QUIET}{}", jobs.collect::<String>());
    }
    let jobs = (0..targets).map(|n| {
        format!("  - job_name: page-{n}\n    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
    });
    format!("global: {{scrape_interval: 1s}}\nscrape_configs:\n{}", jobs.collect::<String>())
}

/// Resident memory with 100,000 active series after an hour of scrapes every 15 s.
async fn memory(scratch: &Path) -> Result<Vec<Row>> {
    let mut sizes = Vec::new();
    let mut series = 0;
    for kind in [Kind::Strata, Kind::VictoriaMetrics] {
        let mut mix = Mix::cluster(1_115, 5);
        series = mix.series();
        let server = Server::start(kind, scratch, quiet(kind)).await?;
        load::ship(&server, &mut mix, 120, STEP_MS, now_ms() - STEP_MS).await?;
        load::flush(&server).await?;
        sizes.push((server.rss_bytes(false)? / 1e6, server.rss_bytes(true)? / 1e6));
    }
    let (ours, theirs) = (sizes[0], sizes[1]);
    Ok(vec![Row {
        what: "RSS at 100,000 active series vs VictoriaMetrics",
        values: format!(
            "{:.0} vs {:.0} MB after 30 min of {series} series (peak {:.0} vs {:.0})",
            ours.0, theirs.0, ours.1, theirs.1
        ),
        verdict: format!("{:.2}x", ours.0 / theirs.0),
        must: "1.2x",
        aim: "0.8x",
    }])
}

/// This host every second, self-metrics included, nothing else.
async fn agent(scratch: &Path) -> Result<Vec<Row>> {
    const SECONDS: u64 = 60;
    let config = "[discover]\nenabled = false\n[host]\ninterval = '1s'\n";
    let server = Server::start(Kind::Strata, scratch, config).await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = server.cpu_seconds().context("the agent runs")?;
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let share = (server.cpu_seconds()? - before) / SECONDS as f64 * 100.0;
    let rss = server.rss_bytes(false)? / 1e6;
    Ok(vec![Row {
        what: "agent at 1 s host collection",
        values: format!("{share:.2} % of a core, {rss:.0} MB, over {SECONDS} s, storing locally"),
        verdict: format!("{share:.2} %, {rss:.0} MB"),
        must: "1 %, 40 MB",
        aim: "0.3 %, 25 MB",
    }])
}

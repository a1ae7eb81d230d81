//! OTLP spans a CPU second takes in, beside rotel forwarding the same spans to a sink.
//!
//! Rotel is the only pipeline for OTLP that can be had from a package index. It stores nothing; we
//! answer when the spans are on disk and the calls to models are joined and summed.

mod sink;
pub(crate) mod wire;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value as Json;

use super::figures::{STRATA_QUIET, now_ms};
use super::process::{Kind, Server, client, cpu_seconds};
use super::{Row, figures::tick};
use crate::out;
use sink::Sink;
use wire::{SPANS_PER_BODY, Shape, Traces};

/// Bodies shipped to each; a third of the spans are calls to a model.
const BODIES: usize = 600;
/// Bodies on their way at once, as from as many services.
const IN_FLIGHT: usize = 8;
/// Tries until the sink has everything.
const WAIT_TRIES: u32 = 300;
const WAIT_PAUSE: Duration = Duration::from_millis(100);

/// Measure below `scratch`; without rotel only ours.
pub(crate) async fn measure(scratch: &Path, rotel: Option<&Path>) -> Result<Vec<Row>> {
    let ours = ours(scratch).await?;
    let theirs = if let Some(program) = program(rotel) {
        Some(theirs(scratch, &program).await?)
    } else {
        out::line("rotel is not on PATH (its wheel has it; or name it with --rotel PATH): no peer");
        None
    };
    let peer = theirs.map_or("no rotel here".to_owned(), |theirs| format!("{theirs:.0} (rotel)"));
    Ok(vec![Row {
        what: "OTLP spans a CPU second, stored, vs rotel forwarding them (which gzips)",
        values: format!(
            "{ours:.0} vs {peer}; {BODIES} bodies of {SPANS_PER_BODY} spans over HTTP, a third of them \
             calls to a model"
        ),
        verdict: theirs.map_or("-".to_owned(), |theirs| format!("{:.2}x", ours / theirs)),
        must: "0.5x",
        aim: "1x",
    }])
}

/// The program that was named, else the one on the path.
fn program(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    let known = Command::new("rotel-agent").arg("--version").stdout(Stdio::null()).status();
    known.is_ok_and(|status| status.success()).then(|| PathBuf::from("rotel-agent"))
}

/// Send `bodies` to a server that speaks OTLP over HTTP; how many spans that were.
pub(crate) async fn ship(url: &str, bodies: impl Iterator<Item = Vec<u8>>) -> Result<usize> {
    let http = client()?;
    let mut open = tokio::task::JoinSet::new();
    let mut spans = 0;
    for body in bodies {
        spans += wire::count(&body);
        if open.len() == IN_FLIGHT {
            open.join_next().await.context("a task is open")???;
        }
        open.spawn(post(http.clone(), url.to_owned(), body));
    }
    while let Some(done) = open.join_next().await {
        done??;
    }
    Ok(spans)
}

async fn post(http: reqwest::Client, url: String, body: Vec<u8>) -> Result<()> {
    for _ in 0..WAIT_TRIES {
        let request = http.post(&url).header("content-type", "application/x-protobuf");
        let answer = request.body(body.clone()).send().await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        if !status.is_server_error() && status.as_u16() != 429 {
            bail!("spans were refused: {status}: {}", answer.text().await.unwrap_or_default());
        }
        tokio::time::sleep(WAIT_PAUSE).await;
    }
    bail!("spans were refused again and again")
}

/// The same bodies for both.
fn bodies() -> impl Iterator<Item = Vec<u8>> {
    let mut traces = Traces::new(Shape::Traces, 13);
    let now_ns = now_ms() as u64 * 1_000_000;
    let hour_ns = 3_600_000_000_000;
    (0..BODIES).map(move |_| traces.body(SPANS_PER_BODY, |random| now_ns - random.u64(0..hour_ns)))
}

async fn ours(scratch: &Path) -> Result<f64> {
    let server = Server::start(Kind::Strata, scratch, STRATA_QUIET).await?;
    let before = server.cpu_seconds()?;
    let begun = tick();
    let spans = ship(&format!("{}/v1/traces", server.url), bodies()).await?;
    let used = server.cpu_seconds()? - before;
    out::line(format!("strata: {spans} spans in {:.1} s", begun.elapsed().as_secs_f64()));
    let url = format!("{}/api/v1/requests/sums?by=model", server.url);
    let range = format!("&start={}&end={}", now_ms() / 1_000 - 7_200, now_ms() / 1_000 + 60);
    let answer: Json =
        serde_json::from_slice(&client()?.get(url + &range).send().await?.bytes().await?)?;
    let sums = answer["sums"].as_array().context("there are no sums of records")?;
    let calls: u64 = sums.iter().filter_map(|one| one["requests"].as_u64()).sum();
    ensure!(calls as usize == spans / 3, "{calls} of {} calls are on record", spans / 3);
    Ok(spans as f64 / used)
}

async fn theirs(scratch: &Path, program: &Path) -> Result<f64> {
    let sink = Sink::start().await?;
    let rotel = Rotel::start(scratch, program, &sink.address)?;
    for _ in 0..WAIT_TRIES {
        if client()?.post(&rotel.url).send().await.is_ok() {
            break;
        }
        tokio::time::sleep(WAIT_PAUSE).await;
    }
    let before = cpu_seconds(rotel.child.id())?;
    let begun = tick();
    let spans = ship(&rotel.url, bodies()).await?;
    for _ in 0..WAIT_TRIES {
        if sink.spans() >= spans {
            break;
        }
        tokio::time::sleep(WAIT_PAUSE).await;
    }
    ensure!(sink.spans() == spans, "rotel forwarded {} of {spans} spans", sink.spans());
    out::line(format!("rotel: {spans} spans in {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(spans as f64 / (cpu_seconds(rotel.child.id())? - before))
}

/// A rotel that forwards to a sink; ended when dropped.
struct Rotel {
    url: String,
    child: Child,
}

impl Rotel {
    fn start(scratch: &Path, program: &Path, sink: &str) -> Result<Self> {
        let free = || anyhow::Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string());
        let (grpc, http) = (free()?, free()?);
        let log = std::fs::File::create(scratch.join("rotel.log"))?;
        let child = Command::new(program)
            .args(["start", "--otlp-grpc-endpoint", &grpc, "--otlp-http-endpoint", &http])
            .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
            .args(["--otlp-exporter-endpoint", &format!("http://{sink}")])
            .args(["--batch-timeout", "1s"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { url: format!("http://{http}/v1/traces"), child })
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        // One that ended by itself cannot be ended again, which is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

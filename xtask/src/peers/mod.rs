//! `cargo xtask peers`: a real Prometheus and our server with the same data, asked the same.
//!
//! Four parts: random PromQL, URLs whose answers must agree byte for byte, the requests Grafana's
//! data source makes, and remote write from a Prometheus that scrapes itself.

mod answer;
mod exact;
mod grafana;
mod known;
mod live;
mod random;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value as Json;
use strata_query::promqltest::random as generator;

use crate::bench::figures::now_ms;
use crate::bench::process::{Kind, Server};
use crate::bench::{load, wire};
use crate::{check, out};

const CONFIG: &str = "[discover]\nenabled = false\n[host]\nenabled = false\n\
    [server]\notlp_grpc_listen = \"127.0.0.1:0\"\notlp_http_listen = \"127.0.0.1:0\"\n";
/// The peer of the comparisons scrapes nothing.
const PEER_CONFIG: &str = "global: {}\n";
/// Random data starts at a whole hour, so that a seed means the same steps of subqueries every day.
const HOUR_MS: i64 = 3_600_000;
/// Differences printed of each part, and characters of a body.
const SHOWN: usize = 10;
const BODY_SHOWN: usize = 400;

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    /// Program of the Prometheus to compare with.
    #[arg(long, default_value = "prometheus")]
    prometheus: PathBuf,
    /// Our program; the debug build, made first, when left out.
    #[arg(long)]
    strata: Option<PathBuf>,
    /// Seed of the data and of the queries.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many random queries.
    #[arg(long, default_value_t = 300)]
    count: u32,
    /// Scratch folder, made and removed.
    #[arg(long, default_value = "target/peers")]
    scratch: PathBuf,
}

/// Two servers with the same data.
struct Pair {
    http: reqwest::Client,
    ours: Server,
    peer: Server,
    /// Version of the peer, `2.42.0`.
    version: String,
    /// Time of the first sample.
    start_ms: i64,
}

/// One answer over HTTP.
#[derive(Debug, Clone, PartialEq)]
struct Reply {
    status: u16,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Result<Json> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(BODY_SHOWN).collect();
        write!(f, "{} {}", self.status, body.trim_end())
    }
}

/// How a parameter list is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    /// As a form, as Grafana does by default.
    Post,
}

/// A request to either server.
#[derive(Debug, Clone)]
struct Question {
    method: Method,
    path: String,
    pairs: Vec<(String, String)>,
}

impl Question {
    fn new(method: Method, path: &str, pairs: &[(&str, &str)]) -> Self {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { method, path: path.to_owned(), pairs: owned.collect() }
    }

    async fn ask(&self, http: &reqwest::Client, server: &Server) -> Result<Reply> {
        let mut url = reqwest::Url::parse(&format!("{}{}", server.url, self.path))?;
        if !self.pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.pairs);
        }
        let request = match self.method {
            Method::Get => http.get(url),
            Method::Post => {
                let form = url.query().unwrap_or_default().to_owned();
                url.set_query(None);
                let kind = "application/x-www-form-urlencoded";
                http.post(url).header("Content-Type", kind).body(form)
            }
        };
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok(Reply { status, body: answer.bytes().await?.to_vec() })
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs: Vec<_> =
            self.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let method = if self.method == Method::Get { "GET" } else { "POST" };
        write!(f, "{method} {} {}", self.path, pairs.join(" & "))
    }
}

/// Compare everything; fails when there is a difference that nobody has explained.
pub(crate) fn run(arguments: &PeersArgs) -> Result<()> {
    let Some(version) = version_of(&arguments.prometheus) else {
        out::line(format!("skipped: no prometheus ({})", arguments.prometheus.display()));
        return Ok(());
    };
    out::line(format!("seed {}, {version}", arguments.seed));
    let strata = if let Some(path) = &arguments.strata {
        path.clone()
    } else {
        check::step("cargo", &["build", "--locked", "--package", "strata"])?;
        check::root().join("target/debug/strata")
    };
    let scratch = &arguments.scratch;
    if scratch.exists() {
        bail!("{} exists: name a scratch folder that does not", scratch.display());
    }
    std::fs::create_dir_all(scratch)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let differences = runtime.block_on(compare(arguments, &strata, scratch))?;
    std::fs::remove_dir_all(scratch)?;
    ensure!(differences == 0, "{differences} differences");
    Ok(())
}

/// The first line of `--version`; none when the program is not there.
fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

/// How many differences there are.
async fn compare(arguments: &PeersArgs, strata: &Path, scratch: &Path) -> Result<usize> {
    let ours = Server::start_program(Kind::Strata, strata, scratch, CONFIG).await?;
    let program = &arguments.prometheus;
    let http = reqwest::Client::builder().no_proxy().build()?;
    // It scrapes and sends while the other parts run.
    let live = live::Live::start(&http, program, &scratch.join("live"), &ours).await?;
    let peer = Server::start_program(Kind::Prometheus, program, scratch, PEER_CONFIG).await?;
    let start_ms = (now_ms() - 2 * HOUR_MS) / HOUR_MS * HOUR_MS;
    let version = release(&http, &peer).await?;
    let pair = Pair { http, ours, peer, version, start_ms };
    let data = data(arguments.seed);
    pair.ship(&data).await?;
    let mut differences = random::compare(&pair, &data, arguments.seed, arguments.count).await?;
    differences += exact::compare(&pair, &data).await?;
    differences += live.compare(&pair.ours).await?;
    differences += grafana::compare(&live, &pair.ours).await?;
    Ok(differences)
}

/// The release a Prometheus says it is.
async fn release(http: &reqwest::Client, server: &Server) -> Result<String> {
    let question = Question::new(Method::Get, "/api/v1/status/buildinfo", &[]);
    let json = question.ask(http, server).await?.json()?;
    Ok(json["data"]["version"].as_str().context("buildinfo names no version")?.to_owned())
}

type Data = Vec<(strata_model::Labels, generator::Samples)>;

/// Random data without samples on whole seconds, which is where the windows inside of subqueries
/// begin: whether a sample on that edge counts changed with Prometheus 3.0. Sorted by labels,
/// because Prometheus returns series in the order in which they were created.
fn data(seed: u64) -> Data {
    let on_edge = |data: &Data| {
        data.iter().flat_map(|(_, samples)| samples).any(|(time, _)| time % 1000 == 0)
    };
    let mut data = generator::data(seed);
    let mut next = seed;
    while on_edge(&data) {
        next = next.wrapping_add(1 << 32);
        data = generator::data(next);
    }
    data.sort_by(|(a, _), (b, _)| a.cmp(b));
    data
}

/// The first time at or after `from` that is no whole number of seconds from any sample: windows are
/// whole seconds long, so that none that ends there has a sample on its left edge.
fn off_edge(data: &Data, from: i64) -> i64 {
    let edge = |at: i64| {
        data.iter().flat_map(|(_, samples)| samples).any(|(time, _)| (time - at) % 1000 == 0)
    };
    (from..from + 1000).find(|at| !edge(*at)).unwrap_or(from)
}

impl Pair {
    async fn ship(&self, data: &Data) -> Result<()> {
        let row = |(labels, samples): &(strata_model::Labels, generator::Samples)| {
            let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            let samples = samples.iter().map(|(time, value)| (self.start_ms + time, *value));
            (labels.collect(), samples.collect())
        };
        let rows: Vec<wire::Row> = data.iter().map(row).collect();
        let body = wire::body(&rows);
        for server in [&self.ours, &self.peer] {
            let url = format!("{}/api/v1/write", server.url);
            load::post(self.http.clone(), url, body.clone()).await?;
        }
        let samples: usize = data.iter().map(|(_, samples)| samples.len()).sum();
        out::line(format!("{samples} samples of {} series to both", data.len()));
        Ok(())
    }

    /// Ask both; ours first.
    async fn ask(&self, question: &Question) -> Result<(Reply, Reply)> {
        let (ours, peer) = tokio::join!(
            question.ask(&self.http, &self.ours),
            question.ask(&self.http, &self.peer)
        );
        Ok((ours?, peer?))
    }
}

/// A time as the API takes it: seconds with three digits.
fn seconds(at_ms: i64) -> String {
    format!("{}.{:03}", at_ms.div_euclid(1000), at_ms.rem_euclid(1000))
}

/// Print what was found of one part and return how many differences there are.
fn report(differences: &[String]) -> usize {
    for difference in differences.iter().take(SHOWN) {
        out::line(format!("  DIFFERS {difference}"));
    }
    differences.len()
}

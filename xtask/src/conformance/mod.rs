//! `cargo xtask conformance`: the same questions to the embedded engine and to real Prometheus and
//! VictoriaMetrics servers that hold the same samples. An engine that is missing is skipped by name.

mod compare;
mod data;
mod pages;
mod suite;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use strata_model::catalog::Catalog;
use strata_model::meter::Meter;
use strata_model::{Clock, MetricKind};
use strata_query::canonical::CanonicalSource;
use strata_query::{
    EmbeddedEngine, InstantQuery, MetricsEngine, QueryError, QuerySettings, RangeQuery,
    RemoteEngine, RemoteOptions, RemoteParts, SeriesQuery,
};

use crate::bench::figures::now_ms;
use crate::bench::load;
use crate::bench::process::{Kind, Server};
use crate::out;
use compare::{TOLERANCE, Table, difference, table};
use data::Row;
use suite::{Case, Suite};

/// The moment of instant queries and the range of range queries, from the start of the data.
const AT_MS: i64 = 1_080_000;
const RANGE_MS: (i64, i64, i64) = (600_000, 1_140_000, 60_000);
const HOUR_MS: i64 = 3_600_000;
const TIMEOUT: Duration = Duration::from_secs(30);
/// Neither scrapes anything.
const CONFIG: &str = "global: {}\n";

#[derive(Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// Only questions that contain this text.
    #[arg(long)]
    only: Option<String>,
    /// Program of the Prometheus to ask; Debian's when left out.
    #[arg(long, default_value = "prometheus")]
    prometheus: PathBuf,
    /// Program of the VictoriaMetrics to ask; Debian's when left out.
    #[arg(long, default_value = "victoria-metrics")]
    victoriametrics: PathBuf,
    /// Print the text that each question becomes.
    #[arg(long)]
    verbose: bool,
    /// Scratch folder, made and removed.
    #[arg(long, default_value = "target/conformance")]
    scratch: PathBuf,
}

/// An engine under test.
struct Tested {
    name: &'static str,
    version: String,
    engine: RemoteEngine,
    _server: Server,
}

/// Time of a process.
struct SystemTime(Instant);

impl Clock for SystemTime {
    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Ask everything; fails when there is a difference that nobody has explained.
pub(crate) fn run(arguments: &ConformanceArgs) -> Result<()> {
    let suite = suite::read()?;
    let rows = data::rows(&suite)?;
    let scratch = &arguments.scratch;
    if scratch.exists() {
        bail!("{} exists: name a scratch folder that does not", scratch.display());
    }
    std::fs::create_dir_all(scratch)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let faults = runtime.block_on(compare_all(arguments, &suite, &rows));
    std::fs::remove_dir_all(scratch)?;
    let faults = faults?;
    ensure!(faults == 0, "{faults} faults");
    Ok(())
}

async fn compare_all(arguments: &ConformanceArgs, suite: &Suite, rows: &[Row]) -> Result<usize> {
    let start_ms = (now_ms() - 2 * HOUR_MS) / HOUR_MS * HOUR_MS;
    #[expect(clippy::disallowed_methods, reason = "a chore owns the time")]
    let clock: Arc<dyn Clock> = Arc::new(SystemTime(Instant::now()));
    let source = CanonicalSource::new(Arc::new(data::source(rows, start_ms)), Catalog::builtin());
    let embedded =
        EmbeddedEngine::new(Arc::new(source), Arc::clone(&clock), QuerySettings::default());
    let samples: usize = rows.iter().map(|(_, samples)| samples.len()).sum();
    out::line(format!("{} series, {samples} samples", rows.len()));
    let bodies = data::bodies(rows, start_ms);
    let mut engines = Vec::new();
    for (kind, program) in [
        (Kind::Prometheus, &arguments.prometheus),
        (Kind::VictoriaMetrics, &arguments.victoriametrics),
    ] {
        let Some(version) = version_of(program) else {
            out::line(format!("skipped: no {} ({})", kind.name(), program.display()));
            continue;
        };
        let server = Server::start_program(kind, program, &arguments.scratch, CONFIG).await?;
        let tested = fill(server, version, &bodies, &clock).await?;
        out::line(format!("{} {}", tested.name, tested.version));
        engines.push(tested);
    }
    let only = |case: &&Case| arguments.only.as_ref().is_none_or(|part| case.query.contains(part));
    let mut faults = Vec::new();
    let cases: Vec<&Case> = suite.case.iter().filter(only).collect();
    let swept = sweep(&embedded, start_ms).await?;
    let asked = pages::cases(start_ms);
    let new = |case: &&Case| !suite.case.iter().any(|other| other.query == case.query);
    let swept: Vec<&Case> = swept.iter().filter(new).filter(only).collect();
    let asked: Vec<&Case> = asked.iter().filter(only).collect();
    for case in cases.iter().chain(&swept).chain(&asked) {
        if arguments.verbose {
            print_texts(case, &engines, start_ms).await;
        }
        faults.extend(ask_all(case, suite, &embedded, &engines, start_ms).await);
    }
    for fault in &faults {
        out::line(format!("  FAULT {fault}"));
    }
    let all = cases.iter().chain(&swept).chain(&asked);
    let explained = all.filter(|case| !case.differs.is_empty() || !case.near.is_empty());
    out::line(format!(
        "{} questions, {} over every canonical name that has data and {} that pages ask, {} with \
         differences that are known, {} faults",
        cases.len(),
        swept.len(),
        asked.len(),
        explained.count(),
        faults.len()
    ));
    Ok(faults.len())
}

/// A question or two about every canonical name that has data.
async fn sweep(embedded: &EmbeddedEngine, start_ms: i64) -> Result<Vec<Case>> {
    let (start_ms, end_ms) = (start_ms, start_ms + AT_MS);
    let all = SeriesQuery { start_ms, end_ms, ..SeriesQuery::default() };
    let names = embedded.label_values("__name__".to_owned(), all).await?;
    let mut cases = Vec::new();
    for name in names {
        let Some((metric, suffix)) = Catalog::builtin().by_prometheus_name(&name) else { continue };
        let counts = metric.kind == MetricKind::Counter || !suffix.is_empty();
        let over = if counts { "rate" } else { "avg_over_time" };
        cases.push(Case::instant(name.clone()));
        cases.push(Case::instant(format!("{over}({name}[5m])")));
    }
    Ok(cases)
}

async fn print_texts(case: &Case, engines: &[Tested], start_ms: i64) {
    let at = start_ms + AT_MS;
    for tested in engines.iter().take(1) {
        let text = match tested.engine.expanded(&case.query, (at, at, None)).await {
            Ok(text) => text,
            Err(error) => format!("refused: {error}"),
        };
        out::line(format!("{}\n    {text}", case.query));
    }
    for (engine, reason) in &case.differs {
        out::line(format!("    {engine} differs: {reason}"));
    }
    for (engine, share) in &case.near {
        let why = case.why.as_deref().unwrap_or_default();
        out::line(format!("    {engine} is within {share}: {why}"));
    }
}

/// What is wrong with the answers to one question.
async fn ask_all(
    case: &Case,
    suite: &Suite,
    embedded: &EmbeddedEngine,
    engines: &[Tested],
    start_ms: i64,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut differed = BTreeSet::new();
    for over_range in [false, true] {
        if over_range && case.instant {
            continue;
        }
        let how = if over_range { "range" } else { "instant" };
        let reference = match ask(embedded, &case.query, over_range, start_ms).await {
            Ok(table) => table,
            Err(error) => {
                faults.push(format!("{how} {}: embedded: {error}", case.query));
                continue;
            }
        };
        let by_hand = check_reference(case, &reference, over_range, start_ms);
        faults.extend(by_hand.map(|what| format!("{how} {}: embedded: {what}", case.query)));
        for tested in engines {
            let got = ask(&tested.engine, &case.query, over_range, start_ms).await;
            let found = judge(case, tested, &reference, got);
            if found.is_some() && case.differs.contains_key(tested.name) {
                differed.insert(tested.name);
                continue;
            }
            faults
                .extend(found.map(|what| format!("{how} {}: {}: {what}", case.query, tested.name)));
        }
    }
    let same_release = |tested: &&Tested| suite.seen_with.get(tested.name) == Some(&tested.version);
    // What is said of a kind of questions need not hold for each.
    for tested in engines.iter().filter(same_release).filter(|_| !case.any) {
        let said = case.differs.get(tested.name).filter(|_| !differed.contains(tested.name));
        faults.extend(said.map(|reason| {
            format!("{}: {} agrees, though it is said to differ: {reason}", case.query, tested.name)
        }));
    }
    faults
}

/// Whether the embedded engine says what was computed by hand, and something at all.
fn check_reference(
    case: &Case,
    reference: &Table,
    over_range: bool,
    start_ms: i64,
) -> Option<String> {
    if reference.is_empty() != case.empty && !case.any {
        return Some(format!("{} series", reference.len()));
    }
    let expected = case.expect.as_ref().filter(|_| !over_range)?;
    let at = start_ms + AT_MS;
    let expected: Table =
        expected.iter().map(|(labels, value)| (labels.clone(), vec![(at, *value)])).collect();
    difference(&expected, reference, TOLERANCE)
}

/// What is wrong with an engine's answer.
fn judge(
    case: &Case,
    tested: &Tested,
    reference: &Table,
    got: Result<Table, QueryError>,
) -> Option<String> {
    if let Some(part) = &case.refused {
        return match got {
            Err(error) if error.message.contains(part.as_str()) => None,
            Err(error) => Some(format!("refused with other words: {error}")),
            Ok(_) => Some("was not refused".to_owned()),
        };
    }
    let tolerance = case.near.get(tested.name).copied().unwrap_or(TOLERANCE);
    match got {
        Ok(table) => difference(reference, &table, tolerance),
        Err(error) => Some(error.to_string()),
    }
}

async fn ask(
    engine: &dyn MetricsEngine,
    query: &str,
    over_range: bool,
    start_ms: i64,
) -> Result<Table, QueryError> {
    let text = query.to_owned();
    let (timeout, lookback_ms) = (TIMEOUT, None);
    let answer = if over_range {
        let (from, until, step_ms) = RANGE_MS;
        let (start_ms, end_ms) = (start_ms + from, start_ms + until);
        engine.range(RangeQuery { text, start_ms, end_ms, step_ms, timeout, lookback_ms }).await
    } else {
        let at_ms = start_ms + AT_MS;
        engine.instant(InstantQuery { text, at_ms, timeout, lookback_ms }).await
    };
    Ok(table(&answer?))
}

/// Give a server the samples, and put an engine over it.
async fn fill(
    server: Server,
    version: String,
    bodies: &[Vec<u8>],
    clock: &Arc<dyn Clock>,
) -> Result<Tested> {
    let kind = server.kind;
    let http = reqwest::Client::builder().no_proxy().build()?;
    for body in bodies {
        load::post(http.clone(), format!("{}/api/v1/write", server.url), body.clone()).await?;
    }
    if kind == Kind::VictoriaMetrics {
        // What came within the last seconds cannot be asked for yet.
        http.get(format!("{}/internal/force_flush", server.url)).send().await?;
    }
    let options = RemoteOptions { url: Some(server.url.clone()), ..RemoteOptions::default() };
    let remote = options.validate().ok().flatten().context("the server's address is none")?;
    let parts = RemoteParts {
        catalog: Catalog::builtin(),
        clock: Arc::clone(clock),
        meter: Meter::default(),
        environment: Arc::new(|_| None),
    };
    let engine = RemoteEngine::new(remote, QuerySettings::default(), parts)?;
    let name = if kind == Kind::Prometheus { "prometheus" } else { "victoriametrics" };
    Ok(Tested { name, version, engine, _server: server })
}

/// The release of a peer's program; none when it is not there.
fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    // `prometheus, version 2.42.0+ds (branch ..)`; `victoria-metrics-..-1.79.5+ds1`.
    let mut words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    let release = words.find(|word| word.split('.').count() == 3 && !word.starts_with('.'));
    // Debian's VictoriaMetrics does not say.
    Some(release.unwrap_or("unknown").to_owned())
}

//! `strata demo`: a simulated cluster behind real pages, read by the real collectors.
//!
//! The exporters of the cluster listen on loopback; the jobs that scrape them are those of
//! `strata run`. What the cluster lived through before is written by running the same model faster
//! than real time and reading the same pages with the same reader.

mod exporters;
mod history;
mod scenario;
mod stage;
mod telling;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use strata_model::Clock;
use strata_model::text::parse_duration;
use strata_serve::Bound;
use strata_sim::{Sim, SimOptions, Size};

use super::run::{House, live};
use crate::cli::DemoArgs;
use crate::clock::SystemClock;
use crate::config::{Options, Settings};
use crate::out::Out;
use stage::Stage;

/// Longest history: what the store keeps of samples by default.
const HISTORY_MAX: Duration = Duration::from_hours(15 * 24);
/// A file of this name says that a data directory holds nothing real.
const MARK: &str = "SIMULATED";
/// Above this many GPUs pages are read less often, as such clusters do.
const SMALL_GPUS: usize = 128;

/// Show the demo until interrupted.
pub(crate) async fn run(arguments: DemoArgs, out: Out) -> Result<()> {
    if arguments.list {
        return scenario::list(out);
    }
    let scenario = scenario::read(&arguments.scenario)?;
    let size = size(&arguments)?;
    let history = parse_duration(&arguments.history)
        .map_err(|message| anyhow::anyhow!("--history: {message}"))?;
    if history > HISTORY_MAX {
        bail!("--history is at most {} days", HISTORY_MAX.as_secs() / 86_400);
    }
    let (dir, _temporary) = data_dir(arguments.data.as_deref())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let now_ms = clock.now_ms();
    let start_ms = now_ms - history.as_millis() as i64;
    let about = scenario.about().to_owned();
    let mut options = SimOptions { size, seed: arguments.seed, start_ms, scenario };
    let trace = arguments.trace.as_deref().map(stage::trace).transpose()?;
    let exporters = exporters::bind(&Sim::new(&options)?).await?;
    let fast = size.nodes * size.gpus_per_node <= SMALL_GPUS;
    let interval = if fast { "5s" } else { "15s" };
    let mut settings = settings(&dir, &arguments)?;
    settings.scrape = exporters.jobs(&dir.join("targets"), interval)?;
    let bound = Bound::bind(settings.server.clone(), None).await?;
    let house = House::open(&settings, Arc::clone(&clock), Some(words(size, &about)))?;
    // What an earlier demo told of this directory's past stays as it is, and this cluster begins
    // where that one ended: its counters fall to 0 there. One that had lived longer would have
    // counted an hour between two samples.
    let newest_ms = house.store.stats().newest_ms;
    options.start_ms = newest_ms.map_or(start_ms, |newest| newest.clamp(start_ms, now_ms));
    let mut sim = Sim::new(&options)?;
    if let Some(trace) = trace {
        sim.replay(trace);
    }
    let stage = Arc::new(Stage::new(sim, clock));
    let (past, coming) = telling::shares(size, history);
    stage.change(i64::MIN, |sim| sim.tell_requests(past, options.start_ms));
    history::write(&stage, &exporters, &settings.scrape, &house.store).await?;
    stage.change(i64::MIN, |sim| sim.tell_requests(coming, options.start_ms));
    exporters.serve(&stage);
    let telling = telling::start(&stage, bound.addresses().main)?;
    let lived = live(house, bound, &settings, None, out).await;
    telling.abort();
    lived
}

fn words(size: Size, about: &str) -> String {
    let plural = if size.nodes == 1 { "" } else { "s" };
    format!("{} node{plural} with {} GPUs each. {about}", size.nodes, size.gpus_per_node)
}

fn size(arguments: &DemoArgs) -> Result<Size> {
    let size = match arguments.gpus {
        Some(gpus) => Size::of_gpus(gpus, arguments.gpus_per_node),
        None => Size { nodes: arguments.nodes, gpus_per_node: arguments.gpus_per_node },
    };
    size.check().map_err(anyhow::Error::msg)
}

/// The directory to write to, and what removes it at the end when nobody named one. A directory with
/// real data is refused: simulated and real samples could not be told apart afterwards.
fn data_dir(named: Option<&Path>) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    let (dir, temporary) = if let Some(dir) = named {
        (dir.to_owned(), None)
    } else {
        let temporary = tempfile::Builder::new().prefix("strata-demo-").tempdir();
        let temporary = temporary.context("cannot make a temporary directory")?;
        (temporary.path().to_owned(), Some(temporary))
    };
    let mark = dir.join(MARK);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let is_empty = std::fs::read_dir(&dir)
        .with_context(|| format!("cannot read {}", dir.display()))?
        .next()
        .is_none();
    if !is_empty && !mark.exists() {
        bail!(
            "{} is not empty and not of a demo: simulated data would mix with real data",
            dir.display()
        );
    }
    std::fs::write(&mark, "Everything in this directory was simulated by `strata demo`.\n")
        .with_context(|| format!("cannot write {}", mark.display()))?;
    Ok((dir, temporary))
}

/// The settings of `strata run`, but for what would bring something real in.
fn settings(dir: &Path, arguments: &DemoArgs) -> Result<Settings> {
    let mut options = Options {
        node: Some("demo".to_owned()),
        data_dir: Some(dir.join("store")),
        ..Options::default()
    };
    options.host.enabled = false;
    options.gpu.enabled = false;
    options.discover.enabled = false;
    options.kubernetes.enabled = false;
    options.slurm.enabled = false;
    options.server.otlp_grpc_listen = Some(String::new());
    options.server.otlp_http_listen = Some(String::new());
    if let Some(listen) = arguments.listen {
        options.server.listen = listen.to_string();
    }
    options.validate().map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", problems.join("; "))
    })
}

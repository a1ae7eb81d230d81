//! `strata serve`: the same server on top of a metrics engine that somebody runs already. Collects
//! nothing, stores nothing, and any number of them can run side by side.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;
use strata_collect::SourceBook;
use strata_collect::receive::otlp::OtlpReceiver;
use strata_model::catalog::Catalog;
use strata_model::meter::Meter;
use strata_model::sink::BoxFuture;
use strata_model::{Batch, Clock, Receipt, Sink, SinkError};
use strata_query::{
    MetricsEngine, RemoteEngine, RemoteOptions, RemoteParts, RemoteSettings, SeriesQuery,
};
use strata_serve::{Bound, Parts, ReportSource};

use super::run::{environment_lookup, own_name, token};
use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::ledger::{LedgerReports, LedgerService};
use crate::out::Out;
use crate::pages::{PageParts, PageService};
use crate::sql_pages::SqlDoor;
use crate::{openapi, signals};

/// The greeting waits this long for the engine's first answer.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Names that had samples in this time are counted in the greeting.
const LOOK_BACK_MS: i64 = 3_600_000;

/// Serve until interrupted.
pub(crate) async fn run(
    mut settings: Settings,
    config: Option<PathBuf>,
    arguments: ServeArgs,
    out: Out,
) -> Result<()> {
    if let Some(listen) = arguments.listen {
        settings.server.listen = listen;
    }
    // Nothing is received, so nobody's ports are taken for it.
    settings.server.otlp_grpc = None;
    settings.server.otlp_http = None;
    let remote = remote(settings.metrics.take(), arguments.metrics)?;
    let address = remote.url.clone();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let meter = Meter::default();
    let engine = engine(remote, &settings, Arc::clone(&clock), meter.clone())?;
    let token = token(&settings.token)?;
    let bound = Bound::bind(settings.server.clone(), token).await?;
    let addresses = bound.addresses();
    let stop = signals::stop()?;
    let parts = parts_of(&settings, &engine, &address, meter, Arc::clone(&clock))?;
    let (ready, greeted) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(bound.serve(parts, async move {
        stop.await;
        drop(ready);
    }));
    let known = first_look(&engine, clock.as_ref()).await;
    if let Err(error) = greet(addresses.main, &address, config.as_deref(), &known, out) {
        tracing::warn!(%error, "cannot print what is running");
    }
    drop(greeted.await);
    serving.await.context("the server ended badly")
}

/// The engine to ask: the flag's address wins over the file's.
fn remote(file: Option<RemoteSettings>, flag: Option<String>) -> Result<RemoteSettings> {
    let Some(url) = flag else {
        return file.ok_or_else(|| {
            anyhow!("no metrics engine is named: give --metrics URL, or url in [metrics]")
        });
    };
    let options = RemoteOptions { url: Some(url), ..RemoteOptions::default() };
    match options.validate() {
        Ok(Some(flag)) => Ok(match file {
            Some(file) => RemoteSettings { url: flag.url, ..file },
            None => flag,
        }),
        Ok(None) => bail!("--metrics is empty"),
        Err(problems) => {
            let words: Vec<String> =
                problems.iter().map(|problem| problem.message.clone()).collect();
            bail!("--metrics: {}", words.join("; "))
        }
    }
}

/// The engine over the connection that the settings name.
pub(super) fn engine(
    remote: RemoteSettings,
    settings: &Settings,
    clock: Arc<dyn Clock>,
    meter: Meter,
) -> Result<RemoteEngine> {
    let address = remote.url.clone();
    let environment = environment_lookup();
    let parts = RemoteParts { catalog: Catalog::builtin(), clock, meter, environment };
    RemoteEngine::new(remote, settings.query, parts)
        .with_context(|| format!("cannot set up the connection to {address}"))
}

/// What the server needs: the engine, and in place of a store somebody who refuses.
fn parts_of(
    settings: &Settings,
    engine: &RemoteEngine,
    address: &str,
    meter: Meter,
    clock: Arc<dyn Clock>,
) -> Result<Parts> {
    let (ready, status, address) = (engine.clone(), engine.clone(), address.to_owned());
    let sink = Refusing { reason: format!("write to {address} itself") };
    let names = engine.clone();
    let ledger = if settings.cost.enabled {
        let (engine, cost) = (Arc::new(engine.clone()), settings.cost.clone());
        Some(Arc::new(LedgerService::new(engine, cost, Arc::clone(&clock))?))
    } else {
        None
    };
    let reports =
        ledger.clone().map(|ledger| -> Arc<dyn ReportSource> { Arc::new(LedgerReports(ledger)) });
    let pages = PageService::new(PageParts {
        engine: Arc::new(engine.clone()),
        names: Arc::new(move |start_ms, end_ms| {
            let engine = names.clone();
            Box::pin(async move {
                let names = engine.stored_names(start_ms, end_ms).await;
                names.map_err(|error| error.message)
            })
        }),
        newest: None,
        sources: Arc::new(Vec::new),
        clock: Arc::clone(&clock),
        meter: meter.clone(),
        ledger,
        currency: settings.cost.ledger.currency.clone(),
        targets: settings.targets,
        records: SqlDoor::Shut {
            why: "strata serve asks a metrics engine, which holds no single requests",
            hint: "ask a strata run, which keeps what it is sent over OTLP",
        },
        requests: None,
        simulated: false,
    });
    Ok(Parts {
        engine: Arc::new(engine.clone()),
        pages: Some(pages),
        reports,
        request_reports: None,
        records: None,
        onward: None,
        otlp: Arc::new(OtlpReceiver::new(settings.otlp.clone(), Arc::clone(&clock))),
        sink: Arc::new(sink),
        sources: SourceBook::default(),
        meter,
        clock,
        own_names: Arc::new(own_name),
        ready: Arc::new(move || ready.trouble().map_or(Ok(()), Err)),
        status: Arc::new(move || json!({ "engine": address, "trouble": status.trouble() })),
        openapi: openapi::document,
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// How many names the engine has: all of them, and canonical ones.
pub(super) async fn first_look(
    engine: &RemoteEngine,
    clock: &dyn Clock,
) -> Result<(usize, usize), String> {
    let end_ms = clock.now_ms();
    let query = SeriesQuery { start_ms: end_ms - LOOK_BACK_MS, end_ms, ..SeriesQuery::default() };
    let names = engine.label_values("__name__".to_owned(), query);
    match tokio::time::timeout(FIRST_LOOK, names).await {
        Err(_elapsed) => Err(format!("no answer within {} s", FIRST_LOOK.as_secs())),
        Ok(Err(error)) => Err(error.message),
        Ok(Ok(names)) => {
            let canonical = |name: &&String| Catalog::builtin().by_prometheus_name(name).is_some();
            Ok((names.len(), names.iter().filter(canonical).count()))
        }
    }
}

fn greet(
    main: std::net::SocketAddr,
    address: &str,
    config: Option<&Path>,
    known: &Result<(usize, usize), String>,
    out: Out,
) -> Result<()> {
    if out.json {
        let (names, canonical) = known.as_ref().ok().copied().unzip();
        return Ok(out.document(&json!({
            "url": format!("http://{main}"),
            "engine": address,
            "config": config,
            "names": names,
            "canonical_names": canonical,
            "trouble": known.as_ref().err(),
        }))?);
    }
    out.line(format!("strata {} answers on http://{main}", env!("CARGO_PKG_VERSION")))?;
    let config = config.map_or("defaults".to_owned(), |file| file.display().to_string());
    out.line(format!("  asks      {address} (configuration: {config})"))?;
    out.line("  stores    nothing")?;
    match known {
        Ok((names, canonical)) => out.line(format!(
            "  knows     {names} metrics of the last hour, {canonical} of them under canonical names"
        ))?,
        Err(problem) => out.line(format!("  trouble   {problem}"))?,
    }
    out.line("  look      strata query 'up'; Grafana: Prometheus data source")?;
    Ok(())
}

/// A sink that takes nothing and says where to go instead.
struct Refusing {
    reason: String,
}

impl Sink for Refusing {
    fn offer(&self, batch: Batch) {
        tracing::debug!(
            samples = batch.sample_count(),
            "samples were offered, but nothing is stored"
        );
    }

    fn append(&self, _batch: Batch) -> BoxFuture<'_, Result<Receipt, SinkError>> {
        Box::pin(std::future::ready(Err(SinkError::Nowhere { reason: self.reason.clone() })))
    }
}

//! What the handlers share: the floors below, the settings, and who may run now.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use strata_collect::SourceBook;
use strata_collect::receive::otlp::OtlpReceiver;
use strata_model::meter::Meter;
use strata_model::record::Onward;
use strata_model::{Clock, MetricKind, Sink};
use strata_query::MetricsEngine;
use strata_view::PageSource;
use tokio::sync::{Semaphore, watch};

use crate::ingest::Pool;
use crate::options::ServeSettings;
use crate::records::Records;
use crate::reports::ReportSource;

/// The Prometheus name and help text of one of our own metrics, from the catalog.
pub type OwnNames = Arc<dyn Fn(&str, MetricKind) -> (String, String) + Send + Sync>;

/// Whether requests can be answered; else the reason.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the program says about its store and itself, as a JSON object.
pub type Status = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// The description of everything that is served, an `OpenAPI` document.
pub type Description = fn() -> &'static str;

/// Everything the server needs from the rest of the program.
#[derive(Clone)]
pub struct Parts {
    pub engine: Arc<dyn MetricsEngine>,
    /// Makes the pages; without one only the interfaces for programs are served.
    pub pages: Option<Arc<dyn PageSource>>,
    /// Makes the documents of the ledger.
    pub reports: Option<Arc<dyn ReportSource>>,
    /// Makes documents of single requests.
    pub request_reports: Option<Arc<dyn ReportSource>>,
    /// Single requests, spans and feedback; without it their doors are closed.
    pub records: Option<Records>,
    /// Tells others what records are made of.
    pub onward: Option<Arc<dyn Onward>>,
    pub sink: Arc<dyn Sink>,
    pub sources: SourceBook,
    pub meter: Meter,
    pub clock: Arc<dyn Clock>,
    /// Translates OTLP and remembers the totals of delta series; one per process.
    pub otlp: Arc<OtlpReceiver>,
    pub own_names: OwnNames,
    pub ready: Ready,
    pub status: Status,
    pub openapi: Description,
    /// Version of the program, `0.1.0`.
    pub version: &'static str,
}

/// The state behind every route.
pub(crate) struct App {
    pub(crate) parts: Parts,
    pub(crate) settings: ServeSettings,
    pub(crate) queries: Semaphore,
    running: AtomicI64,
    pub(crate) memory: Pool,
    pub(crate) started_ms: i64,
    /// True once the server shuts down: what streams must end.
    pub(crate) stopping: watch::Receiver<bool>,
    started: Duration,
}

impl App {
    pub(crate) fn new(
        parts: Parts,
        settings: ServeSettings,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            queries: Semaphore::new(settings.query_concurrency),
            running: AtomicI64::new(0),
            memory: Pool::new(settings.ingest_bytes_max),
            started_ms: parts.clock.now_ms(),
            started: parts.clock.monotonic(),
            stopping,
            parts,
            settings,
        }
    }

    /// Seconds since the server was made.
    pub(crate) fn uptime_seconds(&self) -> f64 {
        self.parts.clock.monotonic().saturating_sub(self.started).as_secs_f64()
    }

    /// One query more or less is being answered.
    pub(crate) fn count_running(&self, change: i64) {
        let now = self.running.fetch_add(change, Ordering::Relaxed) + change;
        self.parts.meter.gauge("strata.query.inflight", &[]).set(now as f64);
    }
}

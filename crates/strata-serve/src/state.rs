//! What the handlers share: the floors below, the settings, and who may run now.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use strata_collect::SourceBook;
use strata_collect::receive::otlp::OtlpReceiver;
use strata_model::meter::Meter;
use strata_model::{Clock, MetricKind, Sink};
use strata_query::MetricsEngine;
use tokio::sync::Semaphore;

use crate::options::ServeSettings;

/// The Prometheus name and help text of one of our own metrics, from the catalog.
pub type OwnNames = Arc<dyn Fn(&str, MetricKind) -> (String, String) + Send + Sync>;

/// Whether requests can be answered; else the reason.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the program says about its store and itself, as a JSON object.
pub type Status = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Everything the server needs from the rest of the program.
#[derive(Clone)]
pub struct Parts {
    pub engine: Arc<dyn MetricsEngine>,
    pub sink: Arc<dyn Sink>,
    pub sources: SourceBook,
    pub meter: Meter,
    pub clock: Arc<dyn Clock>,
    /// Translates OTLP and remembers the totals of delta series; one per process.
    pub otlp: Arc<OtlpReceiver>,
    pub own_names: OwnNames,
    pub ready: Ready,
    pub status: Status,
    /// Version of the program, `0.1.0`.
    pub version: &'static str,
}

/// Bodies are accounted in units of this size, so that the sum fits a semaphore.
const INGEST_UNIT_BYTES: usize = 1024;

/// The state behind every route.
pub(crate) struct App {
    pub(crate) parts: Parts,
    pub(crate) settings: ServeSettings,
    pub(crate) queries: Semaphore,
    running: AtomicI64,
    ingest: Semaphore,
    ingest_units: u32,
    pub(crate) started_ms: i64,
    started: Duration,
}

impl App {
    pub(crate) fn new(parts: Parts, settings: ServeSettings) -> Self {
        let units =
            (settings.ingest_bytes_max / INGEST_UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let ingest_units = u32::try_from(units).unwrap_or(u32::MAX);
        Self {
            queries: Semaphore::new(settings.query_concurrency),
            running: AtomicI64::new(0),
            ingest: Semaphore::new(ingest_units as usize),
            ingest_units,
            started_ms: parts.clock.now_ms(),
            started: parts.clock.monotonic(),
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

    /// Reserve memory for a body; `None` when there is none within `wait`.
    pub(crate) async fn reserve(
        &self,
        bytes: usize,
        wait: Duration,
    ) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let units = u32::try_from(bytes / INGEST_UNIT_BYTES + 1).unwrap_or(u32::MAX);
        let permit = self.ingest.acquire_many(units.min(self.ingest_units));
        tokio::time::timeout(wait, permit).await.ok()?.ok()
    }
}

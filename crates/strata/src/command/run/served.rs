//! What the server is given: the engine, the pages, the ledger, and how the store is.

use std::sync::Arc;

use anyhow::Result;
use strata_collect::Collector as _;
use strata_collect::receive::otlp::OtlpReceiver;
use strata_model::catalog::Catalog;
use strata_model::record::RecordSource;
use strata_model::{METRIC_NAME, MetricKind, SeriesSource};
use strata_query::canonical::CanonicalSource;
use strata_query::{EmbeddedEngine, MetricsEngine};
use strata_serve::{Parts, ReportSource};

use super::{DEMO_PAST_MINUTES, House};
use crate::config::Settings;
use crate::ledger::{LedgerCollector, LedgerReports, LedgerService, STATEMENTS_DIR};
use crate::openapi;
use crate::pages::{Names, PageParts, PageService};
use crate::shares::ShareCollector;

impl House {
    /// Names of the metrics in the store.
    fn stored_names(&self) -> Names {
        let store = self.store.clone();
        Arc::new(move |start_ms, end_ms| {
            let store = store.clone();
            Box::pin(async move {
                let names = move || store.label_values(METRIC_NAME, &[], start_ms, end_ms);
                let names = tokio::task::spawn_blocking(names).await;
                let names = names.map_err(|error| error.to_string())?;
                names.map_err(|error| error.to_string())
            })
        })
    }

    /// Price GPU seconds, every minute and on request.
    fn ledger(
        &self,
        engine: &Arc<dyn MetricsEngine>,
        settings: &Settings,
    ) -> Result<Option<Arc<LedgerService>>> {
        if !settings.cost.enabled {
            return Ok(None);
        }
        let (engine, clock) = (Arc::clone(engine), Arc::clone(&self.clock));
        let service = LedgerService::new(engine, settings.cost.clone(), clock)?;
        let statements = settings.store.dir.join(STATEMENTS_DIR);
        let records = self.records.clone();
        let service = service
            .with_statements(statements)
            .with_records(records.map(|store| -> Arc<dyn RecordSource> { Arc::new(store) }));
        let service = Arc::new(service);
        let mut collector = LedgerCollector::new(Arc::clone(&service));
        if self.simulated.is_none() {
            self.scheduler.add(Box::new(collector));
            return Ok(Some(service));
        }
        // A simulated cluster has a past, and its visitor should not wait for the first minute.
        let (scheduler, store) = (self.scheduler.clone(), Arc::clone(&self.sink));
        let now_ms = self.clock.now_ms();
        tokio::spawn(async move {
            collector = collector.with_past(DEMO_PAST_MINUTES);
            if let Ok(harvest) = collector.collect(now_ms).await
                && let Err(error) = store.append(harvest.batch).await
            {
                tracing::warn!(%error, "cannot store what the past cost");
            }
            scheduler.add(Box::new(collector));
        });
        Ok(Some(service))
    }

    /// Divide every GPU between those who use it, every minute.
    fn divide(&self, engine: &Arc<dyn MetricsEngine>) {
        let shares = ShareCollector::new(Arc::clone(engine), Arc::clone(&self.clock));
        self.scheduler.add(Box::new(shares));
    }

    /// What the server needs of the rest.
    pub(super) fn parts(&self, settings: &Settings) -> Result<Parts> {
        let catalog = Catalog::builtin();
        let source = CanonicalSource::new(Arc::new(self.store.clone()), catalog);
        let engine = EmbeddedEngine::new(Arc::new(source), Arc::clone(&self.clock), settings.query);
        let ready_store = self.store.clone();
        let status_store = self.store.clone();
        let engine: Arc<dyn MetricsEngine> = Arc::new(engine);
        let ledger = self.ledger(&engine, settings)?;
        self.divide(&engine);
        let reports = ledger
            .clone()
            .map(|ledger| -> Arc<dyn ReportSource> { Arc::new(LedgerReports(ledger)) });
        let requests = self.requests(&engine, ledger.clone(), settings);
        let pages = PageService::new(PageParts {
            engine: Arc::clone(&engine),
            names: self.stored_names(),
            newest: {
                let store = self.store.clone();
                Some(Arc::new(move || store.newest_by_name()))
            },
            sources: {
                let book = self.book.clone();
                Arc::new(move || book.snapshot())
            },
            clock: Arc::clone(&self.clock),
            meter: self.meter.clone(),
            ledger,
            currency: settings.cost.ledger.currency.clone(),
            targets: settings.targets,
            records: self.sql_door(settings),
            requests: requests.clone(),
            simulated: self.simulated.is_some(),
        });
        Ok(Parts {
            engine,
            pages: Some(pages),
            reports,
            request_reports: requests.map(|service| -> Arc<dyn ReportSource> { service }),
            records: self.record_doors(settings),
            onward: self.onward(),
            otlp: Arc::new(OtlpReceiver::new(settings.otlp.clone(), Arc::clone(&self.clock))),
            sink: Arc::clone(&self.sink),
            sources: self.book.clone(),
            meter: self.meter.clone(),
            clock: Arc::clone(&self.clock),
            own_names: Arc::new(own_name),
            // A store that cannot write still answers, so it is not ready but healthy.
            ready: Arc::new(move || match ready_store.stats().read_only {
                None => Ok(()),
                Some(reason) => Err(reason),
            }),
            status: Arc::new(move || {
                let stats = status_store.stats();
                serde_json::json!({
                    "series": stats.series,
                    "active_series": stats.active_series,
                    "head_samples": stats.head_samples,
                    "head_bytes": stats.head_bytes,
                    "sealed_samples": stats.sealed_samples,
                    "disk_bytes": stats.disk_bytes,
                    "queued_bytes": stats.queued_bytes,
                    "oldest_ms": stats.oldest_ms,
                    "newest_ms": stats.newest_ms,
                    "read_only": stats.read_only,
                    "damaged": stats.damaged,
                })
            }),
            openapi: openapi::document,
            version: env!("CARGO_PKG_VERSION"),
        })
    }
}

/// Prometheus name and help of one of our own metrics.
pub(crate) fn own_name(metric: &str, kind: MetricKind) -> (String, String) {
    match Catalog::builtin().metric(metric) {
        Some(metric) => (metric.prometheus.clone(), metric.brief.clone()),
        None => (strata_model::catalog::prometheus_name(metric, "", kind), String::new()),
    }
}

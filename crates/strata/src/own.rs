//! The program's own numbers, stored like everybody else's: `strata.*` from the meter.

use std::sync::Arc;
use std::time::Duration;

use strata_collect::{CollectError, Collector, Harvest};
use strata_model::catalog::Catalog;
use strata_model::meter::Meter;
use strata_model::sink::BoxFuture;
use strata_model::{Batch, Labels, Layer, METRIC_NAME, SourceKind};

/// Reads the meter into a batch at every tick.
pub(crate) struct OwnMetrics {
    meter: Meter,
    node: String,
    interval: Duration,
    source: Arc<str>,
}

impl OwnMetrics {
    /// `node` becomes the `node` and `instance` label, as for every native source.
    pub(crate) fn new(meter: Meter, node: &str, interval: Duration) -> Self {
        Self { meter, node: node.to_owned(), interval, source: Arc::from("strata/self") }
    }

    fn labels(&self, metric: &str, labels: &Labels) -> Option<Labels> {
        let name = &Catalog::builtin().metric(metric)?.prometheus;
        let mut builder = labels.to_builder();
        builder.set(METRIC_NAME, name).set("node", &self.node).set("job", "strata");
        Some(builder.set("instance", &self.node).build())
    }
}

impl Collector for OwnMetrics {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        None
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn timeout(&self) -> Duration {
        self.interval / 2
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        let mut batch = Batch::new(Arc::clone(&self.source));
        for reading in self.meter.snapshot() {
            if let Some(labels) = self.labels(reading.metric, &reading.labels) {
                batch.push(&labels, at_ms, reading.value);
            }
        }
        Box::pin(std::future::ready(Ok(Harvest { batch, faults: Vec::new() })))
    }
}

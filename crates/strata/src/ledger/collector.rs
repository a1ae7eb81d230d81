//! The ledger's own series: every minute what the last minute cost, and what an hour says of the
//! price of a token.

use std::sync::Arc;
use std::time::Duration;

use strata_collect::{CollectError, Collector, Harvest};
use strata_cost::ledger::{Dimension, Ledger};
use strata_cost::metrics::{Point, points};
use strata_cost::unit::{models, waste};
use strata_model::catalog::Catalog;
use strata_model::sink::BoxFuture;
use strata_model::{
    Batch, Fault, FaultCode, Labels, Layer, METRIC_NAME, MetricKind, SourceKind, SourceState,
};
use strata_world::bill::Period;

use super::totals::Totals;
use super::{Account, LedgerService, STEP_MS};

/// Unit costs are of the last hour: a split between token classes needs some dozen steps.
const HOUR_STEPS: usize = 60;
/// Samples of a minute have arrived when it is over for so long.
const LAG_MS: i64 = 20_000;
/// Minutes that are caught up with after a pause; older ones are not counted.
const BEHIND_MAX: i64 = 10;

/// Writes `cost.*`.
pub(crate) struct LedgerCollector {
    service: Arc<LedgerService>,
    source: Arc<str>,
    /// The end of the last minute that was counted, or that there was nothing to count before.
    counted_ms: Option<i64>,
    totals: Totals,
    /// Minutes before the first round that it tells too.
    past: i64,
}

impl LedgerCollector {
    /// A collector over the service's engine.
    pub(crate) fn new(service: Arc<LedgerService>) -> Self {
        let source = Arc::from("strata/ledger");
        Self { service, source, counted_ms: None, totals: Totals::default(), past: 0 }
    }

    /// Begin with the last `minutes` minutes: a simulated cluster has a past.
    pub(crate) fn with_past(mut self, minutes: i64) -> Self {
        self.past = minutes;
        self
    }

    async fn read(&mut self, at_ms: i64) -> Result<Harvest, CollectError> {
        let mut batch = Batch::new(Arc::clone(&self.source));
        for back in (1..=std::mem::take(&mut self.past)).rev() {
            drop(self.moment(at_ms - back * STEP_MS, &mut batch).await);
        }
        let hour = self.moment(at_ms, &mut batch).await;
        if hour.ledger.gpus.is_empty() {
            return Err(nothing(&hour));
        }
        for budget in self.service.budgets().await {
            let Ok(standing) = budget.standing else { continue };
            let point = Point {
                metric: "cost.budget.used",
                attributes: vec![
                    ("budget", budget.name),
                    ("period", budget.period),
                    ("currency", self.service.settings.ledger.currency.clone()),
                ],
                value: standing.used,
            };
            if let Some(labels) = labels(&point) {
                batch.push(&labels, at_ms, point.value);
            }
        }
        let target = self.service.settings.slo_target;
        let target = Point { metric: "cost.slo.target", attributes: Vec::new(), value: target };
        if let Some(labels) = labels(&target) {
            batch.push(&labels, at_ms, target.value);
        }
        let faults = hour.notes.iter().take(3);
        let mut faults: Vec<Fault> =
            faults.map(|note| Fault::new(FaultCode::Malformed, note.clone())).collect();
        match self.service.desired().await {
            Ok(points) => {
                for point in points {
                    if let Some(labels) = labels(&point) {
                        batch.push(&labels, at_ms, point.value);
                    }
                }
            }
            Err(why) => faults.push(Fault::new(FaultCode::Malformed, why)),
        }
        Ok(Harvest { batch, faults })
    }

    /// What is to be said at one moment; the account of its last hour.
    async fn moment(&mut self, at_ms: i64, batch: &mut Batch) -> Account {
        let end_ms = (at_ms - LAG_MS).div_euclid(STEP_MS) * STEP_MS;
        let hour = self.service.account(before(end_ms, HOUR_STEPS)).await;
        if hour.ledger.gpus.is_empty() {
            return hour;
        }
        for point in self.points(&hour.ledger) {
            if !is_counter(point.metric)
                && let Some(labels) = labels(&point)
            {
                batch.push(&labels, at_ms, point.value);
            }
        }
        self.count(end_ms, at_ms, batch).await;
        self.totals.tell(at_ms, batch);
        hour
    }

    /// Add the minutes up to `end_ms` to the counters. A minute of which a question failed is asked
    /// again with the next one, as long as it can be caught up with.
    async fn count(&mut self, end_ms: i64, at_ms: i64, batch: &mut Batch) {
        let counted_ms = *self.counted_ms.get_or_insert(end_ms - STEP_MS);
        let behind = (end_ms - counted_ms) / STEP_MS;
        if behind <= 0 {
            return;
        }
        let steps = usize::try_from(behind.min(BEHIND_MAX)).unwrap_or(1);
        let minutes = self.service.account(before(end_ms, steps)).await;
        let is_whole = minutes.notes.is_empty() && !minutes.ledger.gpus.is_empty();
        if !is_whole && behind < BEHIND_MAX {
            return;
        }
        let points = self.points(&minutes.ledger).into_iter();
        let counters = points.filter(|point| is_counter(point.metric));
        let increases = counters.filter_map(|point| Some((labels(&point)?, point.value)));
        self.totals.add(increases, at_ms, batch);
        self.counted_ms = Some(end_ms);
    }

    /// Everything that a ledger says.
    fn points(&self, ledger: &Ledger) -> Vec<Point> {
        let units = models(ledger, &self.service.settings.energy);
        let mut all = points(ledger, &units, &waste(ledger, Dimension::Team));
        // The whole fleet's token has one price: that of the level that counts as useful.
        let level = ledger.options.level.name();
        all.retain(|point| {
            let of = |name: &str| point.attributes.iter().find(|(known, _)| *known == name);
            point.metric != "cost.per_useful_token"
                || of("model").is_some()
                || of("level").is_some_and(|(_, value)| value == level)
        });
        all
    }
}

fn before(end_ms: i64, steps: usize) -> Period {
    Period { start_ms: end_ms - STEP_MS * steps as i64, step_ms: STEP_MS, steps }
}

fn nothing(account: &Account) -> CollectError {
    let told = account.notes.first().cloned();
    CollectError {
        fault: Fault::new(
            FaultCode::Unsupported,
            told.unwrap_or_else(|| "no GPU was seen in the last hour".to_owned()),
        ),
        state: SourceState::Absent,
        hint: "costs come with GPU telemetry: see layer L1".to_owned(),
    }
}

fn is_counter(metric: &str) -> bool {
    Catalog::builtin().metric(metric).is_some_and(|metric| metric.kind == MetricKind::Counter)
}

fn labels(point: &Point) -> Option<Labels> {
    let name = &Catalog::builtin().metric(point.metric)?.prometheus;
    let mut builder = Labels::empty().to_builder();
    builder.set(METRIC_NAME, name).set("job", "strata");
    for (name, value) in point.attributes.iter().filter(|(_, value)| !value.is_empty()) {
        builder.set(name, value);
    }
    Some(builder.build())
}

impl Collector for LedgerCollector {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L8Cost)
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(STEP_MS as u64)
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(45)
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        Box::pin(self.read(at_ms))
    }
}

//! How many replicas each model should have now, for KEDA and the horizontal autoscaler.

use std::collections::BTreeMap;
use std::time::Duration;

use strata_cost::advice::{ReplicaSignals, desired_replicas};
use strata_cost::metrics::Point;
use strata_model::MetricKind;
use strata_model::catalog::Catalog;
use strata_query::engine::Value;
use strata_query::{InstantQuery, QueryValue};

use super::LedgerService;

const DEADLINE: Duration = Duration::from_secs(5);
/// Share of requests whose first token must come in time.
const QUANTILE: f64 = 0.95;

/// Namespace and model.
type Fleet = (String, String);

fn name(metric: &str, suffix: &str) -> String {
    let known = Catalog::builtin().metric(metric);
    let suffix = match known.map(|metric| metric.kind) {
        Some(MetricKind::Histogram) => suffix,
        _ => "",
    };
    format!("{}{suffix}", known.map_or(metric, |metric| &metric.prometheus))
}

impl LedgerService {
    /// A point for each model of which something is known.
    pub(super) async fn desired(&self) -> Vec<Point> {
        let kv = name("inference.kv_cache.utilization", "");
        let running = name("inference.requests.running", "");
        let waiting = name("inference.requests.waiting", "");
        let ttft = name("inference.ttft", "_bucket");
        let by = "namespace, model";
        let mean = |series: &str| format!("avg_over_time({series}[2m])");
        // Instances of one pod are one replica.
        let ready = |pods: &str, label: &str| {
            format!("count by ({by}, {label}) (last_over_time({running}{{pod{pods}\"\"}}[2m]))")
        };
        let ready = self.by_fleet(format!(
            "count by ({by}) ({} or {})",
            ready("!=", "pod"),
            ready("=", "instance")
        ));
        let ready = ready.await;
        let usage = self.by_fleet(format!("avg by ({by}) ({})", mean(&kv))).await;
        let queue = self.by_fleet(format!("sum by ({by}) ({})", mean(&waiting))).await;
        let busy = self.by_fleet(format!("sum by ({by}) ({})", mean(&running))).await;
        let late = self
            .by_fleet(format!(
                "histogram_quantile({QUANTILE}, sum by ({by}, le) (increase({ttft}[5m])))"
            ))
            .await;
        let limit_s = self.settings.ttft_objective.as_secs_f64();
        let points = ready.into_iter().filter_map(|(fleet, ready)| {
            let signals = ReplicaSignals {
                ready: ready as u32,
                kv_usage: usage.get(&fleet).copied(),
                ttft_over_target: late.get(&fleet).map(|late| late / limit_s),
                // As many may wait as run: they have begun once those are done.
                waiting_over_target: queue
                    .get(&fleet)
                    .map(|waiting| waiting / busy.get(&fleet).map_or(1.0, |busy| busy.max(1.0))),
                least: 1,
                most: u32::MAX,
            };
            let (namespace, model) = fleet;
            Some(Point {
                metric: "cost.desired_replicas",
                attributes: vec![("namespace", namespace), ("model", model)],
                value: f64::from(desired_replicas(&signals)?),
            })
        });
        points.collect()
    }

    /// The values of a query by namespace and model, those that are numbers.
    async fn by_fleet(&self, text: String) -> BTreeMap<Fleet, f64> {
        let at_ms = self.now_ms();
        let query = InstantQuery { text, at_ms, timeout: DEADLINE, lookback_ms: None };
        let Ok(answer) = self.engine.instant(query).await else { return BTreeMap::new() };
        let QueryValue::Vector(samples) = answer.value else { return BTreeMap::new() };
        let values = samples.iter().filter_map(|sample| {
            let label = |name: &str| sample.labels.get(name).unwrap_or_default().to_owned();
            let Some((_, Value::Float(value))) = sample.points.first() else { return None };
            let fleet = (label("namespace"), label("model"));
            (value.is_finite() && !fleet.1.is_empty()).then_some((fleet, *value))
        });
        values.collect()
    }
}

#[cfg(test)]
mod tests {
    use strata_query::promqltest::MemorySource;

    use crate::config::CostOptions;
    use crate::ledger::tests::{DAY, HOUR, push, service};

    #[tokio::test]
    async fn a_full_cache_asks_for_more_and_an_empty_one_for_less() {
        let mut source = MemorySource::new();
        let fleets =
            [("full", 0.9, [0.0, 0.0]), ("empty", 0.3, [0.0, 0.0]), ("slow", 0.3, [0.0, 9.0])];
        for (model, usage, [early, late]) in fleets {
            for instance in ["a:8000", "b:8000", "c:8000", "d:8000"] {
                let of = |name: &'static str| {
                    vec![
                        ("__name__", name),
                        ("model", model),
                        ("instance", instance),
                        ("namespace", "n"),
                    ]
                };
                push(&mut source, &of("inference_requests_running"), 1, |_| 1.0);
                push(&mut source, &of("inference_kv_cache_utilization_ratio"), 1, |_| usage);
                for (le, rate) in [("0.5", early), ("2", late), ("+Inf", late)] {
                    let mut labels = of("inference_ttft_seconds_bucket");
                    labels.push(("le", le));
                    push(&mut source, &labels, 1, |at| at as f64 / 1000.0 * rate);
                }
            }
        }
        let points = service(source, &CostOptions::default(), DAY + HOUR).desired().await;
        let told: Vec<_> =
            points.iter().map(|point| (point.attributes[1].1.as_str(), point.value)).collect();
        // 0.9 of 0.75 of 4; 0.3 of 0.75 of 4; 95 % of first tokens came within 1.925 s, not 1 s.
        assert_eq!(told, [("empty", 2.0), ("full", 5.0), ("slow", 8.0)]);
    }
}

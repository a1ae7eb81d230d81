//! How many replicas each model should have now, for KEDA and the horizontal autoscaler.

use std::collections::BTreeMap;
use std::time::Duration;

use strata_cost::advice::{ReplicaSignals, desired_replicas};
use strata_cost::metrics::Point;
use strata_query::engine::Value;
use strata_query::{Answer, QueryError, QueryValue};
use strata_world::bill::series_name;
use strata_world::{Planned, Window};

use super::LedgerService;
use crate::ask::{Asking, ask_all};

/// A minute's round must not wait for them.
const DESIRED: Asking = Asking { at_once: 5, deadline: Duration::from_secs(5) };
/// Share of requests whose first token must come in time.
const QUANTILE: f64 = 0.95;

/// Namespace and model.
type Fleet = (String, String);

/// Questions about the last minutes of every fleet.
fn questions() -> Vec<Planned> {
    let kv = series_name("inference.kv_cache.utilization", "");
    let running = series_name("inference.requests.running", "");
    let waiting = series_name("inference.requests.waiting", "");
    let ttft = series_name("inference.ttft", "_bucket");
    let by = "namespace, model";
    let mean = |series: &str| format!("avg_over_time({series}[2m])");
    // Instances of one pod are one replica.
    let ready = |pods: &str, label: &str| {
        format!("count by ({by}, {label}) (last_over_time({running}{{pod{pods}\"\"}}[2m]))")
    };
    let questions = [
        (
            "ready",
            format!("count by ({by}) ({} or {})", ready("!=", "pod"), ready("=", "instance")),
        ),
        ("usage", format!("avg by ({by}) ({})", mean(&kv))),
        ("queue", format!("sum by ({by}) ({})", mean(&waiting))),
        ("busy", format!("sum by ({by}) ({})", mean(&running))),
        (
            "late",
            format!("histogram_quantile({QUANTILE}, sum by ({by}, le) (increase({ttft}[5m])))"),
        ),
    ];
    questions.map(|(key, text)| Planned { key: key.to_owned(), text, range: false }).into()
}

impl LedgerService {
    /// A point for each model of which something is known.
    ///
    /// # Errors
    /// Where a question failed, in words: a signal that was not read is no signal that all is well,
    /// and of the others alone a fleet could be scaled down.
    pub(super) async fn desired(&self) -> Result<Vec<Point>, String> {
        let at_ms = self.now_ms();
        let now =
            Window { start_ms: at_ms, end_ms: at_ms, step_ms: 1, moment_ms: at_ms, now_ms: at_ms };
        let mut answers = ask_all(&self.engine, &questions(), now, DESIRED, &self.clock).await;
        let mut take = |key: &str| by_fleet(key, answers.remove(key));
        let (ready, usage) = (take("ready")?, take("usage")?);
        let (queue, busy, late) = (take("queue")?, take("busy")?, take("late")?);
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
        Ok(points.collect())
    }
}

/// The values of an answer by namespace and model, those that are numbers.
fn by_fleet(
    key: &str,
    answer: Option<Result<Answer, QueryError>>,
) -> Result<BTreeMap<Fleet, f64>, String> {
    let answer = match answer {
        Some(Ok(answer)) => answer,
        Some(Err(error)) => return Err(format!("desired replicas, {key}: {error}")),
        None => return Err(format!("desired replicas, {key}: not answered in time")),
    };
    let QueryValue::Vector(samples) = answer.value else { return Ok(BTreeMap::new()) };
    let values = samples.iter().filter_map(|sample| {
        let label = |name: &str| sample.labels.get(name).unwrap_or_default().to_owned();
        let Some((_, Value::Float(value))) = sample.points.first() else { return None };
        let fleet = (label("namespace"), label("model"));
        (value.is_finite() && !fleet.1.is_empty()).then_some((fleet, *value))
    });
    Ok(values.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strata_query::promqltest::MemorySource;

    use crate::config::CostOptions;
    use crate::ledger::tests::{DAY, Failing, HOUR, push, service, service_over};

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
        let points = service(source, &CostOptions::default(), DAY + HOUR).desired().await.unwrap();
        let told: Vec<_> =
            points.iter().map(|point| (point.attributes[1].1.as_str(), point.value)).collect();
        // 0.9 of 0.75 of 4; 0.3 of 0.75 of 4; 95 % of first tokens came within 1.925 s, not 1 s.
        assert_eq!(told, [("empty", 2.0), ("full", 5.0), ("slow", 8.0)]);
    }

    #[tokio::test]
    async fn a_signal_that_cannot_be_read_is_no_reason_to_scale_down() {
        let mut source = MemorySource::new();
        let of = |name: &'static str| {
            [("__name__", name), ("model", "m"), ("instance", "a:8000"), ("namespace", "n")]
        };
        push(&mut source, &of("inference_requests_running"), 1, |_| 1.0);
        push(&mut source, &of("inference_requests_waiting"), 1, |_| 9.0);
        push(&mut source, &of("inference_kv_cache_utilization_ratio"), 1, |_| 0.1);
        let source = Arc::new(Failing::of(source, "inference_requests_waiting"));
        let shared = Arc::clone(&source);
        let service = service_over(shared, &CostOptions::default(), DAY + HOUR);
        assert_eq!(service.desired().await.unwrap()[0].value, 2.0);
        source.fail(true);
        let fault = service.desired().await.unwrap_err();
        assert!(fault.contains("queue"), "{fault}");
    }
}

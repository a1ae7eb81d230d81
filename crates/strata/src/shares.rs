//! Every minute who has which share of each GPU, as series: time of its SMs, memory, energy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strata_collect::{CollectError, Collector, Harvest};
use strata_model::catalog::Catalog;
use strata_model::sink::BoxFuture;
use strata_model::{
    Batch, Clock, Fault, FaultCode, Labels, Layer, METRIC_NAME, SourceKind, SourceState,
};
use strata_query::engine::Value;
use strata_query::{Answer, MetricsEngine, QueryError, QueryValue};
use strata_world::Window;
use strata_world::who::{self, Answers, Division, Gpu, Row, ShareAnswers};

use crate::ask::{Asking, ask_all};

const INTERVAL: Duration = Duration::from_mins(1);
/// The answers of a page of a large fleet take seconds; after this the minute is given up.
const DEADLINE: Duration = Duration::from_secs(20);
/// What reading the answers takes at most is added: half a minute is left until the next round.
const TIMEOUT: Duration = DEADLINE.saturating_add(Duration::from_secs(10));
const ASKING: Asking = Asking { at_once: 4, deadline: DEADLINE };

/// Writes `gpu.share`.
pub(crate) struct ShareCollector {
    engine: Arc<dyn MetricsEngine>,
    clock: Arc<dyn Clock>,
    source: Arc<str>,
}

impl ShareCollector {
    /// A collector over an engine of canonical metrics.
    pub(crate) fn new(engine: Arc<dyn MetricsEngine>, clock: Arc<dyn Clock>) -> Self {
        Self { engine, clock, source: Arc::from("strata/shares") }
    }

    async fn read(&self, at_ms: i64) -> Result<Harvest, CollectError> {
        let window = Window {
            start_ms: at_ms,
            end_ms: at_ms,
            step_ms: INTERVAL.as_millis() as i64,
            moment_ms: at_ms,
            now_ms: at_ms,
        };
        let questions = [who::questions(), who::share_questions()].concat();
        let found = ask_all(&self.engine, &questions, window, ASKING, &self.clock).await;
        let failed =
            questions.iter().find(|question| !matches!(found.get(&question.key), Some(Ok(_))));
        if let Some(question) = failed {
            // A device of which a part is missing would be divided wrongly.
            let message = format!("{} was not answered", question.key);
            return Err(failure(FaultCode::Io, message, SourceState::Failing, ""));
        }
        let answers = Answers::gather(|key| rows(&found, key));
        let gpus = who::read_shares(&answers, &ShareAnswers::gather(|key| rows(&found, key)));
        if gpus.is_empty() {
            let hint = "shares come with GPU telemetry: see layer L1";
            let message = "no GPU is seen".to_owned();
            return Err(failure(FaultCode::Unsupported, message, SourceState::Absent, hint));
        }
        let mut batch = Batch::new(Arc::clone(&self.source));
        for gpu in &gpus {
            let shares = &gpu.shares;
            let divisions = [
                ("sm_time", &shares.sm_time),
                ("memory", &shares.memory),
                ("energy", &shares.energy),
            ];
            for (quantity, division) in divisions {
                if let Some(division) = division {
                    tell(gpu, quantity, division, at_ms, &mut batch);
                }
            }
        }
        Ok(Harvest { batch, faults: Vec::new() })
    }
}

fn failure(code: FaultCode, message: String, state: SourceState, hint: &str) -> CollectError {
    CollectError { fault: Fault::new(code, message), state, hint: hint.to_owned() }
}

/// The rows of an answer.
fn rows(found: &BTreeMap<String, Result<Answer, QueryError>>, key: &str) -> Vec<Row> {
    let Some(Ok(answer)) = found.get(key) else { return Vec::new() };
    let (QueryValue::Vector(series) | QueryValue::Matrix(series)) = &answer.value else {
        return Vec::new();
    };
    let row = |series: &strata_query::engine::AnswerSeries| match series.points.last()? {
        (_, Value::Float(value)) => Some(Row { labels: series.labels.clone(), value: *value }),
        (_, Value::Histogram(_)) => None,
    };
    series.iter().filter_map(row).collect()
}

/// Write the parts of one quantity of a device; they add up to 1.
fn tell(gpu: &Gpu, quantity: &str, division: &Division, at_ms: i64, batch: &mut Batch) {
    let Some(metric) = Catalog::builtin().metric("gpu.share") else { return };
    let mut push = |part: &str, owner: [(&str, &str); 4], share: f64| {
        let mut labels = Labels::empty().to_builder();
        labels.set(METRIC_NAME, &metric.prometheus).set("job", "strata");
        let device = [("gpu_uuid", &*gpu.gpu_uuid), ("gpu", &*gpu.gpu), ("node", &*gpu.node)];
        let kind = [("quantity", quantity), ("part", part), ("evidence", division.evidence)];
        for (name, value) in device.into_iter().chain(kind).chain(owner) {
            if !value.is_empty() {
                labels.set(name, value);
            }
        }
        batch.push(&labels.build(), at_ms, share);
    };
    for part in &division.owners {
        let owner = &part.owner;
        let labels = [
            ("namespace", &*owner.namespace),
            ("pod", &*owner.pod),
            ("pod_uid", &*owner.pod_uid),
            ("slurm_job_id", &*owner.slurm_job_id),
        ];
        push("owner", labels, part.share);
    }
    let nobody = ["namespace", "pod", "pod_uid", "slurm_job_id"].map(|name| (name, ""));
    push("idle", nobody, division.idle);
    push("unattributed", nobody, division.unattributed);
}

impl Collector for ShareCollector {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L4Sched)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        Box::pin(self.read(at_ms))
    }
}

#[cfg(test)]
mod tests {
    use strata_model::clock::FixedClock;
    use strata_query::canonical::CanonicalSource;
    use strata_query::promqltest::MemorySource;
    use strata_query::{EmbeddedEngine, QuerySettings};

    use super::*;

    const NOW: i64 = 1_795_651_200_000;

    fn collector(source: MemorySource) -> ShareCollector {
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(NOW));
        let source = CanonicalSource::new(Arc::new(source), Catalog::builtin());
        let engine =
            EmbeddedEngine::new(Arc::new(source), Arc::clone(&clock), QuerySettings::default());
        ShareCollector::new(Arc::new(engine), clock)
    }

    #[tokio::test]
    async fn the_parts_of_each_quantity_of_a_device_add_up_to_one() {
        let mut source = MemorySource::new();
        let mut push = |name: &str, more: &[(&str, &str)], value: f64| {
            let device = [("__name__", name), ("gpu_uuid", "G"), ("node", "n")];
            let labels = Labels::from_pairs(device.into_iter().chain(more.iter().copied()));
            for back in 0..10 {
                source.push_float(&labels, NOW - (9 - back) * 60_000, value);
            }
        };
        push("hw_gpu_utilization_ratio", &[("task", "general")], 0.5);
        push("hw_gpu_memory_usage_bytes", &[], 60.0);
        push("hw_gpu_memory_limit_bytes", &[], 100.0);
        push("hw_power_watts", &[], 400.0);
        for (pod, share, bytes) in [("a", 0.2, 10.0), ("b", 0.1, 20.0)] {
            let of = [("pod", pod), ("namespace", "ml"), ("pod_uid", pod)];
            push("gpu_allocation_info", &[&of[..], &[("method", "pod_resources")]].concat(), 1.0);
            let process = [&of[..], &[("pid", pod)]].concat();
            push("gpu_process_utilization_ratio", &process, share);
            push("gpu_process_memory_usage_bytes", &process, bytes);
        }
        let harvest = collector(source).collect(NOW).await.unwrap();
        let batch = &harvest.batch;
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        let mut parts: BTreeMap<String, f64> = BTreeMap::new();
        for sample in &batch.samples {
            let labels = batch.labels(sample.series);
            let of = |name: &str| labels.get(name).unwrap_or_default().to_owned();
            *sums.entry(of("quantity")).or_default() += sample.value;
            parts.insert(format!("{} {} {}", of("quantity"), of("part"), of("pod")), sample.value);
        }
        assert_eq!(sums.keys().collect::<Vec<_>>(), ["energy", "memory", "sm_time"]);
        assert!(sums.values().all(|sum| (sum - 1.0).abs() < 1e-9), "{sums:?}");
        let check = |part: &str, expected: f64| {
            assert!((parts[part] - expected).abs() < 1e-9, "{part} of {parts:?}");
        };
        check("sm_time owner a", 0.2);
        check("sm_time unattributed ", 0.2);
        check("sm_time idle ", 0.5);
        check("memory owner b", 0.2);
        check("memory unattributed ", 0.3);
        check("memory idle ", 0.4);
    }

    #[tokio::test]
    async fn a_process_that_ran_a_tenth_of_the_time_has_a_tenth_of_its_load() {
        let mut source = MemorySource::new();
        let device = [("gpu_uuid", "G"), ("node", "n"), ("gpu", "0")];
        let series = |name: &str, more: &[(&str, &str)]| {
            let name = [("__name__", name)];
            Labels::from_pairs(name.iter().chain(&device).chain(more).copied())
        };
        // Two minutes in steps of five seconds.
        for step in 0..24 {
            let at_ms = NOW - step * 5_000;
            let mut push = |labels: &Labels, value| source.push_float(labels, at_ms, value);
            push(&series("hw_gpu_utilization_ratio", &[("task", "general")]), 0.5);
            push(&series("hw_gpu_memory_usage_bytes", &[]), 60.0);
            let of = |pod| [("pod", pod), ("namespace", "ml"), ("pod_uid", pod), ("pid", pod)];
            let process = |pod| series("gpu_process_utilization_ratio", &of(pod));
            push(&process("long"), 0.25);
            if (6..12).contains(&step) {
                push(&process("short"), 0.8);
            }
        }
        let harvest = collector(source).collect(NOW).await.unwrap();
        let share = |pod: &str| {
            let batch = &harvest.batch;
            let found = batch.samples.iter().find(|sample| {
                let labels = batch.labels(sample.series);
                labels.get("pod") == Some(pod) && labels.get("quantity") == Some("sm_time")
            });
            found.map(|sample| sample.value)
        };
        assert!((share("long").unwrap() - 0.25).abs() < 1e-9, "{:?}", share("long"));
        assert!((share("short").unwrap() - 0.2).abs() < 1e-9, "{:?}", share("short"));
    }

    #[tokio::test]
    async fn without_gpus_there_is_nothing_to_divide() {
        let error = collector(MemorySource::new()).collect(NOW).await.unwrap_err();
        assert_eq!(error.state, SourceState::Absent);
    }
}

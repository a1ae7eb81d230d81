//! The queries of a period.

use strata_model::MetricKind;
use strata_model::catalog::Catalog;

use super::runs::run_queries;
use super::tenants::tenant_queries;
use crate::ask::Planned;
use crate::window::Window;

/// A period in whole steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Start in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Positive.
    pub step_ms: i64,
    pub steps: usize,
}

impl Period {
    /// The end in milliseconds since the Unix epoch.
    pub fn end_ms(&self) -> i64 {
        let steps = i64::try_from(self.steps).unwrap_or(i64::MAX);
        self.start_ms.saturating_add(self.step_ms.saturating_mul(steps))
    }

    /// The moments the queries are asked at: the ends of the steps.
    pub fn window(&self) -> Window {
        Window {
            start_ms: self.start_ms.saturating_add(self.step_ms),
            end_ms: self.end_ms(),
            step_ms: self.step_ms,
            moment_ms: self.end_ms(),
            now_ms: self.end_ms(),
        }
    }
}

/// Prometheus spelling of a canonical metric, a histogram with one of its suffixes.
pub fn name(metric: &str, suffix: &str) -> String {
    let known = Catalog::builtin().metric(metric);
    let (stem, kind) =
        known.map_or((metric, None), |one| (one.prometheus.as_str(), Some(one.kind)));
    let suffix = if kind == Some(MetricKind::Histogram) { suffix } else { "" };
    format!("{stem}{suffix}")
}

const GPU: &str = "gpu_uuid, node, gpu";

/// Counters of a replica: key and canonical name.
pub(super) const COUNTERS: [(&str, &str); 10] = [
    ("prompt", "inference.prompt_tokens"),
    ("cached", "inference.prompt_tokens.cached"),
    ("generated", "inference.generation_tokens"),
    ("finished", "inference.requests.finished"),
    ("recomputed", "inference.prompt_tokens.recomputed"),
    ("preemptions", "inference.preemptions"),
    ("drafted", "inference.spec_decode.draft_tokens"),
    ("accepted", "inference.spec_decode.accepted_tokens"),
    ("prefill_s", "inference.prefill_time"),
    ("decode_s", "inference.decode_time"),
];

/// The queries that [`super::bill`] reads the answers of, by key. Ranges are asked over
/// [`Period::window`], the others at its end.
pub fn bill_plan(period: &Period) -> Vec<Planned> {
    let (step, whole) = spans(period);
    let mut queries = statement_plan(period);
    queries.extend(run_queries(period.step_ms, &step, &whole));
    queries
}

/// A step and the whole of a period as durations.
fn spans(period: &Period) -> (String, String) {
    let ms = |length_ms: i64| format!("{length_ms}ms");
    (ms(period.step_ms), ms(period.end_ms() - period.start_ms))
}

/// A reading of what is read once a minute is at most so old, milliseconds.
const READING_MS: i64 = 90_000;

/// What counters rose by within a step, added up by labels. An increase needs two readings in its range,
/// and reaches beyond them by a guess: of what is read once a minute a step of a minute has one. So in
/// short steps the last readings at the two ends are compared, series by series, which adds up to what was
/// counted however often it is read; where there is none before, or the counter went back, the increase
/// tells.
pub(super) fn rises(step_ms: i64, how: &str, by: &str, series: &str) -> String {
    let within = format!("increase({series}[{step_ms}ms])");
    if step_ms >= 2 * 60_000 {
        return format!("{how} by ({by}) ({within})");
    }
    let reading = format!("last_over_time({series}[{READING_MS}ms]");
    let between = format!("({reading}) - {reading} offset {step_ms}ms)) >= 0");
    format!("{how} by ({by}) ({between} or {within})")
}

/// Those of them that a statement needs, which sells GPU time and tokens and asks for many short periods:
/// nothing of training runs.
pub fn statement_plan(period: &Period) -> Vec<Planned> {
    let (step, whole) = spans(period);
    let mut queries = gpu_queries(&step, &whole);
    queries.extend(hold_queries(&step));
    queries.extend(part_queries(&step, &whole));
    // Nodes that somebody hands out: there a GPU that nobody is named for is held by nobody.
    let (capacity, slurm) = (name("gpu.node.capacity", ""), name("slurm.node", ""));
    queries.push(at_end(
        "managed",
        format!(
            "count by (node) (last_over_time({capacity}[{whole}]) > 0) \
             or count by (node) (last_over_time({slurm}[{whole}]))"
        ),
    ));
    let workload = name("k8s.pod.workload", "");
    queries.push(at_end(
        "teams",
        format!(
            "count by (namespace, pod, team) (last_over_time({workload}{{team!=\"\"}}[{whole}]))"
        ),
    ));
    queries.extend(replica_queries(period.step_ms, &step, &whole));
    queries.extend(tenant_queries(&whole));
    queries
}

pub(super) fn range(key: &str, text: String) -> Planned {
    Planned { key: format!("bill/{key}"), text, range: true }
}

pub(super) fn at_end(key: &str, text: String) -> Planned {
    Planned { key: format!("bill/{key}"), text, range: false }
}

fn gpu_queries(step: &str, whole: &str) -> Vec<Planned> {
    let utilization = name("hw.gpu.utilization", "");
    let memory = name("hw.gpu.memory.usage", "");
    let energy = name("hw.energy", "");
    let power = name("hw.power", "");
    let topology = name("k8s.node.topology", "");
    let seen =
        |metric: &str| format!("max by ({GPU}, gpu_model) (count_over_time({metric}[{step}]))");
    vec![
        range("seen", format!("{} or {}", seen(&memory), seen(&utilization))),
        range(
            "utilization",
            format!("max by ({GPU}) (avg_over_time({utilization}{{task=~\"|general\"}}[{step}]))"),
        ),
        range("energy", format!("max by ({GPU}) (increase({energy}[{step}]))")),
        range(
            "power",
            format!("max by ({GPU}) (avg_over_time({power}{{sensor!=\"instant\"}}[{step}]))"),
        ),
        at_end(
            "topology",
            // Of nodes that are gone by now too.
            format!("count by (node, region, instance_type) (last_over_time({topology}[{whole}]))"),
        ),
    ]
}

fn hold_queries(step: &str) -> Vec<Planned> {
    let allocation = name("gpu.allocation", "");
    let owner = name("gpu.owner", "");
    let utilization = name("hw.gpu.utilization", "");
    let memory = name("hw.gpu.memory.usage", "");
    let named = |metric: &str| {
        let labels = format!("{GPU}, namespace, pod, mig_instance, mig_profile");
        format!("count by ({labels}) (count_over_time({metric}{{pod!=\"\"}}[{step}]))")
    };
    vec![
        range(
            "allocation",
            format!(
                "count by ({GPU}, namespace, pod, pod_uid, slurm_job_id, method, sharing, resource, \
                 device, mig_uuid) (last_over_time({allocation}[{step}]))"
            ),
        ),
        range(
            "owner",
            format!(
                "count by ({GPU}, namespace, pod, workload_kind, job, team) \
                 (last_over_time({owner}[{step}]))"
            ),
        ),
        range("holder", format!("{} or {}", named(&memory), named(&utilization))),
    ]
}

/// Which parts of GPUs holders have, and how busy each part was.
fn part_queries(step: &str, whole: &str) -> Vec<Planned> {
    let last = |metric: &str| format!("last_over_time({}[{whole}])", name(metric, ""));
    // Over the whole step: a series is there only while its user runs, so its samples count against
    // those that the same page has of the device. Where it has none, the mean is all there is.
    let memory = name("hw.gpu.memory.usage", "");
    let over = |metric: &str, of: &str| {
        let samples = format!("{}{{{of}}}[{step}]", name(metric, ""));
        format!(
            "sum_over_time({samples}) / on (job, instance, {GPU}) group_left () \
             max by (job, instance, {GPU}) (count_over_time({memory}[{step}])) \
             or avg_over_time({samples})"
        )
    };
    let by_pod = format!("{GPU}, namespace, pod");
    let instances = |metric: &str| {
        let of_slices = format!("{}{{mig_instance!=\"\"}}", name(metric, ""));
        let labels = format!("{GPU}, namespace, pod, mig_uuid, mig_instance, mig_profile");
        format!("max by ({labels}) (avg_over_time({of_slices}[{step}]))")
    };
    vec![
        at_end("memory_limit", format!("max by ({GPU}) ({})", last("hw.gpu.memory.limit"))),
        at_end("capacity", format!("max by (node, resource) ({})", last("gpu.node.capacity"))),
        at_end(
            "slices",
            format!(
                "count by ({GPU}, mig_uuid, mig_instance, mig_profile) ({})",
                last("gpu.mig.memory.usage")
            ),
        ),
        at_end("cores", format!("sum by ({by_pod}) ({})", last("gpu.vgpu.core.allocated"))),
        at_end("given", format!("sum by ({by_pod}) ({})", last("gpu.vgpu.memory.allocated"))),
        range(
            "used_vgpu",
            format!("sum by ({by_pod}) ({})", over("gpu.vgpu.utilization", "pod!=\"\"")),
        ),
        // Processes of one pod together. The agent knows the UID of the pod, exporters its name.
        range(
            "used_process",
            format!(
                "sum by ({by_pod}) ({}) or sum by ({GPU}, pod_uid) ({})",
                over("gpu.process.utilization", "pod!=\"\""),
                over("gpu.process.utilization", "pod=\"\",pod_uid!=\"\""),
            ),
        ),
        range(
            "used_slice",
            format!("{} or {}", instances("gpu.mig.engine.active"), instances("gpu.engine.active")),
        ),
    ]
}

fn replica_queries(step_ms: i64, step: &str, whole: &str) -> Vec<Planned> {
    let running = name("inference.requests.running", "");
    let generated = name("inference.generation_tokens", "");
    // SGLang says in `engine_type` whether it is a worker of a pool.
    let labels = "instance, node, namespace, pod, model, inference_engine, engine_type";
    let up = |metric: &str| format!("count by ({labels}) (count_over_time({metric}[{step}]))");
    let mut queries = vec![range("up", format!("{} or {}", up(&running), up(&generated)))];
    for (key, metric) in COUNTERS {
        let stored = name(metric, "_sum");
        queries.push(range(key, rises(step_ms, "sum", "instance", &stored)));
    }
    let config = name("inference.engine.config", "");
    queries.push(at_end(
        "kv_type",
        format!(
            "count by (instance, cache_dtype) (last_over_time({config}{{cache_dtype!=\"\"}}[{whole}]))"
        ),
    ));
    let finished = name("inference.requests.finished", "");
    let duration = name("inference.request.duration", "_count");
    let ttft = name("inference.ttft", "_bucket");
    queries.push(range(
        "aborted",
        rises(step_ms, "sum", "instance", &format!("{finished}{{reason=\"abort\"}}")),
    ));
    queries.push(range("durations", rises(step_ms, "sum", "instance", &duration)));
    queries.push(at_end("ttft", format!("sum by (instance, le) (increase({ttft}[{whole}]))")));
    queries
}

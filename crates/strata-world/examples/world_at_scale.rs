//! Seconds to answer and assemble what pages of a fleet ask: `cargo run --release -p strata-world
//! --example world_at_scale -- GPUS...` (1 000 and 10 000 when left out). The store is in memory
//! and queries run one after the other, so that only the time to assemble is a page's own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strata_model::catalog::Catalog;
use strata_model::{
    Labels, METRIC_NAME, Matcher, Metadata, SelectError, Selection, Series, SeriesSource,
};
use strata_query::canonical::CanonicalSource;
use strata_query::promql::{EvalOptions, Query, evaluate};
use strata_query::promqltest::MemorySource;
use strata_world::capacity::Targets;
use strata_world::{
    Answers, Ask, Grain, Plan, Scope, Sizes, Want, Window, assemble, plan, plan_sized, signals,
};

const STEP_MS: i64 = 15_000;
const SAMPLES: i64 = 40;

/// Gauges of dcgm-exporter with a value to begin with.
const GAUGES: [(&str, f64); 7] = [
    ("DCGM_FI_DEV_GPU_UTIL", 90.0),
    ("DCGM_FI_DEV_FB_USED", 70_000.0),
    ("DCGM_FI_DEV_FB_FREE", 10_000.0),
    ("DCGM_FI_DEV_POWER_USAGE", 600.0),
    ("DCGM_FI_DEV_GPU_TEMP", 60.0),
    ("DCGM_FI_DEV_SM_CLOCK", 1980.0),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 0.4),
];

/// Signals of a page that lists the fleet.
const FLEET: [&str; 6] = [
    "l1.utilization",
    "l1.tensor_active",
    "l1.memory_utilization",
    "l1.power",
    "l1.temperature",
    "l1.sm_clock",
];

/// Series by metric name, so that a name nobody has costs nothing.
#[derive(Default)]
struct ByName(BTreeMap<String, MemorySource>);

type Found<T> = Result<Vec<T>, SelectError>;

impl SeriesSource for ByName {
    fn select(&self, selection: &Selection) -> Found<Series> {
        let name = selection.matchers.iter().find(|matcher| matcher.name == METRIC_NAME);
        let source = name.and_then(|name| self.0.get(&name.value));
        source.map_or(Ok(Vec::new()), |source| source.select(selection))
    }

    fn series(&self, _: &[Vec<Matcher>], _: i64, _: i64, _: usize) -> Found<Labels> {
        Ok(Vec::new())
    }

    fn label_names(&self, _: &[Vec<Matcher>], _: i64, _: i64) -> Found<String> {
        Ok(Vec::new())
    }

    fn label_values(&self, _: &str, _: &[Vec<Matcher>], _: i64, _: i64) -> Found<String> {
        Ok(self.0.keys().cloned().collect())
    }

    fn metadata(&self) -> Found<Metadata> {
        Ok(Vec::new())
    }
}

fn store(gpus: usize) -> ByName {
    let mut sources = ByName::default();
    for gpu in 0..gpus {
        let (node, index) = (format!("node-{:04}", gpu / 8), (gpu % 8).to_string());
        let (uuid, pod) = (format!("GPU-{gpu:06}"), format!("trainer-{:04}", gpu / 8));
        for (name, value) in GAUGES {
            let labels = Labels::from_pairs([
                (METRIC_NAME, name),
                ("UUID", uuid.as_str()),
                ("gpu", index.as_str()),
                ("modelName", "NVIDIA H100 80GB HBM3"),
                ("Hostname", node.as_str()),
                ("namespace", "research"),
                ("pod", pod.as_str()),
                ("container", "main"),
            ]);
            let source = sources.0.entry(name.to_owned()).or_default();
            for sample in 0..SAMPLES {
                let noise = (gpu * 7 + sample as usize * 3) % 11;
                source.push_float(&labels, sample * STEP_MS, value * (1.0 + noise as f64 / 1e3));
            }
        }
    }
    sources
}

fn answers(source: &Arc<dyn SeriesSource>, plan: &Plan) -> Answers {
    let window = plan.ask.window;
    let seen = CanonicalSource::new(Arc::clone(source), Catalog::builtin());
    let mut queries = BTreeMap::new();
    for query in &plan.queries {
        let (start_ms, step_ms) = if query.range {
            (window.start_ms, Some(window.step_ms))
        } else {
            (window.end_ms, None)
        };
        let asked = Query { text: &query.text, start_ms, end_ms: window.end_ms, step_ms };
        queries
            .insert(query.key.clone(), evaluate(&seen, &asked, &EvalOptions::default(), &|| None));
    }
    let names = source.label_values("__name__", &[], 0, window.end_ms).unwrap_or_default();
    Answers {
        queries,
        names: Some(names.clone()),
        names_before: Some(names),
        newest: None,
        sources: Vec::new(),
    }
}

fn pages(end_ms: i64, sizes: &Sizes) -> Vec<(&'static str, Plan)> {
    let window =
        Window { start_ms: 0, end_ms, step_ms: STEP_MS, moment_ms: end_ms, now_ms: end_ms };
    let want = |signal, grain, track| Want { signal, grain, track };
    let (scope, targets) = (Scope::Fleet, Targets::default());
    let ask = |wants, entities, coverage| {
        let scope = scope.clone();
        Ask { window, scope, wants, entities, who: false, wires: false, coverage, targets }
    };
    let overview = signals().iter().map(|def| want(def.id, Grain::Whole, true)).collect();
    let mut fleet: Vec<Want> = FLEET.map(|id| want(id, Grain::Each, true)).to_vec();
    fleet.extend(FLEET.map(|id| want(id, Grain::Whole, true)));
    vec![
        ("overview, every signal", plan(&ask(overview, false, false))),
        ("fleet, each of 6 signals", plan_sized(&ask(fleet, true, false), sizes)),
        ("doctor", plan(&ask(Vec::new(), false, true))),
    ]
}

/// The shortest of some runs: the others were disturbed.
#[expect(clippy::disallowed_methods, reason = "a measurement needs the real clock")]
fn shortest(runs: usize, mut work: impl FnMut()) -> Duration {
    let times = (0..runs).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    times.min().unwrap_or_default()
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000] } else { sizes };
    for gpus in sizes {
        let source: Arc<dyn SeriesSource> = Arc::new(store(gpus));
        let known = Sizes(BTreeMap::from([(strata_world::EntityKind::Gpu, gpus)]));
        for (page, plan) in pages((SAMPLES - 1) * STEP_MS, &known) {
            let mut asked = Answers::default();
            let query = shortest(1, || asked = answers(&source, &plan));
            let world = assemble(&plan, &asked);
            let time = shortest(5, || drop(assemble(&plan, &asked)));
            #[expect(clippy::print_stdout, reason = "printing is what this program is for")]
            {
                println!(
                    "{gpus:>6} GPUs  {page:<26} {:>3} queries {:>8.1} ms  assemble {:>7.2} ms  \
                     {:>6} signals {:>6} entities {:>6} edges",
                    plan.queries.len(),
                    query.as_secs_f64() * 1e3,
                    time.as_secs_f64() * 1e3,
                    world.signals.len(),
                    world.entities.len(),
                    world.edges.len(),
                );
            }
        }
    }
}

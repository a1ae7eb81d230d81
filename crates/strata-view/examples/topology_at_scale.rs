//! What the topology page of a fleet costs whose every link is wired: nodes of eight GPUs, each with 18
//! links to four switches. `cargo run --release -p strata-view --example topology_at_scale -- GPUS...`
//! (1 000 and 10 000 when left out) counts links by node, as for a fleet of that size, and then asks link
//! by link, as the page did before it knew the size. The store is in memory, queries run one after the
//! other.

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
use strata_view::rooms::{self, Context};
use strata_view::{PageId, PageRequest};
use strata_world::{Answers, Ask, EntityKind, Plan, Sizes, assemble, plan_sized};

const NOW_MS: i64 = 600_000;
const STEP_MS: i64 = 30_000;
const SAMPLES: i64 = 5;
const GPUS_OF_A_NODE: usize = 8;
const LINKS: usize = 18;

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

impl ByName {
    fn push(&mut self, name: &str, identity: &[(&str, &str)], own: &[(&str, &str)], value: f64) {
        let pairs = identity.iter().chain(own).copied().chain([(METRIC_NAME, name)]);
        let labels = Labels::from_pairs(pairs);
        let source = self.0.entry(name.to_owned()).or_default();
        for sample in 0..SAMPLES {
            source.push_float(&labels, NOW_MS - (SAMPLES - 1 - sample) * STEP_MS, value);
        }
    }
}

/// What the agents of such a fleet write, as far as the page looks at it.
fn store(gpus: usize) -> ByName {
    let mut store = ByName::default();
    for gpu in 0..gpus {
        let (node, index) = (format!("node-{:04}", gpu / GPUS_OF_A_NODE), gpu % GPUS_OF_A_NODE);
        let (uuid, index_text) = (format!("GPU-{gpu:06}"), index.to_string());
        let identity = [
            ("gpu_uuid", &*uuid),
            ("gpu", &*index_text),
            ("gpu_model", "NVIDIA H100 80GB HBM3"),
            ("node", &*node),
        ];
        store.push("gpu_device_info", &identity, &[("vendor", "nvidia")], 1.0);
        store.push("hw_gpu_utilization_ratio", &identity, &[("task", "general")], 0.9);
        store.push("hw_gpu_memory_usage_bytes", &identity, &[], 6e10);
        for link in 0..LINKS {
            let (number, place) = (link.to_string(), format!("0000:0{}:00.0", 5 + link % 4));
            let of_link = [("type", "nvlink"), ("link", &*number)];
            let up = f64::from(u8::from(link + 1 < LINKS || gpu % 64 != 0));
            store.push("gpu_interconnect_up", &identity, &of_link, up);
            let end = [("peer_type", "switch"), ("peer_pci_address", &*place)];
            let peer = [of_link, end].concat();
            store.push("gpu_interconnect_peer_info", &identity, &peer, 1.0);
        }
        let first = gpu - index;
        for other in (first..first + GPUS_OF_A_NODE).filter(|other| *other != gpu) {
            let peer = format!("GPU-{other:06}");
            let path = if (other % 8) / 4 == index / 4 { "numa_node" } else { "across" };
            let own = [("peer_gpu_uuid", &*peer), ("path", path)];
            store.push("gpu_pcie_path_info", &identity, &own, 1.0);
        }
    }
    store
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
        let answer = evaluate(&seen, &asked, &EvalOptions::default(), &|| None);
        queries.insert(query.key.clone(), answer);
    }
    let names = source.label_values("__name__", &[], 0, window.end_ms).unwrap_or_default();
    let (names, names_before) = (Some(names.clone()), Some(names));
    Answers { queries, names, names_before, newest: None, sources: Vec::new() }
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs the real clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let made = work();
    (made, began.elapsed())
}

fn measure(source: &Arc<dyn SeriesSource>, ask: &Ask, gpus: usize, sizes: &Sizes, how: &str) {
    let request = PageRequest::new(PageId::Topology);
    let plan = plan_sized(ask, sizes);
    let (asked, query) = timed(|| answers(source, &plan));
    let (world, put_together) = timed(|| assemble(&plan, &asked));
    let (page, made) = timed(|| rooms::page(&request, &world, &Context::default()));
    let (json, written) = timed(|| page.ok().and_then(|page| serde_json::to_vec(&page).ok()));
    let bytes = json.map_or(0, |json| json.len());
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    #[expect(clippy::print_stdout, reason = "printing is what this program is for")]
    {
        println!(
            "{gpus:>6} GPUs  {how:<13} {:>3} queries {:>8.1} ms  assemble {:>7.1} ms  page {:>6.1} \
             ms  JSON {:>5.1} ms {:>8} bytes  {} wires {} paths",
            plan.queries.len(),
            ms(query),
            ms(put_together),
            ms(made),
            ms(written),
            bytes,
            world.wiring.wires.len(),
            world.wiring.paths.len(),
        );
    }
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000] } else { sizes };
    let request = PageRequest::new(PageId::Topology);
    let Ok(ask) = rooms::ask(&request, NOW_MS) else { return };
    for gpus in sizes {
        let source: Arc<dyn SeriesSource> = Arc::new(store(gpus));
        let known = |gpus| Sizes([(EntityKind::Gpu, gpus)].into());
        measure(&source, &ask, gpus, &known(gpus), "by node");
        measure(&source, &ask, gpus, &known(0), "link by link");
    }
}

//! How large nodes are, for what of their price is for GPUs, cores, memory and disks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use strata_cost::ledger::Ledger;
use strata_cost::time::day;
use strata_cost::unit::{NodePrice, NodeSize, node_prices};
use strata_query::QueryValue;
use strata_query::engine::Value;
use strata_world::bill::series_name;
use strata_world::{Planned, Window};

use super::{LedgerService, STEP_MS};
use crate::ask::{Asking, ask_all};

const SIZES: Asking = Asking { at_once: 3, deadline: Duration::from_secs(10) };
const GIB: f64 = 1_073_741_824.0;
/// Nodes that are named of one kind; the others are counted.
const NAMED_MAX: usize = 20;
/// Where the ratios of base prices come from.
pub(super) const RATIO_SOURCE: &str = "ratios of OpenCost's base prices (configs/default.json): core 0.031611, GiB of memory 0.004237, \
     GPU 0.95, GiB of disk 0.0000548; the network has none and no part";

impl LedgerService {
    /// What nodes cost at the end of a ledger, split over what they have.
    pub(super) async fn node_prices(&self, ledger: &Ledger) -> Vec<NodePrice> {
        let mut sizes = BTreeMap::new();
        if ledger.gpus.iter().any(|gpu| gpu.node.is_some()) {
            sizes = self.node_sizes(ledger.end_ms()).await;
        }
        node_prices(ledger, &sizes)
    }

    /// By node; what nobody measures is missing.
    async fn node_sizes(&self, end_ms: i64) -> BTreeMap<String, NodeSize> {
        let capacity = series_name("k8s.node.resource.capacity", "");
        let of = |resource: &str| format!("max by (node) ({capacity}{{resource=\"{resource}\"}})");
        let own = |metric: &str| format!("max by (node) ({})", series_name(metric, ""));
        let plan = [
            ("cores", format!("{} or {}", of("cpu"), own("system.cpu.logical.count"))),
            ("memory", format!("{} or {}", own("system.memory.limit"), of("memory"))),
            ("disk", of("ephemeral_storage")),
        ];
        let plan = plan.map(|(key, text)| Planned { key: key.to_owned(), text, range: false });
        let window = Window {
            start_ms: end_ms,
            end_ms,
            step_ms: STEP_MS,
            moment_ms: end_ms,
            now_ms: end_ms,
        };
        let mut answers = ask_all(&self.engine, &plan, window, SIZES, &self.clock).await;
        let mut sizes: BTreeMap<String, NodeSize> = BTreeMap::new();
        for Planned { key, .. } in &plan {
            let Some(Ok(answer)) = answers.remove(key) else { continue };
            let QueryValue::Vector(samples) = answer.value else { continue };
            for sample in samples {
                let node = sample.labels.get("node").filter(|node| !node.is_empty());
                let (Some(node), Some((_, Value::Float(value)))) = (node, sample.points.first())
                else {
                    continue;
                };
                let value = Some(*value).filter(|value| value.is_finite() && *value >= 0.0);
                let size = sizes.entry(node.to_owned()).or_default();
                match key.as_str() {
                    "cores" => size.cores = value,
                    "memory" => size.memory_gib = value.map(|bytes| bytes / GIB),
                    _ => size.disk_gib = value.map(|bytes| bytes / GIB),
                }
            }
        }
        sizes
    }
}

/// One kind of node.
pub(super) fn node(one: &NodePrice, now_ms: i64) -> Json {
    let oldest = one.oldest.as_ref();
    let unknown = match (one.per_hour, one.size.cores.zip(one.size.memory_gib)) {
        (None, _) => Some("one of its GPUs has no price"),
        (_, None) => {
            Some("nothing tells its cores and its memory: kube-state-metrics or strata agent")
        }
        (Some(_), Some(_)) => None,
    };
    json!({
        "nodes": one.nodes.iter().take(NAMED_MAX).collect::<Vec<_>>(),
        "count": one.nodes.len(),
        "skus": one.skus,
        "gpus": one.gpus,
        "cores": one.size.cores,
        "memory_gib": one.size.memory_gib,
        "disk_gib": one.size.disk_gib,
        "per_hour": one.per_hour,
        "source": oldest.map(|quote| quote.source.clone()),
        "as_of": oldest.map(|quote| day(quote.date_ms)),
        "age_days": oldest.map(|quote| quote.age_days(now_ms).floor()),
        "parts": one.parts.map(|parts| json!({
            "gpus": parts.gpus,
            "cores": parts.cores,
            "memory": parts.memory,
            // A disk of which nobody tells the size is in the others' parts.
            "disk": one.size.disk_gib.map(|_| parts.disk),
            "network": Json::Null,
        })),
        "unknown": unknown,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strata_query::promqltest::MemorySource;

    use super::*;
    use crate::config::CostOptions;
    use crate::ledger::LedgerReports;
    use crate::ledger::asked::Asked;
    use crate::ledger::tests::{DAY, HOUR, push, service};

    #[tokio::test]
    async fn the_price_of_a_node_is_told_in_parts_and_what_is_not_known_is_not_zero() {
        let mut source = MemorySource::new();
        for (gpu, node) in [("GPU-1", "a"), ("GPU-2", "a"), ("GPU-3", "b")] {
            let model = ("gpu_model", "NVIDIA H100 80GB HBM3");
            let name = ("__name__", "hw_gpu_memory_usage_bytes");
            push(&mut source, &[name, ("gpu_uuid", gpu), ("node", node), model], 2, |_| 1e9);
        }
        for (resource, value) in [("cpu", 64.0), ("memory", 1_099_511_627_776.0)] {
            let name = ("__name__", "k8s_node_resource_capacity");
            push(&mut source, &[name, ("node", "a"), ("resource", resource)], 2, |_| value);
        }
        let now_ms = DAY + 2 * HOUR;
        let service = service(source, &CostOptions::default(), now_ms);
        let asked = Asked::read("/cost/prices", &Vec::new(), now_ms).unwrap();
        let report = LedgerReports(Arc::new(service)).prices(&asked).await;
        let answer: Json = serde_json::from_str(&report.body).unwrap();
        let [a, b] = answer["nodes"].as_array().unwrap().as_slice() else { panic!("{answer}") };
        assert_eq!(
            (&a["gpus"], &a["memory_gib"], &a["per_hour"]),
            (&2.0.into(), &1024.0.into(), &5.9.into())
        );
        let part = |name: &str| a["parts"][name].as_f64().unwrap();
        assert!((part("gpus") + part("cores") + part("memory") - 5.9).abs() < 1e-9, "{a}");
        assert_eq!((&a["parts"]["disk"], &a["parts"]["network"]), (&Json::Null, &Json::Null));
        assert!(a["as_of"].is_string() && a["age_days"].is_f64(), "{a}");
        assert_eq!((&b["parts"], &b["per_hour"]), (&Json::Null, &2.95.into()));
        assert!(b["unknown"].as_str().unwrap().contains("cores"), "{b}");
        assert!(answer["split_by"].as_str().unwrap().contains("OpenCost"), "{answer}");
    }
}

//! Replicas of engines: the model they serve, the node and GPUs they run on.

use super::Found;
use super::registry::{Evidence, Registry, by_label};
use crate::assemble::identity::{host_of, identity};
use crate::assemble::rows::Row;
use crate::edge::{Method, Relation};
use crate::entity::{EntityId, EntityKind};

/// A node whose name is the host of the replica's address: names and addresses are unique in one
/// network, which is as far as a collector looks.
const BY_ADDRESS: f64 = 0.9;

/// A GPU of the replica's pod. Of a pod with several engines each is joined with all its GPUs.
const BY_POD: f64 = 0.95;

pub(super) fn enter(found: &Found<'_>, registry: &mut Registry) {
    for row in found.rows("entity/replica") {
        replica(&row, registry);
    }
    for row in found.rows("entity/model") {
        if let Some(model) = identity(EntityKind::Model, row.labels) {
            registry.see(&model);
        }
    }
}

fn replica(row: &Row<'_>, registry: &mut Registry) {
    let Some(replica) = identity(EntityKind::Replica, row.labels) else { return };
    registry.see(&replica);
    let label = |name: &str| row.labels.get(name).filter(|value| !value.is_empty());
    if let Some(engine) = label("inference_engine") {
        registry.fact(&replica, "engine", engine);
    }
    registry.learn(&replica, row.labels, &["model", "namespace", "pod"]);
    if let Some(model) = label("model") {
        registry.call(&replica, format!("{model} at {}", replica.key));
        let model = EntityId::new(EntityKind::Model, model);
        registry.join(&replica, &model, Relation::Serves, by_label(&row.points));
    }
    if let Some(pod) = identity(EntityKind::Pod, row.labels) {
        of_pod(&replica, &pod, row, registry);
    }
    place(&replica, row, registry);
}

/// The GPUs and the node of the replica's pod.
fn of_pod(replica: &EntityId, pod: &EntityId, row: &Row<'_>, registry: &mut Registry) {
    registry.join(replica, pod, Relation::PartOf, by_label(&row.points));
    for (gpu, evidence) in registry.targets(pod, Relation::Owns) {
        let confidence = evidence.confidence * BY_POD;
        let evidence = Evidence { method: Method::InfoSeries, confidence, ..evidence };
        registry.join(replica, &gpu, Relation::RunsOn, evidence);
    }
    for (node, evidence) in registry.targets(pod, Relation::RunsOn) {
        let evidence = Evidence { method: Method::InfoSeries, ..evidence };
        registry.join(replica, &node, Relation::RunsOn, evidence);
    }
}

/// The node by label; without one by the address, where a node of that name is known.
fn place(replica: &EntityId, row: &Row<'_>, registry: &mut Registry) {
    if let Some(node) = row.labels.get("node").filter(|node| !node.is_empty()) {
        let node = EntityId::new(EntityKind::Node, node);
        registry.join(replica, &node, Relation::RunsOn, by_label(&row.points));
        return;
    }
    let Some(host) = host_of(&replica.key) else { return };
    let node = EntityId::new(EntityKind::Node, host);
    if registry.knows(&node) && !is_loopback(host) {
        let evidence = by_label(&row.points);
        let evidence = Evidence { method: Method::Address, confidence: BY_ADDRESS, ..evidence };
        registry.join(replica, &node, Relation::RunsOn, evidence);
    }
}

/// An address that means another host to whoever reads it.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

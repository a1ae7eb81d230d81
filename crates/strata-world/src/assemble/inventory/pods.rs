//! Pods that have to do with GPUs or engines, and the workloads they are part of.

use super::Found;
use super::registry::{Registry, by_info, by_label};
use crate::assemble::identity::identity;
use crate::assemble::rows::Row;
use crate::edge::Relation;
use crate::entity::{EntityId, EntityKind};

pub(super) fn enter(found: &Found<'_>, registry: &mut Registry) {
    for row in found.rows("entity/pod") {
        pod(&row, registry);
    }
    for row in found.rows("entity/pod_workload") {
        belongs(&row, registry);
    }
    for row in found.rows("entity/workload") {
        pod(&row, registry);
        belongs(&row, registry);
    }
    for key in ["entity/tenant", "entity/team"] {
        for row in found.rows(key) {
            party(&row, registry);
        }
    }
    for row in found.rows("entity/queue") {
        if let Some(queue) = identity(EntityKind::Queue, row.labels) {
            registry.see(&queue);
            registry.learn(&queue, row.labels, &["scheduler"]);
        }
    }
}

fn pod(row: &Row<'_>, registry: &mut Registry) {
    let Some(pod) = identity(EntityKind::Pod, row.labels) else { return };
    registry.see(&pod);
    registry.learn(&pod, row.labels, &["pod_uid"]);
    let label = |name: &str| row.labels.get(name).filter(|value| !value.is_empty());
    if let Some(name) = label("pod") {
        registry.call(&pod, name.to_owned());
    }
    let evidence = by_info(&row.points);
    if let Some(node) = label("node") {
        let node = EntityId::new(EntityKind::Node, node);
        registry.join(&pod, &node, Relation::RunsOn, evidence);
    }
    if let Some(namespace) = label("namespace") {
        let namespace = EntityId::new(EntityKind::Namespace, namespace);
        registry.join(&pod, &namespace, Relation::PartOf, evidence);
    }
    let (kind, name) = (label("created_by_kind"), label("created_by_name"));
    // kube-state-metrics writes <none> where there is no owner.
    if let (Some(kind), Some(name), Some(namespace)) = (kind, name, label("namespace"))
        && kind != "<none>"
    {
        let workload = EntityId::new(EntityKind::Workload, format!("{namespace}/{name}"));
        registry.call(&workload, format!("{kind} {name}"));
        registry.fact(&workload, "kind", kind);
        registry.join(&pod, &workload, Relation::PartOf, evidence);
        for (gpu, evidence) in registry.targets(&pod, Relation::Owns) {
            registry.join(&workload, &gpu, Relation::Owns, evidence);
        }
    }
}

/// A tenant with the model that it asks, or a team.
fn party(row: &Row<'_>, registry: &mut Registry) {
    let tenant = identity(EntityKind::Tenant, row.labels);
    let model = identity(EntityKind::Model, row.labels);
    if let Some(party) = tenant.clone().or_else(|| identity(EntityKind::Team, row.labels)) {
        registry.see(&party);
    }
    if let (Some(tenant), Some(model)) = (tenant, model) {
        registry.join(&tenant, &model, Relation::Asks, by_label(&row.points));
    }
}

/// Who a pod belongs to: the workload at the top of its owners, the team, the model it serves.
fn belongs(row: &Row<'_>, registry: &mut Registry) {
    let Some(pod) = identity(EntityKind::Pod, row.labels) else { return };
    registry.see(&pod);
    registry.learn(&pod, row.labels, &["team", "model", "cost_center", "workload", "queue"]);
    let label = |name: &str| row.labels.get(name).filter(|value| !value.is_empty());
    if let Some(name) = label("pod") {
        registry.call(&pod, name.to_owned());
    }
    let evidence = by_info(&row.points);
    if let Some(workload) = identity(EntityKind::Workload, row.labels) {
        if let (Some(kind), Some(name)) = (label("workload_kind"), label("workload")) {
            registry.call(&workload, format!("{kind} {name}"));
            registry.fact(&workload, "kind", kind);
        }
        registry.learn(&workload, row.labels, &["team", "model", "cost_center"]);
        registry.join(&pod, &workload, Relation::PartOf, evidence);
        if let Some(queue) = identity(EntityKind::Queue, row.labels) {
            registry.join(&workload, &queue, Relation::InQueue, evidence);
        }
        for (gpu, evidence) in registry.targets(&pod, Relation::Owns) {
            registry.join(&workload, &gpu, Relation::Owns, evidence);
        }
    }
    if let Some(team) = label("team") {
        let team = EntityId::new(EntityKind::Team, team);
        registry.join(&pod, &team, Relation::PartOf, evidence);
        for (gpu, evidence) in registry.targets(&pod, Relation::Owns) {
            registry.join(&team, &gpu, Relation::Owns, evidence);
        }
    }
}

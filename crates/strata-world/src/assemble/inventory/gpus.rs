//! GPUs, their slices and processes, and who was given them.

use std::collections::BTreeMap;

use strata_model::Labels;

use super::Found;
use super::registry::{Evidence, Registry, by_info, by_label};
use crate::assemble::identity::{identity, slurm_job};
use crate::assemble::rows::Row;
use crate::edge::{Method, Relation};
use crate::entity::{EntityId, EntityKind};

pub(super) fn enter(found: &Found<'_>, registry: &mut Registry) {
    for row in found.rows("entity/gpu") {
        gpu(&row, &["gpu", "gpu_model", "pci_bus_id"], registry);
    }
    for row in found.rows("entity/gpu_device") {
        let facts =
            ["gpu", "gpu_model", "vendor", "driver_version", "serial", "pci_address", "numa_node"];
        gpu(&row, &facts, registry);
    }
    for row in found.rows("entity/gpu_fabric") {
        gpu(&row, &["clique"], registry);
    }
    let mut slices = BTreeMap::new();
    for row in found.rows("entity/slice") {
        slices.extend(slice(&row, registry));
    }
    for row in found.rows("edge/slice_pod") {
        let slice = identity(EntityKind::Slice, row.labels);
        if let (Some(slice), Some(pod)) = (slice, identity(EntityKind::Pod, row.labels)) {
            registry.join(&pod, &slice, Relation::Owns, by_label(&row.points));
        }
    }
    for row in found.rows("entity/process") {
        process(&row, registry);
    }
    for row in found.rows("edge/gpu_pod") {
        owned(&row, by_label(&row.points), registry);
        contained(found, &row, by_label(&row.points), registry);
    }
    for row in found.rows("edge/allocation") {
        owned(&row, allocation(&row), registry);
        contained(found, &row, allocation(&row), registry);
        let slice = label(row.labels, "mig_uuid").and_then(|uuid| slices.get(uuid));
        if let (Some(slice), Some(pod)) = (slice, identity(EntityKind::Pod, row.labels)) {
            registry.join(&pod, slice, Relation::Owns, allocation(&row));
        }
    }
    for row in found.rows("edge/owner") {
        owned(&row, by_info(&row.points), registry);
        team(&row, registry);
    }
}

fn label<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    labels.get(name).filter(|value| !value.is_empty())
}

fn gpu(row: &Row<'_>, facts: &[&str], registry: &mut Registry) {
    let Some(id) = identity(EntityKind::Gpu, row.labels) else { return };
    registry.see(&id);
    registry.learn(&id, row.labels, facts);
    let Some(node) = label(row.labels, "node") else { return };
    if let Some(index) = label(row.labels, "gpu") {
        registry.call(&id, format!("{node} GPU {index}"));
    }
    let node = EntityId::new(EntityKind::Node, node);
    registry.join(&id, &node, Relation::RunsOn, by_label(&row.points));
}

/// An instance of a GPU; by its UUID, where one is told.
fn slice(row: &Row<'_>, registry: &mut Registry) -> Option<(String, EntityId)> {
    let slice = identity(EntityKind::Slice, row.labels)?;
    let gpu = identity(EntityKind::Gpu, row.labels)?;
    registry.learn(&slice, row.labels, &["mig_profile", "mig_instance", "mig_uuid"]);
    registry.join(&slice, &gpu, Relation::PartOf, by_label(&row.points));
    Some((label(row.labels, "mig_uuid")?.to_owned(), slice))
}

fn process(row: &Row<'_>, registry: &mut Registry) {
    let process = identity(EntityKind::Process, row.labels);
    let (Some(process), Some(gpu)) = (process, identity(EntityKind::Gpu, row.labels)) else {
        return;
    };
    registry.learn(&process, row.labels, &["process", "namespace", "pod", "pod_uid"]);
    if let (Some(name), Some(pid)) = (label(row.labels, "process"), label(row.labels, "pid")) {
        registry.call(&process, format!("{name} ({pid})"));
    }
    registry.join(&process, &gpu, Relation::RunsOn, by_label(&row.points));
    if let Some(pod) = identity(EntityKind::Pod, row.labels) {
        registry.join(&process, &pod, Relation::PartOf, by_label(&row.points));
    }
}

/// The container of a pod that a device was given to. Pages of a fleet do not go into pods.
fn contained(found: &Found<'_>, row: &Row<'_>, evidence: Evidence, registry: &mut Registry) {
    let container = identity(EntityKind::Container, row.labels).filter(|_| !found.is_fleet);
    let (Some(container), Some(pod), Some(gpu)) =
        (container, identity(EntityKind::Pod, row.labels), identity(EntityKind::Gpu, row.labels))
    else {
        return;
    };
    if let Some(name) = label(row.labels, "container") {
        registry.call(&container, name.to_owned());
    }
    registry.join(&container, &pod, Relation::PartOf, evidence);
    registry.join(&container, &gpu, Relation::Owns, evidence);
}

/// A pod and its namespace were given a GPU. A namespace holds what any of its pods holds.
fn owned(row: &Row<'_>, evidence: Evidence, registry: &mut Registry) {
    let Some(gpu) = identity(EntityKind::Gpu, row.labels) else { return };
    if let Some(job) = slurm_job(row.labels) {
        registry.join(&job, &gpu, Relation::Owns, evidence);
    }
    let Some(pod) = identity(EntityKind::Pod, row.labels) else { return };
    registry.join(&pod, &gpu, Relation::Owns, evidence);
    if let Some(namespace) = identity(EntityKind::Namespace, row.labels) {
        registry.join(&namespace, &gpu, Relation::Owns, evidence);
    }
    if let Some(node) = label(row.labels, "node") {
        let node = EntityId::new(EntityKind::Node, node);
        registry.join(&pod, &node, Relation::RunsOn, evidence);
    }
}

fn team(row: &Row<'_>, registry: &mut Registry) {
    let team = identity(EntityKind::Team, row.labels);
    if let (Some(team), Some(gpu)) = (team, identity(EntityKind::Gpu, row.labels)) {
        registry.join(&team, &gpu, Relation::Owns, by_info(&row.points));
    }
}

/// What an allocation record says of how it is known.
fn allocation(row: &Row<'_>) -> Evidence {
    let method = match row.labels.get("method").unwrap_or_default() {
        "pod_resources" => Method::PodResources,
        "resource_claim" | "dra" => Method::ResourceClaim,
        "cgroup" => Method::Cgroup,
        _ => Method::InfoSeries,
    };
    let confidence = row.labels.get("confidence").and_then(share);
    Evidence { method, confidence: confidence.unwrap_or(1.0), ..by_info(&row.points) }
}

/// A confidence as a share: the catalog's words stand for a source that was told so (high), for one
/// step that may be otherwise (medium), and for several (low).
fn share(confidence: &str) -> Option<f64> {
    match confidence {
        "high" => Some(1.0),
        "medium" => Some(0.7),
        "low" => Some(0.4),
        number => number.parse().ok().filter(|share| (0.0..=1.0).contains(share)),
    }
}

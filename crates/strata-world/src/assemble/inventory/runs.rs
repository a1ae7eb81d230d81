//! Training runs with their ranks, and communicators with their GPUs.

use super::Found;
use super::registry::{Registry, by_info, by_label};
use crate::assemble::identity::identity;
use crate::assemble::rows::Row;
use crate::edge::Relation;
use crate::entity::{EntityId, EntityKind};

pub(super) fn enter(found: &Found<'_>, registry: &mut Registry) {
    for row in found.rows("entity/run") {
        if let Some(run) = identity(EntityKind::Run, row.labels) {
            registry.see(&run);
            registry.learn(&run, row.labels, &["framework", "model", "world_size", "precision"]);
        }
    }
    for row in found.rows("entity/rank") {
        let rank = identity(EntityKind::Rank, row.labels);
        let run = identity(EntityKind::Run, row.labels);
        let (Some(rank), Some(run)) = (rank, run) else { continue };
        if let Some(number) = row.labels.get("rank") {
            registry.call(&rank, format!("{} rank {number}", run.key));
        }
        registry.join(&rank, &run, Relation::PartOf, by_label(&row.points));
        if let Some(node) = row.labels.get("node").filter(|node| !node.is_empty()) {
            let node = EntityId::new(EntityKind::Node, node);
            registry.join(&rank, &node, Relation::RunsOn, by_label(&row.points));
        }
    }
    for row in found.rows("entity/communicator") {
        if let Some(communicator) = identity(EntityKind::Communicator, row.labels) {
            registry.see(&communicator);
            registry.learn(&communicator, row.labels, &["comm_name", "ranks", "nodes"]);
        }
    }
    let mut members = found.rows("edge/communicator_gpu");
    // A rank of a job is its place in the communicator of all: the others are parts of it.
    let ranks = |row: &Row<'_>| row.labels.get("ranks").and_then(|ranks| ranks.parse::<u32>().ok());
    members.sort_by_key(|row| std::cmp::Reverse(ranks(row)));
    for row in members {
        let communicator = identity(EntityKind::Communicator, row.labels);
        let gpu = identity(EntityKind::Gpu, row.labels);
        let (Some(communicator), Some(gpu)) = (communicator, gpu) else { continue };
        registry.join(&gpu, &communicator, Relation::PartOf, by_info(&row.points));
        if let Some(number) = row.labels.get("rank") {
            let name = row.labels.get("comm_name").unwrap_or(&communicator.key);
            registry.fact(&gpu, "rank", &format!("{name} rank {number}"));
        }
    }
}

//! Slurm: its nodes, its partitions as queues, its jobs as workloads with the devices they hold.

use strata_model::Labels;

use super::Found;
use super::registry::{Registry, by_info};
use crate::assemble::identity::{identity, slurm_job};
use crate::edge::Relation;
use crate::entity::{EntityId, EntityKind};

pub(super) fn enter(found: &Found<'_>, registry: &mut Registry) {
    for row in found.rows("entity/slurm_node") {
        let Some(node) = identity(EntityKind::Node, row.labels) else { continue };
        registry.see(&node);
        // Other schedulers have states of their own.
        for (label, fact) in [("state", "slurm_state"), ("partitions", "slurm_partitions")] {
            if let Some(value) = told(row.labels, label) {
                registry.fact(&node, fact, value);
            }
        }
    }
    for row in found.rows("entity/slurm_job") {
        let Some(job) = slurm_job(row.labels) else { continue };
        registry.see(&job);
        registry.fact(&job, "scheduler", "slurm");
        registry.learn(&job, row.labels, &["user", "account", "qos", "state", "reason"]);
        if let (Some(name), Some(number)) =
            (told(row.labels, "job_name"), told(row.labels, "slurm_job_id"))
        {
            registry.call(&job, format!("{name} ({number})"));
        }
        // A job that waits may name several partitions.
        for partition in told(row.labels, "partition").into_iter().flat_map(|all| all.split(',')) {
            let queue = EntityId::new(EntityKind::Queue, partition);
            registry.fact(&queue, "scheduler", "slurm");
            registry.join(&job, &queue, Relation::InQueue, by_info(&row.points));
        }
    }
    for row in found.rows("edge/slurm_device") {
        device(row.labels, &row.points, registry);
    }
}

/// A device by the node's own number. Where the device has a UUID the agent on the node says which
/// it is; another thing of the same device is not made up here.
fn device(labels: &Labels, points: &[(i64, f64)], registry: &mut Registry) {
    let (Some(job), Some(gpu)) = (slurm_job(labels), identity(EntityKind::Gpu, labels)) else {
        return;
    };
    if registry.knows(&gpu) {
        registry.join(&job, &gpu, Relation::Owns, by_info(points));
    }
}

fn told<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    labels.get(name).filter(|value| !value.is_empty())
}

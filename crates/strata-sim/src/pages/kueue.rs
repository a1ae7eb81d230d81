//! Kueue's controller: the queue that admits training jobs and the one of evaluations, each with its
//! quota of GPUs.

use super::text::{Style, Writer};
use crate::knob::BatchKnob;
use crate::layout::BATCH;
use crate::sim::Sim;

const TRAINING: &str = "research";
const FLAVOR: &str = "h100";
const RESOURCE: &str = "nvidia.com/gpu";

/// A cluster queue as its controller sees it.
struct Queue {
    name: &'static str,
    /// Workloads that would be admitted if there was quota.
    pending: f64,
    admitted: f64,
    quota: f64,
    used: f64,
}

pub(super) fn page(sim: &Sim) -> String {
    let gpus = sim.layout.runs.iter().map(|run| run.gpus.len()).sum::<usize>() as f64;
    let admitted = sim.layout.runs.len() as f64;
    let mut queues =
        vec![Queue { name: TRAINING, pending: 0.0, admitted, quota: gpus, used: gpus }];
    queues.extend(sim.batch.as_ref().map(|batch| Queue {
        name: BATCH,
        pending: batch.suspended.len() as f64,
        admitted: batch.jobs.len() as f64,
        quota: batch.knobs.get(BatchKnob::Quota).floor(),
        // Of one GPU each.
        used: batch.jobs.len() as f64,
    }));
    let mut writer = Writer::new(Style::Go);
    workloads(&mut writer, &queues);
    resources(&mut writer, &queues);
    if let Some(batch) = &sim.batch {
        let name = "kueue_admission_wait_time_seconds";
        let about = "The time between a workload was created or requeued until admission, per \
                     'cluster_queue'";
        writer.family(name, "histogram", about);
        writer.histogram(name, &[("cluster_queue", BATCH)], &batch.counted.admission_wait);
        let name = "kueue_admitted_workloads_total";
        let about = "The total number of admitted workloads per 'cluster_queue'";
        let admitted = batch.counted.admitted as f64;
        writer.single((name, "counter", about), &[("cluster_queue", BATCH)], admitted);
    }
    writer.finish()
}

fn workloads(writer: &mut Writer, queues: &[Queue]) {
    let name = "kueue_pending_workloads";
    let about = "The number of pending workloads, per 'cluster_queue' and 'status'.";
    writer.family(name, "gauge", about);
    for queue in queues {
        // What does not fit into the quota is looked at again when something changes.
        for (status, value) in [("active", 0.0), ("inadmissible", queue.pending)] {
            let labels = [("cluster_queue", queue.name), ("status", status)];
            writer.sample(name, &labels, value);
        }
    }
    let name = "kueue_admitted_active_workloads";
    let about = "The number of admitted Workloads that are active (unsuspended and not finished), \
                 per 'cluster_queue'.";
    writer.family(name, "gauge", about);
    for queue in queues {
        writer.sample(name, &[("cluster_queue", queue.name)], queue.admitted);
    }
}

fn resources(writer: &mut Writer, queues: &[Queue]) {
    type Of = fn(&Queue) -> f64;
    let families: [(&str, &str, Of); 3] = [
        (
            "kueue_cluster_queue_nominal_quota",
            "Reports the cluster_queue's resource nominal quota within all the flavors",
            |queue| queue.quota,
        ),
        (
            "kueue_cluster_queue_resource_usage",
            "Reports the cluster_queue's total resource usage within all the flavors",
            |queue| queue.used,
        ),
        (
            "kueue_cluster_queue_resource_reservation",
            "Reports the cluster_queue's total resource reservation within all the flavors",
            |queue| queue.used,
        ),
    ];
    for (name, about, value) in families {
        writer.family(name, "gauge", about);
        for queue in queues {
            let labels = [
                ("cluster_queue", queue.name),
                ("cohort", ""),
                ("flavor", FLAVOR),
                ("resource", RESOURCE),
            ];
            writer.sample(name, &labels, value(queue));
        }
    }
    let name = "kueue_cluster_queue_resource_pending";
    let about = "Reports the cluster_queue's total pending resource requests";
    writer.family(name, "gauge", about);
    for queue in queues {
        let labels = [("cluster_queue", queue.name), ("resource", RESOURCE)];
        writer.sample(name, &labels, queue.pending);
    }
}

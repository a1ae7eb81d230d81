//! Kueue's controller: the queue that admits training jobs, with its quota of GPUs.

use super::text::{Style, Writer};
use crate::sim::Sim;

const QUEUE: &str = "research";

pub(super) fn page(sim: &Sim) -> String {
    let gpus = sim.layout.runs.iter().map(|run| run.gpus.len()).sum::<usize>() as f64;
    let mut writer = Writer::new(Style::Go);
    let name = "kueue_pending_workloads";
    let about = "The number of pending workloads, per 'cluster_queue' and 'status'.";
    writer.family(name, "gauge", about);
    for status in ["active", "inadmissible"] {
        writer.sample(name, &[("cluster_queue", QUEUE), ("status", status)], 0.0);
    }
    let about = "The number of admitted Workloads that are active (unsuspended and not finished), \
                 per 'cluster_queue'.";
    let admitted = sim.layout.runs.len() as f64;
    let queue = [("cluster_queue", QUEUE)];
    writer.single(("kueue_admitted_active_workloads", "gauge", about), &queue, admitted);
    let flavor = [
        ("cluster_queue", QUEUE),
        ("cohort", ""),
        ("flavor", "h100"),
        ("resource", "nvidia.com/gpu"),
    ];
    let about = "Reports the cluster_queue's resource nominal quota within all the flavors";
    writer.single(("kueue_cluster_queue_nominal_quota", "gauge", about), &flavor, gpus);
    let about = "Reports the cluster_queue's total resource usage within all the flavors";
    writer.single(("kueue_cluster_queue_resource_usage", "gauge", about), &flavor, gpus);
    writer.finish()
}

//! kube-scheduler 1.33: pods that wait, why, and how long they waited. Only short jobs ever wait.

use super::text::{Style, Writer};
use crate::sim::Sim;

const PROFILE: &str = "default-scheduler";
/// The scheduler's plugin that finds no node with enough of a resource.
const PLUGIN: &str = "NodeResourcesFit";

pub(super) fn page(sim: &Sim) -> String {
    let mut writer = Writer::new(Style::Go);
    let Some(batch) = &sim.batch else { return writer.finish() };
    let counted = &batch.counted;
    let waiting = batch.pending().count() as f64;
    let name = "scheduler_pending_pods";
    let about = "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; \
                 'backoff' means number of pods in backoffQ; 'unschedulable' means number of pods in \
                 unschedulablePods that the scheduler attempted to schedule and failed; 'gated' is the \
                 number of unschedulable pods that the scheduler never attempted to schedule because \
                 they are gated.";
    writer.family(name, "gauge", about);
    for queue in ["active", "backoff", "gated", "unschedulable"] {
        let value = if queue == "unschedulable" { waiting } else { 0.0 };
        writer.sample(name, &[("queue", queue)], value);
    }
    let name = "scheduler_pod_scheduling_sli_duration_seconds";
    let about = "E2e latency for a pod being scheduled, from the time the pod enters the scheduling \
                 queue and might involve multiple scheduling attempts.";
    writer.family(name, "histogram", about);
    writer.histogram(name, &[("attempts", "1")], &counted.scheduling_wait);
    let name = "scheduler_schedule_attempts_total";
    let about = "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod \
                 could not be scheduled, while 'error' means an internal scheduler problem.";
    writer.family(name, "counter", about);
    for (result, value) in
        [("scheduled", counted.scheduled), ("unschedulable", counted.unschedulable)]
    {
        writer.sample(name, &[("profile", PROFILE), ("result", result)], value as f64);
    }
    let name = "scheduler_unschedulable_pods";
    let about = "The number of unschedulable pods broken down by plugin name. A pod will increment \
                 the gauge for all plugins that caused it to not schedule and so this metric have \
                 meaning only when broken down by plugin.";
    let labels = [("plugin", PLUGIN), ("profile", PROFILE)];
    writer.single((name, "gauge", about), &labels, waiting);
    writer.finish()
}

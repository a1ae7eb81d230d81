//! L4: who owns the GPU?

use strata_model::Layer;

use super::Limit::Above;
use super::{Bench, broken, watch};

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L4Sched,
    on_hosts: true,
    eyes: &["l4.gpus_present", "l4.gpus_allocated", "l4.pods_running", "l4.queue_pending"],
    rules: &[
        broken(&[("l4.node_not_ready", Above(0.0))], "a node is not ready"),
        // A GPU that is held and does nothing is paid for: one is worth a look.
        watch(&[("l4.gpus_held_idle", Above(0.0))], "GPUs are held and idle"),
        watch(&[("l4.pods_pending", Above(0.0))], "pods wait to be placed"),
        watch(&[("l4.queue_pending", Above(0.0))], "workloads wait in a queue"),
        watch(&[("l4.restarts", Above(0.0))], "containers were restarted"),
        watch(&[("l4.node_unschedulable", Above(0.0))], "a node takes no new pods"),
    ],
    well: "everything is placed",
    expected: &[],
    absent: "no Kubernetes, Slurm or other scheduler is seen",
};

//! Every metric the collectors of this layer write, in one table.
//!
//! These are the catalog's dotted names (`catalog/metrics/l4_sched.toml`); the names of the series
//! are derived there.

crate::table::names! {
    ALLOCATION = "gpu.allocation";
    OWNER = "gpu.owner";
    GPU_REQUESTED = "gpu.requested";
    NODE_GPU_CAPACITY = "gpu.node.capacity";
    NODE_GPU_ALLOCATABLE = "gpu.node.allocatable";
    VGPU_MEMORY = "gpu.vgpu.memory.allocated";
    VGPU_CORES = "gpu.vgpu.core.allocated";

    POD_PHASE = "k8s.pod.phase";
    POD = "k8s.pod";
    POD_OWNER = "k8s.pod.owner";
    POD_WORKLOAD = "k8s.pod.workload";
    POD_SCHEDULED = "k8s.pod.scheduled";
    POD_PENDING = "k8s.pod.pending";
    POD_CREATED = "k8s.pod.created";
    POD_STARTED = "k8s.pod.started";
    POD_REQUEST = "k8s.pod.resource.request";
    POD_LIMIT = "k8s.pod.resource.limit";
    CONTAINER_RESTARTS = "k8s.container.restart.count";
    CONTAINER_READY = "k8s.container.ready";
    CONTAINER_WAITING = "k8s.container.waiting_reason";
    CONTAINER_TERMINATED = "k8s.container.terminated_reason";
    CONTAINER = "k8s.container";
    EVENTS = "k8s.events";
    NODE = "k8s.node";
    NODE_TOPOLOGY = "k8s.node.topology";
    NODE_CONDITION = "k8s.node.condition";
    NODE_UNSCHEDULABLE = "k8s.node.unschedulable";
    NODE_CAPACITY = "k8s.node.resource.capacity";
    NODE_ALLOCATABLE = "k8s.node.resource.allocatable";

    QUEUE_PENDING = "sched.queue.pending";
    QUEUE_ADMITTED = "sched.queue.admitted";
    QUEUE_WANTED = "sched.queue.resource.pending";
    QUEUE_USAGE = "sched.queue.resource.usage";

    SLURM_JOB = "slurm.job";
    SLURM_JOB_GPUS = "slurm.job.gpus";
    SLURM_JOB_WAIT = "slurm.job.wait_time";
    SLURM_DEVICE = "slurm.job.device";
    SLURM_PROCESS = "slurm.job.process";
    SLURM_NODE = "slurm.node";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_every_name() {
        for name in ALL {
            assert!(strata_model::catalog::Catalog::builtin().metric(name).is_some(), "{name}");
        }
    }
}

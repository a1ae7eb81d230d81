//! Which things there are and what joins them: one question for each source of that knowledge.

use crate::ask::{Ask, Planned, Scope};
use crate::entity::EntityKind;
use crate::plan::Sizes;
use crate::plan::scope::{self, Narrowing};
use crate::template::{self, Filling};
use crate::waiting::{waiting_events, waiting_pods};

/// A question about what there is.
pub(crate) struct Inventory {
    pub(crate) key: &'static str,
    /// Whose labels narrow it.
    kind: EntityKind,
    template: &'static str,
    /// Ownership changes: within a narrow scope it is asked over the grid.
    changes: bool,
    asked_of: AskedOf,
}

/// The scopes in which a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AskedOf {
    /// Whatever the scope.
    Any,
    /// Of the fleet only: the series carry no label of a narrower scope.
    Fleet,
    /// Of the fleet, where the page asks who holds and what waits.
    Waiting,
    /// Where the page asks how devices are wired, link by link; of a fleet as large as
    /// [`WIRED_GPUS_MAX`] at most.
    Wires,
    /// The same counted by node, of larger fleets.
    Fabrics,
    /// Of one GPU only: of a node it is a hundred rows that nobody shows.
    Gpu,
    /// Of one thing only: of a fleet the answer is too long (every process of every host), or it is
    /// about when, which the end of the window does not tell (events).
    Entity,
}

impl AskedOf {
    fn is_asked(self, ask: &Ask) -> bool {
        match (self, &ask.scope) {
            (Self::Waiting, scope) => ask.who && *scope == Scope::Fleet,
            (Self::Wires | Self::Fabrics, _) => ask.wires,
            (Self::Any, _) | (Self::Fleet, Scope::Fleet) | (Self::Entity, Scope::Entity(_)) => true,
            (Self::Gpu, Scope::Entity(id)) => id.kind == EntityKind::Gpu,
            (Self::Gpu | Self::Entity, Scope::Fleet) | (Self::Fleet, Scope::Entity(_)) => false,
        }
    }
}

/// GPUs whose links are asked for one by one: no page draws those of more.
const WIRED_GPUS_MAX: usize = 300;

impl Inventory {
    const fn of(self, asked_of: AskedOf) -> Self {
        Self { asked_of, ..self }
    }
}

const fn still(key: &'static str, kind: EntityKind, template: &'static str) -> Inventory {
    Inventory { key, kind, template, changes: false, asked_of: AskedOf::Any }
}

const fn changing(key: &'static str, kind: EntityKind, template: &'static str) -> Inventory {
    Inventory { key, kind, template, changes: true, asked_of: AskedOf::Any }
}

pub(crate) const INVENTORY: &[Inventory] = &[
    still(
        "entity/gpu",
        EntityKind::Gpu,
        "count by (gpu_uuid, gpu, gpu_model, node, pci_bus_id) (<hw.gpu.memory.usage>) \
         or count by (gpu_uuid, gpu, gpu_model, node, pci_bus_id) (<hw.gpu.utilization>) \
         or count by (gpu_uuid, gpu, gpu_model, node, pci_bus_id) (<hw.power>)",
    ),
    still(
        "entity/gpu_device",
        EntityKind::Gpu,
        "count by (gpu_uuid, gpu, gpu_model, node, vendor, driver_version, serial, pci_address, \
         numa_node) \
         (<gpu.device>)",
    ),
    still(
        "entity/gpu_fabric",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, clique) (<gpu.fabric|clique!=\"\">)",
    )
    .of(AskedOf::Gpu),
    changing(
        "edge/gpu_pod",
        EntityKind::Gpu,
        "count by (gpu_uuid, node, gpu, namespace, pod, container) \
         (<hw.gpu.memory.usage|pod!=\"\">) \
         or count by (gpu_uuid, node, gpu, namespace, pod, container) \
         (<hw.gpu.utilization|pod!=\"\">)",
    ),
    changing(
        "edge/allocation",
        EntityKind::Gpu,
        "count by (gpu_uuid, node, gpu, mig_uuid, namespace, pod, container, method, confidence, \
         sharing, slurm_job_id) \
         (<gpu.allocation>)",
    ),
    changing(
        "edge/owner",
        EntityKind::Gpu,
        "count by (gpu_uuid, node, gpu, namespace, pod, deployment, job, queue, team) (<gpu.owner>)",
    ),
    still(
        "entity/slice",
        EntityKind::Slice,
        "count by (gpu_uuid, node, gpu, mig_instance, mig_profile) \
         (<hw.gpu.memory.usage|mig_instance!=\"\">) \
         or count by (gpu_uuid, node, gpu, mig_uuid, mig_instance, mig_profile) \
         (<gpu.mig.memory.limit>)",
    ),
    // The pod that an exporter wrote on the series of an instance.
    changing(
        "edge/slice_pod",
        EntityKind::Slice,
        "count by (gpu_uuid, node, gpu, mig_instance, namespace, pod) \
         (<hw.gpu.memory.usage|mig_instance!=\"\",pod!=\"\">)",
    ),
    still("entity/host", EntityKind::Node, "count by (node, instance) (<system.memory.limit>)"),
    still(
        "entity/host_info",
        EntityKind::Node,
        "count by (node, instance, os, kernel, arch, cpu_model) (<host.info>)",
    ),
    still(
        "entity/k8s_node",
        EntityKind::Node,
        "count by (node, kernel_version, kubelet_version, os_image) (<k8s.node>)",
    ),
    still(
        "entity/k8s_topology",
        EntityKind::Node,
        "count by (node, region, zone, instance_type, clique) (<k8s.node.topology>)",
    ),
    changing(
        "entity/replica",
        EntityKind::Replica,
        "count by (instance, node, namespace, pod, model, inference_engine) \
         (<inference.requests.running>) \
         or count by (instance, node, namespace, pod, model, inference_engine) \
         (<inference.generation_tokens>) \
         or count by (instance, node, namespace, pod, model, inference_engine) \
         (<inference.kv_cache.utilization>) \
         or count by (instance, node, namespace, pod, model, inference_engine) \
         (<inference.request.duration:count>)",
    ),
    // Only pods that have to do with GPUs or engines: a cluster has many others.
    still(
        "entity/pod",
        EntityKind::Pod,
        "count by (namespace, pod, pod_uid, node, created_by_kind, created_by_name) (<k8s.pod>) \
         and on (namespace, pod) (count by (namespace, pod) (<gpu.requested>) \
         or count by (namespace, pod) (<hw.gpu.memory.usage|pod!=\"\">) \
         or count by (namespace, pod) (<inference.requests.running|pod!=\"\">))",
    ),
    // Who a pod belongs to: workload at the top, team, model, by the operator's rules.
    still(
        "entity/pod_workload",
        EntityKind::Pod,
        "count by (namespace, pod, workload_kind, workload, team, model, cost_center, queue) \
         (<k8s.pod.workload>) \
         and on (namespace, pod) (count by (namespace, pod) (<gpu.requested>) \
         or count by (namespace, pod) (<gpu.allocation>) \
         or count by (namespace, pod) (<hw.gpu.memory.usage|pod!=\"\">) \
         or count by (namespace, pod) (<inference.requests.running|pod!=\"\">))",
    ),
    still(
        "entity/run",
        EntityKind::Run,
        "count by (run, framework, model, world_size, precision) (<training.run>) \
         or count by (run, framework) (<training.step>)",
    ),
    still(
        "entity/rank",
        EntityKind::Rank,
        "count by (run, rank, node) (<training.step.duration|rank!=\"\">)",
    ),
    still(
        "entity/communicator",
        EntityKind::Communicator,
        "count by (comm, comm_name, ranks, nodes) (<nccl.communicator>) \
         or count by (comm) (<nccl.bus.bandwidth>)",
    ),
    still(
        "edge/communicator_gpu",
        EntityKind::Communicator,
        "count by (comm, comm_name, ranks, rank, gpu_uuid, node, gpu) \
         (<nccl.communicator|gpu_uuid!=\"\">)",
    ),
    still(
        "entity/queue",
        EntityKind::Queue,
        "count by (queue, scheduler) (<sched.queue.pending|queue!=\"\">) \
         or count by (queue, scheduler) (<sched.queue.admitted|queue!=\"\">) \
         or count by (queue, scheduler) (<sched.queue.resource.quota|queue!=\"\">)",
    ),
    still(
        "entity/slurm_node",
        EntityKind::Node,
        "count by (node, state, partitions) (<slurm.node>)",
    ),
    // Jobs carry their partition, never the label queue: they are a question for the fleet.
    still(
        "entity/slurm_job",
        EntityKind::Workload,
        "count by (slurm_job_id, job_name, user, account, partition, qos, state, reason) \
         (<slurm.job>)",
    )
    .of(AskedOf::Fleet),
    changing(
        "edge/slurm_device",
        EntityKind::Gpu,
        "count by (slurm_job_id, node, gpu) (<slurm.job.device>)",
    ),
    still(
        "entity/process",
        EntityKind::Process,
        "count by (gpu_uuid, node, gpu, instance, pid, process, namespace, pod, pod_uid) \
         (<gpu.process.memory.usage>) \
         or count by (gpu_uuid, node, gpu, instance, pid, process, namespace, pod, pod_uid) \
         (<gpu.process.info>)",
    )
    .of(AskedOf::Entity),
    changing(
        "event/fault",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, vendor, code, class, action) (<gpu.fault.events>)",
    )
    .of(AskedOf::Entity),
    changing(
        "event/fault_recent",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, vendor, code) (<gpu.fault.recent|code!=\"\">)",
    )
    .of(AskedOf::Entity),
    changing(
        "event/xid_last",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, gpu_model) (<gpu.xid.last>)",
    )
    .of(AskedOf::Entity),
    still(
        "event/culprit",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, code, pid, process) (<gpu.fault.culprit>)",
    )
    .of(AskedOf::Entity),
    // Switches are of a node, not of one of its GPUs: the GPU in scope leads to the node.
    changing(
        "event/switch_fault",
        EntityKind::Gpu,
        "max by (node, pci_address, code, class, action) (<!gpu.switch.fault.events>) \
         and on (node) (count by (node) (<hw.gpu.memory.usage>) \
         or count by (node) (<hw.gpu.utilization>) or count by (node) (<gpu.device>))",
    )
    .of(AskedOf::Gpu),
    still(
        "state/link",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, type, link) (<gpu.interconnect.up|link!=\"\">)",
    )
    .of(AskedOf::Gpu),
    still(
        "state/link_errors",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, type, link, kind) \
         (increase<gpu.interconnect.errors|link!=\"\">)",
    )
    .of(AskedOf::Gpu),
    // Both directions together: what a link moves. Where a direction is not told it counts alone.
    still(
        "state/link_io_both",
        EntityKind::Gpu,
        "sum by (gpu_uuid, node, gpu, type, link) \
         (max by (gpu_uuid, node, gpu, type, link, direction) \
         (rate<gpu.interconnect.io|link!=\"\">)) \
         or sum by (gpu_uuid, node, gpu, type, link) \
         (max by (gpu_uuid, node, gpu, type, link, direction) \
         (<gpu.interconnect.throughput|link!=\"\">))",
    )
    .of(AskedOf::Gpu),
    still(
        "state/link_end",
        EntityKind::Gpu,
        "count by (gpu_uuid, node, gpu, type, link, peer_type, peer_gpu_uuid, peer_pci_address) \
         (<gpu.interconnect.peer>)",
    )
    .of(AskedOf::Gpu),
    still(
        "state/status",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, state) (<hw.status>)",
    )
    .of(AskedOf::Gpu),
    still(
        "state/status_reason",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, state, reason) (<gpu.status.reason>)",
    )
    .of(AskedOf::Gpu),
    still(
        "state/path",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, peer_gpu_uuid, path) (<gpu.pcie.path>)",
    )
    .of(AskedOf::Gpu),
    still(
        "wires/ends",
        EntityKind::Gpu,
        // Two that read one host tell the same link twice.
        "count by (gpu_uuid, node, gpu, type, peer_type, peer_gpu_uuid, peer_pci_address) \
         (max by (gpu_uuid, node, gpu, type, link, peer_type, peer_gpu_uuid, peer_pci_address) \
         (<gpu.interconnect.peer>))",
    )
    .of(AskedOf::Wires),
    still(
        "wires/p2p",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, type, peer_gpu) (<gpu.interconnect.p2p.status>)",
    )
    .of(AskedOf::Wires),
    still(
        "wires/down",
        EntityKind::Gpu,
        "count by (gpu_uuid, node, gpu, type) (max by (gpu_uuid, node, gpu, type, link) \
         (<gpu.interconnect.up|link!=\"\",type!=\"c2c\">) == 0)",
    )
    .of(AskedOf::Wires),
    still(
        "wires/paths",
        EntityKind::Gpu,
        "max by (gpu_uuid, node, gpu, peer_gpu_uuid, path) (<gpu.pcie.path>)",
    )
    .of(AskedOf::Wires),
    still(
        "wires/nodes",
        EntityKind::Gpu,
        "count by (node, type, peer_type) (max by (gpu_uuid, node, gpu, type, link, peer_type) \
         (<gpu.interconnect.peer>))",
    )
    .of(AskedOf::Fabrics),
    still(
        "wires/nodes_gpus",
        EntityKind::Gpu,
        "count by (node, type, peer_type) \
         (count by (gpu_uuid, node, gpu, type, peer_type) (<gpu.interconnect.peer>))",
    )
    .of(AskedOf::Fabrics),
    still(
        "wires/nodes_p2p",
        EntityKind::Gpu,
        "count by (node, type) (min by (gpu_uuid, node, gpu, type) \
         (<gpu.interconnect.p2p.status>) == 0)",
    )
    .of(AskedOf::Fabrics),
    still(
        "wires/nodes_paths",
        EntityKind::Gpu,
        "count by (node, path) \
         (max by (gpu_uuid, node, gpu, peer_gpu_uuid, path) (<gpu.pcie.path>))",
    )
    .of(AskedOf::Fabrics),
    still(
        "wires/nodes_down",
        EntityKind::Gpu,
        "count by (node, type) (max by (gpu_uuid, node, gpu, type, link) \
         (<gpu.interconnect.up|link!=\"\",type!=\"c2c\">) == 0)",
    )
    .of(AskedOf::Fabrics),
    still(
        "waiting/pods",
        EntityKind::Pod,
        concat!("count by (namespace, reason, resource) (", waiting_pods!(), ")"),
    )
    .of(AskedOf::Waiting),
    still(
        "waiting/pods_longest",
        EntityKind::Pod,
        concat!("max by (namespace, reason, resource) (", waiting_pods!(), ")"),
    )
    .of(AskedOf::Waiting),
    still("waiting/pods_named", EntityKind::Pod, concat!("topk(50, ", waiting_pods!(), ")"))
        .of(AskedOf::Waiting),
    // What has its node and does not start, what is not even made because of a quota, and what the
    // kubelet turned away because the devices were not there.
    still(
        "waiting/events",
        EntityKind::Pod,
        concat!("count by (namespace, reason, why, resource) (", waiting_events!(), ")"),
    )
    .of(AskedOf::Waiting),
    still("waiting/events_named", EntityKind::Pod, concat!("topk(50, ", waiting_events!(), ")"))
        .of(AskedOf::Waiting),
    still(
        "waiting/workloads",
        EntityKind::Queue,
        "sum by (scheduler, queue, reason, underlying_cause) (<sched.unadmitted>)",
    )
    .of(AskedOf::Waiting),
    still(
        "waiting/slurm",
        EntityKind::Workload,
        "count by (partition, reason) (max by (slurm_job_id, partition, reason) (<slurm.job.wait_time>))",
    )
    .of(AskedOf::Waiting),
    still(
        "waiting/slurm_longest",
        EntityKind::Workload,
        "max by (partition, reason) (<slurm.job.wait_time>)",
    )
    .of(AskedOf::Waiting),
    // Who sends requests to which model; the ledger's own names for nobody are no tenants.
    still(
        "entity/tenant",
        EntityKind::Tenant,
        "count by (tenant, model) (<gateway.requests|tenant!=\"\">) \
         or count by (tenant) (<cost.tenant_amount|tenant!~\"|unattributed|platform\">)",
    ),
    still(
        "entity/team",
        EntityKind::Team,
        "count by (team) (<k8s.pod.workload|team!=\"\">) \
         or count by (team) (<cost.team.rate|team!=\"\">)",
    )
    .of(AskedOf::Entity),
    still(
        "entity/workload",
        EntityKind::Workload,
        "count by (namespace, pod, workload_kind, workload, team, model, cost_center, queue) \
         (<k8s.pod.workload>) \
         or count by (namespace, pod, pod_uid, node, created_by_kind, created_by_name) (<k8s.pod>)",
    )
    .of(AskedOf::Entity),
    still("entity/model", EntityKind::Model, "count by (model) (<gateway.requests|model!=\"\">)"),
];

/// Whether a question suits what is known of how many things there are. Of a scope whose size nobody
/// knows yet links are counted by node, so that the first page of a large fleet is bounded too.
pub(crate) fn suits(key: &str, scope: &Scope, sizes: &Sizes) -> bool {
    let asked_of = INVENTORY.iter().find(|one| one.key == key).map(|one| one.asked_of);
    let is_narrow = matches!(scope, Scope::Entity(id)
        if matches!(id.kind, EntityKind::Node | EntityKind::Gpu));
    let gpus = sizes.0.get(&EntityKind::Gpu).copied();
    let one_by_one = gpus.map_or(is_narrow, |gpus| gpus <= WIRED_GPUS_MAX);
    match asked_of {
        Some(AskedOf::Wires) => one_by_one,
        Some(AskedOf::Fabrics) => !one_by_one,
        _ => true,
    }
}

/// The questions that make sense in the ask's scope.
pub(crate) fn queries(ask: &Ask) -> Vec<Planned> {
    let narrowing = Narrowing::of(&ask.scope);
    let fleet = ask.scope == Scope::Fleet;
    let asked = INVENTORY.iter().filter(|inventory| {
        inventory.asked_of.is_asked(ask) && scope::narrows(&ask.scope, inventory.kind)
    });
    let queries = asked.map(|inventory| {
        let filling = Filling {
            entity: inventory.kind,
            narrowing: &narrowing,
            window: ask.window,
            per_step: false,
        };
        Planned {
            key: inventory.key.to_owned(),
            text: template::fill(inventory.template, filling),
            range: inventory.changes && !fleet,
        }
    });
    queries.collect()
}

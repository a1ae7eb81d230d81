//! Nodes: identity, place, conditions, room for pods.

use kube::api::DynamicObject;

use super::pods::{amounts, text};
use super::quantity::spelled;
use crate::l4_sched::device::is_accelerator;
use crate::l4_sched::gather::Gather;
use crate::l4_sched::names;

/// A node. What is not known is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Node {
    kernel: String,
    kubelet: String,
    os_image: String,
    address: String,
    cordoned: bool,
    region: String,
    zone: String,
    instance_type: String,
    /// Domain of NVLink: fabric and clique.
    clique: String,
    gpu_product: String,
    gpu_memory_mib: String,
    mig_strategy: String,
    sharing: String,
    /// Type and status, in small letters.
    conditions: Vec<(String, String)>,
    capacity: Vec<(String, f64)>,
    allocatable: Vec<(String, f64)>,
}

/// Domains of the accelerators' fabric, by those who write them.
const CLIQUES: [&str; 2] = ["nvidia.com/gpu.clique", "accelerator.topograph.run/domain"];
/// Products of GPUs, by vendor.
const PRODUCTS: [&str; 4] = [
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
    "gpu.intel.com/product",
    "cloud.google.com/gke-accelerator",
];

impl Node {
    /// Read an object as the API server sends it.
    pub(super) fn read(object: &DynamicObject) -> Self {
        let labels = object.metadata.labels.as_ref();
        let label = |key: &str| labels.and_then(|all| all.get(key)).cloned().unwrap_or_default();
        let first = |keys: &[&str]| {
            keys.iter().map(|key| label(key)).find(|value| !value.is_empty()).unwrap_or_default()
        };
        let (spec, status) = (&object.data["spec"], &object.data["status"]);
        let info = &status["nodeInfo"];
        let listed = |key: &str| status[key].as_array().into_iter().flatten();
        let address = listed("addresses").find(|one| one["type"] == "InternalIP");
        let conditions = listed("conditions")
            .map(|one| (text(&one["type"]), text(&one["status"]).to_ascii_lowercase()));
        Self {
            kernel: text(&info["kernelVersion"]),
            kubelet: text(&info["kubeletVersion"]),
            os_image: text(&info["osImage"]),
            address: address.map(|one| text(&one["address"])).unwrap_or_default(),
            cordoned: spec["unschedulable"].as_bool().unwrap_or(false),
            region: label("topology.kubernetes.io/region"),
            zone: label("topology.kubernetes.io/zone"),
            instance_type: label("node.kubernetes.io/instance-type"),
            clique: first(&CLIQUES),
            gpu_product: first(&PRODUCTS),
            gpu_memory_mib: label("nvidia.com/gpu.memory"),
            mig_strategy: label("nvidia.com/mig.strategy"),
            sharing: label("nvidia.com/gpu.sharing-strategy").replace('-', "_"),
            conditions: conditions.collect(),
            capacity: amounts(&status["capacity"]),
            allocatable: amounts(&status["allocatable"]),
        }
    }

    /// Write all series of the node called `node`.
    pub(super) fn write(&self, node: &str, gather: &mut Gather) {
        let this = ("node", node);
        gather.info(
            names::NODE,
            &[
                this,
                ("kernel_version", &self.kernel),
                ("kubelet_version", &self.kubelet),
                ("os_image", &self.os_image),
                ("internal_ip", &self.address),
            ],
        );
        gather.info(
            names::NODE_TOPOLOGY,
            &[
                this,
                ("region", &self.region),
                ("zone", &self.zone),
                ("instance_type", &self.instance_type),
                ("clique", &self.clique),
                ("gpu_product", &self.gpu_product),
                ("gpu_memory_mib", &self.gpu_memory_mib),
                ("mig_strategy", &self.mig_strategy),
                ("sharing", &self.sharing),
            ],
        );
        gather.sample(names::NODE_UNSCHEDULABLE, &[this], f64::from(u8::from(self.cordoned)));
        for (kind, status) in &self.conditions {
            // As kube-state-metrics has them: one series for each status it can have.
            for one in ["true", "false", "unknown"] {
                let labels = [this, ("condition", &**kind), ("status", one)];
                gather.sample(names::NODE_CONDITION, &labels, f64::from(u8::from(status == one)));
            }
        }
        let rooms = [
            (&self.capacity, names::NODE_CAPACITY, names::NODE_GPU_CAPACITY),
            (&self.allocatable, names::NODE_ALLOCATABLE, names::NODE_GPU_ALLOCATABLE),
        ];
        for (amounts, metric, of_gpus) in rooms {
            for (resource, amount) in amounts {
                let (spelled, unit) = spelled(resource);
                let labels = [this, ("resource", &*spelled), ("resource_unit", unit)];
                gather.sample(metric, &labels, *amount);
                if is_accelerator(resource) {
                    gather.sample(of_gpus, &[this, ("resource", &spelled)], *amount);
                }
            }
        }
    }
}

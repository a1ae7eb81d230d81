//! Nodes, as hosts tell of themselves and as the API server lists them.

use super::Found;
use super::registry::Registry;
use crate::assemble::identity::identity;
use crate::entity::EntityKind;

/// Question and the labels that are facts of a node.
const QUESTIONS: [(&str, &[&str]); 4] = [
    ("entity/host", &[]),
    ("entity/host_info", &["os", "kernel", "arch", "cpu_model"]),
    ("entity/k8s_node", &["kernel_version", "kubelet_version", "os_image"]),
    ("entity/k8s_topology", &["region", "zone", "instance_type", "clique"]),
];

pub(super) fn enter(found: &Found<'_>, registry: &mut Registry) {
    for (key, facts) in QUESTIONS {
        for row in found.rows(key) {
            if let Some(id) = identity(EntityKind::Node, row.labels) {
                registry.see(&id);
                registry.learn(&id, row.labels, facts);
            }
        }
    }
}

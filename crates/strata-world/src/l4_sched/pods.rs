//! Pods and nodes as the API server has them.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    Recipe::new(
        EntityKind::Namespace,
        "l4.pods_pending",
        "{pod}",
        "sum by (%) (max by (%, pod) (<k8s.pod.phase|phase=\"Pending\">))",
    )
    .unlike()
    .whole(Whole::Sum)
    .means(
        "Pods that were accepted and do not run yet: not scheduled, or pulling images.",
        "sum of k8s.pod.phase (Pending)",
    ),
    Recipe::new(
        EntityKind::Namespace,
        "l4.pods_running",
        "{pod}",
        "sum by (%) (max by (%, pod) (<k8s.pod.phase|phase=\"Running\">))",
    )
    .unlike()
    .whole(Whole::Sum)
    .means("Pods that run.", "sum of k8s.pod.phase (Running)"),
    Recipe::new(
        EntityKind::Pod,
        "l4.restarts",
        "{restart}",
        "sum by (%) (max by (%, container) (increase<k8s.container.restart.count>))",
    )
    .unlike()
    .whole(Whole::Sum)
    .undefined("the counter has no two samples yet")
    .means(
        "Restarts of containers in the last ten minutes.",
        "increase of k8s.container.restart.count over 10 min; sum over the pods",
    ),
    Recipe::new(
        EntityKind::Node,
        "l4.node_not_ready",
        "{bool}",
        "max by (%) (<k8s.node.condition|condition=\"Ready\",status!=\"true\">)",
    )
    .whole(Whole::Sum)
    .means(
        "Whether a node is not ready, or nobody knows: 1 or 0.",
        "k8s.node.condition (Ready is not true); number of such nodes",
    ),
    Recipe::new(
        EntityKind::Node,
        "l4.node_unschedulable",
        "{bool}",
        "max by (%) (<k8s.node.unschedulable>)",
    )
    .whole(Whole::Sum)
    .means(
        "Whether a node takes no new pods (cordoned): 1 or 0.",
        "k8s.node.unschedulable; number of such nodes",
    ),
];

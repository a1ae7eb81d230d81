//! GPUs as property: present, given away, held without use.

use crate::entity::EntityKind;
use crate::idle::idle_below;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    Recipe::new(
        EntityKind::Node,
        "l4.gpus_present",
        "{gpu}",
        "count by (%) (count by (%, gpu_uuid, gpu) (<hw.gpu.memory.usage>)) \
         or count by (%) (count by (%, gpu_uuid, gpu) (<hw.gpu.utilization>)) \
         or sum by (%) (max by (%, resource) (<gpu.node.capacity>))",
    )
    .unlike()
    .whole(Whole::Text(
        "count(count by (gpu_uuid, node, gpu) (<hw.gpu.memory.usage>)) \
         or count(count by (gpu_uuid, node, gpu) (<hw.gpu.utilization>)) \
         or sum(max by (node, resource) (<gpu.node.capacity>))",
    ))
    .means(
        "GPUs that are seen by their telemetry, else as the nodes report them to the scheduler.",
        "number of different GPUs with a memory or utilization reading, else node capacity",
    ),
    Recipe::new(
        EntityKind::Namespace,
        "l4.gpus_allocated",
        "{gpu}",
        "count by (%) (count by (%, gpu_uuid, node, gpu) (<gpu.allocation>)) \
         or count by (%) (count by (%, gpu_uuid, node, gpu) (<hw.gpu.memory.usage|pod!=\"\">)) \
         or sum by (%) (max by (%, pod, container, resource) (<gpu.requested>))",
    )
    .unlike()
    .whole(Whole::Text(
        "count(count by (gpu_uuid, node, gpu) (<gpu.allocation>)) \
         or count(count by (gpu_uuid, node, gpu) (<hw.gpu.memory.usage|pod!=\"\">)) \
         or sum(max by (namespace, pod, container, resource) (<gpu.requested>))",
    ))
    .undefined("no GPU is given to a pod, or the exporter does not write the pod of a GPU")
    .means(
        "GPUs that belong to a pod: by allocation records, else by the pod that the exporter \
         wrote on the GPU's series, else by what pods request.",
        "number of different GPUs with an owner, else sum of requests",
    ),
    Recipe::new(
        EntityKind::Namespace,
        "l4.gpus_held_idle",
        "{gpu}",
        concat!(
            "count by (%) (max by (%, gpu_uuid, node, gpu) \
             (peak<hw.gpu.utilization|task=~\"|general\",pod!=\"\">) < ",
            idle_below!(),
            " and on (%, gpu_uuid, node, gpu) \
             max by (%, gpu_uuid, node, gpu) (<hw.gpu.utilization|task=~\"|general\",pod!=\"\">)) \
             or 0 * count by (%) (<hw.gpu.utilization|task=~\"|general\",pod!=\"\">)"
        ),
    )
    .unlike()
    .whole(Whole::Text(concat!(
        "count(max by (gpu_uuid, node, gpu) \
         (peak<hw.gpu.utilization|task=~\"|general\",pod!=\"\">) < ",
        idle_below!(),
        " and on (gpu_uuid, node, gpu) \
         max by (gpu_uuid, node, gpu) (<hw.gpu.utilization|task=~\"|general\",pod!=\"\">)) \
         or 0 * count(<hw.gpu.utilization|task=~\"|general\",pod!=\"\">)"
    )))
    .undefined("no GPU's series says which pod owns it")
    .means(
        concat!(
            "GPUs that belong to a pod and did nothing in the last 10 minutes: utilization always \
             below ",
            idle_below!(),
            ", which is less than one short kernel a second. A pause for a checkpoint is not idle."
        ),
        concat!("number of owned GPUs with utilization < ", idle_below!(), " for 10 min"),
    ),
    Recipe::new(
        EntityKind::Namespace,
        "l4.gpu_quota_used",
        "1",
        "max by (%) (max by (%, resourcequota, resource) \
         (<k8s.resourcequota|type=\"used\",resource=~\".*[/_]gpu(mem|cores)?\">) \
         / (max by (%, resourcequota, resource) \
         (<k8s.resourcequota|type=\"hard\",resource=~\".*[/_]gpu(mem|cores)?\">) > 0))",
    )
    .unlike()
    .undefined("the namespace has no quota of GPUs")
    .means(
        "How much of its quota of GPUs, of their memory or of their cores a namespace has used: \
         ResourceQuota of Kubernetes, with what HAMi counts of it. At 1 no further pod is accepted.",
        "used / hard of the resource nearest to its limit; the fullest namespace",
    ),
    Recipe::new(
        EntityKind::Namespace,
        "l4.gpus_requested",
        "{gpu}",
        "sum by (%) (max by (%, pod, container, resource) (<gpu.requested>))",
    )
    .unlike()
    .whole(Whole::Sum)
    .means(
        "Accelerators that pods request, waiting pods included.",
        "sum of gpu.requested over containers",
    ),
];

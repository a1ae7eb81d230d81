//! kube-state-metrics: nodes, pods, owners, requests. Labels as release 2.x writes them, with the
//! label `team` of pods allowed (`--metric-labels-allowlist`).

use super::text::{Style, Writer};
use super::{Pod, pods};
use crate::layout::{NODE_MEMORY, NODE_PROCESSORS, uuid};
use crate::sim::Sim;

const ZONE: &str = "sim-east-1a";

pub(super) fn page(sim: &Sim) -> String {
    let mut writer = Writer::new(Style::Go);
    nodes(&mut writer, sim);
    let pods = pods(sim, None);
    pod_identity(&mut writer, sim, &pods);
    pod_state(&mut writer, &pods);
    pod_resources(&mut writer, sim, &pods);
    jobs(&mut writer, sim);
    writer.finish()
}

fn nodes(writer: &mut Writer, sim: &Sim) {
    let name = "kube_node_info";
    writer.family(name, "gauge", "Information about a cluster node.");
    for node in &sim.layout.nodes {
        let labels = [
            ("node", node.as_str()),
            ("kernel_version", "6.8.0-57-generic"),
            ("os_image", "Ubuntu 24.04.2 LTS"),
            ("container_runtime_version", "containerd://2.0.5"),
            ("kubelet_version", "v1.33.1"),
        ];
        writer.sample(name, &labels, 1.0);
    }
    let name = "kube_node_labels";
    writer.family(name, "gauge", "Kubernetes labels converted to Prometheus labels.");
    for node in &sim.layout.nodes {
        let labels = [
            ("node", node.as_str()),
            ("label_node_kubernetes_io_instance_type", "sim.8xh100"),
            ("label_nvidia_com_gpu_product", "NVIDIA-H100-80GB-HBM3"),
            ("label_topology_kubernetes_io_region", "sim-east-1"),
            ("label_topology_kubernetes_io_zone", ZONE),
        ];
        writer.sample(name, &labels, 1.0);
    }
    let name = "kube_node_status_condition";
    writer.family(name, "gauge", "The condition of a cluster node.");
    for node in &sim.layout.nodes {
        for (status, value) in [("true", 1.0), ("false", 0.0), ("unknown", 0.0)] {
            let labels = [("node", node.as_str()), ("condition", "Ready"), ("status", status)];
            writer.sample(name, &labels, value);
        }
    }
    let name = "kube_node_spec_unschedulable";
    writer.family(name, "gauge", "Whether a node can schedule new pods.");
    for node in &sim.layout.nodes {
        writer.sample(name, &[("node", node)], 0.0);
    }
    let resources = [
        ("cpu", "core", NODE_PROCESSORS as f64),
        ("memory", "byte", NODE_MEMORY),
        ("nvidia_com_gpu", "integer", sim.layout.size.gpus_per_node as f64),
        ("pods", "integer", 110.0),
    ];
    for (what, about) in [
        ("capacity", "The total amount of resources available for a node."),
        (
            "allocatable",
            "The amount of resources allocatable for pods (after reserving some for system daemons).",
        ),
    ] {
        let name = format!("kube_node_status_{what}");
        writer.family(&name, "gauge", about);
        for node in &sim.layout.nodes {
            for (resource, unit, value) in resources {
                let labels = [("node", node.as_str()), ("resource", resource), ("unit", unit)];
                writer.sample(&name, &labels, value);
            }
        }
    }
}

fn pod_identity(writer: &mut Writer, sim: &Sim, pods: &[Pod]) {
    let name = "kube_pod_info";
    writer.family(name, "gauge", "Information about pod.");
    for (number, pod) in pods.iter().enumerate() {
        // Of a pod that waits for a node these are empty.
        let host = pod.node.map_or_else(String::new, |node| format!("10.0.0.{}", node + 10));
        let pod_ip = pod.node.map_or_else(String::new, |_| address(number));
        let labels = [
            ("namespace", pod.namespace),
            ("pod", pod.name.as_str()),
            ("uid", &uid(pod)),
            ("host_ip", &host),
            ("pod_ip", &pod_ip),
            ("node", node_name(sim, pod)),
            ("created_by_kind", pod.owner.0),
            ("created_by_name", &pod.owner.1),
            ("priority_class", ""),
            ("host_network", "false"),
        ];
        writer.sample(name, &labels, 1.0);
    }
    let name = "kube_pod_owner";
    writer.family(name, "gauge", "Information about the Pod's owner.");
    for pod in pods {
        let labels = [
            ("namespace", pod.namespace),
            ("pod", pod.name.as_str()),
            ("uid", &uid(pod)),
            ("owner_kind", pod.owner.0),
            ("owner_name", &pod.owner.1),
            ("owner_is_controller", "true"),
        ];
        writer.sample(name, &labels, 1.0);
    }
    let name = "kube_pod_labels";
    writer.family(name, "gauge", "Kubernetes labels converted to Prometheus labels.");
    for pod in pods {
        let labels = [
            ("namespace", pod.namespace),
            ("pod", pod.name.as_str()),
            ("uid", &uid(pod)),
            ("label_app", &pod.owner.1),
            ("label_team", pod.team),
        ];
        writer.sample(name, &labels, 1.0);
    }
    let name = "kube_pod_container_info";
    writer.family(name, "gauge", "Information about a container in a pod.");
    for pod in pods.iter().filter(|pod| pod.node.is_some()) {
        let image = match pod.container {
            "vllm" => "vllm/vllm-openai:v0.32.0",
            "eval" => "evaluator:4",
            _ => "trainer:12",
        };
        let labels = [
            ("namespace", pod.namespace),
            ("pod", pod.name.as_str()),
            ("uid", &uid(pod)),
            ("container", pod.container),
            ("image", image),
        ];
        writer.sample(name, &labels, 1.0);
    }
}

fn node_name<'a>(sim: &'a Sim, pod: &Pod) -> &'a str {
    pod.node.and_then(|node| sim.layout.nodes.get(node)).map_or("", String::as_str)
}

fn uid(pod: &Pod) -> String {
    uuid(&format!("{}/{}", pod.namespace, pod.name))
}

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", 1 + number / 62_500, number / 250 % 250, number % 250 + 2)
}

fn pod_state(writer: &mut Writer, pods: &[Pod]) {
    let name = "kube_pod_status_phase";
    writer.family(name, "gauge", "The pods current phase.");
    for pod in pods {
        let now = if pod.node.is_some() { "Running" } else { "Pending" };
        for phase in ["Pending", "Succeeded", "Failed", "Unknown", "Running"] {
            let labels = [
                ("namespace", pod.namespace),
                ("pod", pod.name.as_str()),
                ("uid", &uid(pod)),
                ("phase", phase),
            ];
            writer.sample(name, &labels, f64::from(u8::from(phase == now)));
        }
    }
    let name = "kube_pod_status_scheduled";
    writer.family(name, "gauge", "Describes the status of the scheduling process for the pod.");
    for pod in pods {
        let now = if pod.node.is_some() { "true" } else { "false" };
        for condition in ["true", "false", "unknown"] {
            let labels = [
                ("namespace", pod.namespace),
                ("pod", pod.name.as_str()),
                ("uid", &uid(pod)),
                ("condition", condition),
            ];
            writer.sample(name, &labels, f64::from(u8::from(condition == now)));
        }
    }
    times(writer, pods);
    containers(writer, pods);
}

/// Families of one sample a pod, for those pods that have the value.
fn times(writer: &mut Writer, pods: &[Pod]) {
    type Of = fn(&Pod) -> Option<f64>;
    let families: [(&str, &str, Of); 3] = [
        (
            "kube_pod_status_unschedulable",
            "Describes the unschedulable status for the pod.",
            |pod| pod.node.is_none().then_some(1.0),
        ),
        ("kube_pod_created", "Unix creation timestamp", |pod| Some(pod.created.floor())),
        ("kube_pod_start_time", "Start time in unix timestamp for a pod.", |pod| {
            pod.started.map(f64::floor)
        }),
    ];
    for (name, about, value) in families {
        writer.family(name, "gauge", about);
        for pod in pods {
            let Some(value) = value(pod) else { continue };
            let labels =
                [("namespace", pod.namespace), ("pod", pod.name.as_str()), ("uid", &uid(pod))];
            writer.sample(name, &labels, value);
        }
    }
}

fn containers(writer: &mut Writer, pods: &[Pod]) {
    for (name, kind, about, value) in [
        (
            "kube_pod_container_status_restarts_total",
            "counter",
            "The number of container restarts per container.",
            0.0,
        ),
        (
            "kube_pod_container_status_ready",
            "gauge",
            "Describes whether the containers readiness check succeeded.",
            1.0,
        ),
    ] {
        writer.family(name, kind, about);
        for pod in pods.iter().filter(|pod| pod.node.is_some()) {
            let labels = [
                ("namespace", pod.namespace),
                ("pod", pod.name.as_str()),
                ("uid", &uid(pod)),
                ("container", pod.container),
            ];
            writer.sample(name, &labels, value);
        }
    }
}

fn pod_resources(writer: &mut Writer, sim: &Sim, pods: &[Pod]) {
    for (what, about) in [
        ("requests", "The number of requested request resource by a container."),
        ("limits", "The number of requested limit resource by a container."),
    ] {
        let name = format!("kube_pod_container_resource_{what}");
        writer.family(&name, "gauge", about);
        for pod in pods {
            // A pod that waits holds none and asks for one.
            let gpus = pod.gpus.len().max(1) as f64;
            let memory = if pod.container == "vllm" { 64.0e9 } else { 96.0e9 * gpus };
            let cpu = if pod.container == "vllm" { 8.0 } else { 6.0 * gpus };
            let resources = [
                ("cpu", "core", cpu),
                ("memory", "byte", memory),
                ("nvidia_com_gpu", "integer", gpus),
            ];
            for (resource, unit, value) in resources {
                let labels = [
                    ("namespace", pod.namespace),
                    ("pod", pod.name.as_str()),
                    ("uid", &uid(pod)),
                    ("container", pod.container),
                    ("node", node_name(sim, pod)),
                    ("resource", resource),
                    ("unit", unit),
                ];
                writer.sample(&name, &labels, value);
            }
        }
    }
}

fn jobs(writer: &mut Writer, sim: &Sim) {
    let runs = sim.layout.runs.iter().map(|run| {
        let mut nodes: Vec<_> = run.gpus.iter().map(|gpu| sim.layout.node_of(*gpu)).collect();
        nodes.dedup();
        (super::TRAINING_NAMESPACE, run.name.clone(), nodes.len() as f64)
    });
    // A job that its queue has not let in is suspended: it is there and has no pod.
    let batch = sim.batch.iter();
    let evals = batch.flat_map(|batch| {
        let admitted = batch.jobs.iter().map(|job| (job.number, 1.0));
        admitted.chain(batch.suspended.iter().map(|job| (job.number, 0.0)))
    });
    let evals =
        evals.map(|(number, pods)| (super::BATCH_NAMESPACE, super::eval_name(number), pods));
    let jobs: Vec<_> = runs.chain(evals).collect();
    for (name, about) in [
        ("kube_job_status_active", "The number of actively running pods."),
        (
            "kube_job_status_failed",
            "The number of pods which reached Phase Failed and the reason for failure.",
        ),
    ] {
        writer.family(name, "gauge", about);
        for (namespace, job, pods) in &jobs {
            let value = if name.ends_with("active") { *pods } else { 0.0 };
            let labels = [("namespace", *namespace), ("job_name", job.as_str())];
            writer.sample(name, &labels, value);
        }
    }
}

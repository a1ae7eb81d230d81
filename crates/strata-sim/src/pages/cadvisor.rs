//! The kubelet's cAdvisor page of a node: what its containers use, and where a quota holds them.

use super::text::{Style, Writer};
use super::{Pod, pods};
use crate::knob::ReplicaKnob;
use crate::layout::uuid;
use crate::sim::{ENGINE_MEMORY, EVAL_CPU, EVAL_MEMORY, Sim, TRAINER_MEMORY};

/// Period of the kernel's bandwidth control, seconds and microseconds.
const PERIOD: f64 = 0.1;
const PERIOD_MICROS: f64 = 100_000.0;

/// What a container has used.
struct Usage {
    pod: Pod,
    cpu: f64,
    /// Quota in processors and the seconds it was used up; trainers have none.
    quota: Option<(f64, f64)>,
    memory: f64,
}

pub(super) fn page(sim: &Sim, node: usize) -> String {
    let mut writer = Writer::new(Style::Go);
    let about = "A metric with a constant '1' value labeled by kernel version, OS version, docker \
                 version, cadvisor version & cadvisor revision.";
    let version = [("kernelVersion", "6.8.0-57-generic"), ("osVersion", "Ubuntu 24.04.2 LTS")];
    writer.single(("cadvisor_version_info", "gauge", about), &version, 1.0);
    let used = usages(sim, node);
    processors(&mut writer, sim, &used);
    memory(&mut writer, &used);
    writer.finish()
}

fn usages(sim: &Sim, node: usize) -> Vec<Usage> {
    let usages = pods(sim, Some(node)).into_iter().filter_map(|pod| {
        let place = sim.layout.replicas.iter().position(|place| place.name == pod.name);
        let gpus = pod.gpus.len() as f64;
        Some(if let Some(place) = place {
            let replica = sim.replicas.get(place)?;
            let stats = &replica.engine.stats;
            let quota = replica.knobs.get(ReplicaKnob::CpuQuota);
            let cpu = 240.0 + stats.cpu_seconds + 0.1 * sim.now();
            Usage { pod, cpu, quota: Some((quota, stats.throttled)), memory: ENGINE_MEMORY }
        } else if pod.namespace == super::BATCH_NAMESPACE {
            let began = pod.started.unwrap_or_default();
            let cpu = EVAL_CPU * (sim.now_ms() as f64 / 1000.0 - began).max(0.0);
            Usage { pod, cpu, quota: None, memory: EVAL_MEMORY }
        } else {
            let cpu = sim.nodes.get(node)?.trainer_cpu;
            Usage { pod, cpu, quota: None, memory: TRAINER_MEMORY * gpus }
        })
    });
    usages.collect()
}

/// Write a family with a value for those containers that have one.
fn family(
    writer: &mut Writer,
    (name, kind, about): (&str, &str, &str),
    used: &[Usage],
    value: &dyn Fn(&Usage) -> Option<f64>,
) {
    writer.family(name, kind, about);
    for usage in used {
        let Some(value) = value(usage) else { continue };
        let pod = &usage.pod;
        let id = uuid(&format!("{}/{}", pod.namespace, pod.name)).replace('-', "_");
        let slice = format!("/kubepods.slice/kubepods-pod{id}.slice/cri-{}", pod.container);
        let per_cpu = [("cpu", "total")];
        let per_cpu: &[_] =
            if name == "container_cpu_usage_seconds_total" { &per_cpu } else { &[] };
        let mut labels = vec![
            ("container", pod.container),
            ("id", slice.as_str()),
            ("image", ""),
            ("name", pod.container),
            ("namespace", pod.namespace),
            ("pod", pod.name.as_str()),
        ];
        labels.extend(per_cpu);
        labels.sort_unstable();
        writer.sample(name, &labels, value);
    }
}

fn processors(writer: &mut Writer, sim: &Sim, used: &[Usage]) {
    let about = "Cumulative cpu time consumed in seconds.";
    let name = "container_cpu_usage_seconds_total";
    family(writer, (name, "counter", about), used, &|usage| Some(usage.cpu));
    let about = "CPU quota of the container.";
    family(writer, ("container_spec_cpu_quota", "gauge", about), used, &|usage| {
        usage.quota.map(|(quota, _)| quota * PERIOD_MICROS)
    });
    let about = "CPU period of the container.";
    family(writer, ("container_spec_cpu_period", "gauge", about), used, &|usage| {
        usage.quota.map(|_| PERIOD_MICROS)
    });
    let periods = sim.now() / PERIOD;
    let about = "Number of elapsed enforcement period intervals.";
    let name = "container_cpu_cfs_periods_total";
    family(writer, (name, "counter", about), used, &|usage| usage.quota.map(|_| periods));
    let about = "Number of throttled period intervals.";
    let name = "container_cpu_cfs_throttled_periods_total";
    family(writer, (name, "counter", about), used, &|usage| {
        // While it is short a container runs into its quota in every period.
        usage.quota.map(|(_, throttled)| (throttled / PERIOD).min(periods).floor())
    });
    let about = "Total time duration the container has been throttled.";
    let name = "container_cpu_cfs_throttled_seconds_total";
    family(writer, (name, "counter", about), used, &|usage| {
        usage.quota.map(|(_, throttled)| throttled)
    });
}

fn memory(writer: &mut Writer, used: &[Usage]) {
    for (name, about, share) in [
        (
            "container_memory_usage_bytes",
            "Current memory usage in bytes, including all memory regardless of when it was accessed",
            1.0,
        ),
        ("container_memory_working_set_bytes", "Current working set in bytes.", 0.9),
        ("container_memory_rss", "Size of RSS in bytes.", 0.6),
    ] {
        family(writer, (name, "gauge", about), used, &|usage| Some(usage.memory * share));
    }
}

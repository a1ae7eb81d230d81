//! Series of one pod.

use super::owners::Top;
use super::pods::{Container, Pod};
use super::quantity::spelled;
use super::rules::Belonging;
use super::watch::Key;
use crate::l4_sched::device::is_accelerator;
use crate::l4_sched::gather::Gather;
use crate::l4_sched::names;

/// What a fraction is a fraction of, spelled as the resource is.
const FRACTION_RESOURCE: &str = "nvidia_com_gpu";

/// What was found out about a pod besides what it says itself.
pub(super) struct Behind {
    pub(super) top: Top,
    pub(super) belonging: Belonging,
}

/// Write the series of a pod. One that has nothing to do with GPUs gets only what tells that it is
/// there and how it does.
pub(super) fn pod(key: &Key, pod: &Pod, behind: &Behind, gather: &mut Gather) {
    let this = [("namespace", &*key.0), ("pod", &*key.1), ("pod_uid", &*pod.uid)];
    let with = |more: &[(&'static str, &str)], metric: &str, value: f64, gather: &mut Gather| {
        let labels: Vec<_> = this.iter().chain(more).copied().collect();
        gather.sample(metric, &labels, value);
    };
    let owner = pod.owner().cloned().unwrap_or_default();
    let identity = [
        ("node", &*pod.node),
        ("created_by_kind", &owner.kind),
        ("created_by_name", &owner.name),
        ("priority_class", &pod.priority_class),
    ];
    with(&identity, names::POD, 1.0, gather);
    with(&[("phase", &pod.phase)], names::POD_PHASE, 1.0, gather);
    with(&workload(pod, behind), names::POD_WORKLOAD, 1.0, gather);
    if let Some(waiting) = &pod.waiting
        && let Some(created) = pod.created
    {
        let seconds = (gather.at_ms() as f64 / 1000.0 - created).max(0.0);
        let (resource, _) = spelled(&waiting.resource);
        let why = [
            ("reason", waiting.reason),
            ("resource", &*resource),
            ("queue", &*pod.queue),
            ("priority_class", &pod.priority_class),
        ];
        with(&why, names::POD_PENDING, seconds, gather);
    }
    if pod.has_gpu {
        for owner in &pod.owners {
            let controls = if owner.controller { "true" } else { "false" };
            let labels = [
                ("owner_kind", &*owner.kind),
                ("owner_name", &*owner.name),
                ("owner_is_controller", controls),
            ];
            with(&labels, names::POD_OWNER, 1.0, gather);
        }
        if !pod.scheduled.is_empty() {
            let labels = [("condition", &*pod.scheduled)];
            with(&labels, names::POD_SCHEDULED, 1.0, gather);
        }
        for (metric, value) in
            [(names::POD_CREATED, pod.created), (names::POD_STARTED, pod.started)]
        {
            if let Some(value) = value {
                with(&[], metric, value, gather);
            }
        }
    }
    for container in &pod.containers {
        self::container(&this, pod, container, gather);
    }
    if !pod.is_ended() {
        shares(&this, pod, gather);
    }
}

/// Parts of devices that a pod was given, or asks for.
fn shares(this: &[(&'static str, &str); 3], pod: &Pod, gather: &mut Gather) {
    let with = |more: &[(&'static str, &str)], metric: &str, value: f64, gather: &mut Gather| {
        let labels: Vec<_> = this.iter().chain(more).copied().collect();
        gather.sample(metric, &labels, value);
    };
    if let Some(fraction) = pod.fraction.as_ref().filter(|one| !one.is_reservation())
        && let Some(share) = fraction.share
    {
        let named = pod.containers.iter().find(|one| one.name == fraction.container);
        let container = named.or(pod.containers.first()).map_or("", |one| &*one.name);
        let asked =
            [("container", container), ("node", &*pod.node), ("resource", FRACTION_RESOURCE)];
        with(&asked, names::GPU_REQUESTED, share * fraction.devices, gather);
    }
    for share in &pod.shares {
        let container = pod.containers.get(share.container).map_or("", |one| &*one.name);
        let at = [("gpu_uuid", &*share.gpu_uuid), ("node", &*pod.node), ("container", container)];
        let how = [("sharing", share.by), ("method", "annotation"), ("confidence", "high")];
        let edge: Vec<_> = at.iter().chain(&how).copied().collect();
        with(&edge, names::ALLOCATION, 1.0, gather);
        let amounts = [(names::VGPU_MEMORY, share.memory), (names::VGPU_CORES, share.cores)];
        for (metric, amount) in amounts {
            if let Some(amount) = amount {
                with(&at, metric, amount, gather);
            }
        }
    }
}

fn workload<'a>(pod: &'a Pod, behind: &'a Behind) -> [(&'static str, &'a str); 9] {
    let Behind { top, belonging } = behind;
    let bare = pod.owner().is_none();
    [
        ("node", &pod.node),
        ("workload_kind", if bare { "Pod" } else { &top.kind }),
        ("workload", &top.name),
        ("queue", &pod.queue),
        ("team", &belonging.team),
        ("model", &belonging.model),
        ("cost_center", &belonging.cost_center),
        ("method", if bare { "pod" } else { "owner_references" }),
        ("confidence", if bare || top.whole { "high" } else { "medium" }),
    ]
}

fn container(
    this: &[(&'static str, &str); 3],
    pod: &Pod,
    container: &Container,
    gather: &mut Gather,
) {
    let labels = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        let own = [("container", &*container.name)];
        let all = this.iter().chain(&own).chain(more);
        all.map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let write = |metric: &str, more: &[(&'static str, &str)], value: f64, gather: &mut Gather| {
        let labels = labels(more);
        let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, &**value)).collect();
        gather.sample(metric, &labels, value);
    };
    if let Some(restarts) = container.restarts {
        write(names::CONTAINER_RESTARTS, &[], restarts, gather);
    }
    let reasons = [
        (&container.waiting_reason, names::CONTAINER_WAITING),
        (&container.terminated_reason, names::CONTAINER_TERMINATED),
    ];
    for (reason, metric) in reasons {
        if !reason.is_empty() {
            write(metric, &[("reason", reason)], 1.0, gather);
        }
    }
    if !pod.has_gpu {
        return;
    }
    let image = [("image", &*container.image), ("container_id", &*container.runtime_id)];
    write(names::CONTAINER, &image, 1.0, gather);
    if let Some(ready) = container.ready {
        write(names::CONTAINER_READY, &[], f64::from(u8::from(ready)), gather);
    }
    let amounts =
        [(&container.requests, names::POD_REQUEST), (&container.limits, names::POD_LIMIT)];
    for (amounts, metric) in amounts {
        for (resource, amount) in amounts {
            let (spelled, unit) = spelled(resource);
            let more = [("node", &*pod.node), ("resource", &spelled), ("resource_unit", unit)];
            write(metric, &more, *amount, gather);
            // What has ended asks for nothing any more; what holds a device for others asks for them.
            let asks = !pod.is_ended() && !pod.is_reservation();
            if metric == names::POD_REQUEST && is_accelerator(resource) && asks {
                let more = [("node", &*pod.node), ("resource", &*spelled)];
                write(names::GPU_REQUESTED, &more, *amount, gather);
            }
        }
    }
}

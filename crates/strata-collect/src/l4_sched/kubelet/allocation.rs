//! Allocations as the kubelet's two sources tell them, and which of them still stand.

use std::collections::{BTreeMap, BTreeSet};

use strata_model::FaultCode;

use super::checkpoint::Entry;
use super::proto::{ClaimResource, ListResponse};
use crate::l4_sched::device::{Device, is_accelerator};
use crate::l4_sched::gather::Gather;
use crate::l4_sched::pod_book::PodBook;

/// What is known of the node besides.
pub(super) struct Place<'a> {
    pub(super) node: &'a str,
    /// Minor number and UUID of each GPU.
    pub(super) minors: Vec<(String, String)>,
    /// UIDs of the pods that have a control group; empty where none can be seen.
    pub(super) live: BTreeSet<String>,
    pub(super) book: &'a PodBook,
}

/// A device that a container was given; what is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Allocation {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) pod_uid: String,
    pub(super) container: String,
    pub(super) resource: String,
    /// The id as the plugin wrote it.
    pub(super) device_id: String,
    pub(super) device: Device,
    /// `pod_resources`, `checkpoint` or `dra`.
    pub(super) method: &'static str,
    /// `high`, `medium` or `low`.
    pub(super) confidence: &'static str,
}

impl Place<'_> {
    /// A device by its id, with the UUID of a minor number.
    fn device(&self, id: &str) -> Device {
        let mut device = Device::of_id(id);
        let uuid = self.minors.iter().find(|(minor, _)| *minor == device.minor);
        if let Some((_, uuid)) = uuid
            && device.gpu_uuid.is_empty()
        {
            device.gpu_uuid.clone_from(uuid);
        }
        device
    }

    /// A device of a claim. The UUID is what the driver published, or stands in the name for the
    /// runtime (`k8s.gpu.nvidia.com/claim=<uid>-GPU-<uuid>` of some drivers).
    fn claimed(&self, claimed: &ClaimResource) -> Device {
        let published =
            self.book.uuid_of(&claimed.driver_name, &claimed.pool_name, &claimed.device_name);
        let named = || {
            let mut names = claimed.cdi_devices.iter().map(|one| one.name.as_str());
            let at = names.find_map(|name| {
                let at = name.find("GPU-").or_else(|| name.find("MIG-"))?;
                name.get(at..)
            });
            at.map(str::to_owned)
        };
        let id = published.or_else(named).unwrap_or_default();
        Device::of_id(&id)
    }
}

/// Every accelerator in an answer of PodResources.
pub(super) fn of_answer(answer: &ListResponse, place: &Place<'_>) -> Vec<Allocation> {
    let mut found = Vec::new();
    for pod in &answer.pod_resources {
        for container in &pod.containers {
            let mut push = |resource: &str, id: &str, device: Device, method| {
                found.push(Allocation {
                    namespace: pod.namespace.clone(),
                    pod: pod.name.clone(),
                    container: container.name.clone(),
                    resource: resource.to_owned(),
                    device_id: id.to_owned(),
                    device,
                    method,
                    confidence: "high",
                    ..Allocation::default()
                });
            };
            let plugins = container.devices.iter();
            for devices in plugins.filter(|devices| is_accelerator(&devices.resource_name)) {
                for id in &devices.device_ids {
                    push(&devices.resource_name, id, place.device(id), "pod_resources");
                }
            }
            let claims = container.dynamic_resources.iter().flat_map(|one| &one.claim_resources);
            for claimed in claims.filter(|claimed| claimed.driver_name.contains("gpu")) {
                let id = format!("{}/{}", claimed.pool_name, claimed.device_name);
                push(&claimed.driver_name, &id, place.claimed(claimed), "dra");
            }
        }
    }
    for allocation in &mut found {
        if let Some(facts) = place.book.facts(&allocation.namespace, &allocation.pod) {
            allocation.pod_uid = facts.uid;
        }
    }
    found
}

/// Every accelerator in the checkpoint. Names of pods are known where the API server was asked.
pub(super) fn of_checkpoint(entries: &[Entry], place: &Place<'_>) -> Vec<Allocation> {
    let entries = entries.iter().filter(|entry| is_accelerator(&entry.resource));
    let allocation = |entry: &Entry| {
        let (namespace, pod) = place.book.name_of(&entry.pod_uid).unwrap_or_default();
        Allocation {
            namespace,
            pod,
            pod_uid: entry.pod_uid.clone(),
            container: entry.container.clone(),
            resource: entry.resource.clone(),
            device_id: entry.device_id.clone(),
            device: place.device(&entry.device_id),
            method: "checkpoint",
            confidence: "medium",
        }
    };
    entries.map(allocation).collect()
}

/// Take the UIDs from the checkpoint, where exactly one pod fits, and count what contradicts it.
pub(super) fn complete(given: &mut [Allocation], entries: &[Entry], gather: &mut Gather) {
    let mut uids: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for entry in entries {
        let key = (&*entry.resource, &*entry.device_id, &*entry.container);
        uids.entry(key).or_default().push(&entry.pod_uid);
    }
    for allocation in given.iter_mut().filter(|one| one.method == "pod_resources") {
        let key = (&*allocation.resource, &*allocation.device_id, &*allocation.container);
        let known = uids.get(&key).map(Vec::as_slice).unwrap_or_default();
        match known {
            [only] if allocation.pod_uid.is_empty() => (*only).clone_into(&mut allocation.pod_uid),
            [] => {}
            some if allocation.pod_uid.is_empty() || some.contains(&&*allocation.pod_uid) => {}
            _ => {
                allocation.confidence = "medium";
                let message = "PodResources and the checkpoint name different pods for a device";
                gather.fault(FaultCode::Malformed, message);
            }
        }
    }
}

/// Without pods that have ended, and those that hold a device for others. A device that several pods still hold, though it is not shared,
/// belongs to each of them with low confidence.
pub(super) fn that_still_stand(
    mut allocations: Vec<Allocation>,
    place: &Place<'_>,
    gather: &mut Gather,
) -> Vec<Allocation> {
    allocations.retain(|one| {
        let facts = place.book.facts(&one.namespace, &one.pod);
        let ended = facts.is_some_and(|facts| facts.ended || facts.reserves);
        // A pod of a moment ago may not have its group yet; then PodResources is right.
        let known_gone = !one.pod_uid.is_empty()
            && !place.live.is_empty()
            && !place.live.contains(&one.pod_uid)
            && place.book.name_of(&one.pod_uid).is_none();
        !ended && !known_gone
    });
    let mut holders: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for one in allocations.iter().filter(|one| one.device.sharing != "replica") {
        let pod = (one.namespace.clone(), one.pod.clone(), one.pod_uid.clone());
        let key = (one.resource.clone(), one.device_id.clone());
        holders.entry(key).or_default().insert(pod);
    }
    for one in &mut allocations {
        let key = (one.resource.clone(), one.device_id.clone());
        if one.method != "dra" && holders.get(&key).is_some_and(|pods| pods.len() > 1) {
            one.confidence = "low";
            let message = "several pods hold a device that is not shared: some of them have ended";
            gather.fault(FaultCode::Duplicate, message);
        }
    }
    allocations
}

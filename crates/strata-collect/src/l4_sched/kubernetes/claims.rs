//! Devices by dynamic resource allocation: which device a claim was given, and which pods hold it.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::Value as Json;

use super::pods::text;
use super::watch::Kept;
use crate::l4_sched::device::Device;
use crate::l4_sched::gather::Gather;
use crate::l4_sched::names;

/// Driver, pool, device.
pub(super) type DeviceKey = (String, String, String);

/// A device that a driver publishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Published {
    /// UUID of the GPU or of the MIG instance.
    pub(super) uuid: String,
    /// UUID of the GPU that a MIG instance is a part of.
    pub(super) parent: String,
    pub(super) node: String,
}

/// A claim that was given devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) devices: Vec<DeviceKey>,
    /// Name and UID of the pods that hold it.
    pub(super) pods: Vec<(String, String)>,
}

/// All devices of a `ResourceSlice`. Before `v1` attributes stood below `basic`.
pub(super) fn slice(object: &DynamicObject) -> Option<Vec<(DeviceKey, Published)>> {
    let spec = &object.data["spec"];
    let (driver, pool) = (text(&spec["driver"]), text(&spec["pool"]["name"]));
    if !driver.contains("gpu") {
        return None; // Network cards and the like are published in the same way.
    }
    let devices = spec["devices"].as_array()?.iter();
    let read = |device: &Json| {
        let attributes = if device["basic"].is_object() {
            &device["basic"]["attributes"]
        } else {
            &device["attributes"]
        };
        let attribute = |name: &str| text(&attributes[name]["string"]);
        let published = Published {
            uuid: attribute("uuid"),
            parent: attribute("parentUUID"),
            node: text(&spec["nodeName"]),
        };
        ((driver.clone(), pool.clone(), text(&device["name"])), published)
    };
    Some(devices.map(read).collect())
}

/// A `ResourceClaim`; `None` while nothing was given to it.
pub(super) fn claim(object: &DynamicObject) -> Option<Claim> {
    let status = &object.data["status"];
    let results = status["allocation"]["devices"]["results"].as_array()?.iter();
    let devices =
        results.map(|one| (text(&one["driver"]), text(&one["pool"]), text(&one["device"])));
    let reserved = status["reservedFor"].as_array().into_iter().flatten();
    let pods = reserved.filter(|one| one["resource"] == "pods");
    let pods = pods.map(|one| (text(&one["name"]), text(&one["uid"])));
    Some(Claim { devices: devices.collect(), pods: pods.collect() })
}

/// Write who holds which claimed device, and return the UUIDs for the kubelet's collector.
pub(super) fn write(
    slices: &Kept<Vec<(DeviceKey, Published)>>,
    claims: &Kept<Claim>,
    gather: &mut Gather,
) -> BTreeMap<DeviceKey, String> {
    let published: BTreeMap<&DeviceKey, &Published> =
        slices.values().flat_map(|slice| slice.iter()).map(|(key, device)| (key, device)).collect();
    for ((namespace, claim), given) in claims {
        for key in &given.devices {
            let Some(published) = published.get(key) else { continue };
            let mut device = Device::of_id(&published.uuid);
            if !published.parent.is_empty() {
                device.gpu_uuid.clone_from(&published.parent);
            }
            let shared = if given.pods.len() > 1 { "claim" } else { device.sharing };
            for (pod, uid) in &given.pods {
                gather.info(
                    names::ALLOCATION,
                    &[
                        ("gpu_uuid", &device.gpu_uuid),
                        ("mig_uuid", &device.mig_uuid),
                        ("node", &published.node),
                        ("namespace", namespace),
                        ("pod", pod),
                        ("pod_uid", uid),
                        ("resource", claim),
                        ("device", &key.2),
                        ("sharing", shared),
                        ("method", "dra"),
                        ("confidence", "high"),
                    ],
                );
            }
        }
    }
    let uuids = published.into_iter().filter(|(_, device)| !device.uuid.is_empty());
    uuids.map(|(key, device)| (key.clone(), device.uuid.clone())).collect()
}

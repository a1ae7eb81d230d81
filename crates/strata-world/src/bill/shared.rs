//! What tells of GPUs that several hold at once: their slices and replicas, what a scheduler gave, and
//! how busy each holder's part was.

use std::collections::BTreeMap;

use super::BillGpu;
use super::part::{Device, Parts};
use super::read::{Reader, last, text};
use crate::assemble::identity::identity;
use crate::assemble::rows::Row;
use crate::entity::EntityKind;

/// Namespace and pod.
type Pod = (String, String);
/// Values of the steps, by GPU and pod.
type Used = BTreeMap<String, BTreeMap<Pod, Vec<Option<f64>>>>;

/// MIG instances by UUID: the GPU they are on, and their profile.
pub(super) struct Slices(BTreeMap<String, (String, Option<String>)>);

impl Slices {
    /// The GPU that a row is about, and the profile of the slice where it is about one.
    pub(super) fn of(&self, row: &Row<'_>) -> Option<(String, Option<String>)> {
        let gpu = identity(EntityKind::Gpu, row.labels)?.key.to_string();
        let uuid = text(row, "mig_uuid").or_else(|| gpu.starts_with("MIG-").then(|| gpu.clone()));
        let known = uuid.and_then(|uuid| self.0.get(&uuid));
        // `nvidia.com/mig-1g.10gb`
        let resource = text(row, "resource");
        let named = resource.and_then(|name| Some(name.split_once("mig-")?.1.to_owned()));
        let profile = text(row, "mig_profile").or(named);
        match known {
            Some((parent, known)) => Some((parent.clone(), profile.or_else(|| known.clone()))),
            None => Some((gpu, profile)),
        }
    }
}

/// What is known of the devices beside their load.
pub(super) struct Devices {
    memory_bytes: BTreeMap<String, f64>,
    /// By node.
    replicas: BTreeMap<String, f64>,
}

impl Devices {
    pub(super) fn of<'a>(&self, gpu: &'a BillGpu) -> Device<'a> {
        Device {
            model: gpu.model.as_deref(),
            memory_bytes: self.memory_bytes.get(&gpu.id).copied(),
            replicas: gpu.node.as_ref().and_then(|node| self.replicas.get(node)).copied(),
        }
    }
}

fn pod(row: &Row<'_>) -> Option<Pod> {
    Some((text(row, "namespace").unwrap_or_default(), text(row, "pod")?))
}

impl Reader<'_> {
    pub(super) fn slices(&self) -> Slices {
        let rows = self.rows("slices");
        let found = rows.iter().filter_map(|row| {
            let gpu = identity(EntityKind::Gpu, row.labels)?.key.to_string();
            Some((text(row, "mig_uuid")?, (gpu, text(row, "mig_profile"))))
        });
        Slices(found.collect())
    }

    pub(super) fn devices(&self, gpus: &BTreeMap<String, BillGpu>) -> Devices {
        let rows = self.rows("memory_limit");
        let memory_bytes = rows.iter().filter_map(|row| {
            Some((identity(EntityKind::Gpu, row.labels)?.key.to_string(), last(row)?))
        });
        let mut in_node: BTreeMap<&str, f64> = BTreeMap::new();
        for node in gpus.values().filter_map(|gpu| gpu.node.as_deref()) {
            *in_node.entry(node).or_default() += 1.0;
        }
        let mut replicas: BTreeMap<String, f64> = BTreeMap::new();
        for row in self.rows("capacity") {
            // Whole devices and their parts in time, not slices of them.
            let resource = text(&row, "resource").unwrap_or_default();
            let is_device = resource.ends_with("gpu") || resource.ends_with("gpu_shared");
            let (Some(node), Some(count), true) = (text(&row, "node"), last(&row), is_device)
            else {
                continue;
            };
            if let Some(gpus) = in_node.get(&*node) {
                *replicas.entry(node).or_default() += count / gpus;
            }
        }
        Devices { memory_bytes: memory_bytes.collect(), replicas }
    }

    /// Share of cores and bytes of memory that a scheduler gave, by GPU and pod.
    pub(super) fn given(&self) -> BTreeMap<(String, Pod), (Option<f64>, Option<f64>)> {
        let mut found: BTreeMap<_, (Option<f64>, Option<f64>)> = BTreeMap::new();
        for (key, is_cores) in [("cores", true), ("given", false)] {
            for row in self.rows(key) {
                let gpu = identity(EntityKind::Gpu, row.labels);
                let (Some(gpu), Some(pod), Some(value)) = (gpu, pod(&row), last(&row)) else {
                    continue;
                };
                let entry = found.entry((gpu.key.to_string(), pod)).or_default();
                *(if is_cores { &mut entry.0 } else { &mut entry.1 }) = Some(value);
            }
        }
        found
    }

    /// How busy the part of each pod was, as shares of the whole GPU: by its slices, else by what a
    /// scheduler counts for its containers, else by its processes.
    pub(super) fn used(&self, devices: &Devices, gpus: &BTreeMap<String, BillGpu>) -> Used {
        let mut found = self.used_slices(devices, gpus);
        for key in ["used_vgpu", "used_process"] {
            let mut counted = Used::new();
            for row in self.rows(key) {
                let gpu = identity(EntityKind::Gpu, row.labels);
                let (Some(gpu), Some(pod)) = (gpu, pod(&row)) else { continue };
                let pods = counted.entry(gpu.key.to_string()).or_default();
                add(pods.entry(pod).or_default(), &self.track(&row), 1.0);
            }
            for (gpu, pods) in counted {
                // One way of counting for all holders of a GPU: two would not add up.
                found.entry(gpu).or_insert(pods);
            }
        }
        found
    }

    fn used_slices(&self, devices: &Devices, gpus: &BTreeMap<String, BillGpu>) -> Used {
        let slices = self.slices();
        let rows = self.rows("allocation");
        let holders = rows.iter().filter_map(|row| Some((text(row, "mig_uuid")?, pod(row)?)));
        let holders: BTreeMap<String, Pod> = holders.collect();
        let mut found = Used::new();
        for row in self.rows("used_slice") {
            let Some((gpu, Some(profile))) = slices.of(&row) else { continue };
            let by_uuid = text(&row, "mig_uuid").and_then(|uuid| holders.get(&uuid));
            let pod = pod(&row).or_else(|| by_uuid.cloned());
            let (Some(device), Some(pod)) = (gpus.get(&gpu), pod) else { continue };
            let mut part = Parts::default();
            part.slice("used_slice", "", &profile);
            let Some(cores) = part.of(devices.of(device)).cores else { continue };
            let pods = found.entry(gpu).or_default();
            add(pods.entry(pod).or_default(), &self.track(&row), cores);
        }
        found
    }
}

/// Add a track to another, `weight` times.
fn add(all: &mut Vec<Option<f64>>, track: &[Option<f64>], weight: f64) {
    all.resize(all.len().max(track.len()), None);
    for (all, value) in all.iter_mut().zip(track) {
        if let Some(value) = value {
            *all = Some((all.unwrap_or_default() + value * weight).min(1.0));
        }
    }
}

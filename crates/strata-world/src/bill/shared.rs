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
        let holders = self.rows("allocation");
        let named = holders.iter().filter_map(|row| Some((text(row, "pod_uid")?, pod(row)?)));
        let named: BTreeMap<String, Pod> = named.collect();
        for key in ["used_vgpu", "used_process"] {
            let mut counted = Used::new();
            for row in self.rows(key) {
                let gpu = identity(EntityKind::Gpu, row.labels);
                let by_uid = || named.get(&text(&row, "pod_uid")?).cloned();
                let (Some(gpu), Some(pod)) = (gpu, pod(&row).or_else(by_uid)) else { continue };
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
        let (slices, holders) = (self.slices(), self.slice_holders());
        let mut found = Used::new();
        for row in self.rows("used_slice") {
            let Some((gpu, Some(profile))) = slices.of(&row) else { continue };
            let Some(device) = gpus.get(&gpu) else { continue };
            let mut part = Parts::default();
            part.slice("used_slice", "", &profile);
            let Some(cores) = part.of(devices.of(device)).cores else { continue };
            let track = self.track(&row);
            let mut give = |pod: Pod, track: &[Option<f64>]| {
                let pods = found.entry(gpu.clone()).or_default();
                add(pods.entry(pod).or_default(), track, cores);
            };
            if let Some(pod) = pod(&row) {
                give(pod, &track);
                continue;
            }
            let holders = text(&row, "mig_uuid").and_then(|uuid| holders.get(&uuid));
            for (pod, held) in holders.into_iter().flatten() {
                give(pod.clone(), &part_of(&track, held));
            }
        }
        found
    }

    /// Who held each slice in each step, as parts of what was done on it: of several in the step in
    /// which it changed hands nothing tells more, so they have equal parts of that step.
    fn slice_holders(&self) -> BTreeMap<String, BTreeMap<Pod, Vec<f64>>> {
        let mut found: BTreeMap<String, BTreeMap<Pod, Vec<f64>>> = BTreeMap::new();
        for row in self.rows("allocation") {
            let (Some(uuid), Some(pod)) = (text(&row, "mig_uuid"), pod(&row)) else { continue };
            let track = self.track(&row);
            let held = found.entry(uuid).or_default().entry(pod).or_default();
            held.resize(held.len().max(track.len()), 0.0);
            for (held, value) in held.iter_mut().zip(track) {
                *held = held.max(f64::from(u8::from(value.is_some())));
            }
        }
        for pods in found.values_mut() {
            for step in 0..self.steps() {
                let at = |held: &Vec<f64>| held.get(step).copied().unwrap_or_default();
                let all: f64 = pods.values().map(at).sum();
                for held in pods.values_mut().filter_map(|held| held.get_mut(step)) {
                    *held /= all.max(1.0);
                }
            }
        }
        found
    }
}

/// What of a track is a holder's, who had `held` of each step; steps that he had nothing of are not
/// his.
fn part_of(track: &[Option<f64>], held: &[f64]) -> Vec<Option<f64>> {
    let pairs = track.iter().zip(held);
    pairs.map(|(value, held)| value.filter(|_| *held > 0.0).map(|value| value * held)).collect()
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

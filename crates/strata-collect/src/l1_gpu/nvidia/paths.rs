//! How near the GPUs are to each other over PCI Express: the driver's word, else the bus's.

use strata_model::Layer;

use super::super::paths::{self, Gpu, Place, Way};
use super::facts::Facts;
use super::library::Handle;
use super::{HANG_HINT, Shared};
use crate::collector::CollectError;
use crate::l3_host::part::{Part, Round};

/// A level of `nvmlGpuTopologyLevel_t`.
fn way_of(level: u32) -> Option<Way> {
    match level {
        0 => Some(Way::Board),
        10 => Some(Way::Switch),
        20 => Some(Way::Switches),
        30 => Some(Way::HostBridge),
        40 => Some(Way::NumaNode),
        50 => Some(Way::Across),
        _ => None,
    }
}

/// Reads the ways between GPUs.
pub(in super::super) struct Paths(pub(in super::super) Shared);

impl Part for Paths {
    fn id(&self) -> &'static str {
        "gpu/nvidia_paths"
    }

    fn layer(&self) -> Layer {
        Layer::L1Gpu
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let mut nvidia = self.0.lock();
        let session = nvidia.open(round)?;
        let root = nvidia.root.clone();
        let node = std::sync::Arc::clone(&nvidia.node);
        let mut reader = std::mem::take(&mut nvidia.reader);
        let answering = nvidia.devices.iter().filter(|one| one.memo.lost.is_none());
        let listed: Vec<(Handle, &Facts)> =
            answering.filter_map(|one| Some((one.handle?, &one.facts))).collect();
        let place = |facts: &Facts| Place::read(&root, &facts.pci_address, &mut reader);
        let places: Vec<Place> =
            listed.iter().map(|(_, facts)| facts).copied().map(place).collect();
        let gpus = listed.iter().zip(&places);
        let gpus = gpus.map(|((_, facts), place)| Gpu {
            labels: facts.labels(),
            uuid: &facts.uuid,
            place,
        });
        let gpus: Vec<Gpu<'_>> = gpus.collect();
        // Any refusal, of an older library too, leaves it to the bus.
        let ask = |one: usize, other: usize| {
            let level = session.nvml.common_ancestor(listed[one].0, listed[other].0);
            level.ok().and_then(way_of)
        };
        let told = paths::tell(&gpus, &node, ask, round);
        nvidia.reader = reader;
        nvidia.session = Some(session);
        told
    }

    fn interval_min(&self) -> std::time::Duration {
        paths::INTERVAL
    }

    fn may_hang(&self) -> bool {
        true
    }

    fn hang_hint(&self) -> &'static str {
        HANG_HINT
    }
}

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings as header;

    use super::*;

    #[test]
    fn levels_are_those_of_the_header() {
        let check = |level, expected| assert_eq!(way_of(level), Some(expected), "{level}");
        check(header::nvmlGpuLevel_enum_NVML_TOPOLOGY_INTERNAL, Way::Board);
        check(header::nvmlGpuLevel_enum_NVML_TOPOLOGY_SINGLE, Way::Switch);
        check(header::nvmlGpuLevel_enum_NVML_TOPOLOGY_MULTIPLE, Way::Switches);
        check(header::nvmlGpuLevel_enum_NVML_TOPOLOGY_HOSTBRIDGE, Way::HostBridge);
        check(header::nvmlGpuLevel_enum_NVML_TOPOLOGY_NODE, Way::NumaNode);
        check(header::nvmlGpuLevel_enum_NVML_TOPOLOGY_SYSTEM, Way::Across);
        assert_eq!(way_of(7), None);
    }
}

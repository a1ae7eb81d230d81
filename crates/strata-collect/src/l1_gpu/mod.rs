//! Layer 1, the GPUs: read natively, through NVIDIA's management library or, for AMD, from the
//! kernel's files. Series are written under the names the catalog derives.

mod amd;
mod names;
mod nvidia;
mod options;
mod owner;
mod paths;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use options::{GpuOptions, GpuSettings, GpuVendor, Profiling};

use crate::collector::Collector;
use crate::l3_host::KernelEvents;
use crate::l3_host::part::{HostCollector, Part};
use crate::l3_host::root::HostRoot;

/// Read the bytes as an AMD driver's table of metrics; how many samples they gave.
pub(crate) fn amd_table(bytes: &[u8]) -> usize {
    let mut round = crate::l3_host::part::Round::new(&Arc::from("gpu/amd"), 0);
    amd::read_table(bytes, &mut round);
    round.into_harvest().batch.samples.len()
}

/// Read the bytes as files of the map that AMD's compute driver keeps: the node that a link leads to, and
/// the place of a device on the bus.
pub(crate) fn amd_map(bytes: &[u8]) -> (Option<u64>, Option<String>) {
    amd::read_map(bytes)
}

/// Read a field as NVIDIA's library writes it: return code, type, eight bytes.
pub(crate) fn nvidia_field(code: u32, kind: u32, bytes: [u8; 8]) -> Option<f64> {
    nvidia::read_field(code, kind, bytes)
}

/// Read the targets of two links of `/sys/bus/pci/devices`; the way between both devices, in a word.
pub(crate) fn pcie_way(one: &str, other: &str) -> Option<&'static str> {
    paths::way_between(Path::new(one), Path::new(other))
}

/// The collectors of the host's GPUs, for each vendor its own.
///
/// `host_root` is `/`, or where a container has the host's root mounted. Every series carries the
/// label `node` with the value `node_name`. GPU faults of the kernel log are taken out of `events`.
pub fn collectors(
    settings: &GpuSettings,
    host_root: &Path,
    node_name: &str,
    events: &KernelEvents,
) -> Vec<Box<dyn Collector>> {
    let root = HostRoot::new(host_root);
    let node: Arc<str> = Arc::from(node_name);
    let mut parts: Vec<Box<dyn Part>> = Vec::new();
    for vendor in &settings.vendors {
        match vendor {
            GpuVendor::Nvidia => {
                let options = nvidia::Options {
                    library: settings.nvidia_library.clone(),
                    profiling: settings.profiling,
                    processes: settings.processes,
                };
                let nvidia = nvidia::Nvidia::new(&root, &node, options, events.clone());
                let shared = nvidia::Shared::new(nvidia);
                parts.push(Box::new(nvidia::Activity(shared.clone())));
                parts.push(Box::new(nvidia::Health(shared.clone())));
                parts.push(Box::new(nvidia::Ends(shared.clone())));
                parts.push(Box::new(nvidia::Paths(shared)));
            }
            GpuVendor::Amd => {
                parts.push(Box::new(amd::Amd::new(&root, &node, settings.processes)));
                parts.push(Box::new(amd::Ends::new(&root, &node)));
                parts.push(Box::new(amd::Paths::new(&root, &node)));
            }
        }
    }
    let collector =
        |part| -> Box<dyn Collector> { Box::new(HostCollector::new(part, settings.interval)) };
    parts.into_iter().map(collector).collect()
}

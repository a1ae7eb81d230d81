//! Layer 3, the host: read natively from `/proc`, `/sys` and `/dev`, never by running a program.
//!
//! Each area of the host is a `part::Part` with its own collector, so that its state and faults
//! are told apart (`host/cpu`, `host/disk`, ...). Series are written under the names the catalog
//! derives; their encoded labels are kept between rounds.

mod cgroup;
mod cpu;
mod disk;
pub(crate) mod fields;
mod filesystem;
mod infiniband;
mod info;
pub(crate) mod kernel_log;
pub(crate) mod listing;
mod memory;
pub(crate) mod names;
mod network;
mod nfs;
mod numa;
mod options;
pub(crate) mod owner;
pub(crate) mod part;
mod pcie;
mod pressure;
mod probe;
pub(crate) mod process;
pub(crate) mod root;
pub(crate) mod series;
mod tcp;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use kernel_log::{AerSeverity, KernelEvent, KernelEvents, KernelFact};
pub use options::{HostOptions, HostPart, HostSettings, ProcessOptions};
pub(crate) use owner::pod_uid as pod_of_cgroup;

use crate::collector::Collector;
use part::{HostCollector, Part};
use root::HostRoot;

/// The collectors of the host, one per chosen part.
///
/// `host_root` is `/`, or where a container has the host's root mounted. Every series carries the
/// label `node` with the value `node_name`. What the kernel log states is put into `events`, besides
/// being counted.
pub fn collectors(
    settings: &HostSettings,
    host_root: &Path,
    node_name: &str,
    events: &KernelEvents,
) -> Vec<Box<dyn Collector>> {
    let root = HostRoot::new(host_root);
    let node: Arc<str> = Arc::from(node_name);
    let collector = |part: &HostPart| -> Box<dyn Collector> {
        let part = open(*part, settings, &root, &node, events);
        Box::new(HostCollector::new(part, settings.interval))
    };
    settings.parts.iter().map(collector).collect()
}

fn open(
    part: HostPart,
    settings: &HostSettings,
    root: &HostRoot,
    node: &Arc<str>,
    events: &KernelEvents,
) -> Box<dyn Part> {
    match part {
        HostPart::Info => Box::new(info::Info::new(root, node)),
        HostPart::Cpu => Box::new(cpu::Cpu::new(root, node)),
        HostPart::Memory => Box::new(memory::Memory::new(root, node)),
        HostPart::Numa => Box::new(numa::Numa::new(root, node)),
        HostPart::Disk => Box::new(disk::Disk::new(root, node)),
        HostPart::Filesystem => {
            let exclude = settings.exclude_mounts.clone();
            let deadline = settings.mount_deadline;
            Box::new(filesystem::Filesystem::new(root, node, exclude, deadline))
        }
        HostPart::Network => {
            Box::new(network::Network::new(root, node, settings.exclude_interfaces.clone()))
        }
        HostPart::Tcp => Box::new(tcp::Tcp::new(root, node)),
        HostPart::Process => {
            Box::new(process::Processes::new(root, node, settings.processes.clone()))
        }
        HostPart::Pressure => Box::new(pressure::Pressure::new(root, node)),
        HostPart::Cgroup => Box::new(cgroup::Cgroups::new(root, node, settings.cgroups_max)),
        HostPart::Nfs => Box::new(nfs::Nfs::new(root, node)),
        HostPart::Infiniband => Box::new(infiniband::Infiniband::new(root, node)),
        HostPart::Pcie => Box::new(pcie::Pcie::new(root, node)),
        HostPart::KernelLog => Box::new(kernel_log::KernelLog::new(root, node, events.clone())),
    }
}

//! Layer 3, the host: read natively from `/proc`, `/sys` and `/dev`, never by running a program.
//!
//! Each area of the host is a [`part::Part`] with its own collector, so that its state and faults
//! are told apart (`host/cpu`, `host/disk`, ...). Series are written under the names the catalog
//! derives; their encoded labels are kept between rounds.

mod cpu;
mod disk;
mod fields;
mod filesystem;
mod listing;
mod memory;
mod names;
mod network;
mod numa;
mod options;
mod part;
mod pressure;
mod probe;
mod root;
mod series;
mod tcp;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use options::{HostOptions, HostPart, HostSettings, ProcessOptions};

use crate::collector::Collector;
use part::{HostCollector, Part};
use root::HostRoot;

/// The collectors of the host, one per chosen part.
///
/// `host_root` is `/`, or where a container has the host's root mounted. Every series carries the
/// label `node` with the value `node_name`.
pub fn collectors(
    settings: &HostSettings,
    host_root: &Path,
    node_name: &str,
) -> Vec<Box<dyn Collector>> {
    let root = HostRoot::new(host_root);
    let node: Arc<str> = Arc::from(node_name);
    let collector = |part: &HostPart| -> Option<Box<dyn Collector>> {
        let part = open(*part, settings, &root, &node)?;
        Some(Box::new(HostCollector::new(part, settings.interval)))
    };
    settings.parts.iter().filter_map(collector).collect()
}

fn open(
    part: HostPart,
    settings: &HostSettings,
    root: &HostRoot,
    node: &Arc<str>,
) -> Option<Box<dyn Part>> {
    let part: Box<dyn Part> = match part {
        HostPart::Cpu => Box::new(cpu::Cpu::new(root, node)),
        HostPart::Memory => Box::new(memory::Memory::new(root, node)),
        HostPart::Numa => Box::new(numa::Numa::new(root, node)),
        HostPart::Disk => Box::new(disk::Disk::new(root, node)),
        HostPart::Filesystem => Box::new(filesystem::Filesystem::new(
            root,
            node,
            settings.exclude_mounts.clone(),
            settings.mount_deadline,
        )),
        HostPart::Network => {
            Box::new(network::Network::new(root, node, settings.exclude_interfaces.clone()))
        }
        HostPart::Tcp => Box::new(tcp::Tcp::new(root, node)),
        HostPart::Pressure => Box::new(pressure::Pressure::new(root, node)),
        _ => return None,
    };
    Some(part)
}

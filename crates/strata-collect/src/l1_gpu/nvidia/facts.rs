//! Who a device is: what stays when it is renumbered, reset or unplugged.

use super::library::{Answer, Handle, Nvml};

/// The identity of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// `GPU-...`: what everything joins on.
    pub(super) uuid: String,
    /// NVML's index, which a reset or another driver may change; in the order of the bus.
    pub(super) index: String,
    pub(super) model: String,
    /// As sysfs writes it; empty when unknown.
    pub(super) pci_address: String,
    /// Of the board; empty on consumer boards, which have none.
    pub(super) serial: String,
    /// NUMA node of the host; empty when unknown.
    pub(super) numa_node: String,
}

impl Facts {
    /// Ask for what is new about the device with this index.
    pub(super) fn read(nvml: &Nvml, device: Handle, index: u32) -> Answer<Self> {
        Ok(Self {
            uuid: nvml.uuid(device)?,
            index: index.to_string(),
            model: nvml.model(device).unwrap_or_default(),
            pci_address: nvml.pci_address(device).unwrap_or_default(),
            serial: nvml.serial(device).unwrap_or_default(),
            numa_node: nvml.numa_node(device).map(|node| node.to_string()).unwrap_or_default(),
        })
    }

    /// The labels that every series of the device carries.
    pub(super) fn labels(&self) -> [(&str, &str); 3] {
        [("gpu_uuid", &self.uuid), ("gpu", &self.index), ("gpu_model", &self.model)]
    }
}

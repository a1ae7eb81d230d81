//! Who a device is: what stays when it is renumbered, reset or unplugged.

use super::library::{Answer, Handle, Nvml};
use crate::l3_host::root::{FileReader, HostRoot};

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
    /// NUMA node of the host that is nearest, as the kernel says; empty when unknown. NVML's own call is
    /// about devices that are NUMA nodes themselves.
    pub(super) numa_node: String,
}

impl Facts {
    /// Ask for what is new about the device with this index.
    pub(super) fn read(
        nvml: &Nvml,
        (device, index): (Handle, u32),
        root: &HostRoot,
        reader: &mut FileReader,
    ) -> Answer<Self> {
        let uuid = nvml.uuid(device)?;
        let pci_address = nvml.pci_address(device).unwrap_or_default();
        let numa_node = root.path(&format!("sys/bus/pci/devices/{pci_address}/numa_node"));
        // -1 where the firmware does not say.
        let numa_node = reader.word(&numa_node).filter(|node| !node.starts_with('-'));
        Ok(Self {
            uuid,
            index: index.to_string(),
            model: nvml.model(device).unwrap_or_default(),
            pci_address,
            serial: nvml.serial(device).unwrap_or_default(),
            numa_node: numa_node.unwrap_or_default(),
        })
    }

    /// The labels that every series of the device carries.
    pub(super) fn labels(&self) -> [(&str, &str); 3] {
        [("gpu_uuid", &self.uuid), ("gpu", &self.index), ("gpu_model", &self.model)]
    }
}

//! Processes that compute on AMD GPUs: KFD counts their memory per device.

use std::path::PathBuf;

use super::super::names;
use super::super::owner::Whose;
use super::card::Card;
use crate::l3_host::fields::{lines, number, text, words};
use crate::l3_host::listing;
use crate::l3_host::part::Round;
use crate::l3_host::root::{FileReader, HostRoot};
use crate::l3_host::series::{Seen, SeriesSet, plain};

/// Processes of one host, times devices.
const PROCESSES_MAX: usize = 1024;
pub(super) const NODES_MAX: usize = 256;

/// Reads `/sys/class/kfd/kfd`.
pub(super) struct Processes {
    root: HostRoot,
    folder: PathBuf,
    known: Seen<SeriesSet>,
}

impl Processes {
    pub(super) fn new(root: &HostRoot) -> Self {
        Self {
            folder: root.path("sys/class/kfd/kfd"),
            root: root.clone(),
            known: Seen::new(PROCESSES_MAX),
        }
    }

    pub(super) fn read(
        &mut self,
        cards: &[Card],
        node: &str,
        reader: &mut FileReader,
        round: &mut Round,
    ) {
        let processes = listing::sorted(&self.folder.join("proc"), PROCESSES_MAX);
        let devices = if processes.is_empty() { Vec::new() } else { self.devices(reader) };
        for process in processes {
            let Ok(pid) = process.parse::<u32>() else { continue };
            for (id, address) in &devices {
                let Some(card) = cards.iter().find(|card| card.address == *address) else {
                    continue;
                };
                let file = format!("proc/{process}/vram_{id}");
                let bytes = reader.number(&self.folder.join(file));
                // Every process is listed with every device; without memory it does not use it.
                let Some(bytes) = bytes.filter(|bytes| *bytes > 0) else { continue };
                let root = &self.root;
                let key = format!("{pid}/{}", card.uuid);
                let make = || series(pid, card, node, &Whose::of(pid, root, reader));
                if let Some(known) = self.known.entry(key.as_bytes(), make) {
                    round.emit(known.get(0), 1.0);
                    round.emit(known.get(1), bytes as f64);
                }
            }
        }
        let refused = self.known.end_round();
        round.over_limit("processes of AMD GPUs", PROCESSES_MAX, refused);
    }

    /// KFD's number of each device, with its PCI address.
    fn devices(&self, reader: &mut FileReader) -> Vec<(u64, String)> {
        let nodes = self.folder.join("topology/nodes");
        let mut devices = Vec::new();
        for name in listing::sorted(&nodes, NODES_MAX) {
            // Processors are nodes too, with the number 0.
            let id = reader.number(&nodes.join(&name).join("gpu_id")).filter(|id| *id > 0);
            let address = reader.read_small(&nodes.join(&name).join("properties")).ok();
            if let (Some(id), Some(address)) = (id, address.and_then(address_of)) {
                devices.push((id, address));
            }
        }
        devices
    }
}

/// From the lines `domain 0` and `location_id 12288`: bus and device as the bus packs them.
pub(super) fn address_of(properties: &[u8]) -> Option<String> {
    let mut location = None;
    let mut domain = 0;
    for line in lines(properties) {
        let mut columns = words(line);
        let (Some(key), Some(value)) = (columns.next(), columns.next().and_then(number)) else {
            continue;
        };
        match &*text(key) {
            "location_id" => location = Some(value),
            "domain" => domain = value,
            _ => {}
        }
    }
    let location = location?;
    let (bus, device, function) = ((location >> 8) & 0xff, (location >> 3) & 0x1f, location & 7);
    Some(format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}"))
}

fn series(pid: u32, card: &Card, node: &str, whose: &Whose) -> SeriesSet {
    let pid = pid.to_string();
    let identity = [
        ("gpu_uuid", &*card.uuid),
        ("gpu", &*card.index),
        ("pid", &*pid),
        ("process", &*whose.process),
        ("pod_uid", &*whose.pod_uid),
        ("container_id", &*whose.container_id),
    ];
    let info: Vec<_> = identity.iter().copied().chain([("kind", "compute")]).collect();
    SeriesSet::joined([
        SeriesSet::new(&[plain(names::PROCESS_INFO)], node, &info),
        SeriesSet::new(&[plain(names::PROCESS_MEMORY)], node, &identity),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_addresses() {
        let check = |file: &str, expected: Option<&str>| {
            assert_eq!(address_of(file.as_bytes()).as_deref(), expected, "{file}");
        };
        check("cpu_cores_count 0\nlocation_id 12288\ndomain 0\n", Some("0000:30:00.0"));
        check("location_id 16640\ndomain 2\n", Some("0002:41:00.0"));
        check("domain 0\n", None);
        check("location_id x\n", None);
    }
}

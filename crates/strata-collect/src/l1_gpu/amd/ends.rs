//! Where the XGMI links of AMD GPUs lead, from the map that the kernel's compute driver (KFD) keeps:
//! `/sys/class/kfd/kfd/topology/nodes/*/io_links/*/properties`.
//!
//! Wiring does not change while a machine runs, so it is read once a minute by a collector of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strata_model::{Layer, SourceState};

use super::super::names;
use super::card::named;
use super::driven;
use super::process::{NODES_MAX, address_of};
use crate::collector::CollectError;
use crate::l3_host::fields::{lines, number, text, words};
use crate::l3_host::listing;
use crate::l3_host::part::{Part, Round, absent};
use crate::l3_host::root::{FileReader, HostRoot, ReadError};
use crate::l3_host::series::{SeriesSet, Shape, shape};

const INTERVAL: Duration = Duration::from_mins(1);

/// Links of one node of the map: eight GPUs, processors, and what else is on the bus.
const LINKS_MAX: usize = 128;

/// `CRAT_IOLINK_TYPE_XGMI` of the kernel's `kfd_crat.h`.
const XGMI: u64 = 11;

const PEER: [Shape; 1] = [shape(names::LINK_PEER, &[("type", "xgmi")])];

/// A card as the other end of a link.
struct Card {
    address: String,
    uuid: String,
    model: String,
    index: String,
}

/// A node of KFD's map: a processor, or a GPU with its place on the bus.
struct Node {
    number: u64,
    folder: PathBuf,
    address: Option<String>,
}

/// Reads the other ends of links.
pub(in super::super) struct Ends {
    root: HostRoot,
    node: Arc<str>,
    reader: FileReader,
}

impl Ends {
    pub(in super::super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self { root: root.clone(), node: Arc::clone(node), reader: FileReader::default() }
    }

    fn cards(&mut self) -> Result<Vec<Card>, CollectError> {
        let driven = driven(&self.root, &mut self.reader)?;
        let cards = driven.into_iter().enumerate().map(|(index, (address, folder))| {
            let (uuid, model) = named((&address, &folder), &mut self.reader);
            Card { address, uuid, model, index: index.to_string() }
        });
        Ok(cards.collect())
    }

    /// The map; an error where it is there and may not be read.
    fn nodes(&mut self) -> Result<Vec<Node>, ReadError> {
        let folder = self.root.path("sys/class/kfd/kfd/topology/nodes");
        let mut nodes = Vec::new();
        for name in listing::sorted(&folder, NODES_MAX) {
            let Ok(number) = name.parse() else { continue };
            let folder = folder.join(&name);
            // Processors have the number 0. Of a GPU that is kept from this group of processes even
            // the number is refused.
            let is_gpu = match self.reader.read_small(&folder.join("gpu_id")) {
                Ok(id) => crate::l3_host::fields::number(id.trim_ascii()).is_some_and(|id| id > 0),
                Err(error) if error.is_denied() => return Err(error),
                Err(_) => false,
            };
            let properties = self.reader.read_small(&folder.join("properties")).ok();
            let address = properties.and_then(address_of).filter(|_| is_gpu);
            nodes.push(Node { number, folder, address });
        }
        Ok(nodes)
    }
}

/// The node that a link of XGMI leads to.
pub(super) fn xgmi_to(properties: &[u8]) -> Option<u64> {
    let (mut kind, mut to) = (None, None);
    for line in lines(properties) {
        let mut columns = words(line);
        let (Some(key), Some(value)) = (columns.next(), columns.next().and_then(number)) else {
            continue;
        };
        match &*text(key) {
            "type" => kind = Some(value),
            "node_to" => to = Some(value),
            _ => {}
        }
    }
    to.filter(|_| kind == Some(XGMI))
}

fn tell((card, link): (&Card, &str), peer: (&str, &str, &str), node: &str, round: &mut Round) {
    let identity = [
        ("gpu_uuid", &*card.uuid),
        ("gpu", &card.index),
        ("gpu_model", &card.model),
        ("link", link),
        ("peer_type", peer.0),
        ("peer_gpu_uuid", peer.1),
        ("peer_pci_address", peer.2),
    ];
    round.emit(SeriesSet::new(&PEER, node, &identity).get(0), 1.0);
}

impl Part for Ends {
    fn id(&self) -> &'static str {
        "gpu/amd_links"
    }

    fn layer(&self) -> Layer {
        Layer::L1Gpu
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let cards = self.cards()?;
        let nodes = self.nodes().map_err(|error| error.fatal("mount the host's /sys"))?;
        if nodes.is_empty() {
            return Err(absent(
                SourceState::Unsupported,
                "the kernel keeps no map of links: there is no /sys/class/kfd",
                "use a kernel with CONFIG_HSA_AMD; in a container mount the host's /sys",
            ));
        }
        let card_at = |address: &str| cards.iter().find(|card| card.address == address);
        let mut told = 0;
        for from in &nodes {
            let Some(card) = from.address.as_deref().and_then(card_at) else { continue };
            let folder: &Path = &from.folder.join("io_links");
            for link in listing::sorted(folder, LINKS_MAX) {
                let properties = self.reader.read_small(&folder.join(&link).join("properties"));
                let to = match properties {
                    Ok(properties) => xgmi_to(properties),
                    Err(error) => {
                        round.unreadable(&error);
                        None
                    }
                };
                let Some(to) = to.and_then(|to| nodes.iter().find(|node| node.number == to)) else {
                    continue;
                };
                // Partitions of one card are nodes of their own: between them nothing is wired.
                if to.address == from.address {
                    continue;
                }
                let peer = match to.address.as_deref() {
                    None => ("cpu", "", ""),
                    Some(at) => ("gpu", card_at(at).map_or("", |card| &card.uuid), at),
                };
                let alone = nodes.iter().filter(|node| node.address == from.address).count() == 1;
                let link = if alone { link } else { format!("{}/{link}", from.number) };
                tell((card, &link), peer, &self.node, round);
                told += 1;
            }
        }
        if told == 0 {
            let message = "the GPUs of this host are not joined by XGMI";
            return Err(absent(SourceState::Absent, message, ""));
        }
        Ok(())
    }

    fn interval_min(&self) -> Duration {
        INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_of_xgmi_lead_somewhere() {
        let check = |file: &str, expected: Option<u64>| {
            assert_eq!(xgmi_to(file.as_bytes()), expected, "{file}");
        };
        check("type 11\nversion_major 0\nnode_from 2\nnode_to 3\nweight 15\n", Some(3));
        check("type 2\nnode_from 2\nnode_to 0\n", None);
        check("node_to 3\n", None);
        check("type 11\n", None);
        check("type x\nnode_to y\n", None);
    }
}

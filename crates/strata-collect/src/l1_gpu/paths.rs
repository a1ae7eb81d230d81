//! How near two GPUs of a host are to each other over PCI Express, from where the kernel put them:
//! `/sys/bus/pci/devices/*` are links into the tree of bridges, and each function names its NUMA node.

use std::path::Path;
use std::time::Duration;

use strata_model::SourceState;

use super::names;
use crate::collector::CollectError;
use crate::l3_host::part::{Round, absent};
use crate::l3_host::root::{FileReader, HostRoot};
use crate::l3_host::series::{SeriesSet, Shape, plain};

/// The bus does not change while a machine runs.
pub(super) const INTERVAL: Duration = Duration::from_mins(1);

const PATH: [Shape; 1] = [plain(names::PCIE_PATH)];

pub(super) use strata_model::Way;

/// Where a function stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// From the host bridge (`pci0000:17`) down to the function itself; empty when unknown.
    bridges: Vec<String>,
    /// `None` where the firmware does not say.
    numa_node: Option<u32>,
}

impl Place {
    /// Look where the function with this address stands.
    pub(super) fn read(root: &HostRoot, address: &str, reader: &mut FileReader) -> Self {
        if address.is_empty() {
            return Self::default();
        }
        let link = root.path("sys/bus/pci/devices").join(address);
        // The link is relative, so it is followed by its text: below another root it would lead to
        // the same place.
        let target = std::fs::read_link(&link).unwrap_or_default();
        let numa_node = reader.word(&link.join("numa_node")).and_then(|node| node.parse().ok());
        Self { bridges: bridges(&target), numa_node }
    }

    /// The way to another device; `None` where the bus does not tell.
    pub(super) fn way_to(&self, other: &Self) -> Option<Way> {
        let (mine, theirs) = (&self.bridges, &other.bridges);
        let common = mine.iter().zip(theirs).take_while(|(mine, theirs)| mine == theirs).count();
        if common == 0 {
            let (mine, theirs) = (self.numa_node?, other.numa_node?);
            return Some(if mine == theirs { Way::NumaNode } else { Way::Across });
        }
        // Below what is common stand the ports on the way down, then the function: one port of a switch
        // and the function are two.
        let below = mine.len().max(theirs.len()) - common;
        Some(match (common, below) {
            (1, _) => Way::HostBridge,
            (_, 0 | 1) => Way::Board,
            (_, 2) => Way::Switch,
            _ => Way::Switches,
        })
    }
}

/// The way between the devices that two links of the bus lead to, without their NUMA nodes.
pub(super) fn way_between(one: &Path, other: &Path) -> Option<&'static str> {
    let place = |target| Place { bridges: bridges(target), numa_node: None };
    place(one).way_to(&place(other)).map(Way::name)
}

/// `../../../devices/pci0000:17/0000:17:01.0/0000:18:00.0` from the host bridge on.
fn bridges(target: &Path) -> Vec<String> {
    let parts = target.iter().filter_map(|part| part.to_str());
    let below = parts.skip_while(|part| !part.starts_with("pci"));
    below.map(str::to_owned).collect()
}

/// A GPU of the host, with the labels that its series carry.
pub(super) struct Gpu<'a> {
    pub(super) labels: [(&'a str, &'a str); 3],
    pub(super) uuid: &'a str,
    pub(super) place: &'a Place,
}

/// Tell the way of each GPU to each other. `ask` knows it where the bus does not, or better.
///
/// # Errors
/// Where there is one GPU only, or nothing tells of any pair.
pub(super) fn tell(
    gpus: &[Gpu<'_>],
    node: &str,
    mut ask: impl FnMut(usize, usize) -> Option<Way>,
    round: &mut Round,
) -> Result<(), CollectError> {
    if gpus.len() < 2 {
        return Err(absent(SourceState::Absent, "there is one GPU: none is near another", ""));
    }
    let mut told = 0;
    for (at, one) in gpus.iter().enumerate() {
        for (with, other) in gpus.iter().enumerate().filter(|(with, _)| *with != at) {
            let way = ask(at.min(with), at.max(with)).or_else(|| one.place.way_to(other.place));
            let Some(way) = way else { continue };
            let own = [("peer_gpu_uuid", other.uuid), ("path", way.name())];
            let identity: Vec<_> = one.labels.iter().chain(&own).copied().collect();
            round.emit(SeriesSet::new(&PATH, node, &identity).get(0), 1.0);
            told += 1;
        }
    }
    if told == 0 {
        return Err(absent(
            SourceState::Unsupported,
            "nothing says where on the bus the GPUs stand",
            "in a container mount the host's /sys; in a virtual machine the bus is its host's to tell",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(target: &str, numa_node: Option<u32>) -> Place {
        Place { bridges: bridges(Path::new(target)), numa_node }
    }

    #[test]
    fn the_way_is_told_by_the_bridges_in_common_and_else_by_numa_nodes() {
        const PORT: &str = "../../../devices/pci0000:17/0000:17:01.0";
        let one = place(&format!("{PORT}/0000:18:00.0/0000:19:00.0/0000:1a:00.0"), Some(0));
        let check = |target: &str, numa_node, expected| {
            let other = place(target, numa_node);
            assert_eq!(one.way_to(&other), expected, "{target}");
            assert_eq!(other.way_to(&one), expected, "{target} and back");
        };
        // Two functions of one card, and two cards below the same switch.
        check(&format!("{PORT}/0000:18:00.0/0000:19:00.0/0000:1a:00.1"), Some(0), Some(Way::Board));
        check(
            &format!("{PORT}/0000:18:00.0/0000:19:04.0/0000:1b:00.0"),
            Some(0),
            Some(Way::Switch),
        );
        // A switch below a port of the switch.
        let far =
            format!("{PORT}/0000:18:00.0/0000:19:08.0/0000:20:00.0/0000:21:00.0/0000:22:00.0");
        check(&far, Some(0), Some(Way::Switches));
        let bridge = "../../../devices/pci0000:17/0000:17:05.0/0000:30:00.0";
        check(bridge, Some(0), Some(Way::HostBridge));
        let other = "../../../devices/pci0000:64/0000:64:01.0/0000:65:00.0";
        check(other, Some(0), Some(Way::NumaNode));
        check(other, Some(1), Some(Way::Across));
        check(other, None, None);
        check("", None, None);
        check("", Some(1), Some(Way::Across));
    }
}

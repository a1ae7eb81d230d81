//! How near GPUs of a node are to each other over PCI Express.

use std::collections::BTreeMap;

use super::Found;
use crate::assemble::identity::identity;
use crate::assemble::rows::at_end;
use crate::entity::{EntityId, EntityKind};
use crate::window::Window;
use crate::wire::{Path, Reach, Way};

/// Each pair once, and how many pairs of each node are equally near.
pub(super) fn read(found: &Found<'_>, window: Window) -> (Vec<Path>, Vec<Reach>) {
    let mut ways: BTreeMap<(String, EntityId, EntityId), Way> = BTreeMap::new();
    for row in ["wires/paths", "state/path"].into_iter().flat_map(|key| found.rows(key)) {
        let label = |name| row.labels.get(name).filter(|value: &&str| !value.is_empty());
        let (Some(one), Some(peer)) =
            (identity(EntityKind::Gpu, row.labels), label("peer_gpu_uuid"))
        else {
            continue;
        };
        let way = label("path").and_then(Way::parse);
        let Some(way) = way.filter(|_| at_end(window, &row.points).is_some()) else { continue };
        let other = EntityId::new(EntityKind::Gpu, peer);
        let (from, to) = if one < other { (one, other) } else { (other, one) };
        let node = label("node").unwrap_or_default().to_owned();
        let known = ways.entry((node, from, to)).or_insert(way);
        *known = way.max(*known);
    }
    let mut sums: BTreeMap<(String, Way), usize> = BTreeMap::new();
    for ((node, ..), way) in &ways {
        *sums.entry((node.clone(), *way)).or_default() += 1;
    }
    if sums.is_empty() {
        sums = counted(found, window);
    }
    let path = |((node, from, to), way)| Path { node, from, to, way };
    let reach = |((node, way), pairs)| Reach { node, way, pairs };
    (ways.into_iter().map(path).collect(), sums.into_iter().map(reach).collect())
}

/// The same of a fleet whose GPUs are not told one by one.
fn counted(found: &Found<'_>, window: Window) -> BTreeMap<(String, Way), usize> {
    let mut sums = BTreeMap::new();
    for row in found.rows("wires/nodes_paths") {
        let Some(way) = row.labels.get("path").and_then(Way::parse) else { continue };
        let Some(count) = at_end(window, &row.points) else { continue };
        let node = row.labels.get("node").unwrap_or_default().to_owned();
        // Both GPUs of a pair tell of it.
        sums.insert((node, way), count as usize / 2);
    }
    sums
}

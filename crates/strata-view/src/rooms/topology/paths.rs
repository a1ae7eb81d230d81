//! How near GPUs of a node are to each other over PCI Express, in words.

use std::collections::BTreeMap;

use strata_world::{EntityId, EntityKind, Path, Relation, Way, World};

use super::links::{among, column};
use crate::page::table::{Cell, Row, Table};
use crate::request::PageId;
use crate::rooms::pieces::link_to;

/// Pairs of each way of a node, and pairs of which nothing is told.
type Pairs = (Vec<(Way, usize)>, usize);

/// Where the other GPU of a pair stands.
pub(in crate::rooms) fn way_word(way: Way) -> &'static str {
    match way {
        Way::Board => "on the same board",
        Way::Switch => "at the same switch",
        Way::Switches => "over several switches",
        Way::HostBridge => "at the same host bridge",
        Way::NumaNode => "at the same NUMA node",
        Way::Across => "across NUMA nodes",
    }
}

/// Whether two GPUs reach each other without their processor.
pub(super) fn is_near(way: Way) -> bool {
    way <= Way::Switches
}

/// The other end of a path that touches a GPU.
pub(in crate::rooms) fn other_end<'a>(path: &'a Path, gpu: &EntityId) -> Option<&'a EntityId> {
    if path.from == *gpu { Some(&path.to) } else { (path.to == *gpu).then_some(&path.from) }
}

/// `PCI Express: GPU 1 at the same switch; GPU 2, GPU 3 across NUMA nodes; GPU 4 not told`; `None` where
/// nothing is told of any GPU of the node.
pub(super) fn line(
    paths: &[&Path],
    gpu: &EntityId,
    others: &[&EntityId],
    name: impl Fn(&EntityId) -> String,
) -> Option<String> {
    let mut ways: BTreeMap<Option<Way>, Vec<String>> = BTreeMap::new();
    for other in others.iter().filter(|other| **other != gpu) {
        let path = paths.iter().find(|path| other_end(path, gpu) == Some(other));
        ways.entry(path.map(|path| path.way)).or_default().push(name(other));
    }
    // What is not told comes last, though it sorts first.
    let untold = ways.remove(&None);
    let mut parts: Vec<String> = ways
        .into_iter()
        .filter_map(|(way, names)| Some(format!("{} {}", names.join(", "), way_word(way?))))
        .collect();
    if parts.is_empty() {
        return None;
    }
    parts.extend(untold.map(|names| format!("{} not told", names.join(", "))));
    Some(format!("PCI Express: {}", parts.join("; ")))
}

/// One row for all nodes with as many pairs of each way; `None` where nobody tells of any.
pub(super) fn table(world: &World) -> Option<Table> {
    let mut nodes: BTreeMap<&str, Vec<(Way, usize)>> = BTreeMap::new();
    for reach in &world.wiring.reaches {
        nodes.entry(&reach.node).or_default().push((reach.way, reach.pairs));
    }
    if nodes.is_empty() {
        return None;
    }
    let gpus = gpus_by_node(world);
    let mut alike: BTreeMap<Pairs, Vec<&str>> = BTreeMap::new();
    for (node, ways) in nodes {
        let told: usize = ways.iter().map(|(_, pairs)| pairs).sum();
        let gpus = gpus.get(node).copied().unwrap_or(0);
        let untold = (gpus * gpus.saturating_sub(1) / 2).saturating_sub(told);
        alike.entry((ways, untold)).or_default().push(node);
    }
    let row = |((ways, untold), nodes): (Pairs, Vec<&str>)| {
        let first = nodes.first().copied().unwrap_or_default();
        let link = (!first.is_empty())
            .then(|| link_to(PageId::Topology, &EntityId::new(EntityKind::Node, first)));
        let mut parts: Vec<String> =
            ways.iter().map(|(way, pairs)| format!("{pairs} {}", way_word(*way))).collect();
        if untold > 0 {
            parts.push(format!("{untold} not told"));
        }
        let cells = [among(first, nodes.len()), parts.join(", ")];
        Row { cells: cells.map(|text| Cell::Text { text }).into(), link }
    };
    Some(Table {
        title: "Over PCI Express".to_owned(),
        columns: vec![column("nodes", false), column("pairs of GPUs of a node", false)],
        rows: alike.into_iter().map(row).collect(),
        total_rows: None,
        empty: String::new(),
    })
}

fn gpus_by_node(world: &World) -> BTreeMap<&str, usize> {
    let mut gpus: BTreeMap<&str, usize> = BTreeMap::new();
    for edge in &world.edges {
        let is_place = edge.relation == Relation::RunsOn && edge.to.kind == EntityKind::Node;
        if is_place && edge.from.kind == EntityKind::Gpu {
            *gpus.entry(&edge.to.key).or_default() += 1;
        }
    }
    gpus
}

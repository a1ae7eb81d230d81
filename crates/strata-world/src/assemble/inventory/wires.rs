//! How devices are wired, from what each of them tells of its own links.

use std::collections::{BTreeMap, BTreeSet};

use strata_model::Labels;

use super::Found;
use crate::assemble::identity::identity;
use crate::assemble::rows::{Row, at_end};
use crate::edge::Method;
use crate::entity::{EntityId, EntityKind};
use crate::window::Window;
use crate::wire::{Down, End, Fabric, NodeDown, Wire, Wiring};

/// The two GPUs tell the same of each other.
const BOTH: f64 = 1.0;
/// Only one of them tells, or the other end is known by its place or number on the node.
const ONE: f64 = 0.9;
/// They tell different numbers of links; the smaller one is taken, as a link is up at both ends.
const DIFFERENT: f64 = 0.7;

/// What a GPU tells of its links to one end.
type Told = BTreeMap<(EntityId, String, End), (String, usize, Method)>;

/// Who GPUs are by their places on a node.
struct Places {
    /// By node and PCI address.
    addresses: BTreeMap<(String, String), EntityId>,
    /// By node and index.
    indices: BTreeMap<(String, String), EntityId>,
}

fn label<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    labels.get(name).filter(|value| !value.is_empty())
}

impl Places {
    fn read(found: &Found<'_>) -> Self {
        let (mut addresses, mut indices) = (BTreeMap::new(), BTreeMap::new());
        for question in ["entity/gpu_device", "entity/gpu"] {
            for row in found.rows(question) {
                let id = identity(EntityKind::Gpu, row.labels);
                let (Some(id), Some(node)) = (id, label(row.labels, "node")) else { continue };
                if let Some(address) = label(row.labels, "pci_address") {
                    addresses.insert((node.to_owned(), address.to_owned()), id.clone());
                }
                if let Some(index) = label(row.labels, "gpu") {
                    indices.insert((node.to_owned(), index.to_owned()), id);
                }
            }
        }
        Self { addresses, indices }
    }
}

/// The wiring that anything tells of.
pub(super) fn read(found: &Found<'_>, window: Window) -> Wiring {
    let places = Places::read(found);
    let mut told = Told::new();
    for row in found.rows("wires/ends") {
        let Some(device) = identity(EntityKind::Gpu, row.labels) else { continue };
        let Some(links) = at_end(window, &row.points).filter(|links| *links > 0.0) else {
            continue;
        };
        let (end, method) = end_of(row.labels, &places);
        let kind = row.labels.get("type").unwrap_or_default().to_owned();
        let node = row.labels.get("node").unwrap_or_default().to_owned();
        let known = told.entry((device, kind, end)).or_insert((node, 0, method));
        known.1 += links as usize;
    }
    let mut wires = paired(&told);
    let (reached, unreachable) = reached(found, window, &places, &told);
    wires.extend(reached);
    wires.sort_by(|a, b| {
        (&a.node, &a.from, &a.to, &a.kind).cmp(&(&b.node, &b.from, &b.to, &b.kind))
    });
    let mut fabrics = fabrics_of(&wires);
    if fabrics.is_empty() {
        fabrics = counted(found, window);
    }
    let (down, nodes_down) = (down(found, window), nodes_down(found, window));
    Wiring { wires, fabrics, down, nodes_down, unreachable, ..Wiring::default() }
}

/// What the labels say of the other end, and how it is known.
pub(super) fn named_end(labels: &Labels) -> End {
    let address = || label(labels, "peer_pci_address").map(str::to_owned);
    match labels.get("peer_type").unwrap_or_default() {
        "gpu" => match label(labels, "peer_gpu_uuid") {
            Some(uuid) => End::Gpu(EntityId::new(EntityKind::Gpu, uuid)),
            None => End::Unknown(address()),
        },
        "switch" => End::Switch(address()),
        "cpu" | "npu" => End::Processor,
        _ => End::Unknown(address()),
    }
}

fn end_of(labels: &Labels, places: &Places) -> (End, Method) {
    let end = named_end(labels);
    let place = (label(labels, "node"), label(labels, "peer_pci_address"));
    if let (End::Unknown(_), (Some(node), Some(address))) = (&end, place)
        && let Some(gpu) = places.addresses.get(&(node.to_owned(), address.to_owned()))
    {
        return (End::Gpu(gpu.clone()), Method::Address);
    }
    (end, Method::SourceLabel)
}

/// Two GPUs tell of the same links: both words become one wire.
fn paired(told: &Told) -> Vec<Wire> {
    let mut wires = Vec::new();
    for ((device, kind, end), (node, lanes, method)) in told {
        let wire = |lanes: usize, confidence: f64| Wire {
            from: device.clone(),
            to: end.clone(),
            node: node.clone(),
            kind: kind.clone(),
            lanes: Some(lanes),
            method: *method,
            confidence,
        };
        let surest = if *method == Method::Address { ONE } else { BOTH };
        let End::Gpu(other) = end else {
            wires.push(wire(*lanes, surest));
            continue;
        };
        let back = told.get(&(other.clone(), kind.clone(), End::Gpu(device.clone())));
        match back {
            // Told from the other side already.
            Some(_) if other < device => {}
            Some((_, same, _)) if same == lanes => wires.push(wire(*lanes, surest)),
            Some((_, theirs, _)) => wires.push(wire((*lanes).min(*theirs), DIFFERENT)),
            None if other < device => {
                let (from, to) = (other.clone(), End::Gpu(device.clone()));
                wires.push(Wire { from, to, ..wire(*lanes, ONE) });
            }
            None => wires.push(wire(*lanes, ONE)),
        }
    }
    wires
}

/// Pairs of GPUs that are said to reach each other where nobody tells their links, and the number of
/// pairs that are said not to.
fn reached(found: &Found<'_>, window: Window, places: &Places, told: &Told) -> (Vec<Wire>, usize) {
    let known: BTreeSet<(&EntityId, &str)> =
        told.keys().map(|(device, kind, _)| (device, kind.as_str())).collect();
    let mut pairs: BTreeMap<(EntityId, EntityId, String), (String, bool)> = BTreeMap::new();
    for row in found.rows("wires/p2p") {
        let Some((device, other, node)) = pair(&row, places) else { continue };
        let Some(status) = at_end(window, &row.points) else { continue };
        let kind = row.labels.get("type").unwrap_or_default().to_owned();
        if known.contains(&(&device, &kind)) || known.contains(&(&other, &kind)) {
            continue;
        }
        let (from, to) = if device < other { (device, other) } else { (other, device) };
        let both = pairs.entry((from, to, kind)).or_insert((node, true));
        both.1 &= status == 0.0;
    }
    let unreachable = pairs.values().filter(|(_, reach)| !reach).count();
    let reach = pairs.into_iter().filter(|(_, (_, reach))| *reach);
    let wire = |((from, to, kind), (node, _))| Wire {
        from,
        to: End::Gpu(to),
        node,
        kind,
        lanes: None,
        method: Method::SourceLabel,
        confidence: ONE,
    };
    (reach.map(wire).collect(), unreachable)
}

fn pair(row: &Row<'_>, places: &Places) -> Option<(EntityId, EntityId, String)> {
    let device = identity(EntityKind::Gpu, row.labels)?;
    let node = label(row.labels, "node")?.to_owned();
    let index = label(row.labels, "peer_gpu")?.to_owned();
    let other = places.indices.get(&(node.clone(), index))?.clone();
    Some((device, other, node))
}

/// Node, kind of the links, kind of the end.
type Joined<'a> = (&'a str, &'a str, &'a str);

/// The wires of each node together.
fn fabrics_of(wires: &[Wire]) -> Vec<Fabric> {
    let mut sums: BTreeMap<Joined<'_>, (BTreeSet<&EntityId>, Option<usize>)> = BTreeMap::new();
    for wire in wires {
        let key = (&*wire.node, &*wire.kind, wire.to.word());
        let sum = sums.entry(key).or_insert((BTreeSet::new(), Some(0)));
        sum.0.insert(&wire.from);
        if let End::Gpu(to) = &wire.to {
            sum.0.insert(to);
        }
        sum.1 = sum.1.zip(wire.lanes).map(|(sum, lanes)| sum + lanes);
    }
    let fabric = |((node, kind, to), (gpus, lanes)): (Joined<'_>, (BTreeSet<_>, _))| Fabric {
        node: node.to_owned(),
        kind: kind.to_owned(),
        to: to.to_owned(),
        gpus: gpus.len(),
        lanes,
    };
    sums.into_iter().map(fabric).collect()
}

/// The same of a fleet whose GPUs are not told one by one.
fn counted(found: &Found<'_>, window: Window) -> Vec<Fabric> {
    let key = |labels: &Labels| {
        let text = |name: &str| labels.get(name).unwrap_or_default().to_owned();
        (text("node"), text("type"), named_end_word(labels))
    };
    let mut fabrics: BTreeMap<_, Fabric> = BTreeMap::new();
    for question in ["wires/nodes", "wires/nodes_gpus", "wires/nodes_p2p"] {
        for row in found.rows(question) {
            let Some(count) = at_end(window, &row.points).map(|count| count as usize) else {
                continue;
            };
            let (node, kind, to) = key(row.labels);
            let place = (node.clone(), kind.clone(), to);
            let empty = Fabric { node, kind, to: to.to_owned(), gpus: 0, lanes: None };
            // Where links are told, that GPUs reach each other says no more.
            if question == "wires/nodes_p2p" {
                let told =
                    |(node, kind, _): &(String, String, &str)| (node, kind) == (&place.0, &place.1);
                if !fabrics.keys().any(told) {
                    fabrics.insert(place, Fabric { gpus: count, ..empty });
                }
                continue;
            }
            let fabric = fabrics.entry(place).or_insert(empty);
            if question == "wires/nodes_gpus" {
                fabric.gpus += count;
                continue;
            }
            // Both GPUs of a link tell of it.
            let links = if to == "gpu" { count / 2 } else { count };
            fabric.lanes = Some(fabric.lanes.unwrap_or(0) + links);
        }
    }
    fabrics.into_values().collect()
}

/// The word of an end by its kind alone; two GPUs that reach each other are told without one.
fn named_end_word(labels: &Labels) -> &'static str {
    match labels.get("peer_type").unwrap_or("gpu") {
        "gpu" | "" => "gpu",
        "switch" => "switch",
        "cpu" | "npu" => "processor",
        _ => "unknown",
    }
}

fn down(found: &Found<'_>, window: Window) -> Vec<Down> {
    let rows = found.rows("wires/down");
    let down = rows.iter().filter_map(|row| {
        let device = identity(EntityKind::Gpu, row.labels)?;
        let links = at_end(window, &row.points).filter(|links| *links > 0.0)? as usize;
        let kind = row.labels.get("type").unwrap_or_default().to_owned();
        Some(Down { device, kind, links })
    });
    let mut down: Vec<Down> = down.collect();
    down.sort();
    down
}

fn nodes_down(found: &Found<'_>, window: Window) -> Vec<NodeDown> {
    let rows = found.rows("wires/nodes_down");
    let down = rows.iter().filter_map(|row| {
        let links = at_end(window, &row.points).filter(|links| *links > 0.0)? as usize;
        let text = |name: &str| row.labels.get(name).unwrap_or_default().to_owned();
        Some(NodeDown { node: text("node"), kind: text("type"), links })
    });
    let mut down: Vec<NodeDown> = down.collect();
    down.sort();
    down
}

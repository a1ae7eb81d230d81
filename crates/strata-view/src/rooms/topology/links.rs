//! What joins GPUs, and how near they are over PCI Express: nodes that are wired alike are told and drawn once.

use std::collections::{BTreeMap, BTreeSet};

use strata_world::{EntityId, EntityKind, Fabric, Relation, World};

use super::{paths, ring};
use crate::page::block::{Block, Section};
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::PageId;
use crate::rooms::pieces::{link_to, section};
use crate::words;

/// Drawings of nodes; what is wired in yet another way stands in the table.
const DRAWN_MAX: usize = 4;

/// The section; none where there are not two GPUs to be joined.
pub(super) fn section_of(world: &World) -> Option<Section> {
    world.of_kind(EntityKind::Gpu).nth(1)?;
    let wiring = &world.wiring;
    let mut blocks = vec![Block::Text { text: told(world) }];
    if !wiring.fabrics.is_empty() {
        blocks.push(Block::Table(table(world)));
    }
    match paths::table(world) {
        Some(near) => blocks.push(Block::Table(near)),
        None => blocks.push(Block::Text { text: no_path(world) }),
    }
    let shapes = ring::shapes(world);
    blocks.extend(shapes.iter().take(DRAWN_MAX).map(|shape| Block::Graph(shape.drawn(world))));
    if shapes.len() > DRAWN_MAX {
        let text = format!(
            "{} more ways to be wired are not drawn; the topology of one node draws its own.",
            shapes.len() - DRAWN_MAX
        );
        blocks.push(Block::Text { text });
    }
    let brief = "Links between GPUs, and how near they are to each other over PCI Express. Nodes that are \
                 wired alike are shown once.";
    Some(section("links", "Links between GPUs", brief, blocks))
}

/// `nvlink` as its maker writes it.
pub(super) fn kind_word(kind: &str) -> &str {
    match kind {
        "nvlink" => "NVLink",
        "xgmi" => "XGMI",
        "" => "link",
        other => other,
    }
}

/// `18 lanes`; lanes that nobody counts are said to be so.
pub(super) fn lanes_word(lanes: Option<usize>) -> String {
    match lanes {
        None => "lanes not told".to_owned(),
        Some(1) => "1 lane".to_owned(),
        Some(lanes) => format!("{lanes} lanes"),
    }
}

/// What the picture below rests on, or why there is none.
fn told(world: &World) -> String {
    let wiring = &world.wiring;
    let mut sentences = Vec::new();
    if wiring.fabrics.is_empty() {
        sentences.extend(why_none(world));
    } else if wiring.fabrics.iter().all(|one| one.lanes.is_none()) {
        let text = "It is told which GPUs reach each other over links, not over how many lanes nor \
                    whether through a switch: the agent on their nodes would tell that.";
        sentences.push(text.to_owned());
    } else {
        let text = "GPUs tell by themselves where their links lead. Where two tell different numbers \
                    of lanes of each other, the smaller one stands here.";
        sentences.push(text.to_owned());
    }
    let down: usize = wiring.down.iter().map(|one| one.links).sum();
    if down > 0 {
        let gpus = wiring.down.len();
        sentences.push(format!(
            "Down: {down} of the links, on {gpus} of the GPUs; not every link is wired."
        ));
    }
    let down: usize = wiring.nodes_down.iter().map(|one| one.links).sum();
    if down > 0 {
        let nodes: BTreeSet<&str> = wiring.nodes_down.iter().map(|one| &*one.node).collect();
        let (first, nodes) = (nodes.first().copied().unwrap_or_default(), nodes.len());
        let on = among(first, nodes);
        sentences.push(format!("Down: {down} of the links, on {on}; not every link is wired."));
    }
    let moved = world.signal("l1.interconnect", None).and_then(|signal| signal.now.known());
    if let Some(moved) = moved {
        let moved = words::text(Some(moved), "By/s");
        sentences.push(format!("All links together move {moved}, both ways."));
    } else if !wiring.fabrics.is_empty() {
        sentences.push("What they move is not known.".to_owned());
    }
    let ports = "Ports between nodes are not drawn: no source tells what is at their other end.";
    sentences.push(ports.to_owned());
    sentences.join(" ")
}

/// Why nothing says how near GPUs are.
fn no_path(world: &World) -> String {
    let row = world.coverage.metrics.iter().find(|one| one.metric == "gpu.pcie.path");
    let reason = row.and_then(|one| one.reason.as_deref());
    let reason = reason.unwrap_or("nothing in this scope tells of it");
    let mend = row.and_then(|one| one.mend.as_deref()).and_then(|mend| mend.lines().next());
    let mend = mend.map(|mend| format!(" What would tell it: {mend}.")).unwrap_or_default();
    format!("How near GPUs are to each other over PCI Express is not told: {reason}.{mend}")
}

fn why_none(world: &World) -> Vec<String> {
    if world.wiring.unreachable > 0 {
        return vec![format!(
            "None: of {} pairs of GPUs it is told that they do not reach each other over links.",
            world.wiring.unreachable
        )];
    }
    let row = |metric: &str| world.coverage.metrics.iter().find(|one| one.metric == metric);
    let reason = row("gpu.interconnect.peer").and_then(|one| one.reason.clone());
    let reason = reason.unwrap_or_else(|| "nothing in this scope tells of any".to_owned());
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let mend = |metric| row(metric).and_then(|one| one.mend.as_deref()).map(first_line);
    let agent = mend("gpu.interconnect.peer").map(|mend| format!("What would tell them: {mend}."));
    let pairs = mend("gpu.interconnect.p2p.status").map(|mend| format!("Without lanes: {mend}."));
    [Some(format!("None is told: {reason}.")), agent, pairs].into_iter().flatten().collect()
}

pub(super) fn column(title: &str, numeric: bool) -> Column {
    Column { title: title.to_owned(), numeric, rank: 0 }
}

/// What a row is about besides its nodes.
type Alike<'a> = (&'a str, &'a str, usize, Option<usize>);

/// One row for all nodes with as many GPUs and links to the same kind of end.
fn table(world: &World) -> Table {
    let mut rows: BTreeMap<Alike<'_>, Vec<&Fabric>> = BTreeMap::new();
    for one in &world.wiring.fabrics {
        rows.entry((&one.kind, &one.to, one.gpus, one.lanes)).or_default().push(one);
    }
    let text = |text: String| Cell::Text { text };
    let row = |((kind, to, gpus, lanes), nodes): (Alike<'_>, Vec<&Fabric>)| {
        let node = nodes.first().map_or("", |one| one.node.as_str());
        let link = (!node.is_empty())
            .then(|| link_to(PageId::Topology, &EntityId::new(EntityKind::Node, node)));
        let cells = vec![
            text(among(node, nodes.len())),
            text(kind_word(kind).to_owned()),
            text(ends(to).to_owned()),
            text(gpus.to_string()),
            text(lanes.map_or_else(|| "not told".to_owned(), |lanes| lanes.to_string())),
        ];
        Row { cells, link }
    };
    Table {
        title: String::new(),
        columns: vec![
            column("nodes", false),
            column("links", false),
            column("lead to", false),
            column("GPUs of a node", true),
            column("lanes of a node", true),
        ],
        rows: rows.into_iter().map(row).collect(),
        total_rows: None,
        empty: String::new(),
    }
}

/// `node-1`, `node-1 and 3 more`
pub(super) fn among(first: &str, count: usize) -> String {
    let first = if first.is_empty() { "a node without a name" } else { first };
    if count > 1 { format!("{first} and {} more", count - 1) } else { first.to_owned() }
}

fn ends(word: &str) -> &str {
    match word {
        "gpu" => "GPUs",
        "switch" => "switches",
        "processor" => "processors",
        _ => "something not known",
    }
}

/// The GPUs of a node that are known.
pub(super) fn gpus_of<'a>(world: &'a World, node: &str) -> Vec<&'a EntityId> {
    let node = EntityId::new(EntityKind::Node, node);
    let on = world.edges.iter().filter(|edge| {
        edge.relation == Relation::RunsOn && edge.to == node && edge.from.kind == EntityKind::Gpu
    });
    on.map(|edge| &edge.from).collect()
}

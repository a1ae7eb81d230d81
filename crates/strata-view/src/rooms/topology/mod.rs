//! What stands where: nodes with their GPUs, replicas, models, and what joins them. Laid out here
//! in columns, so that a renderer only draws.

mod links;
pub(super) mod paths;
pub(super) mod ring;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use strata_world::{Edge, Entity, EntityId, EntityKind, Grain, Method, Relation, Want, World};

use super::each;
use super::pieces::{fact_of, link_to, section};
use crate::page::block::{Block, Section};
use crate::page::graph::{Graph, GraphEdge, GraphNode, OutlineLine};
use crate::page::status::Status;
use crate::request::PageId;

/// Boxes that can still be read; beyond it GPUs are counted in their node's name.
const BOXES_MAX: usize = 300;

/// Columns from left to right, with the width of their boxes.
const COLUMNS: [(EntityKind, f64); 5] = [
    (EntityKind::Model, 170.0),
    (EntityKind::Replica, 190.0),
    (EntityKind::Pod, 190.0),
    (EntityKind::Gpu, 160.0),
    (EntityKind::Node, 150.0),
];
const GAP_X: f64 = 60.0;
const BOX_HEIGHT: f64 = 24.0;
const GAP_Y: f64 = 8.0;

/// What links move is asked of each GPU where few are in scope, of a fleet for all together.
pub(super) fn wants(whole: bool) -> Vec<Want> {
    let mut wants = each(&["l1.utilization", "l1.fault_events", "l6.kv_pinned", "l6.waiting"]);
    let grain = |grain| Want { signal: "l1.interconnect", grain, track: false };
    wants.push(grain(Grain::Whole));
    if !whole {
        wants.push(grain(Grain::Each));
    }
    wants
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let brief = "Models are served by replicas, which run in pods, on GPUs, in nodes.";
    let mut sections = vec![section("graph", "", brief, vec![Block::Graph(graph(world))])];
    sections.extend(links::section_of(world));
    sections
}

/// What stands in the box of a thing: short, because what it belongs to is drawn.
fn label(thing: &Entity) -> &str {
    match thing.id.kind {
        // `node-3 GPU 5`
        EntityKind::Gpu => {
            let number = thing.name.rfind("GPU ").and_then(|at| thing.name.get(at..));
            number.unwrap_or(&thing.name)
        }
        // Its model has a box of its own.
        EntityKind::Replica => &thing.id.key,
        _ => &thing.name,
    }
}

/// The page that shows things of a kind.
pub(super) fn page_of_kind(kind: EntityKind) -> Option<PageId> {
    match kind {
        EntityKind::Node => Some(PageId::Hosts),
        EntityKind::Gpu | EntityKind::Slice => Some(PageId::Gpus),
        EntityKind::Replica | EntityKind::Model => Some(PageId::Engines),
        EntityKind::Pod | EntityKind::Namespace | EntityKind::Queue | EntityKind::Workload => {
            Some(PageId::Scheduling)
        }
        EntityKind::Run | EntityKind::Rank => Some(PageId::Training),
        EntityKind::Communicator => Some(PageId::Communication),
        EntityKind::Tenant => Some(PageId::Requests),
        EntityKind::Team => Some(PageId::Cost),
        _ => None,
    }
}

/// A relation in words.
pub(super) fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::RunsOn => "runs on",
        Relation::PartOf => "part of",
        Relation::Owns => "owns",
        Relation::Serves => "serves",
        Relation::InQueue => "in queue",
        Relation::Asks => "asks",
    }
}

/// A method in words.
pub(super) fn method(method: Method) -> &'static str {
    match method {
        Method::PodResources => "pod resources",
        Method::ResourceClaim => "resource claim",
        Method::Cgroup => "process to cgroup",
        Method::SourceLabel => "label of the source",
        Method::InfoSeries => "info series",
        Method::Address => "address",
    }
}

fn status(world: &World, id: &EntityId) -> Status {
    let value = |signal: &str| world.signal(signal, Some(id)).and_then(|s| s.now.known());
    let above = |signal: &str, limit: f64| value(signal).map(|value| value > limit);
    match id.kind {
        EntityKind::Gpu => match (above("l1.fault_events", 0.0), value("l1.utilization")) {
            (Some(true), _) => Status::Broken,
            (_, Some(_)) => Status::Ok,
            _ => Status::Blind,
        },
        EntityKind::Replica => match (above("l6.kv_pinned", 0.9), above("l6.waiting", 0.0)) {
            (Some(true), Some(true)) => Status::Broken,
            (Some(true), _) => Status::Watch,
            (Some(false), _) => Status::Ok,
            _ => Status::Blind,
        },
        _ => Status::Ok,
    }
}

fn graph(world: &World) -> Graph {
    let all: usize = COLUMNS.iter().map(|(kind, _)| world.of_kind(*kind).count()).sum();
    let kinds: Vec<(EntityKind, f64)> = COLUMNS
        .into_iter()
        .filter(|(kind, _)| all <= BOXES_MAX || !matches!(kind, EntityKind::Gpu | EntityKind::Pod))
        .collect();
    let mut nodes = Vec::new();
    let mut places: BTreeMap<EntityId, (f64, f64)> = BTreeMap::new();
    let (mut x, mut height) = (0.0, 0.0_f64);
    // From the right: a thing stands at the mean height of what it leads to, in stable order.
    let total: f64 = kinds.iter().map(|(_, width)| width + GAP_X).sum::<f64>() - GAP_X;
    let mut right = total.max(0.0);
    for (kind, width) in kinds.iter().rev() {
        x = right - width;
        let things = world.of_kind(*kind).take(BOXES_MAX);
        let wishes = wishes(world, *kind, &places);
        let wish = |thing: &Entity| wishes.get(&thing.id).copied().unwrap_or(f64::MAX);
        let mut things: Vec<(f64, &Entity)> = things.map(|thing| (wish(thing), thing)).collect();
        let order = |thing: &Entity| fact_of(thing, "gpu").parse::<u32>().ok();
        things.sort_by(|(a, one), (b, other)| {
            a.total_cmp(b).then(order(one).cmp(&order(other))).then(one.id.cmp(&other.id))
        });
        let mut y = 0.0;
        for (_, thing) in things {
            let top = y;
            nodes.push(GraphNode {
                id: thing.id.to_string(),
                kind: kind.name().to_owned(),
                // Its node stands a column away.
                name: if *kind == EntityKind::Gpu { &thing.name } else { label(thing) }.to_owned(),
                status: status(world, &thing.id),
                x,
                y: top,
                width: *width,
                height: BOX_HEIGHT,
                link: page_of_kind(*kind).map(|page| link_to(page, &thing.id)),
            });
            places.insert(thing.id.clone(), (x, top));
            y = top + BOX_HEIGHT + GAP_Y;
        }
        height = height.max(y);
        right = x - GAP_X;
    }
    let edges =
        world.edges.iter().filter(|edge| drawn(world, edge, &places)).map(|edge| GraphEdge {
            from: edge.from.to_string(),
            to: edge.to.to_string(),
            relation: relation(edge.relation).to_owned(),
            method: method(edge.method).to_owned(),
            confidence: edge.confidence,
            held_ms: Some([edge.held_ms.0, edge.held_ms.1]),
            status: Status::Ok,
            line: Vec::new(),
        });
    let edges = edges.collect();
    debug_assert!(x >= -1.0 || nodes.is_empty(), "columns stand within the box");
    Graph {
        title: String::new(),
        width: total.max(1.0),
        height: height.max(1.0),
        nodes,
        edges,
        outline: outline(world),
    }
}

fn drawn(world: &World, edge: &Edge, places: &BTreeMap<EntityId, (f64, f64)>) -> bool {
    // A pod stands between a replica and its node: the long way round is not drawn.
    let long = edge.from.kind == EntityKind::Replica && edge.to.kind == EntityKind::Node;
    let through_gpu = edge.from.kind == EntityKind::Pod && edge.to.kind == EntityKind::Node;
    let in_pod = || {
        let mut parents = world.targets(&edge.from, Relation::PartOf);
        parents.any(|parent| places.contains_key(&parent.to))
    };
    let past_pod =
        edge.from.kind == EntityKind::Replica && edge.to.kind == EntityKind::Gpu && in_pod();
    !long
        && !through_gpu
        && !past_pod
        && places.contains_key(&edge.from)
        && places.contains_key(&edge.to)
}

/// The height that each thing of a kind would like: the mean of those it is joined with further right.
/// Every edge is looked at once: a fleet has tens of thousands.
fn wishes<'a>(
    world: &'a World,
    kind: EntityKind,
    places: &BTreeMap<EntityId, (f64, f64)>,
) -> BTreeMap<&'a EntityId, f64> {
    let mut sums: BTreeMap<&EntityId, (f64, f64)> = BTreeMap::new();
    for edge in &world.edges {
        for (thing, other) in [(&edge.from, &edge.to), (&edge.to, &edge.from)] {
            if thing.kind == kind
                && let Some((_, y)) = places.get(other)
            {
                let sum = sums.entry(thing).or_default();
                *sum = (sum.0 + y, sum.1 + 1.0);
            }
        }
    }
    sums.into_iter().map(|(thing, (sum, count))| (thing, sum / count)).collect()
}

/// The same in words: nodes with their GPUs and who uses them.
fn outline(world: &World) -> Vec<OutlineLine> {
    let line = |depth, thing: &Entity, text: String| OutlineLine {
        depth,
        text,
        status: status(world, &thing.id),
        link: page_of_kind(thing.id.kind).map(|page| link_to(page, &thing.id)),
    };
    let mut lines = Vec::new();
    let (gpus, pods) = (
        origins(world, (EntityKind::Gpu, Relation::RunsOn)),
        origins(world, (EntityKind::Pod, Relation::Owns)),
    );
    let mut left_out = 0;
    for node in world.of_kind(EntityKind::Node) {
        if lines.len() >= BOXES_MAX {
            left_out += 1;
            continue;
        }
        lines.push(line(0, node, node.name.clone()));
        for edge in gpus.get(&node.id).into_iter().flatten() {
            let Some(gpu) = world.entity(&edge.from) else { continue };
            if lines.len() >= BOXES_MAX {
                break;
            }
            let owners = pods.get(&gpu.id).into_iter().flatten();
            let owners: Vec<String> = owners
                .map(|edge| {
                    let (pod, how) = (super::pieces::name(world, &edge.from), method(edge.method));
                    format!("{pod} ({how}, {:.0} %)", edge.confidence * 100.0)
                })
                .collect();
            let owned =
                if owners.is_empty() { "no pod known".to_owned() } else { owners.join(", ") };
            lines.push(line(1, gpu, format!("{}: {owned}", label(gpu))));
        }
    }
    if left_out > 0 {
        let text = format!("{left_out} more nodes: the topology of one node tells its own");
        lines.push(OutlineLine { depth: 0, text, status: Status::Ok, link: None });
    }
    for model in world.of_kind(EntityKind::Model) {
        lines.push(line(0, model, format!("model {}", model.name)));
        for edge in world.origins(&model.id, Relation::Serves) {
            if let Some(replica) = world.entity(&edge.from) {
                lines.push(line(1, replica, label(replica).to_owned()));
            }
        }
    }
    lines
}

/// Edges of one kind and relation by what they lead to.
fn origins(
    world: &World,
    (kind, relation): (EntityKind, Relation),
) -> BTreeMap<&EntityId, Vec<&Edge>> {
    let mut found: BTreeMap<&EntityId, Vec<&Edge>> = BTreeMap::new();
    let wanted = |edge: &&Edge| edge.relation == relation && edge.from.kind == kind;
    for edge in world.edges.iter().filter(wanted) {
        found.entry(&edge.to).or_default().push(edge);
    }
    found
}

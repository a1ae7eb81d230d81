//! The links of one node drawn: its GPUs on a ring, in its middle what they are joined through.

use std::collections::BTreeMap;
use std::f64::consts::{PI, TAU};

use strata_world::{End, EntityId, Method, Path, Way, Wire, World};

use super::links::{among, gpus_of, kind_word, lanes_word};
use super::{label, method, paths, status};
use crate::page::graph::{Graph, GraphEdge, GraphNode, OutlineLine};
use crate::page::status::Status;
use crate::request::PageId;
use crate::rooms::pieces::link_to;
use crate::words;

/// As wide as the picture above it, so that both are drawn to one scale.
const WIDTH: f64 = 960.0;
const RADIUS_X: f64 = 360.0;
const HEIGHT_MIN: f64 = 300.0;
const GPU_WIDTH: f64 = 110.0;
const END_WIDTH: f64 = 170.0;
const BOX_HEIGHT: f64 = 24.0;
const GAP_Y: f64 = 12.0;

/// Two GPUs of a node do not agree on their links below this.
const SURE: f64 = 0.8;

/// From, to, kind and lanes of each wire, and of each path its way, by the places of their ends.
type Signature = (Vec<(usize, usize, String, Option<usize>)>, Vec<(usize, usize, Way)>);

/// Nodes that are wired alike, drawn as the first of them.
pub(super) struct Shape<'a> {
    nodes: Vec<&'a str>,
    gpus: Vec<&'a EntityId>,
    /// Ends that are no GPUs of the node.
    ends: Vec<&'a End>,
    wires: Vec<&'a Wire>,
    paths: Vec<&'a Path>,
}

/// All ways in which nodes are wired, in order of the first node.
pub(super) fn shapes(world: &World) -> Vec<Shape<'_>> {
    let mut shapes: Vec<(Signature, Shape<'_>)> = Vec::new();
    let mut nodes: BTreeMap<&str, (Vec<&Wire>, Vec<&Path>)> = BTreeMap::new();
    for wire in &world.wiring.wires {
        nodes.entry(&wire.node).or_default().0.push(wire);
    }
    for path in &world.wiring.paths {
        nodes.entry(&path.node).or_default().1.push(path);
    }
    // Where no link and no switch joins any two, a picture says less than the table.
    nodes.retain(|_, (wires, paths)| {
        !wires.is_empty() || paths.iter().any(|path| paths::is_near(path.way))
    });
    for (node, (wires, paths)) in nodes {
        let shape = Shape::of(world, node, wires, paths);
        let signature = shape.signature();
        let alike = |known: &&mut (Signature, Shape<'_>)| {
            known.0 == signature && known.1.gpus.len() == shape.gpus.len()
        };
        match shapes.iter_mut().find(alike) {
            Some((_, known)) => known.nodes.push(node),
            None => shapes.push((signature, shape)),
        }
    }
    shapes.into_iter().map(|(_, shape)| shape).collect()
}

impl<'a> Shape<'a> {
    fn of(world: &'a World, node: &'a str, wires: Vec<&'a Wire>, paths: Vec<&'a Path>) -> Self {
        let mut gpus = gpus_of(world, node);
        let mut ends = Vec::new();
        gpus.extend(paths.iter().flat_map(|path| [&path.from, &path.to]));
        for wire in &wires {
            gpus.push(&wire.from);
            match &wire.to {
                End::Gpu(to) => gpus.push(to),
                end => ends.push(end),
            }
        }
        gpus.sort();
        gpus.dedup();
        // By the number on the node, as far as they have one.
        let number = |id: &EntityId| {
            let fact = world.entity(id).map_or("", |gpu| crate::rooms::pieces::fact_of(gpu, "gpu"));
            fact.parse::<u32>().unwrap_or(u32::MAX)
        };
        gpus.sort_by_key(|id| number(id));
        ends.sort();
        ends.dedup();
        Self { nodes: vec![node], gpus, ends, wires, paths }
    }

    fn place(&self, end: &End) -> usize {
        match end {
            End::Gpu(gpu) => self.gpus.iter().position(|known| *known == gpu).unwrap_or(usize::MAX),
            end => {
                let at = self.ends.iter().position(|known| *known == end);
                at.map_or(usize::MAX, |at| self.gpus.len() + at)
            }
        }
    }

    fn signature(&self) -> Signature {
        let mut all: Vec<_> = self
            .wires
            .iter()
            .map(|wire| {
                let (a, b) = (self.place(&End::Gpu(wire.from.clone())), self.place(&wire.to));
                (a.min(b), a.max(b), wire.kind.clone(), wire.lanes)
            })
            .collect();
        all.sort();
        let place = |gpu: &EntityId| self.place(&End::Gpu(gpu.clone()));
        let way = |path: &&Path| {
            let (a, b) = (place(&path.from), place(&path.to));
            (a.min(b), a.max(b), path.way)
        };
        let mut ways: Vec<_> = self.paths.iter().map(way).collect();
        ways.sort_unstable();
        (all, ways)
    }

    /// The picture, with the same in words.
    pub(super) fn drawn(&self, world: &World) -> Graph {
        let middle = self.ends.len() as f64 * (BOX_HEIGHT + GAP_Y);
        let height = HEIGHT_MIN.max(middle + 4.0 * (BOX_HEIGHT + GAP_Y));
        let mut nodes: Vec<GraphNode> = Vec::new();
        for (at, gpu) in self.gpus.iter().enumerate() {
            let (x, y) = on_ring(at, self.gpus.len(), height);
            nodes.push(GraphNode {
                id: gpu.to_string(),
                kind: "gpu".to_owned(),
                name: world.entity(gpu).map_or(&*gpu.key, label).to_owned(),
                status: self.standing(world, gpu),
                x: x - GPU_WIDTH / 2.0,
                y: y - BOX_HEIGHT / 2.0,
                width: GPU_WIDTH,
                height: BOX_HEIGHT,
                link: Some(link_to(PageId::Gpus, gpu)),
            });
        }
        let top = f64::midpoint(height - middle, GAP_Y);
        for (at, end) in self.ends.iter().enumerate() {
            nodes.push(GraphNode {
                id: end_id(end),
                kind: end.word().to_owned(),
                name: end_name(end),
                status: Status::Ok,
                x: (WIDTH - END_WIDTH) / 2.0,
                y: top + at as f64 * (BOX_HEIGHT + GAP_Y),
                width: END_WIDTH,
                height: BOX_HEIGHT,
                link: None,
            });
        }
        let edges = self.edges(&nodes);
        let first = self.nodes.first().copied().unwrap_or_default();
        Graph {
            title: format!("Links of {}", among(first, self.nodes.len())),
            width: WIDTH,
            height,
            nodes,
            edges,
            outline: self.gpus.iter().map(|gpu| self.line(world, gpu)).collect(),
        }
    }

    /// Its links; where there are none, which GPUs reach each other without their processor.
    fn edges(&self, nodes: &[GraphNode]) -> Vec<GraphEdge> {
        let center = |id: &str| {
            let found = nodes.iter().find(|node| node.id == id)?;
            Some([found.x + found.width / 2.0, found.y + found.height / 2.0])
        };
        let edges = self.wires.iter().map(|wire| {
            let (from, to) = (wire.from.to_string(), end_id(&wire.to));
            GraphEdge {
                line: [center(&from), center(&to)].into_iter().flatten().collect(),
                from,
                to,
                relation: format!("{}, {}, to", kind_word(&wire.kind), lanes_word(wire.lanes)),
                method: method(wire.method).to_owned(),
                confidence: wire.confidence,
                held_ms: None,
                status: if wire.confidence < SURE { Status::Watch } else { Status::Ok },
            }
        });
        let mut edges: Vec<GraphEdge> = edges.collect();
        // Beside links they would hide them.
        if self.wires.is_empty() {
            let near = self.paths.iter().filter(|path| paths::is_near(path.way));
            edges.extend(near.map(|path| {
                let (from, to) = (path.from.to_string(), path.to.to_string());
                GraphEdge {
                    line: [center(&from), center(&to)].into_iter().flatten().collect(),
                    from,
                    to,
                    relation: format!("PCI Express, {}, as", paths::way_word(path.way)),
                    method: method(Method::SourceLabel).to_owned(),
                    confidence: 1.0,
                    held_ms: None,
                    status: Status::Ok,
                }
            }));
        }
        edges
    }

    fn standing(&self, world: &World, gpu: &EntityId) -> Status {
        let down = world.wiring.down.iter().any(|one| one.device == *gpu);
        let wires = || self.wires.iter().filter(|wire| touches(wire, gpu));
        let differ = wires().any(|wire| wire.confidence < SURE);
        let own = status(world, gpu);
        if down || differ { own.max(Status::Watch) } else { own }
    }

    /// `GPU 0: NVLink, 12 lanes, to GPU 1; 1 NVLink down; moves 3 GB/s both ways`
    fn line(&self, world: &World, gpu: &EntityId) -> OutlineLine {
        let name = |id: &EntityId| world.entity(id).map_or(&*id.key, label).to_owned();
        let mut alike: BTreeMap<(&str, Option<usize>), Vec<String>> = BTreeMap::new();
        for wire in self.wires.iter().filter(|wire| touches(wire, gpu)) {
            let other = match &wire.to {
                End::Gpu(to) if to == gpu => name(&wire.from),
                End::Gpu(to) => name(to),
                end => end_name(end),
            };
            alike.entry((&wire.kind, wire.lanes)).or_default().push(other);
        }
        let mut parts: Vec<String> = Vec::new();
        for ((kind, lanes), others) in alike {
            let each = if lanes.is_some() && others.len() > 1 { " each" } else { "" };
            let (kind, lanes) = (kind_word(kind), lanes_word(lanes));
            parts.push(format!("{kind}, {lanes}{each}, to {}", others.join(", ")));
        }
        if parts.is_empty() {
            parts.push("no link is told".to_owned());
        }
        parts.extend(paths::line(&self.paths, gpu, &self.gpus, name));
        for down in world.wiring.down.iter().filter(|one| one.device == *gpu) {
            parts.push(format!("{} {} down", down.links, kind_word(&down.kind)));
        }
        let moved = world.signal("l1.interconnect", Some(gpu)).and_then(|one| one.now.known());
        if let Some(moved) = moved {
            parts.push(format!("moves {} both ways", words::text(Some(moved), "By/s")));
        }
        OutlineLine {
            depth: 0,
            text: format!("{}: {}", name(gpu), parts.join("; ")),
            status: self.standing(world, gpu),
            link: Some(link_to(PageId::Gpus, gpu)),
        }
    }
}

fn touches(wire: &Wire, gpu: &EntityId) -> bool {
    wire.from == *gpu || matches!(&wire.to, End::Gpu(to) if to == gpu)
}

/// The middle of a box: two stand left and right, more begin at the top.
fn on_ring(at: usize, count: usize, height: f64) -> (f64, f64) {
    let begin = if count <= 2 { PI } else { -PI / 2.0 };
    let angle = begin + TAU * at as f64 / count.max(1) as f64;
    let radius_y = (height - BOX_HEIGHT) / 2.0;
    // Whole numbers: a tenth of a unit is not seen.
    let x = (WIDTH / 2.0 + RADIUS_X * angle.cos()).round();
    (x, (height / 2.0 + radius_y * angle.sin()).round())
}

fn end_id(end: &End) -> String {
    match end {
        End::Gpu(gpu) => gpu.to_string(),
        End::Switch(Some(at)) | End::Unknown(Some(at)) => format!("{}@{at}", end.word()),
        End::Switch(None) | End::Processor | End::Unknown(None) => end.word().to_owned(),
    }
}

/// What stands in the box of an end.
pub(in crate::rooms) fn end_name(end: &End) -> String {
    match end {
        End::Gpu(gpu) => gpu.key.to_string(),
        End::Switch(Some(at)) => format!("switch {at}"),
        // The switches of a rack have no place on the bus of the host.
        End::Switch(None) => "a switch outside".to_owned(),
        End::Processor => "the processor".to_owned(),
        End::Unknown(Some(at)) => format!("something at {at}"),
        End::Unknown(None) => "something not known".to_owned(),
    }
}

//! Links between GPUs over small worlds.

use strata_world::capacity::Targets;
use strata_world::{
    Answers, Ask, Down, Edge, End, Entity, EntityId, EntityKind, Fabric, Method, NodeDown, Path,
    Reach, Relation, Scope, Way, Window, Wire, World, assemble, plan,
};

use super::{links, ring};
use crate::page::block::Block;
use crate::page::status::Status;
use crate::page::table::Cell;

fn gpu(node: usize, at: usize) -> EntityId {
    EntityId::new(EntityKind::Gpu, format!("GPU-{node}-{at}"))
}

/// So many nodes with so many GPUs each, and no links.
fn world(nodes: usize, gpus: usize) -> World {
    let window =
        Window { start_ms: 0, end_ms: 60_000, step_ms: 60_000, moment_ms: 60_000, now_ms: 60_000 };
    let ask = Ask {
        window,
        scope: Scope::Fleet,
        wants: super::wants(true),
        entities: true,
        who: false,
        wires: true,
        coverage: true,
        targets: Targets::default(),
    };
    let mut world = assemble(&plan(&ask), &Answers::default());
    for (node, at) in (0..nodes).flat_map(|node| (0..gpus).map(move |at| (node, at))) {
        let facts = vec![("gpu".to_owned(), at.to_string())];
        let name = format!("n{node} GPU {at}");
        world.entities.push(Entity { id: gpu(node, at), name, facts });
        world.edges.push(Edge {
            from: gpu(node, at),
            to: EntityId::new(EntityKind::Node, format!("n{node}")),
            relation: Relation::RunsOn,
            method: Method::SourceLabel,
            confidence: 1.0,
            held_ms: (0, 60_000),
        });
    }
    world.entities.sort_by(|a, b| a.id.cmp(&b.id));
    world
}

fn wire(node: usize, from: usize, to: End, lanes: Option<usize>) -> Wire {
    let kind = "nvlink".to_owned();
    let (method, confidence) = (Method::SourceLabel, 1.0);
    Wire { from: gpu(node, from), to, node: format!("n{node}"), kind, lanes, method, confidence }
}

fn text_of(block: &Block) -> &str {
    match block {
        Block::Text { text } => text,
        other => panic!("{other:?}"),
    }
}

fn words(world: &World) -> Vec<Vec<String>> {
    let section = links::section_of(world).unwrap();
    let graphs = section.blocks.into_iter().filter_map(|block| match block {
        Block::Graph(graph) => Some(graph.outline.into_iter().map(|line| line.text).collect()),
        _ => None,
    });
    graphs.collect()
}

#[test]
fn nodes_that_are_wired_alike_are_drawn_once() {
    let mut world = world(3, 3);
    for node in 0..3 {
        let lanes = if node == 2 { 4 } else { 6 };
        world.wiring.wires.push(wire(node, 0, End::Gpu(gpu(node, 1)), Some(lanes)));
    }
    world.wiring.down.push(Down { device: gpu(0, 1), kind: "nvlink".to_owned(), links: 2 });
    let shapes = ring::shapes(&world);
    let titles: Vec<String> = shapes.iter().map(|shape| shape.drawn(&world).title).collect();
    assert_eq!(titles, ["Links of n0 and 1 more", "Links of n2"]);
    let drawn = shapes[0].drawn(&world);
    assert_eq!((drawn.nodes.len(), drawn.edges.len()), (3, 1));
    assert_eq!(drawn.edges[0].relation, "NVLink, 6 lanes, to");
    let standing = |name: &str| drawn.nodes.iter().find(|node| node.name == name).unwrap().status;
    assert_eq!((standing("GPU 1"), standing("GPU 2")), (Status::Watch, Status::Blind));
    assert_eq!(
        words(&world)[0],
        [
            "GPU 0: NVLink, 6 lanes, to GPU 1",
            "GPU 1: NVLink, 6 lanes, to GPU 0; 2 NVLink down",
            "GPU 2: no link is told"
        ]
    );
}

#[test]
fn lines_run_between_boxes_that_stand_within_the_picture() {
    for gpus in [1, 2, 8, 16] {
        let mut world = world(1, gpus);
        for (at, switch) in (0..gpus).flat_map(|at| (0..6).map(move |switch| (at, switch))) {
            let end = End::Switch(Some(format!("0000:0{switch}:00.0")));
            world.wiring.wires.push(wire(0, at, end, Some(3)));
        }
        let graph = ring::shapes(&world)[0].drawn(&world);
        assert_eq!((graph.nodes.len(), graph.edges.len()), (gpus + 6, gpus * 6));
        for node in &graph.nodes {
            assert!(node.x >= 0.0 && node.x + node.width <= graph.width, "{node:?}");
            assert!(node.y >= 0.0 && node.y + node.height <= graph.height, "{node:?}");
        }
        for (at, one) in graph.nodes.iter().enumerate() {
            let apart = |other: &crate::page::graph::GraphNode| {
                (one.x - other.x).abs() >= one.width.min(other.width)
                    || (one.y - other.y).abs() >= one.height
            };
            assert!(graph.nodes[at + 1..].iter().all(apart), "{} of {gpus}", one.name);
        }
        assert!(graph.edges.iter().all(|edge| edge.line.len() == 2));
    }
}

#[test]
fn without_links_it_is_said_why() {
    assert!(links::section_of(&world(1, 1)).is_none(), "one GPU has nobody to be joined with");
    let mut bare = world(1, 2);
    let section = links::section_of(&bare).unwrap();
    assert_eq!(section.blocks.len(), 2);
    assert!(text_of(&section.blocks[0]).starts_with("None is told: "), "{:?}", section.blocks);
    assert!(text_of(&section.blocks[1]).contains("is not told: "), "{:?}", section.blocks);
    bare.wiring.unreachable = 1;
    let section = links::section_of(&bare).unwrap();
    assert!(text_of(&section.blocks[0]).contains("1 pairs"), "{:?}", section.blocks);
}

#[test]
fn a_large_fleet_is_a_row_for_all_nodes_that_are_alike() {
    let mut world = world(1, 2);
    for node in 0..1_250 {
        let node = format!("n{node}");
        let (kind, to) = ("nvlink".to_owned(), "switch".to_owned());
        world.wiring.fabrics.push(Fabric { node, kind, to, gpus: 8, lanes: Some(144) });
    }
    let section = links::section_of(&world).unwrap();
    let Some(Block::Table(table)) = section.blocks.get(1) else { panic!("{section:?}") };
    assert_eq!((section.blocks.len(), table.rows.len()), (3, 1));
    let first = &table.rows[0];
    assert_eq!(first.cells[0], Cell::Text { text: "n0 and 1249 more".to_owned() });
    assert_eq!(first.cells[4], Cell::Text { text: "144".to_owned() });
    assert_eq!(first.link.as_ref().unwrap().params[0].1, "node:n0");
}

#[test]
fn lanes_that_nobody_counts_are_not_one() {
    let mut world = world(1, 2);
    world.wiring.wires.push(wire(0, 0, End::Gpu(gpu(0, 1)), None));
    let (node, kind, to) = ("n0".to_owned(), "nvlink".to_owned(), "gpu".to_owned());
    world.wiring.fabrics.push(Fabric { node, kind, to, gpus: 2, lanes: None });
    assert_eq!(words(&world)[0][0], "GPU 0: NVLink, lanes not told, to GPU 1");
    let section = links::section_of(&world).unwrap();
    assert!(text_of(&section.blocks[0]).contains("not over how many lanes"));
}

fn path(node: usize, from: usize, to: usize, way: Way) -> Path {
    Path { node: format!("n{node}"), from: gpu(node, from), to: gpu(node, to), way }
}

#[test]
fn how_near_gpus_are_is_told_in_words_and_drawn_where_no_link_is() {
    let mut world = world(1, 4);
    world.wiring.paths =
        vec![path(0, 0, 1, Way::Switch), path(0, 0, 2, Way::NumaNode), path(0, 1, 2, Way::Across)];
    let node = || "n0".to_owned();
    world.wiring.reaches = [Way::Switch, Way::NumaNode, Way::Across]
        .map(|way| Reach { node: node(), way, pairs: 1 })
        .to_vec();
    let drawn = ring::shapes(&world)[0].drawn(&world);
    let edges: Vec<&str> = drawn.edges.iter().map(|edge| &*edge.relation).collect();
    assert_eq!(edges, ["PCI Express, at the same switch, as"]);
    assert_eq!(
        words(&world)[0],
        [
            "GPU 0: no link is told; PCI Express: GPU 1 at the same switch; GPU 2 at the same NUMA \
             node; GPU 3 not told",
            "GPU 1: no link is told; PCI Express: GPU 0 at the same switch; GPU 2 across NUMA nodes; \
             GPU 3 not told",
            "GPU 2: no link is told; PCI Express: GPU 0 at the same NUMA node; GPU 1 across NUMA \
             nodes; GPU 3 not told",
            "GPU 3: no link is told",
        ]
    );
    let section = links::section_of(&world).unwrap();
    let Some(Block::Table(table)) = section.blocks.get(1) else { panic!("{section:?}") };
    let text = "1 at the same switch, 1 at the same NUMA node, 1 across NUMA nodes, 3 not told";
    assert_eq!(table.rows[0].cells[1], Cell::Text { text: text.to_owned() });
    // Beside links the picture is theirs.
    world.wiring.wires.push(wire(0, 2, End::Gpu(gpu(0, 3)), Some(2)));
    assert_eq!(ring::shapes(&world)[0].drawn(&world).edges.len(), 1);
}

#[test]
fn links_that_are_down_in_a_large_fleet_are_counted_by_node() {
    let mut world = world(1, 2);
    for node in ["n3", "n7"] {
        let (node, kind) = (node.to_owned(), "nvlink".to_owned());
        world.wiring.nodes_down.push(NodeDown { node, kind, links: 2 });
    }
    let section = links::section_of(&world).unwrap();
    let text = text_of(&section.blocks[0]);
    assert!(text.contains("Down: 4 of the links, on n3 and 1 more"), "{text}");
}

#[test]
fn a_large_fleet_is_drawn_and_told_within_bounds() {
    let mut world = world(1_250, 8);
    for node in 0..1_250 {
        let id = EntityId::new(EntityKind::Node, format!("n{node}"));
        world.entities.push(Entity { id, name: format!("n{node}"), facts: Vec::new() });
    }
    world.entities.sort_by(|a, b| a.id.cmp(&b.id));
    let graph = super::graph(&world);
    assert_eq!(graph.nodes.len(), 300, "GPUs are counted, not drawn");
    assert!(graph.outline.len() <= 301, "{}", graph.outline.len());
    let last = &graph.outline.last().unwrap().text;
    // 300 lines are 33 nodes with their eight GPUs and a node with two.
    assert_eq!(last, "1216 more nodes: the topology of one node tells its own");
}

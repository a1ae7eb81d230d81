//! L4: who owns the GPUs, and what waits.

use strata_model::Layer;
use strata_world::{EntityId, EntityKind, Relation, Want, World};

use super::pieces::{
    ROWS_MAX, Show, chart, fact_of, link_to, name, number, numbers, section, table,
};
use super::{each, overview, queue, topology, tracks};
use crate::page::block::{Block, Section};
use crate::page::chart::Chart;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::PageId;

const WHOLE: [(&str, &str); 8] = [
    ("GPUs", "l4.gpus_present"),
    ("allocated", "l4.gpus_allocated"),
    ("held idle", "l4.gpus_held_idle"),
    ("requested", "l4.gpus_requested"),
    ("pods running", "l4.pods_running"),
    ("pods pending", "l4.pods_pending"),
    ("queue pending", "l4.queue_pending"),
    ("restarts", "l4.restarts"),
];

pub(super) fn wants() -> Vec<Want> {
    let mut wants = tracks(&WHOLE.map(|(_, signal)| signal));
    wants.extend(strata_diagnose::verdict_wants_of(Layer::L4Sched));
    wants.extend(each(&[
        "l1.utilization",
        "l1.memory_used",
        "l4.gpus_allocated",
        "l4.gpus_held_idle",
        "l4.pods_pending",
        "l4.pods_running",
    ]));
    wants.extend(each(&queue::SIGNALS));
    wants
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let namespaces = [
        ("GPUs allocated", 0, Show::Signal("l4.gpus_allocated")),
        ("held idle", 0, Show::Signal("l4.gpus_held_idle")),
        ("pods running", 1, Show::Signal("l4.pods_running")),
        ("pods pending", 1, Show::Signal("l4.pods_pending")),
    ];
    let no_namespace = "no namespace is seen: pod labels on the GPU exporter's series or \
                        kube-state-metrics would show them";
    vec![
        section(
            "now",
            "",
            "",
            vec![overview::line(world, Layer::L4Sched), numbers(world, &WHOLE, None)],
        ),
        section(
            "owners",
            "Who uses which GPU",
            "By identity, with the way it is known.",
            vec![Block::Table(owners(world))],
        ),
        section(
            "namespaces",
            "Namespaces",
            "",
            vec![Block::Table(table(
                world,
                "",
                (EntityKind::Namespace, None),
                &namespaces,
                no_namespace,
            ))],
        ),
        section(
            "differing",
            "Where allocation and use differ",
            "Judged by the greatest load of the last ten minutes.",
            vec![Block::Table(queue::differing(world))],
        ),
        section(
            "queues",
            "Queues",
            "Of every scheduler that is seen; Slurm's are its partitions.",
            vec![Block::Table(queue::queues(world))],
        ),
        section(
            "jobs",
            "Slurm jobs",
            "Those that wait first, with Slurm's own reason.",
            vec![Block::Table(queue::jobs(world))],
        ),
        section("time", "Over time", "", vec![Block::Multiples { charts: charts(world) }]),
    ]
}

fn charts(world: &World) -> Vec<Chart> {
    vec![
        chart(
            world,
            "GPUs",
            &[
                ("there", "l4.gpus_present"),
                ("allocated", "l4.gpus_allocated"),
                ("held idle", "l4.gpus_held_idle"),
            ],
            None,
        ),
        chart(
            world,
            "Pods",
            &[("running", "l4.pods_running"), ("pending", "l4.pods_pending")],
            None,
        ),
    ]
}

/// One row for each edge from a pod to a GPU.
fn owners(world: &World) -> Table {
    let owned = world.edges.iter().filter(|edge| {
        edge.relation == Relation::Owns
            && edge.from.kind == EntityKind::Pod
            && edge.to.kind == EntityKind::Gpu
    });
    let all: Vec<_> = owned.collect();
    let row = |edge: &&strata_world::Edge| Row {
        cells: vec![
            Cell::Text { text: name(world, &edge.from) },
            Cell::Text { text: name(world, &edge.to) },
            fact(world, &edge.from, "workload"),
            fact(world, &edge.from, "team"),
            Cell::Number(Box::new(number(world, "utilization", "l1.utilization", Some(&edge.to)))),
            Cell::Number(Box::new(number(world, "memory", "l1.memory_used", Some(&edge.to)))),
            Cell::Text { text: topology::method(edge.method).to_owned() },
            Cell::Text { text: format!("{:.0} %", edge.confidence * 100.0) },
        ],
        link: Some(link_to(PageId::Gpus, &edge.to)),
    };
    let column = |title: &str, numeric, rank| Column { title: title.to_owned(), numeric, rank };
    Table {
        title: String::new(),
        columns: vec![
            column("pod", false, 0),
            column("GPU", false, 0),
            column("workload", false, 2),
            column("team", false, 1),
            column("utilization", true, 0),
            column("memory used", true, 1),
            column("known by", false, 1),
            column("confidence", false, 2),
        ],
        rows: all.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (all.len() > ROWS_MAX).then_some(all.len()),
        empty: "no GPU is known to belong to a pod: an exporter that writes pod labels \
                (dcgm-exporter with Kubernetes mapping) would tell"
            .to_owned(),
    }
}

/// A fact of a thing; empty when it is not known.
fn fact(world: &World, id: &EntityId, name: &str) -> Cell {
    let text = world.entity(id).map_or("", |entity| fact_of(entity, name));
    Cell::Text { text: text.to_owned() }
}

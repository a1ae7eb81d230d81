//! L3: hosts, and one host.

use strata_world::{EntityId, EntityKind, Grain, Scope, Want, World};

use super::pieces::{Show, chart, number, numbers, section, table};
use super::{each, each_tracks, tracks};
use crate::page::block::{Block, Section};
use crate::page::chart::Chart;
use crate::request::PageId;

const FLEET: [(&str, &str); 8] = [
    ("hosts", "l3.hosts"),
    ("CPU, mean", "l3.cpu_utilization"),
    ("I/O wait, worst", "l3.iowait"),
    ("memory, fullest", "l3.memory_utilization"),
    ("disk latency, worst", "l3.disk_latency"),
    ("retransmits, worst", "l3.tcp_retransmit_ratio"),
    ("file system, fullest", "l3.filesystem_fill"),
    ("OOM kills, 10 min", "l3.oom_kills"),
];

const ONE: [(&str, &str); 24] = [
    ("CPU", "l3.cpu_utilization"),
    ("I/O wait", "l3.iowait"),
    ("stolen", "l3.cpu_steal"),
    ("processors", "l3.cpus"),
    ("load, 1 min", "l3.load_1m"),
    ("CPU pressure", "l3.psi_cpu"),
    ("memory", "l3.memory_utilization"),
    ("available", "l3.memory_available"),
    ("memory there is", "l3.memory_total"),
    ("memory pressure", "l3.psi_memory"),
    ("swap", "l3.swap_utilization"),
    ("swapping", "l3.swap_rate"),
    ("OOM kills, 10 min", "l3.oom_kills"),
    ("disk read", "l3.disk_read"),
    ("disk write", "l3.disk_write"),
    ("disk latency", "l3.disk_latency"),
    ("I/O pressure", "l3.psi_io"),
    ("file system", "l3.filesystem_fill"),
    ("network in", "l3.network_receive"),
    ("network out", "l3.network_transmit"),
    ("retransmits", "l3.tcp_retransmit_ratio"),
    ("drops", "l3.network_drops"),
    ("NFS latency", "l3.nfs_latency"),
    ("up", "l3.uptime"),
];

const CHARTS: [(&str, &[(&str, &str)]); 7] = [
    (
        "CPU",
        &[
            ("user", "l3.cpu_user"),
            ("system", "l3.cpu_system"),
            ("I/O wait", "l3.iowait"),
            ("stolen", "l3.cpu_steal"),
        ],
    ),
    ("Memory", &[("used", "l3.memory_utilization"), ("swap", "l3.swap_utilization")]),
    ("Pressure", &[("CPU", "l3.psi_cpu"), ("memory", "l3.psi_memory"), ("I/O", "l3.psi_io")]),
    ("Disk throughput", &[("read", "l3.disk_read"), ("write", "l3.disk_write")]),
    ("Disk latency", &[("mean", "l3.disk_latency")]),
    ("Network", &[("in", "l3.network_receive"), ("out", "l3.network_transmit")]),
    ("Retransmits", &[("ratio", "l3.tcp_retransmit_ratio")]),
];

fn charted() -> Vec<&'static str> {
    CHARTS.iter().flat_map(|(_, lines)| lines.iter().map(|(_, signal)| *signal)).collect()
}

pub(super) fn wants(fleet: bool) -> Vec<Want> {
    if !fleet {
        let signals = ONE.iter().map(|(_, signal)| *signal).chain(charted());
        let mut wants: Vec<Want> =
            signals.map(|signal| Want { signal, grain: Grain::Each, track: true }).collect();
        wants.extend(each(&[
            "l3.process_cpu",
            "l3.process_memory",
            "l3.process_threads",
            "l3.process_run_delay",
        ]));
        return wants;
    }
    let mut wants = tracks(&FLEET.map(|(_, signal)| signal));
    wants.extend(tracks(&charted()));
    wants.extend(each_tracks(&["l3.cpu_utilization"]));
    wants.extend(each(&[
        "l3.iowait",
        "l3.memory_utilization",
        "l3.disk_latency",
        "l3.tcp_retransmit_ratio",
        "l3.filesystem_fill",
    ]));
    wants
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    if let Scope::Entity(id) = &world.scope
        && id.kind == EntityKind::Node
    {
        return one(world, id);
    }
    let columns = [
        ("CPU", 0, Show::Signal("l3.cpu_utilization")),
        ("CPU over time", 2, Show::Curve("l3.cpu_utilization")),
        ("I/O wait", 1, Show::Signal("l3.iowait")),
        ("memory", 0, Show::Signal("l3.memory_utilization")),
        ("disk latency", 1, Show::Signal("l3.disk_latency")),
        ("retransmits", 2, Show::Signal("l3.tcp_retransmit_ratio")),
        ("file system", 1, Show::Signal("l3.filesystem_fill")),
    ];
    let empty = "no host is seen: run strata on it, or scrape its node_exporter";
    let list = table(world, "", (EntityKind::Node, Some(PageId::Hosts)), &columns, empty);
    vec![
        section("fleet", "", "", vec![numbers(world, &FLEET, None)]),
        section("list", "Hosts", "", vec![Block::Table(list)]),
        section(
            "time",
            "Over time",
            "The worst host, or the mean where that is said.",
            vec![Block::Multiples { charts: charts(world, None) }],
        ),
    ]
}

fn charts(world: &World, entity: Option<&EntityId>) -> Vec<Chart> {
    let charts = CHARTS.iter().map(|(title, lines)| {
        let mut chart = chart(world, title, lines, entity);
        // Shares of the same processor time stand on each other.
        chart.stacked = *title == "CPU" && entity.is_some();
        chart
    });
    charts.collect()
}

fn one(world: &World, id: &EntityId) -> Vec<Section> {
    let shown: Vec<_> =
        ONE.iter().map(|(label, signal)| number(world, label, signal, Some(id))).collect();
    let columns = [
        ("CPU", 0, Show::Signal("l3.process_cpu")),
        ("resident", 0, Show::Signal("l3.process_memory")),
        ("threads", 1, Show::Signal("l3.process_threads")),
        ("waits for CPU", 1, Show::Signal("l3.process_run_delay")),
    ];
    let empty = "no process that matters is followed on this host";
    let processes = table(world, "", (EntityKind::Process, None), &columns, empty);
    vec![
        section("now", "Now", "", vec![Block::Numbers { numbers: shown }]),
        section(
            "time",
            "Over time",
            "",
            vec![Block::Multiples { charts: charts(world, Some(id)) }],
        ),
        section(
            "processes",
            "Processes",
            "Those that hold a GPU, serve a model or train one.",
            vec![Block::Table(processes)],
        ),
        section(
            "identity",
            "Identity",
            "",
            vec![
                Block::Table(super::gpus::facts(world, id)),
                Block::Table(super::gpus::edges(world, id)),
            ],
        ),
    ]
}

//! L2: collectives by communicator, and ranks that the others wait for.

use strata_model::Layer;
use strata_world::{EntityKind, Want, World};

use super::pieces::{Show, chart, numbers, section, table};
use super::{each, overview, ranks, tracks};
use crate::page::block::{Block, Section};

const WHOLE: [(&str, &str); 11] = [
    ("bus bandwidth, mean", "l2.bus_bandwidth"),
    ("bus vs its last hour", "l2.bus_bandwidth_vs_past"),
    ("algorithm bandwidth", "l2.algorithm_bandwidth"),
    ("collective, mean", "l2.collective_mean"),
    ("collective p95", "l2.collective_p95"),
    ("rank skew p95", "l2.skew_p95"),
    ("communication", "l2.communication_share"),
    ("longest in flight", "l2.inflight_age"),
    ("kernel p99", "l2.kernel_p99"),
    ("host waits", "l2.sync_share"),
    ("waiting for late ranks", "l2.blame"),
];

const CHARTS: [(&str, &[(&str, &str)]); 3] = [
    ("Bandwidth", &[("bus", "l2.bus_bandwidth"), ("algorithm", "l2.algorithm_bandwidth")]),
    ("Collective", &[("mean", "l2.collective_mean"), ("p95", "l2.collective_p95")]),
    ("Rank skew", &[("p95", "l2.skew_p95")]),
];

pub(super) fn wants() -> Vec<Want> {
    let mut wants = tracks(&WHOLE.map(|(_, signal)| signal));
    wants.extend(strata_diagnose::verdict_wants_of(Layer::L2Cuda));
    wants.extend(each(&[
        "l2.bus_bandwidth",
        "l2.bus_bandwidth_vs_past",
        "l2.collective_p95",
        "l2.skew_p95",
        "l2.inflight_age",
    ]));
    wants.extend(ranks::wants());
    wants
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let columns = [
        ("bus bandwidth", 0, Show::Signal("l2.bus_bandwidth")),
        ("vs its last hour", 1, Show::Signal("l2.bus_bandwidth_vs_past")),
        ("collective p95", 0, Show::Signal("l2.collective_p95")),
        ("skew p95", 0, Show::Signal("l2.skew_p95")),
        ("in flight", 1, Show::Signal("l2.inflight_age")),
    ];
    let empty = "no communicator is seen: NCCL Inspector's metrics page, scraped, would show them";
    let list = table(world, "", (EntityKind::Communicator, None), &columns, empty);
    let charts = CHARTS.map(|(title, lines)| chart(world, title, lines, None)).to_vec();
    vec![
        section(
            "now",
            "",
            "",
            vec![overview::line(world, Layer::L2Cuda), numbers(world, &WHOLE, None)],
        ),
        ranks::section_of(world),
        section("list", "Communicators", "", vec![Block::Table(list)]),
        section("time", "Over time", "", vec![Block::Multiples { charts }]),
    ]
}

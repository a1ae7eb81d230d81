//! L1: the fleet as a heatmap.

use std::collections::BTreeMap;

use strata_world::{
    Entity, EntityId, EntityKind, Relation, Scope, Signals, Want, World, signal_def,
};

use super::pieces::{Show, chart, fact_of, link_to, name, numbers, section, table};
use super::{each, gpu, ground, tracks, who};
use crate::page::block::{Block, Section};
use crate::page::heatmap::{CellGroup, Choice, Heatmap};
use crate::page::number::Explanation;
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::{PageId, PageRequest};
use crate::source::{PageError, PageErrorCode};
use crate::words;

/// What cells can be colored by: (signal, title).
const COLORS: [(&str, &str); 10] = [
    ("l1.utilization", "utilization"),
    ("l1.tensor_active", "tensor active"),
    ("l1.sm_active", "SM active"),
    ("l1.memory_utilization", "memory"),
    ("l1.power", "power"),
    ("l1.temperature", "temperature"),
    ("l1.temperature_margin", "temperature margin"),
    ("l1.sm_clock", "SM clock"),
    ("l1.throttle_thermal", "thermal throttling"),
    (USE, "use"),
];

/// The choice that marks GPUs whose use and allocation differ; the color is then their greatest load of
/// ten minutes.
const USE: &str = "l1.utilization_peak";

/// How cells can be grouped.
const GROUPS: [&str; 5] = ["node", "pod", "model", "state", "use"];

/// Signals that tell the state of a GPU.
const STATE: [&str; 5] = [
    "l1.utilization",
    "l1.fault_events",
    "l1.ecc_uncorrected",
    "l1.throttle_thermal",
    "l1.row_remap_failed",
];

const FLEET: [(&str, &str); 8] = [
    ("utilization, mean", "l1.utilization"),
    ("tensor active, mean", "l1.tensor_active"),
    ("memory used", "l1.memory_used"),
    ("memory", "l1.memory_total"),
    ("power", "l1.power"),
    ("hottest", "l1.temperature"),
    ("faults, 10 min", "l1.fault_events"),
    ("slowest vs peers", "l1.sm_clock_vs_peers"),
];

/// Charts of one GPU or of the fleet: (title, lines).
pub(super) const CHARTS: [(&str, &[(&str, &str)]); 7] = [
    (
        "Activity",
        &[
            ("utilization", "l1.utilization"),
            ("SM", "l1.sm_active"),
            ("tensor", "l1.tensor_active"),
        ],
    ),
    ("Memory used", &[("used", "l1.memory_used"), ("total", "l1.memory_total")]),
    ("Power", &[("drawn", "l1.power"), ("limit", "l1.power_limit")]),
    ("Temperature", &[("GPU", "l1.temperature"), ("memory", "l1.temperature_memory")]),
    ("Clock", &[("SM", "l1.sm_clock")]),
    ("Throttling", &[("heat", "l1.throttle_thermal"), ("power", "l1.throttle_power")]),
    (
        "Links",
        &[
            ("PCIe in", "l1.pcie_receive"),
            ("PCIe out", "l1.pcie_transmit"),
            ("NVLink", "l1.interconnect"),
            ("C2C", "l1.c2c"),
        ],
    ),
];

/// Refuse what the page does not offer, before it would show something else in its place.
///
/// # Errors
/// With the list of choices.
pub(super) fn check(request: &PageRequest) -> Result<(), PageError> {
    let colors = COLORS.map(|(id, _)| id);
    for (name, given, choices) in
        [("group", &request.group, &GROUPS[..]), ("color", &request.color, &colors[..])]
    {
        if let Some(given) = given.as_deref().filter(|given| !choices.contains(given)) {
            return Err(PageError {
                code: PageErrorCode::BadRequest,
                message: format!("parameter {name}={given:?} is no choice of this page"),
                hint: format!("{name} is one of {}", choices.join(", ")),
            });
        }
    }
    Ok(())
}

fn color(request: &PageRequest) -> (&'static str, &'static str) {
    let chosen = COLORS.iter().find(|(id, _)| request.color.as_deref() == Some(id));
    *chosen.unwrap_or(&COLORS[0])
}

fn group(request: &PageRequest) -> &'static str {
    let chosen = GROUPS.iter().find(|group| request.group.as_deref() == Some(group));
    chosen.copied().unwrap_or(GROUPS[0])
}

pub(super) fn wants(request: &PageRequest, fleet: bool) -> Vec<Want> {
    if !fleet {
        return gpu::wants();
    }
    let mut charted: Vec<&'static str> = Vec::new();
    for (_, lines) in CHARTS {
        charted.extend(lines.iter().map(|(_, signal)| *signal));
    }
    let mut wants = tracks(&FLEET.map(|(_, signal)| signal));
    wants.extend(tracks(&charted));
    wants.extend(each(&STATE));
    wants.extend(each(&[
        color(request).0,
        "l1.memory_used",
        "l1.power",
        "l1.temperature",
        "l1.xid_last",
    ]));
    wants
}

pub(super) fn sections(request: &PageRequest, world: &World) -> Vec<Section> {
    if let Scope::Entity(id) = &world.scope
        && id.kind == EntityKind::Gpu
    {
        return gpu::sections(world, id);
    }
    let map = heatmap(request, world);
    let brief = "One cell a GPU; a ring stands apart from its peers.";
    let charts = CHARTS.map(|(title, lines)| chart(world, title, lines, None)).to_vec();
    vec![
        section("fleet", "", "", vec![numbers(world, &FLEET, None)]),
        given(world),
        section("map", "Fleet", brief, vec![Block::Heatmap(map)]),
        section(
            "time",
            "Over time",
            "Means and sums over the fleet.",
            vec![Block::Multiples { charts }],
        ),
        section("list", "GPUs", "", vec![Block::Table(list(world))]),
    ]
}

fn list(world: &World) -> Table {
    let columns = [
        ("model", 2, Show::Fact("gpu_model")),
        ("utilization", 0, Show::Signal("l1.utilization")),
        ("memory used", 0, Show::Signal("l1.memory_used")),
        ("power", 1, Show::Signal("l1.power")),
        ("temperature", 1, Show::Signal("l1.temperature")),
        ("last XID", 1, Show::Signal("l1.xid_last")),
    ];
    let empty = "no GPU is seen: run dcgm-exporter, nvidia_gpu_exporter or another exporter on the \
                 hosts; the Doctor page lists what is known";
    let mut list = table(world, "", (EntityKind::Gpu, Some(PageId::Gpus)), &columns, empty);
    let holdings = who::by_gpu(world);
    list.columns.push(Column { title: "use".to_owned(), numeric: false, rank: 0 });
    for (row, gpu) in list.rows.iter_mut().zip(world.of_kind(EntityKind::Gpu)) {
        let held = holdings.get(&gpu.id);
        row.cells.push(Cell::Status {
            status: held.map_or(Status::Blind, |held| who::status(held.state)),
            text: held.map_or("not told", |held| held.state.word()).to_owned(),
        });
    }
    list
}

/// How each GPU is, from its own signals.
struct States<'a> {
    /// In the order of [`STATE`].
    columns: [Signals<'a>; STATE.len()],
}

impl<'a> States<'a> {
    fn new(world: &'a World) -> Self {
        Self { columns: STATE.map(|signal| world.column(signal)) }
    }

    /// The state of a GPU that comes after all that were asked for before.
    fn next_of(&mut self, id: &EntityId) -> (Status, &'static str) {
        let mut value = |column: &mut Signals<'_>| column.next_of(id).and_then(|s| s.now.known());
        let [utilization, faults, ecc, thermal, remap] = self.columns.each_mut().map(&mut value);
        let above = |value: Option<f64>, limit: f64| value.is_some_and(|value| value > limit);
        if [faults, ecc, remap].into_iter().any(|value| above(value, 0.0)) {
            (Status::Broken, "faulty")
        } else if above(thermal, 0.05) {
            (Status::Watch, "throttled")
        } else {
            match utilization {
                None => (Status::Blind, "not seen"),
                Some(busy) if busy > 0.05 => (Status::Ok, "busy"),
                Some(_) => (Status::Ok, "idle"),
            }
        }
    }
}

fn heatmap(request: &PageRequest, world: &World) -> Heatmap {
    let (signal, title) = color(request);
    let by = group(request);
    let mut groups: BTreeMap<String, CellGroup> = BTreeMap::new();
    let holdings = who::by_gpu(world);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut colors, mut states) = (world.column(signal), States::new(world));
    for gpu in world.of_kind(EntityKind::Gpu) {
        let found = colors.next_of(&gpu.id);
        let value = found.and_then(|found| found.now.known());
        if let Some(value) = value {
            (low, high) = (low.min(value), high.max(value));
        }
        let (health, word) = states.next_of(&gpu.id);
        let held = holdings.get(&gpu.id).copied();
        let used = held.map_or("not told", |held| held.state.word());
        // What is asked for decides what is marked.
        let by_use = signal == USE || by == "use";
        let status = if by_use {
            held.map_or(Status::Blind, |held| who::status(held.state))
        } else {
            health
        };
        let key = match by {
            "use" => used.to_owned(),
            "state" => word.to_owned(),
            _ => group_of(world, gpu, by),
        };
        let cells = groups.entry(key.clone()).or_insert_with(|| CellGroup {
            title: key,
            link: None,
            ids: Vec::new(),
            names: Vec::new(),
            values: Vec::new(),
            statuses: Vec::new(),
            outliers: Vec::new(),
        });
        cells.ids.push(gpu.id.to_string());
        cells.names.push(gpu.name.clone());
        cells.values.push(value);
        cells.statuses.push(status);
        cells.outliers.push(found.is_some_and(|found| found.outlier));
    }
    let def = signal_def(signal);
    let unit = def.map_or("1", |def| def.unit);
    // A share is read against the whole; everything else against the fleet.
    let (min, max) = match (unit, low <= high) {
        (unit, true) if unit != "1" => (low, high),
        _ => (0.0, 1.0),
    };
    let choice = |id: &str, title: &str, current: bool| Choice {
        id: id.to_owned(),
        title: title.to_owned(),
        current,
    };
    let known = groups.values().flat_map(|group| &group.values).flatten().copied();
    Heatmap {
        title: format!("{title} by {by}"),
        scale: words::shared(unit, known.chain([min, max])),
        min,
        max,
        group_choices: GROUPS.iter().map(|id| choice(id, id, *id == by)).collect(),
        color_choices: COLORS.iter().map(|(id, title)| choice(id, title, *id == signal)).collect(),
        groups: groups.into_values().collect(),
        columns: Vec::new(),
        cell_page: PageId::Gpus.name().to_owned(),
        explain: Explanation {
            definition: def.map_or("", |def| def.definition).to_owned(),
            formula: def.map_or("", |def| def.formula).to_owned(),
            ..Explanation::default()
        },
    }
}

/// The group of a GPU by what it is or where.
fn group_of(world: &World, gpu: &Entity, by: &str) -> String {
    match by {
        "pod" => owner(world, gpu).unwrap_or_else(|| "no pod".to_owned()),
        "model" => some(fact_of(gpu, "gpu_model"), "model unknown"),
        _ => node_of(world, gpu),
    }
}

fn some(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
}

fn node_of(world: &World, gpu: &Entity) -> String {
    let mut edges = world.targets(&gpu.id, Relation::RunsOn);
    let node = edges.find(|edge| edge.to.kind == EntityKind::Node);
    node.map_or_else(|| some(fact_of(gpu, "node"), "node unknown"), |edge| name(world, &edge.to))
}

fn owner(world: &World, gpu: &Entity) -> Option<String> {
    let mut owners = world.origins(&gpu.id, Relation::Owns);
    owners.find(|edge| edge.from.kind == EntityKind::Pod).map(|edge| name(world, &edge.from))
}

/// What is known of a thing besides numbers.
pub(super) fn facts(world: &World, id: &EntityId) -> Table {
    let facts = world.entity(id).map_or(&[][..], |entity| &entity.facts);
    let row = |(name, value): &(String, String)| Row {
        cells: vec![
            Cell::Text { text: name.replace('_', " ") },
            Cell::Text { text: value.clone() },
        ],
        link: None,
    };
    Table {
        title: String::new(),
        columns: vec![
            Column { title: "fact".to_owned(), numeric: false, rank: 0 },
            Column { title: "value".to_owned(), numeric: false, rank: 0 },
        ],
        rows: facts.iter().map(row).collect(),
        total_rows: None,
        empty: "nothing is known of it besides its numbers".to_owned(),
    }
}

/// How GPUs are given and used, with what that is known from.
fn given(world: &World) -> Section {
    let brief = "As `strata who` judges it: the scheduling page names who.";
    let mut section = section("use", "Given and used", brief, vec![who::counts(world)]);
    ground::of_holders(world, &mut section);
    section
}

/// When two things were seen joined, first and last within the range.
fn seen(world: &World, edge: &strata_world::Edge) -> String {
    match edge.held_ms {
        (first, last) if first == last => gpu::ago(world, last),
        (first, last) => format!("{} to {}", gpu::ago(world, first), gpu::ago(world, last)),
    }
}

/// What a thing is joined with, how that is known, and when it was seen.
pub(super) fn edges(world: &World, id: &EntityId) -> Table {
    let joined = world.edges.iter().filter(|edge| edge.from == *id || edge.to == *id);
    let rows = joined.take(super::pieces::ROWS_MAX).map(|edge| {
        let other = if edge.from == *id { &edge.to } else { &edge.from };
        let page = super::topology::page_of_kind(other.kind);
        Row {
            cells: vec![
                Cell::Text { text: super::topology::relation(edge.relation).to_owned() },
                Cell::Text { text: format!("{} {}", other.kind.name(), name(world, other)) },
                Cell::Text { text: super::topology::method(edge.method).to_owned() },
                Cell::Text { text: format!("{:.0} %", edge.confidence * 100.0) },
                Cell::Text { text: seen(world, edge) },
            ],
            link: page.map(|page| link_to(page, other)),
        }
    });
    let column = |title: &str, rank| Column { title: title.to_owned(), numeric: false, rank };
    Table {
        title: String::new(),
        columns: vec![
            column("relation", 0),
            column("thing", 0),
            column("known by", 1),
            column("confidence", 1),
            column("seen", 2),
        ],
        rows: rows.collect(),
        total_rows: None,
        empty: "nothing is known to be joined with it: pod labels on the exporter's series, or \
                kube-state-metrics, would tell"
            .to_owned(),
    }
}

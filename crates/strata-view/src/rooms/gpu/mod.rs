//! L1: one GPU: what it is, whose it was, what held its clocks, what happened to it, its parts and
//! links, and its peers.

mod faults;
mod parts;

use strata_world::{Edge, EntityId, EntityKind, Grain, Relation, Want, World};

use super::gpus::{CHARTS, edges, facts};
use super::pieces::{ROWS_MAX, chart, fact_of, link_to, name, numbers, section};
use super::topology;
use crate::page::block::{Block, Section};
use crate::page::chart::Chart;
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::words;

/// What a GPU does now.
const NOW: [(&str, &str); 19] = [
    ("utilization", "l1.utilization"),
    ("SM active", "l1.sm_active"),
    ("SM occupancy", "l1.sm_occupancy"),
    ("tensor active", "l1.tensor_active"),
    ("HBM active", "l1.dram_active"),
    ("memory controller", "l1.memory_controller"),
    ("memory used", "l1.memory_used"),
    ("memory", "l1.memory_total"),
    ("power", "l1.power"),
    ("power limit", "l1.power_limit"),
    ("temperature", "l1.temperature"),
    ("temperature, memory", "l1.temperature_memory"),
    ("slows down at", "l1.temperature_limit"),
    ("until slowdown", "l1.temperature_margin"),
    ("SM clock", "l1.sm_clock"),
    ("clock vs peers", "l1.sm_clock_vs_peers"),
    ("memory clock", "l1.memory_clock"),
    ("last XID", "l1.xid_last"),
    ("faults, 10 min", "l1.fault_events"),
];

/// Memory that fails and links that repeat.
const HEALTH: [(&str, &str); 9] = [
    ("ECC uncorrected", "l1.ecc_uncorrected"),
    ("ECC corrected", "l1.ecc_corrected"),
    ("row remap pending", "l1.row_remap_pending"),
    ("row remap failed", "l1.row_remap_failed"),
    ("driver asks for", "l1.recovery_action"),
    ("PCIe replays", "l1.pcie_replays"),
    ("link errors", "l1.link_errors"),
    ("C2C errors", "l1.c2c_errors"),
    ("profiling at 0 while busy", "l1.profiling_stuck"),
];

/// Reasons for the clock, from the one that needs a hand to the one that needs none.
const REASONS: [(&str, &str); 5] = [
    ("hardware slowdown", "l1.throttle_hardware"),
    ("heat", "l1.throttle_thermal"),
    ("power cap", "l1.throttle_power"),
    ("sync boost", "l1.throttle_sync_boost"),
    ("idle", "l1.clocks_idle"),
];

/// This GPU, then the quartiles and the median of its model.
const PEERS: [(&str, [(&str, &str); 4]); 3] = [
    (
        "SM clock",
        [
            ("this GPU", "l1.sm_clock"),
            ("lower quartile", "l1.sm_clock_q1"),
            ("median", "l1.sm_clock_median"),
            ("upper quartile", "l1.sm_clock_q3"),
        ],
    ),
    (
        "Power",
        [
            ("this GPU", "l1.power"),
            ("lower quartile", "l1.power_q1"),
            ("median", "l1.power_median"),
            ("upper quartile", "l1.power_q3"),
        ],
    ),
    (
        "Temperature",
        [
            ("this GPU", "l1.temperature"),
            ("lower quartile", "l1.temperature_q1"),
            ("median", "l1.temperature_median"),
            ("upper quartile", "l1.temperature_q3"),
        ],
    ),
];

pub(super) fn wants() -> Vec<Want> {
    let numbers = NOW.iter().chain(&HEALTH).chain(&REASONS);
    let numbers = numbers.map(|(_, signal)| *signal);
    let charted = CHARTS.iter().flat_map(|(_, lines)| lines.iter());
    let charted = charted.map(|(_, signal)| *signal);
    let peers = PEERS.iter().flat_map(|(_, lines)| lines.iter()).map(|(_, signal)| *signal);
    let wanted = numbers.chain(charted).chain(peers).chain(parts::SIGNALS);
    wanted.map(|signal| Want { signal, grain: Grain::Each, track: true }).collect()
}

pub(super) fn sections(world: &World, id: &EntityId) -> Vec<Section> {
    let charts = CHARTS.iter().filter(|(title, _)| *title != "Throttling");
    let charts = charts.map(|(title, lines)| chart(world, title, lines, Some(id))).collect();
    vec![
        section("now", "Now", "", vec![numbers(world, &NOW, Some(id))]),
        section(
            "identity",
            "Identity",
            "What it is, and where.",
            vec![Block::Table(facts(world, id))],
        ),
        section(
            "owners",
            "Owners over time",
            "Whose it was in this range, how that is known, and when it was seen first and last.",
            vec![Block::Table(owners(world, id)), Block::Table(processes(world, id))],
        ),
        section(
            "reasons",
            "What held the clocks",
            "Share of each step by reason. Reasons can hold at once: the sum may pass 100 %.",
            vec![Block::Multiples { charts: vec![reasons(world, id)] }],
        ),
        section(
            "peers",
            "Against its peers",
            "Dashed: quartiles and median of all GPUs of the same model, this one included.",
            vec![Block::Multiples { charts: peers(world, id) }],
        ),
        section(
            "faults",
            "Faults in this range",
            "The latest first, dated to a step of the charts.",
            vec![Block::Table(faults::of_gpu(world, id)), Block::Table(faults::of_switches(world))],
        ),
        section(
            "health",
            "Condition, memory and links",
            "",
            vec![Block::Table(parts::condition(world)), numbers(world, &HEALTH, Some(id))],
        ),
        section(
            "slices",
            "Instances",
            "What it is split into (MIG), each with who was given it.",
            vec![Block::Table(parts::slices(world, id))],
        ),
        section(
            "links",
            "Links",
            "NVLink, XGMI and C2C, lane by lane. Errors of the last ten minutes.",
            vec![Block::Table(parts::links(world, id)), Block::Table(parts::near(world, id))],
        ),
        section("time", "Over time", "", vec![Block::Multiples { charts }]),
        section("joined", "Joined with", "", vec![Block::Table(edges(world, id))]),
    ]
}

/// The ribbon of reasons: only those a source tells of, since a gap within a pile is no layer. The
/// others are named in the title, so that nobody takes their absence for calm.
fn reasons(world: &World, id: &EntityId) -> Chart {
    let is_told = |signal: &str| {
        let found = world.signal(signal, Some(id));
        found.is_some_and(|found| found.track.iter().any(Option::is_some))
    };
    let (told, untold): (Vec<_>, Vec<_>) =
        REASONS.into_iter().partition(|(_, signal)| is_told(signal));
    let title = match (told.is_empty(), untold.as_slice()) {
        (true, _) | (_, []) => "Clock reasons".to_owned(),
        (_, untold) => {
            let names: Vec<&str> = untold.iter().map(|(name, _)| *name).collect();
            format!("Clock reasons (not told by any source: {})", names.join(", "))
        }
    };
    let lines = if told.is_empty() { REASONS.to_vec() } else { told };
    let mut ribbon = chart(world, &title, &lines, Some(id));
    ribbon.stacked = true;
    if ribbon.missing.is_some() {
        ribbon.missing = Some(
            "no source tells why the clocks are as they are: dcgm-exporter with \
             DCGM_FI_DEV_CLOCKS_EVENT_REASONS, nvidia_gpu_exporter, or the agent on the host would"
                .to_owned(),
        );
    }
    ribbon
}

fn peers(world: &World, id: &EntityId) -> Vec<Chart> {
    let against = |(title, lines): &(&str, [(&str, &str); 4])| {
        let mut drawn = chart(world, title, lines, Some(id));
        for line in drawn.lines.iter_mut().skip(1) {
            line.faint = true;
        }
        // A band is read by its distance, which an axis from zero hides.
        drawn.min = None;
        drawn
    };
    PEERS.iter().map(against).collect()
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

fn column(title: &str, numeric: bool, rank: u8) -> Column {
    Column { title: title.to_owned(), numeric, rank }
}

/// How long before the page was made.
pub(super) fn ago(world: &World, at_ms: i64) -> String {
    let seconds = (world.window.now_ms - at_ms).max(0) / 1000;
    // Ages above some minutes are read in minutes.
    let shown = if seconds >= 120 { seconds / 60 * 60 } else { seconds };
    format!("{} ago", words::length(u64::try_from(shown).unwrap_or_default()))
}

/// Who held it in this range, in order of time.
fn owners(world: &World, id: &EntityId) -> Table {
    let mut held: Vec<&Edge> = world.origins(id, Relation::Owns).collect();
    held.sort_by(|a, b| b.held_ms.1.cmp(&a.held_ms.1).then_with(|| a.from.cmp(&b.from)));
    let row = |edge: &&Edge| {
        let (first, last) = edge.held_ms;
        // Two steps without it: it is gone, not late.
        let is_held = world.window.end_ms - last <= 2 * world.window.step_ms;
        let from = if first <= world.window.start_ms {
            "before this range".to_owned()
        } else {
            ago(world, first)
        };
        Row {
            cells: vec![
                text(edge.from.kind.name()),
                text(name(world, &edge.from)),
                text(from),
                text(if is_held { "now".to_owned() } else { ago(world, last) }),
                text(topology::method(edge.method)),
                text(format!("{:.0} %", edge.confidence * 100.0)),
            ],
            link: topology::page_of_kind(edge.from.kind).map(|page| link_to(page, &edge.from)),
        }
    };
    Table {
        title: String::new(),
        columns: vec![
            column("kind", false, 0),
            column("owner", false, 0),
            column("first seen", false, 0),
            column("last seen", false, 0),
            column("known by", false, 1),
            column("confidence", false, 1),
        ],
        rows: held.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (held.len() > ROWS_MAX).then_some(held.len()),
        empty: "nobody is known to hold it: the agent on its node, pod labels on the exporter's \
                series, or Slurm would tell"
            .to_owned(),
    }
}

/// Processes on it, each against who was given it, in the words of `strata who`.
fn processes(world: &World, id: &EntityId) -> Table {
    let owners: Vec<&EntityId> = world
        .origins(id, Relation::Owns)
        .map(|edge| &edge.from)
        .filter(|owner| owner.kind == EntityKind::Pod)
        .collect();
    let on_it = world.origins(id, Relation::RunsOn).map(|edge| &edge.from);
    let users: Vec<&EntityId> = on_it.filter(|user| user.kind == EntityKind::Process).collect();
    let row = |user: &&EntityId| {
        let fact = |name| world.entity(user).map_or("", |process| fact_of(process, name));
        let pod = match (fact("namespace"), fact("pod")) {
            (_, "") => None,
            (namespace, pod) => Some(format!("{namespace}/{pod}")),
        };
        let is_owner = |pod: &str| owners.iter().any(|owner| owner.key.as_ref() == pod);
        let (status, state) = match &pod {
            Some(pod) if is_owner(pod) => (Status::Ok, "used by owner"),
            Some(_) if !owners.is_empty() => (Status::Watch, "used by other pod"),
            Some(_) => (Status::Blind, "nobody tells who was given it"),
            None if !fact("pod_uid").is_empty() => (Status::Blind, "its pod is not told by name"),
            None => (Status::Blind, "in no pod that is known"),
        };
        Row {
            cells: vec![
                text(name(world, user)),
                text(pod.unwrap_or_default()),
                Cell::Status { status, text: state.to_owned() },
            ],
            link: None,
        }
    };
    Table {
        title: "Processes".to_owned(),
        columns: vec![
            column("process", false, 0),
            column("pod", false, 0),
            column("state", false, 0),
        ],
        rows: users.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (users.len() > ROWS_MAX).then_some(users.len()),
        empty: "no process is seen on it: the agent on its node reads them from the driver"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests;

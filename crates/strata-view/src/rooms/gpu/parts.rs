//! What a GPU consists of: the instances it is split into, and its links.

use strata_world::{
    Condition, End, Entity, EntityId, EntityKind, Link, Relation, Way, World, mig_share,
};

use super::super::pieces::{ROWS_MAX, fact_of, link_to, name, number};
use super::{column, text};
use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Row, Table};
use crate::request::PageId;
use crate::rooms::topology::paths::{other_end, way_word};
use crate::rooms::topology::ring::end_name;
use crate::words;

/// Signals of each instance that the table shows.
pub(super) const SIGNALS: [&str; 5] = [
    "l1.slice_memory_used",
    "l1.slice_memory",
    "l1.slice_sm_active",
    "l1.slice_engine_active",
    "l1.slice_tensor_active",
];

/// One row for each instance (MIG).
pub(super) fn slices(world: &World, id: &EntityId) -> Table {
    let model = world.entity(id).map_or("", |gpu| fact_of(gpu, "gpu_model"));
    let parts =
        world.origins(id, Relation::PartOf).filter(|edge| edge.from.kind == EntityKind::Slice);
    let parts: Vec<&Entity> = parts.filter_map(|edge| world.entity(&edge.from)).collect();
    let row = |slice: &&Entity| {
        let owners = world.origins(&slice.id, Relation::Owns).map(|edge| name(world, &edge.from));
        let owners: Vec<String> = owners.collect();
        let profile = fact_of(slice, "mig_profile");
        let signal = |label, id| Cell::Number(Box::new(number(world, label, id, Some(&slice.id))));
        Row {
            cells: vec![
                text(fact_of(slice, "mig_instance")),
                text(profile),
                text(if owners.is_empty() { "nobody known".to_owned() } else { owners.join(", ") }),
                Cell::Number(Box::new(share(profile, model))),
                signal("memory used", "l1.slice_memory_used"),
                signal("memory", "l1.slice_memory"),
                signal("SM active", "l1.slice_sm_active"),
                signal("tensor active", "l1.slice_tensor_active"),
            ],
            link: None,
        }
    };
    Table {
        title: String::new(),
        columns: vec![
            column("instance", false, 0),
            column("profile", false, 0),
            column("given to", false, 0),
            column("share of SMs", true, 0),
            column("memory used", true, 0),
            column("memory", true, 1),
            column("SM active", true, 0),
            column("tensor active", true, 2),
        ],
        rows: parts.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (parts.len() > ROWS_MAX).then_some(parts.len()),
        empty: "no instance of it is seen: it is not split, or nobody tells of its parts"
            .to_owned(),
    }
}

/// The part of the GPU's SMs that an instance has, by its profile.
fn share(profile: &str, model: &str) -> Number {
    let value = mig_share(profile, model);
    Number {
        label: "share of SMs".to_owned(),
        text: words::text(value, "1"),
        value,
        unit: "1".to_owned(),
        note: None,
        status: None,
        link: None,
        explain: Explanation {
            definition: "Part of the GPU's SMs that the instance has (NVIDIA MIG user guide, \
                         Partitioning)."
                .to_owned(),
            formula: "compute slices of the profile / compute slices of the GPU".to_owned(),
            unknown: value.is_none().then(|| format!("{profile:?} is no profile that is known")),
            ..Explanation::default()
        },
    }
}

/// One row for each link.
pub(super) fn links(world: &World, id: &EntityId) -> Table {
    let all: Vec<&Link> = world.links.iter().filter(|link| link.device == *id).collect();
    let row = |link: &&Link| {
        let (status, state) = match link.up {
            Some(true) => (Status::Ok, "up"),
            // A link that is not wired is down too: that is worth a look, not an alarm.
            Some(false) => (Status::Watch, "down"),
            None => (Status::Blind, words::UNKNOWN),
        };
        Row {
            cells: vec![
                text(link.kind.clone()),
                text(link.number.clone()),
                Cell::Status { status, text: state.to_owned() },
                text(leads_to(world, link)),
                text(errors(link)),
                text(words::text(link.rate_both, "By/s")),
            ],
            link: None,
        }
    };
    Table {
        title: String::new(),
        columns: vec![
            column("kind", false, 0),
            column("link", true, 0),
            column("state", false, 0),
            column("leads to", false, 1),
            column("errors", false, 0),
            column("moves, both ways", true, 1),
        ],
        rows: all.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (all.len() > ROWS_MAX).then_some(all.len()),
        empty:
            "nobody tells of its links one by one: the agent on its node would, where it has any"
                .to_owned(),
    }
}

/// What is at the other end of a link.
fn leads_to(world: &World, link: &Link) -> String {
    match &link.end {
        None => words::UNKNOWN.to_owned(),
        Some(End::Gpu(other)) => name(world, other),
        Some(end) => end_name(end),
    }
}

/// Errors of a link by kind, those there were.
fn errors(link: &Link) -> String {
    if link.errors.is_empty() {
        return words::UNKNOWN.to_owned();
    }
    let some = link.errors.iter().filter(|(_, count)| *count > 0.0);
    let some = some.map(|(kind, count)| {
        format!("{} {}", words::text(Some(count.round()), "{error}"), kind.replace('_', " "))
    });
    let some: Vec<String> = some.collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

/// One row for each other GPU of its node: how near it is, and over how many links.
pub(super) fn near(world: &World, id: &EntityId) -> Table {
    let lanes = |other: &EntityId| {
        let to = End::Gpu(other.clone());
        let leads = |link: &&Link| link.device == *id && link.end.as_ref() == Some(&to);
        world.links.iter().filter(leads).count()
    };
    let ways = world.wiring.paths.iter();
    let mut near: Vec<(Way, &EntityId)> =
        ways.filter_map(|path| Some((path.way, other_end(path, id)?))).collect();
    near.sort();
    let row = |(way, other): &(Way, &EntityId)| {
        let lanes = match lanes(other) {
            0 => "none told".to_owned(),
            lanes => lanes.to_string(),
        };
        let cells = vec![text(name(world, other)), text(way_word(*way)), text(lanes)];
        Row { cells, link: Some(link_to(PageId::Gpus, other)) }
    };
    Table {
        title: "Other GPUs of its node".to_owned(),
        columns: vec![
            column("GPU", false, 0),
            column("over PCI Express", false, 0),
            column("links straight to it", true, 1),
        ],
        rows: near.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (near.len() > ROWS_MAX).then_some(near.len()),
        empty:
            "how near others are over PCI Express is not told: the agent on its node would tell, \
                where there are others"
                .to_owned(),
    }
}

/// How it is, as its source judges, and why.
pub(super) fn condition(world: &World) -> Table {
    let row = |found: &Condition| {
        let status = match found.state.as_str() {
            "ok" => Status::Ok,
            "failed" => Status::Broken,
            _ => Status::Watch,
        };
        let why = match found.reasons.as_slice() {
            [] if status == Status::Ok => "nothing that is told speaks against it".to_owned(),
            [] => "the source gives no reason".to_owned(),
            reasons => reasons.join(", "),
        };
        let state = found.state.replace('_', " ");
        Row { cells: vec![Cell::Status { status, text: state }, text(why)], link: None }
    };
    Table {
        title: "Condition".to_owned(),
        columns: vec![column("state", false, 0), column("why", false, 0)],
        rows: world.condition.iter().map(row).collect(),
        total_rows: None,
        empty: "no source judges it: the agent on its node would".to_owned(),
    }
}

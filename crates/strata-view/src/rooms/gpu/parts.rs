//! What a GPU consists of: the instances it is split into, and its links.

use strata_world::{End, Entity, EntityId, EntityKind, Link, Relation, World, mig_share};

use super::super::pieces::{ROWS_MAX, fact_of, name, number};
use super::{column, text};
use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Row, Table};
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

//! The metrics of one layer: what has one reason and one remedy stands in one row.

use std::collections::BTreeSet;

use strata_model::Layer;
use strata_model::catalog::Catalog;
use strata_world::{CoverageState, MetricCoverage, World};

use super::words::{makes_known, possible, title as signal_title};
use super::{column, text};
use crate::page::block::{Block, Section};
use crate::page::status::Status;
use crate::page::table::{Cell, Row, Table};
use crate::rooms::pieces::section;
use crate::rooms::{code, words as layer_words};

/// Metrics with the same state, reason and remedy.
struct Group<'a> {
    metrics: Vec<&'a MetricCoverage>,
    /// Signals that are not possible now and need one of them.
    opens: Vec<&'static str>,
}

pub(super) fn section_of(world: &World, layer: Layer) -> Section {
    let catalog = Catalog::builtin();
    let own: Vec<&MetricCoverage> = world
        .coverage
        .metrics
        .iter()
        .filter(|one| catalog.metric(one.metric).is_some_and(|def| def.layer == Some(layer)))
        .collect();
    let seen = own.iter().filter(|one| one.state == CoverageState::Ok).count();
    let possible = possible(&world.coverage);
    let mut groups = grouped(&own, &possible);
    // What is broken first, then what can be mended and opens the most, what is well last.
    groups.sort_by_key(|group| {
        let first = group.metrics.first();
        let state = first.map_or(u8::MAX, |one| rank(one.state));
        let mends = first.is_some_and(|one| one.mend.is_some());
        (state, !mends, std::cmp::Reverse(group.opens.len()))
    });
    let table = Table {
        title: String::new(),
        columns: vec![
            column("state", 0),
            column("metrics", 0),
            column("why, or from where", 1),
            column("what mends it", 2),
            column("makes known", 3),
        ],
        rows: groups.iter().filter_map(|group| row(catalog, group, &possible, layer)).collect(),
        total_rows: None,
        empty: "the catalog has no metric of this layer".to_owned(),
    };
    let (title, _) = layer_words(layer);
    let signals = world.coverage.layers.iter().find(|one| one.layer == layer);
    let signals = signals.map(|one| format!("{} of {} signals, ", one.fed, one.signals));
    let signals = signals.unwrap_or_default();
    let title = format!("{} {title}: {signals}{seen} of {} metrics", code(layer), own.len());
    let brief = "A signal is a number of the pages; it is made of one or more metrics.";
    section(layer.name(), &title, brief, vec![Block::Table(table)])
}

fn grouped<'a>(own: &[&'a MetricCoverage], possible: &BTreeSet<&'static str>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for one in own {
        let alike = |group: &&mut Group<'a>| {
            group.metrics.first().is_some_and(|first| {
                one.state != CoverageState::Ok
                    && (first.state, &first.reason, &first.mend)
                        == (one.state, &one.reason, &one.mend)
            })
        };
        let known = groups.iter_mut().find(alike);
        let opens = one.enables.iter().filter(|id| !possible.contains(*id)).copied();
        match known {
            Some(group) => {
                group.metrics.push(one);
                group.opens.extend(opens);
                group.opens.sort_unstable();
                group.opens.dedup();
            }
            None => groups.push(Group { metrics: vec![one], opens: opens.collect() }),
        }
    }
    groups
}

fn rank(state: CoverageState) -> u8 {
    match state {
        CoverageState::Denied => 0,
        CoverageState::Stale => 1,
        CoverageState::Absent => 2,
        CoverageState::Unsupported => 3,
        CoverageState::Ok => 4,
    }
}

fn row(
    catalog: &Catalog,
    group: &Group<'_>,
    possible: &BTreeSet<&'static str>,
    layer: Layer,
) -> Option<Row> {
    let one = group.metrics.first()?;
    let (status, word) = match one.state {
        CoverageState::Ok => (Status::Ok, "ok"),
        CoverageState::Stale => (Status::Watch, "stale"),
        CoverageState::Denied => (Status::Broken, "denied"),
        CoverageState::Unsupported => (Status::Absent, "unsupported"),
        CoverageState::Absent => (Status::Blind, "absent"),
    };
    let named = group
        .metrics
        .iter()
        .map(|one| catalog.metric(one.metric).map_or(one.metric, |def| def.prometheus.as_str()));
    let named = named.collect::<Vec<_>>().join(", ");
    let from = one
        .sources
        .iter()
        .map(|(title, family, quality)| format!("{title} ({family}, {})", quality.name()));
    let from = from.collect::<Vec<_>>().join(", ");
    let why = if from.is_empty() { one.reason.clone().unwrap_or_default() } else { from };
    let mend = one.mend.clone().map_or_else(|| text(""), |text| Cell::Command { text });
    let cells = vec![
        Cell::Status { status, text: word.to_owned() },
        text(named),
        text(why),
        mend,
        text(known_with(group, possible, layer)),
    ];
    Some(Row { cells, link: None })
}

/// What a group opens; of what is there, what it is used for.
fn known_with(group: &Group<'_>, possible: &BTreeSet<&'static str>, layer: Layer) -> String {
    if !group.opens.is_empty() {
        return makes_known(&group.opens, possible, layer);
    }
    let used: BTreeSet<&str> =
        group.metrics.iter().flat_map(|one| one.enables.iter().copied()).collect();
    if used.is_empty() {
        return String::new();
    }
    let titles: Vec<String> = used.into_iter().map(|id| signal_title(id, layer)).collect();
    let is_there = group.metrics.iter().all(|one| one.state == CoverageState::Ok);
    let begin = if is_there { "" } else { "known in another way: " };
    format!("{begin}{}", titles.join(", "))
}

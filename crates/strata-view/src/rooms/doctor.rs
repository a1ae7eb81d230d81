//! Every signal of every layer: seen or not, why, how to mend it, and what becomes possible.

use strata_model::catalog::Catalog;
use strata_model::{Layer, SourceState, SourceStatus};
use strata_world::{CoverageState, MetricCoverage, World};

use super::pieces::section;
use super::{code, words as layer_words};
use crate::page::block::{Block, Section};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};

pub(super) fn sections(world: &World) -> Vec<Section> {
    let mut sections = vec![sources(world)];
    for layer in Layer::ALL {
        sections.push(of_layer(world, layer));
    }
    sections
}

fn column(title: &str, rank: u8) -> Column {
    Column { title: title.to_owned(), numeric: false, rank }
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

fn sources(world: &World) -> Section {
    let rows = world.coverage.sources.iter().map(|source| {
        let (status, word) = match source.state {
            SourceState::Ok => (Status::Ok, "ok"),
            SourceState::Partial => (Status::Watch, "partial"),
            SourceState::Failing => (Status::Broken, "failing"),
            SourceState::Denied => (Status::Broken, "denied"),
            SourceState::Unsupported => (Status::Absent, "unsupported"),
            SourceState::Absent => (Status::Absent, "absent"),
            SourceState::Stale => (Status::Watch, "stale"),
            SourceState::Pending => (Status::Blind, "not yet read"),
        };
        Row {
            cells: vec![
                Cell::Status { status, text: word.to_owned() },
                text(source.id.clone()),
                text(what_to_do(source)),
            ],
            link: None,
        }
    });
    let table = Table {
        title: String::new(),
        columns: vec![column("state", 0), column("source", 0), column("what to do", 1)],
        rows: rows.collect(),
        total_rows: None,
        empty: "this server collects nothing itself: it reads an engine that others fill"
            .to_owned(),
    };
    section("sources", "Sources", "What this program reads from.", vec![Block::Table(table)])
}

/// The hint; where a source that is not well has none, what went wrong last.
fn what_to_do(source: &SourceStatus) -> String {
    let is_well = matches!(source.state, SourceState::Ok | SourceState::Pending);
    let last = source.recent_faults.last().filter(|_| source.hint.is_empty() && !is_well);
    last.map_or_else(|| source.hint.clone(), |fault| fault.message.clone())
}

fn of_layer(world: &World, layer: Layer) -> Section {
    let catalog = Catalog::builtin();
    let own: Vec<&MetricCoverage> = world
        .coverage
        .metrics
        .iter()
        .filter(|one| catalog.metric(one.metric).is_some_and(|def| def.layer == Some(layer)))
        .collect();
    let seen = own.iter().filter(|one| one.state == CoverageState::Ok).count();
    let mut rows: Vec<&MetricCoverage> = own.clone();
    // What is broken first, then what is missing and would enable the most, what is well last.
    rows.sort_by_key(|one| (rank(one.state), std::cmp::Reverse(one.enables.len())));
    let rows = rows.into_iter().map(|one| row(catalog, one)).collect();
    let table = Table {
        title: String::new(),
        columns: vec![
            column("state", 0),
            column("metric", 0),
            column("why, or from where", 1),
            column("what mends it", 2),
            column("makes known", 3),
        ],
        rows,
        total_rows: None,
        empty: "the catalog has no metric of this layer".to_owned(),
    };
    let (title, _) = layer_words(layer);
    let title = format!("{} {title}: {seen} of {} metrics", code(layer), own.len());
    section(layer.name(), &title, "", vec![Block::Table(table)])
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

fn row(catalog: &Catalog, one: &MetricCoverage) -> Row {
    let (status, word) = match one.state {
        CoverageState::Ok => (Status::Ok, "ok"),
        CoverageState::Stale => (Status::Watch, "stale"),
        CoverageState::Denied => (Status::Broken, "denied"),
        CoverageState::Unsupported => (Status::Absent, "unsupported"),
        CoverageState::Absent => (Status::Blind, "absent"),
    };
    let named = catalog.metric(one.metric).map_or(one.metric, |def| def.prometheus.as_str());
    let from = one
        .sources
        .iter()
        .map(|(title, family, quality)| format!("{title} ({family}, {})", quality.name()));
    let from = from.collect::<Vec<_>>().join(", ");
    let why = if from.is_empty() { one.reason.clone().unwrap_or_default() } else { from };
    let mend = match &one.mend {
        Some(mend) => Cell::Command { text: mend.clone() },
        None => text(""),
    };
    Row {
        cells: vec![
            Cell::Status { status, text: word.to_owned() },
            text(named),
            text(why),
            mend,
            text(one.enables.join(", ")),
        ],
        link: None,
    }
}

#[cfg(test)]
mod tests {
    use strata_model::{Fault, FaultCode, SourceKind};

    use super::*;

    #[test]
    fn a_source_that_is_not_well_says_why() {
        let source = |state: SourceState, hint: &str| SourceStatus {
            id: "strata/proxy".to_owned(),
            kind: SourceKind::Native,
            layer: None,
            state,
            last_success_ms: None,
            last_duration_seconds: None,
            last_samples: None,
            samples_total: 0,
            faults_total: 1,
            recent_faults: vec![Fault::new(FaultCode::Unreachable, "a: no answer")],
            hint: hint.to_owned(),
        };
        let check = |state: SourceState, hint: &str, told: &str| {
            assert_eq!(what_to_do(&source(state, hint)), told, "{state:?}");
        };
        check(SourceState::Partial, "", "a: no answer");
        check(SourceState::Failing, "start it", "start it");
        // What went wrong once is over.
        check(SourceState::Ok, "", "");
    }
}

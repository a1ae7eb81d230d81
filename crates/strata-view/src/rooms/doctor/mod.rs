//! Every signal of every layer: seen or not, why, how to mend it, and what becomes possible.

mod layer;
mod summary;
mod words;

use strata_model::{Layer, SourceState, SourceStatus};
use strata_world::World;

use super::pieces::section;
use crate::page::block::{Block, Section};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};

pub(super) fn sections(world: &World) -> Vec<Section> {
    let mut sections = vec![summary::section_of(world), sources(world)];
    sections.extend(Layer::ALL.into_iter().map(|layer| layer::section_of(world, layer)));
    sections
}

fn column(title: &str, rank: u8) -> Column {
    Column { title: title.to_owned(), numeric: false, rank }
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

fn sources(world: &World) -> Section {
    let mut all: Vec<&SourceStatus> = world.coverage.sources.iter().collect();
    all.sort_by_key(|source| trouble(source.state));
    let rows = all.into_iter().map(|source| {
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
                what_to_do(source),
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

/// What needs a person first.
fn trouble(state: SourceState) -> u8 {
    match state {
        SourceState::Denied | SourceState::Failing => 0,
        SourceState::Partial | SourceState::Stale => 1,
        SourceState::Pending => 2,
        SourceState::Ok => 3,
        SourceState::Absent | SourceState::Unsupported => 4,
    }
}

/// The hint; where a source that is not well has none, what went wrong last.
fn what_to_do(source: &SourceStatus) -> Cell {
    if !source.hint.is_empty() {
        return Cell::Command { text: source.hint.clone() };
    }
    let is_well = matches!(source.state, SourceState::Ok | SourceState::Pending);
    let last = source.recent_faults.last().filter(|_| !is_well);
    text(last.map_or("", |fault| fault.message.as_str()))
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
        let check = |state: SourceState, hint: &str, told: Cell| {
            assert_eq!(what_to_do(&source(state, hint)), told, "{state:?}");
        };
        check(SourceState::Partial, "", text("a: no answer"));
        check(SourceState::Failing, "start it", Cell::Command { text: "start it".to_owned() });
        // What went wrong once is over.
        check(SourceState::Ok, "", text(""));
    }
}

//! What this program reads from: what needs a person is shown, what is well or not here is folded.

use strata_model::{SourceState, SourceStatus};
use strata_world::World;

use super::words::count;
use super::{column, text};
use crate::page::block::{Block, Fold, Section};
use crate::page::status::Status;
use crate::page::table::{Cell, Row, Table};
use crate::rooms::pieces::section;

pub(super) fn section_of(world: &World) -> Section {
    let all = &world.coverage.sources;
    let of = |wanted: fn(SourceState) -> bool| -> Vec<&SourceStatus> {
        all.iter().filter(|source| wanted(source.state)).collect()
    };
    let mut ill = of(|state| !is_well(state) && !is_away(state) && !is_new(state));
    ill.sort_by_key(|source| trouble(source.state));
    let empty = if all.is_empty() {
        "this server collects nothing itself: it reads an engine that others fill"
    } else {
        "of every source that was read so far nothing is wrong"
    };
    let mut blocks = vec![Block::Table(table(&ill, empty))];
    for (folded, says) in
        [(of(is_well), "ok"), (of(is_new), "not yet read"), (of(is_away), "not here")]
    {
        if !folded.is_empty() {
            let summary = format!("{} {says}", count(folded.len(), "source"));
            let blocks_of = vec![Block::Table(table(&folded, ""))];
            blocks.push(Block::Fold(Fold { summary, blocks: blocks_of }));
        }
    }
    section("sources", "Sources", "What this program reads from.", blocks)
}

fn is_well(state: SourceState) -> bool {
    state == SourceState::Ok
}

fn is_new(state: SourceState) -> bool {
    state == SourceState::Pending
}

fn is_away(state: SourceState) -> bool {
    state == SourceState::Absent
}

fn table(sources: &[&SourceStatus], empty: &str) -> Table {
    let row = |source: &&SourceStatus| {
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
        let cells = vec![
            Cell::Status { status, text: word.to_owned() },
            text(source.id.clone()),
            what_to_do(source),
        ];
        Row { cells, link: None }
    };
    Table {
        title: String::new(),
        columns: vec![column("state", 0), column("source", 0), column("why, or what to do", 1)],
        rows: sources.iter().map(row).collect(),
        total_rows: None,
        empty: empty.to_owned(),
    }
}

/// What needs a person first.
fn trouble(state: SourceState) -> u8 {
    match state {
        SourceState::Denied | SourceState::Failing => 0,
        SourceState::Partial | SourceState::Stale => 1,
        SourceState::Unsupported => 2,
        SourceState::Pending | SourceState::Ok | SourceState::Absent => 3,
    }
}

/// The hint, which is something to do unless the source is not here; where a source that is not well
/// has none, what went wrong last.
fn what_to_do(source: &SourceStatus) -> Cell {
    if !source.hint.is_empty() {
        let hint = source.hint.clone();
        return if is_away(source.state) { text(hint) } else { Cell::Command { text: hint } };
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
        // Nothing is to be done about a device that a machine does not have.
        check(SourceState::Absent, "no NFS is mounted", text("no NFS is mounted"));
        // What went wrong once is over.
        check(SourceState::Ok, "", text(""));
    }
}

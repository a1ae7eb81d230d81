//! Signals, states and diagnoses in words.

use std::collections::BTreeSet;

use strata_diagnose::{Diagnosis, diagnoses};
use strata_model::Layer;
use strata_world::{Coverage, CoverageState, signal_def};

use crate::page::status::Status;
use crate::page::table::Cell;
use crate::rooms::code;

/// Names in a row that a person still reads; the rest is counted.
const NAMED_MAX: usize = 5;

/// A signal by its name without points and bars; of another layer with that layer's code.
pub(super) fn title(id: &str, layer: Layer) -> String {
    let name = id.split_once('.').map_or(id, |(_, name)| name).replace('_', " ");
    match signal_def(id).filter(|def| def.layer != layer) {
        Some(def) => format!("{} {name}", code(def.layer)),
        None => name,
    }
}

/// `power, temperature, sm clock, dram active, utilization and 31 more`
pub(super) fn first_of(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let named = names.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

/// `1 signal`, `3 signals`
pub(super) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// A state as it is drawn.
pub(super) fn state(state: CoverageState) -> Cell {
    let (status, word) = match state {
        CoverageState::Ok => (Status::Ok, "ok"),
        CoverageState::Stale => (Status::Watch, "stale"),
        CoverageState::Denied => (Status::Broken, "denied"),
        CoverageState::Unsupported => (Status::Absent, "unsupported"),
        CoverageState::Absent => (Status::Blind, "absent"),
    };
    Cell::Status { status, text: word.to_owned() }
}

/// What is broken comes first, then what went, then what was never there.
pub(super) fn rank(state: CoverageState) -> u8 {
    match state {
        CoverageState::Denied => 0,
        CoverageState::Stale => 1,
        CoverageState::Absent => 2,
        CoverageState::Unsupported => 3,
        CoverageState::Ok => 4,
    }
}

/// Signals that have all they need now.
pub(super) fn possible(coverage: &Coverage) -> BTreeSet<&'static str> {
    coverage.layers.iter().flat_map(|layer| layer.possible.iter().copied()).collect()
}

/// Diagnoses that `more` signals make possible beside those that are.
pub(super) fn opened(possible: &BTreeSet<&'static str>, more: &[&'static str]) -> Vec<Diagnosis> {
    let ready = |one: &Diagnosis| {
        let lacks: Vec<&str> = one.signals().filter(|id| !possible.contains(id)).collect();
        !lacks.is_empty() && lacks.iter().all(|id| more.contains(id))
    };
    diagnoses().filter(ready).collect()
}

/// What can be found out with them: `heat holds the clocks down, a node is not ready and 3 more`.
pub(super) fn found_with(possible: &BTreeSet<&'static str>, more: &[&'static str]) -> String {
    let mut found: Vec<String> = Vec::new();
    // A layer may say the same of a thing that hurts and of one that is worth a look.
    for one in opened(possible, more) {
        if !found.iter().any(|known| known == one.says) {
            found.push(one.says.to_owned());
        }
    }
    first_of(&found)
}

//! The signals of one layer: what would make the missing ones known, the step that opens most first,
//! and behind folds each signal by itself.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use strata_model::Layer;
use strata_world::{CoverageState, LayerCoverage, SignalCoverage, World, signal_def};

use super::words::{count, first_of, found_with, possible, rank, state, title as signal_title};
use super::{column, signal, text};
use crate::page::block::{Block, Fold, Section};
use crate::page::table::{Cell, Row, Table};
use crate::rooms::pieces::section;
use crate::rooms::{code, words as layer_words};

/// Rows of a layer at most; what is left stands signal by signal behind the fold.
const ROWS_MAX: usize = 3;

/// Signals that one thing mends, or that nothing does for one reason.
struct Group<'a> {
    state: CoverageState,
    mend: Option<&'a str>,
    signals: Vec<&'a SignalCoverage>,
}

pub(super) fn section_of(world: &World, layer: Layer) -> Section {
    let (name, _) = layer_words(layer);
    let Some(covered) = world.coverage.layers.iter().find(|one| one.layer == layer) else {
        let title = format!("{} {name}", code(layer));
        return section(layer.name(), &title, "", Vec::new());
    };
    let is_own =
        |one: &&SignalCoverage| signal_def(one.signal).is_some_and(|def| def.layer == layer);
    let own: Vec<&SignalCoverage> = world.coverage.signals.iter().filter(is_own).collect();
    let (ok, lacking): (Vec<&SignalCoverage>, Vec<&SignalCoverage>) =
        own.iter().partition(|one| one.state == CoverageState::Ok);
    let groups = grouped(covered, &lacking);
    let possible = possible(&world.coverage);
    let table = Table {
        title: String::new(),
        columns: vec![
            column("state", 0),
            column("signals", 0),
            column("why", 1),
            column("what mends it", 1),
            column("it can then be found that", 2),
        ],
        rows: groups.iter().take(ROWS_MAX).map(|group| row(group, &possible, layer)).collect(),
        total_rows: (groups.len() > ROWS_MAX).then_some(groups.len()),
        empty: "nothing is missing".to_owned(),
    };
    let mut blocks = vec![Block::Table(table)];
    let mut fold = |of: &[&SignalCoverage], says: &str| {
        if !of.is_empty() {
            let summary = format!("{} {says}", count(of.len(), "signal"));
            let blocks_of = vec![Block::Table(signal::table(world, layer, of))];
            blocks.push(Block::Fold(Fold { summary, blocks: blocks_of }));
        }
    };
    fold(&lacking, "not known, one by one");
    fold(&ok, "ok");
    blocks.extend(signal::others(world, layer));
    let (fed, all) = (covered.fed, covered.signals);
    let title = format!("{} {name}: {fed} of {all} signals, {} complete", code(layer), ok.len());
    section(layer.name(), &title, "", blocks)
}

/// One group a step, in the order of the steps; then what no step opens, by reason and remedy.
fn grouped<'a>(covered: &'a LayerCoverage, lacking: &[&'a SignalCoverage]) -> Vec<Group<'a>> {
    let mut left: Vec<&SignalCoverage> = lacking.to_vec();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for step in &covered.steps {
        let (signals, others) = left.into_iter().partition(|one| step.opens.contains(&one.signal));
        left = others;
        groups.extend(group(Some(&step.mend), signals));
    }
    while let Some(first) = left.first().copied() {
        let alike = |one: &&SignalCoverage| {
            (one.state, &one.reason, &one.mend) == (first.state, &first.reason, &first.mend)
        };
        let (signals, others) = left.into_iter().partition(alike);
        left = others;
        groups.extend(group(first.mend.as_deref(), signals));
    }
    // What hurts first, then what can be mended, by how much it opens.
    groups.sort_by_key(|group| {
        (rank(group.state), group.mend.is_none(), Reverse(group.signals.len()))
    });
    groups
}

fn group<'a>(mend: Option<&'a str>, signals: Vec<&'a SignalCoverage>) -> Option<Group<'a>> {
    let state = signals.iter().map(|one| one.state).min_by_key(|state| rank(*state))?;
    Some(Group { state, mend, signals })
}

fn row(group: &Group<'_>, possible: &BTreeSet<&'static str>, layer: Layer) -> Row {
    let names: Vec<String> =
        group.signals.iter().map(|one| signal_title(one.signal, layer)).collect();
    let named = match names.len() {
        1 => first_of(&names),
        many => format!("{many}: {}", first_of(&names)),
    };
    let ids: Vec<&'static str> = group.signals.iter().map(|one| one.signal).collect();
    let mend = group.mend.map_or_else(|| text(""), |mend| Cell::Command { text: mend.to_owned() });
    let found = if group.mend.is_some() { found_with(possible, &ids) } else { String::new() };
    Row {
        cells: vec![state(group.state), text(named), text(why(group)), mend, text(found)],
        link: None,
    }
}

/// The reason of most of them first.
fn why(group: &Group<'_>) -> String {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for reason in group.signals.iter().filter_map(|one| one.reason.as_deref()) {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    let others = reasons.len().saturating_sub(1);
    let most = reasons.into_iter().max_by_key(|(_, count)| *count);
    let most = most.map_or("", |(reason, _)| reason);
    match others {
        0 => most.to_owned(),
        1 => format!("{most}; 1 other reason"),
        _ => format!("{most}; {others} other reasons"),
    }
}

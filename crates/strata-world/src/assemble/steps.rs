//! What the coverage of each layer comes to, and the steps that make most of it known.

use std::collections::{BTreeMap, BTreeSet};

use strata_model::Layer;
use strata_model::catalog::{Catalog, Role, SourceDef};

use super::lacks::{Lack, Lacks};
use super::need::Need;
use super::own_parts;
use super::provenance::Provenance;
use super::remedy;
use crate::coverage::{LayerCoverage, NextStep};

/// Lines of a counters file that one step names at most.
const LINES_MAX: usize = 12;

/// A thing that a person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act<'a> {
    /// Switch on a part of this program.
    Part(&'a str),
    /// What mends single metrics, in words.
    Mend(&'a str),
    /// Run a source, or let one that is here write more.
    Source(&'a str),
}

/// Needs by name and labels.
type Needs<'a> = BTreeSet<(&'a str, &'a str)>;

/// Every layer, lowest first.
pub(super) fn layers(provenance: &Provenance, all: &[Lacks]) -> Vec<LayerCoverage> {
    let of_layer = |layer: Layer| {
        let own: Vec<&Lacks> = all.iter().filter(|one| one.def.layer == layer).collect();
        let can = own.iter().filter(|one| one.is_possible()).map(|one| one.def.id);
        LayerCoverage {
            layer,
            fed: own.iter().filter(|one| one.is_fed).count(),
            signals: own.len(),
            possible: can.collect(),
            steps: steps(&own, layer, provenance),
        }
    };
    Layer::ALL.into_iter().map(of_layer).collect()
}

/// The step that opens most, then the one that opens most of what is left, until none opens any.
fn steps(own: &[&Lacks], layer: Layer, provenance: &Provenance) -> Vec<NextStep> {
    let mut cannot: Vec<&Lacks> = own.iter().copied().filter(|one| !one.is_possible()).collect();
    let acts = acts(&cannot, provenance);
    let mut done = Needs::new();
    let mut steps = Vec::new();
    while let Some((act, opened)) = best(&acts, &cannot, &done, (layer, provenance)) {
        let Some(gives) = acts.get(&act) else { break };
        let opens: Vec<&str> = opened.iter().map(|one| one.def.id).collect();
        cannot.retain(|one| !opens.contains(&one.def.id));
        steps.push(NextStep { mend: said(act, gives, &opened, provenance), opens });
        done.extend(gives);
    }
    steps
}

/// What can be done for what is missing, and the needs that each thing meets.
fn acts<'a>(cannot: &[&'a Lacks], provenance: &Provenance) -> BTreeMap<Act<'a>, Needs<'a>> {
    let mut acts: BTreeMap<Act<'a>, Needs<'a>> = BTreeMap::new();
    for lack in cannot.iter().flat_map(|one| one.ways.iter().flatten()) {
        let key = lack.need.key();
        let Some(mend) = mend_of(lack, provenance) else { continue };
        acts.entry(Act::Mend(mend)).or_default().insert(key);
        let part = own_parts::of(key.0).map(|part| part.mend);
        if let Some(part) = part.filter(|part| mend.starts_with(part)) {
            acts.entry(Act::Part(part)).or_default().insert(key);
        }
        for source in sources_to_add(lack.need, provenance) {
            acts.entry(Act::Source(&source.name)).or_default().insert(key);
        }
    }
    acts
}

/// The act that opens most; of equals the one by the layer's own metrics, then a part of this program,
/// then the one that asks for less. Of programs to run that is the one that most have a use for.
fn best<'a>(
    acts: &BTreeMap<Act<'a>, Needs<'a>>,
    cannot: &[&'a Lacks],
    done: &Needs<'a>,
    (layer, provenance): (Layer, &Provenance),
) -> Option<(Act<'a>, Vec<&'a Lacks>)> {
    let opened = acts.iter().map(|(act, gives)| {
        let meets =
            |lack: &Lack| gives.contains(&lack.need.key()) || done.contains(&lack.need.key());
        let opens =
            cannot.iter().copied().filter(|one| one.ways.iter().any(|way| way.iter().all(meets)));
        (*act, gives, opens.collect::<Vec<_>>())
    });
    let is_own = |(name, _): &(&str, &str)| {
        Catalog::builtin().metric(name).is_some_and(|metric| metric.layer == Some(layer))
    };
    let (act, _, opens) =
        opened.filter(|(.., opens)| !opens.is_empty()).max_by_key(|(act, gives, opens)| {
            let is_part = matches!(act, Act::Part(_));
            let is_run = matches!(act, Act::Source(name) if !provenance.is_here(name));
            let gives_less = if is_run { gives.len() } else { usize::MAX - gives.len() };
            (opens.len(), gives.iter().all(is_own), is_part, gives_less)
        })?;
    Some((act, opens))
}

/// What mends it, unless that would be another engine, trainer or scheduler beside one that is here.
fn mend_of<'a>(lack: &'a Lack, provenance: &Provenance) -> Option<&'a str> {
    let name = &lack.need.metric.name;
    let mut givers = Catalog::builtin().mappings_of(name).map(|(source, _)| source).peekable();
    let is_another = givers.peek().is_some()
        && own_parts::of(name).is_none()
        && givers
            .all(|source| has_one(source.role, provenance) && !provenance.is_here(&source.name));
    lack.standing.mend.as_deref().filter(|_| !is_another)
}

/// Whether an engine, trainer, gateway or scheduler that is known is here.
fn has_one(role: Option<Role>, provenance: &Provenance) -> bool {
    let mut all = Catalog::builtin().sources().iter();
    role.is_some() && all.any(|source| source.role == role && provenance.is_here(&source.name))
}

/// Sources that would give it: those that are not here (but no second engine, trainer or scheduler:
/// nobody changes his for a number), or the one of those here that is told line by line what to write.
fn sources_to_add(need: &Need, provenance: &Provenance) -> Vec<&'static SourceDef> {
    let all = Catalog::builtin().mappings_of(&need.metric.name);
    let all = all.filter(|(_, mapping)| need.fits(&mapping.constants)).map(|(source, _)| source);
    let (here, away): (Vec<&SourceDef>, Vec<&SourceDef>) =
        all.partition(|source| provenance.is_here(&source.name));
    if here.is_empty() {
        return away.into_iter().filter(|source| !has_one(source.role, provenance)).collect();
    }
    here.into_iter().filter(|source| source.name == DCGM).collect()
}

const DCGM: &str = "dcgm";

fn said(act: Act<'_>, gives: &Needs<'_>, opened: &[&Lacks], provenance: &Provenance) -> String {
    let name = match act {
        Act::Mend(mend) | Act::Part(mend) => return mend.to_owned(),
        Act::Source(name) => name,
    };
    let Some(source) = Catalog::builtin().source(name) else { return String::new() };
    if !provenance.is_here(name) {
        return remedy::run(source);
    }
    let is_given = |lack: &&Lack| gives.contains(&lack.need.key());
    let mut lines: Vec<&str> = Vec::new();
    for one in opened {
        // Of several ways to a signal one will do: the one that lacks least besides.
        let others =
            |way: &&Vec<Lack>| (way.iter().filter(|lack| !is_given(lack)).count(), way.len());
        let way = one.ways.iter().min_by_key(others);
        // Each metric is mended by its own line, the one that its standing names.
        let mends = way.into_iter().flatten().filter(is_given).map(|lack| &lack.standing.mend);
        for line in mends.filter_map(|mend| remedy::line_in(mend.as_deref()?)) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    let mut text = format!("{}\n{}", remedy::ADD_LINES, lines.join("\n"));
    if more > 0 {
        text.push_str("\n(and others, see below)");
    }
    text
}

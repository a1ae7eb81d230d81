//! What the coverage of each layer comes to, and the one step that makes most of it known.

use std::collections::{BTreeMap, BTreeSet};

use strata_model::Layer;
use strata_model::catalog::{Catalog, SourceDef};

use super::provenance::Provenance;
use super::{mend, own_parts};
use crate::coverage::{CoverageState, LayerCoverage, MetricCoverage, NextStep};
use crate::recipe::{recipe, signals};
use crate::signal::SignalDef;
use crate::template;

/// Lines of a counters file that one step names at most.
const LINES_MAX: usize = 12;

/// A thing that a person can do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act<'a> {
    /// What mends single metrics, in words.
    Mend(&'a str),
    /// Run a source, or let one that is here write more.
    Source(&'a str),
}

/// Every layer, lowest first.
pub(super) fn layers(provenance: &Provenance, metrics: &[MetricCoverage]) -> Vec<LayerCoverage> {
    let given: BTreeSet<&str> =
        metrics.iter().filter(|one| one.state == CoverageState::Ok).map(|one| one.metric).collect();
    let of_layer = |layer: Layer| {
        let own: Vec<&SignalDef> = signals().iter().filter(|def| def.layer == layer).collect();
        let fed = own.iter().filter(|def| def.inputs.iter().any(|input| given.contains(input)));
        let (can, cannot): (Vec<&SignalDef>, Vec<&SignalDef>) =
            own.iter().copied().partition(|def| possible(def, &given, &BTreeSet::new()));
        LayerCoverage {
            layer,
            fed: fed.count(),
            signals: own.len(),
            possible: can.iter().map(|def| def.id).collect(),
            step: best(&cannot, &given, metrics, provenance),
        }
    };
    Layer::ALL.into_iter().map(of_layer).collect()
}

/// Whether one of the ways to a signal has all of its inputs.
fn possible(def: &SignalDef, given: &BTreeSet<&str>, more: &BTreeSet<&str>) -> bool {
    let Some((_, recipe)) = recipe(def.id) else { return false };
    let there = |name: &str| given.contains(name) || more.contains(name);
    template::alternatives(recipe.each).into_iter().any(|way| template::metrics_of(way).all(there))
}

fn best(
    cannot: &[&SignalDef],
    given: &BTreeSet<&str>,
    metrics: &[MetricCoverage],
    provenance: &Provenance,
) -> Option<NextStep> {
    let mut acts: BTreeMap<Act<'_>, BTreeSet<&str>> = BTreeMap::new();
    let wanted = |one: &&MetricCoverage| {
        one.state != CoverageState::Ok && cannot.iter().any(|def| def.inputs.contains(&one.metric))
    };
    for one in metrics.iter().filter(wanted) {
        let Some(mend) = one.mend.as_deref().filter(|_| !asks_for_another(one, provenance)) else {
            continue;
        };
        acts.entry(Act::Mend(mend)).or_default().insert(one.metric);
        for source in sources_to_add(one, provenance) {
            acts.entry(Act::Source(&source.name)).or_default().insert(one.metric);
        }
    }
    let opened = acts.iter().map(|(act, gives)| {
        let opens = cannot.iter().filter(|def| possible(def, given, gives));
        (act, gives, opens.map(|def| def.id).collect::<Vec<_>>())
    });
    let of_layer = |name: &str| {
        let metric = Catalog::builtin().metric(name);
        metric.is_some_and(|metric| cannot.iter().any(|def| metric.layer == Some(def.layer)))
    };
    // Of equals the one by the layer's own metrics, then the one that asks for less.
    let (act, gives, opens) =
        opened.filter(|(.., opens)| !opens.is_empty()).max_by_key(|(_, gives, opens)| {
            let is_own = gives.iter().all(|name| of_layer(name));
            (opens.len(), is_own, std::cmp::Reverse(gives.len()))
        })?;
    Some(NextStep { mend: said(act, gives, provenance), opens })
}

/// Whether only another engine, trainer or scheduler than those that are here would give a metric.
fn asks_for_another(one: &MetricCoverage, provenance: &Provenance) -> bool {
    let mut givers =
        Catalog::builtin().mappings_of(one.metric).map(|(source, _)| source).peekable();
    givers.peek().is_some()
        && own_parts::of(one.metric).is_none()
        && givers.all(|source| source.role.is_some() && !provenance.is_here(&source.name))
}

/// Sources that would give a metric: those that are not here and only measure (nobody changes his engine,
/// trainer or scheduler for a number), or the one of those here that is told line by line what to write.
fn sources_to_add(one: &MetricCoverage, provenance: &Provenance) -> Vec<&'static SourceDef> {
    let all = Catalog::builtin().mappings_of(one.metric).map(|(source, _)| source);
    let (here, away): (Vec<&SourceDef>, Vec<&SourceDef>) =
        all.partition(|source| provenance.is_here(&source.name));
    if here.is_empty() {
        return away.into_iter().filter(|source| source.role.is_none()).collect();
    }
    here.into_iter().filter(|source| source.name == DCGM).collect()
}

const DCGM: &str = "dcgm";

fn said(act: &Act<'_>, gives: &BTreeSet<&str>, provenance: &Provenance) -> String {
    let name = match act {
        Act::Mend(mend) => return (*mend).to_owned(),
        Act::Source(name) => name,
    };
    let Some(source) = Catalog::builtin().source(name) else { return String::new() };
    if !provenance.is_here(name) {
        return mend::run(source);
    }
    let lines = gives.iter().filter_map(|name| {
        let metric = Catalog::builtin().metric(name)?;
        let mapping = source.maps.iter().find(|mapping| mapping.metric == *name)?;
        Some(mend::counters_line(metric, mapping))
    });
    let mut lines: Vec<String> = lines.collect();
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    let mut text = format!(
        "add these lines to the counters file of dcgm-exporter (option -f) and restart it:\n{}",
        lines.join("\n")
    );
    if more > 0 {
        text.push_str("\n(and others, see below)");
    }
    text
}

//! From answers to the World.

mod covered;
pub(crate) mod identity;
mod inventory;
mod lacks;
mod lanes;
mod mend;
mod need;
mod outliers;
mod own_parts;
mod provenance;
mod remedy;
pub(crate) mod rows;
mod signals;
mod spreads;
mod steps;
mod things;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};

use strata_model::catalog::Catalog;
use strata_query::promql::syntax::parse_number;

use crate::ask::{Answers, Ask, Grain, Plan, Planned, Scope, Want};
use crate::coverage::Coverage;
use crate::entity::EntityKind;
use crate::plan;
use crate::recipe::recipe;
use crate::signal::{InputUsed, Shape, Signal, Spread};
use crate::who;
use crate::wire::Wiring;
use crate::world::World;
use provenance::Provenance;
use rows::{Book, Outcome};
use signals::Maker;
use things::Things;
use unknown::Reasons;

/// Join the answers of a plan into a World. What failed or is missing becomes an Unknown with its
/// reason; nothing fails as a whole.
pub fn assemble(plan: &Plan, answers: &Answers) -> World {
    assemble_on(lanes::worth(answers.series()), plan, answers)
}

/// [`assemble`] on so many threads; it chooses by the size of the answers.
pub fn assemble_on(lanes: usize, plan: &Plan, answers: &Answers) -> World {
    let ask = &plan.ask;
    let book = Book::new(plan, answers);
    let mut notes = failures(plan, &book);
    let provenance = Provenance::new(answers);
    if !provenance.knows() {
        notes.push("which metrics there are could not be found out".to_owned());
    }
    let who = || {
        let holdings = if ask.who { holdings(plan, &book) } else { Vec::new() };
        let waiting = if ask.who { inventory::waiting(ask, &book) } else { Vec::new() };
        (holdings, waiting)
    };
    let ((holdings, waiting), things) = lanes::both(lanes, who, || {
        let (entities, edges) =
            if ask.entities { inventory::build(ask, &book) } else { (Vec::new(), Vec::new()) };
        let faults = if ask.entities { inventory::faults(ask, &book) } else { Vec::new() };
        let links = if ask.entities { inventory::links(ask, &book) } else { Vec::new() };
        let wired = ask.wires || ask.entities && scope_is_gpu(&ask.scope);
        let wiring = if wired { inventory::wiring(ask, &book) } else { Wiring::default() };
        let condition = if ask.entities { inventory::condition(ask, &book) } else { None };
        let newest = newest(plan, &book, answers, &provenance);
        let reasons =
            Reasons { provenance: &provenance, sources: &answers.sources, scope: &ask.scope };
        let maker = Maker {
            ask,
            book: &book,
            reasons: &reasons,
            things: &Things::new(&entities),
            floors: &floors(plan, &book),
            newest: &newest,
            inputs: &inputs(ask, &provenance),
        };
        let (signals, spreads) = all_signals(&maker, lanes, &mut notes);
        (entities, edges, faults, (links, wiring, condition), signals, spreads)
    });
    let (entities, edges, faults, (links, wiring, condition), signals, spreads) = things;
    let coverage = if ask.coverage {
        covered::coverage(&provenance, answers)
    } else {
        Coverage { sources: answers.sources.clone(), ..Coverage::default() }
    };
    notes.sort();
    notes.dedup();
    World {
        window: ask.window,
        scope: ask.scope.clone(),
        entities,
        edges,
        faults,
        links,
        condition,
        wiring,
        holdings,
        waiting,
        capacity: crate::capacity::card(ask, &book).map(Box::new),
        targets: ask.targets,
        signals,
        spreads,
        coverage,
        currency: String::new(),
        notes,
    }
}

fn scope_is_gpu(scope: &Scope) -> bool {
    matches!(scope, Scope::Entity(id) if id.kind == EntityKind::Gpu)
}

/// Who holds and uses each GPU.
fn holdings(plan: &Plan, book: &Book<'_>) -> Vec<who::Gpu> {
    if plan.ask.scope != Scope::Fleet {
        return Vec::new();
    }
    let questions = who::questions();
    let text = |key: &str| questions.iter().find(|question| question.key == key);
    // By text: what another part of the page asks too is asked once.
    let outcome = |key: &str| {
        text(key).map_or(Outcome::NotAsked, |question| book.outcome(&question.text, false))
    };
    // With a part missing, what somebody holds would look free: then nothing is told, and why is
    // among the notes.
    let failed = |question: &Planned| match book.key(&question.text, false) {
        Some(key) => book.why_failed(key).is_some(),
        None => true,
    };
    if questions.iter().any(failed) {
        return Vec::new();
    }
    let rows = |key: &str| match outcome(key) {
        Outcome::Rows(rows) => rows
            .iter()
            .filter_map(|row| {
                let (_, value) = row.points.last()?;
                Some(who::Row { labels: row.labels.clone(), value: *value })
            })
            .collect(),
        Outcome::Failed(_) | Outcome::NotAsked => Vec::new(),
    };
    who::read(&who::Answers::gather(rows))
}

/// What must be said of queries without an answer.
fn failures(plan: &Plan, book: &Book<'_>) -> Vec<String> {
    let failed = plan.queries.iter().filter_map(|query| {
        let why = book.why_failed(&query.key)?;
        Some(format!("{}: {why}", query.key))
    });
    failed.collect()
}

/// The lowest finite edge of each histogram that quantiles are asked of.
fn floors(plan: &Plan, book: &Book<'_>) -> BTreeMap<String, f64> {
    let asked = plan.queries.iter().filter_map(|query| {
        let metric = query.key.strip_prefix(plan::EDGES)?;
        let Outcome::Rows(rows) = book.by_key(&query.key) else { return None };
        let edges = rows.iter().filter_map(|row| parse_number(row.labels.get("le")?));
        let lowest = edges.filter(|edge| edge.is_finite()).min_by(f64::total_cmp)?;
        Some((metric.to_owned(), lowest))
    });
    asked.collect()
}

/// Time of the newest sample by metric, in milliseconds.
fn newest(
    plan: &Plan,
    book: &Book<'_>,
    answers: &Answers,
    provenance: &Provenance,
) -> BTreeMap<String, i64> {
    let mut newest = BTreeMap::new();
    if let Some(times) = &answers.newest {
        let defs = plan.ask.wants.iter().filter_map(|want| crate::recipe::signal_def(want.signal));
        for metric in defs.flat_map(|def| def.inputs.iter()) {
            let Some(metric) = Catalog::builtin().metric(metric) else { continue };
            if let Some(at_ms) = provenance.newest(metric, times) {
                newest.insert(metric.name.clone(), at_ms);
            }
        }
    }
    for query in plan.queries.iter().filter(|query| query.key.starts_with("newest/")) {
        let Outcome::Rows(rows) = book.by_key(&query.key) else { continue };
        for row in rows {
            let metric = row.labels.get(plan::METRIC_LABEL);
            if let (Some(metric), Some((_, seconds))) = (metric, row.points.last())
                && seconds.is_finite()
            {
                newest.insert(metric.to_owned(), (seconds * 1000.0).round() as i64);
            }
        }
    }
    newest
}

/// Where each input of the wished signals comes from.
fn inputs(ask: &Ask, provenance: &Provenance) -> BTreeMap<&'static str, InputUsed> {
    let defs = ask.wants.iter().filter_map(|want| crate::recipe::signal_def(want.signal));
    let names: BTreeSet<&'static str> = defs.flat_map(|def| def.inputs.iter().copied()).collect();
    let metrics = names.into_iter().filter_map(|name| Catalog::builtin().metric(name));
    metrics.map(|metric| (metric.name.as_str(), provenance.input(metric))).collect()
}

/// All signals and spreads that were wished for, in order of (signal id, entity).
fn all_signals(
    maker: &Maker<'_>,
    lanes: usize,
    notes: &mut Vec<String>,
) -> (Vec<Signal>, Vec<Spread>) {
    let wants = plan::distinct(&maker.ask.wants);
    let (mut signals, mut spreads) = (Vec::new(), Vec::new());
    for made in lanes::map(lanes, &wants, |want| made(maker, *want)) {
        signals.extend(made.signals);
        spreads.extend(made.spreads);
        notes.extend(made.notes);
    }
    (signals, spreads)
}

/// What became of one wish.
#[derive(Default)]
struct Made {
    signals: Vec<Signal>,
    spreads: Vec<Spread>,
    notes: Vec<String>,
}

fn made(maker: &Maker<'_>, want: Want) -> Made {
    let mut made = Made::default();
    let Some((def, recipe)) = recipe(want.signal) else {
        made.notes.push(format!("there is no signal {}", want.signal));
        return made;
    };
    if !plan::askable(&maker.ask.scope, def, want.grain) {
        made.notes.push(not_askable(&maker.ask.scope, def.id, def.entity.name()));
        if want.grain == Grain::Whole && def.shape == Shape::Number {
            made.signals.push(maker.out_of_scope(def));
        }
        return made;
    }
    match def.shape {
        Shape::Number => {
            made.signals = maker.numbers(def, recipe, want, &mut made.notes);
            if recipe.peers && want.grain == Grain::Each {
                outliers::mark(&mut made.signals, maker.things.all);
            }
        }
        Shape::Spread => made.spreads = maker.spreads(def, recipe, want),
    }
    made
}

/// Why a signal is not asked for in a scope.
pub(crate) fn not_askable(scope: &Scope, signal: &str, kind: &str) -> String {
    match scope {
        Scope::Fleet => {
            format!("{signal}: of each {kind} it is told for one node at a time")
        }
        Scope::Entity(id) => {
            format!("{signal} is told of each {kind}, not of one {}", id.kind.name())
        }
    }
}

//! From what a page wants to the queries that answer it.
//!
//! One query for each (signal, grain), over the grid when a track is wanted and at its end
//! otherwise; the value of now is the last column of the track. Equal texts are asked once. The
//! plan says all there is to know: [`crate::assemble()`] finds answers by text, so that two plans
//! of one ask differ only in what they leave out.

pub(crate) mod inventory;
pub(crate) mod scope;

use std::collections::{BTreeMap, BTreeSet};

use strata_model::catalog::Catalog;

use crate::ask::{Ask, Grain, Plan, Planned, Scope, Want};
use crate::entity::EntityKind;
use crate::recipe::{Recipe, recipe};
use crate::signal::{Shape, SignalDef};
use crate::template::{self, Filling};
use crate::window::Window;
use scope::Narrowing;

/// Most points of tracks of one signal over all its things. 12 000 is 200 things at 60 points: no
/// screen draws more lines, and one such answer of 10 000 GPUs would be a fifth of a page's time.
pub const MAX_TRACK_CELLS: usize = 12_000;

/// Metrics whose newest time is asked for in one query: few enough that the text of a remote
/// engine, which spells out every source, stays below VictoriaMetrics' 16 KiB.
const NEWEST_PER_QUERY: usize = 4;

/// How many things of each kind there are, as far as somebody knows: from a World of the same
/// scope a moment ago ([`crate::World::sizes`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes(pub BTreeMap<EntityKind, usize>);

impl Sizes {
    fn track_fits(&self, kind: EntityKind, steps: usize) -> bool {
        let things = self.0.get(&kind).copied().unwrap_or(0);
        things.saturating_mul(steps) <= MAX_TRACK_CELLS
    }
}

/// The queries of an ask when nothing is known about how many things there are.
pub fn plan(ask: &Ask) -> Plan {
    plan_sized(ask, &Sizes::default())
}

/// The queries of an ask. Tracks of each thing are left out where `sizes` say that they would be
/// more than [`MAX_TRACK_CELLS`]; the World says so in its notes.
pub fn plan_sized(ask: &Ask, sizes: &Sizes) -> Plan {
    let mut list = List::default();
    let mut inputs = BTreeSet::new();
    let steps = ask.window.len();
    for want in distinct(&ask.wants) {
        let Some((def, recipe)) = recipe(want.signal) else { continue };
        if !askable(&ask.scope, def, want.grain) {
            continue;
        }
        let track =
            want.track && (want.grain == Grain::Whole || sizes.track_fits(def.entity, steps));
        for query in queries_of(ask, def, recipe, Want { track, ..want }) {
            list.push(query);
        }
        inputs.extend(def.inputs.iter().copied());
        for metric in template::quantiles_of(recipe.each) {
            let text = edges_text(ask, def, metric);
            list.push(Planned { key: format!("{EDGES}{metric}"), text, range: false });
        }
    }
    for (key, text) in newest(ask, &inputs) {
        list.push(Planned { key, text, range: false });
    }
    if ask.entities {
        for query in inventory::queries(ask) {
            if inventory::suits(&query.key, &ask.scope, sizes) {
                list.push(query);
            }
        }
        for query in crate::capacity::plan::queries(ask) {
            list.push(query);
        }
    }
    if ask.who && ask.scope == Scope::Fleet {
        for query in crate::who::questions() {
            list.push(query);
        }
    }
    Plan { ask: ask.clone(), queries: list.queries, names: true }
}

/// The queries of an ask anew where what an earlier plan of it found is little enough to be asked for in
/// more detail; `None` where that would ask nothing more.
pub fn plan_closer(earlier: &Plan, found: &Sizes) -> Option<Plan> {
    let closer = plan_sized(&earlier.ask, found);
    let is_new = |query: &&Planned| earlier.queries.iter().all(|known| known.key != query.key);
    closer.queries.iter().any(|query| is_new(&query)).then_some(closer)
}

/// Queries with equal texts once.
#[derive(Default)]
struct List {
    queries: Vec<Planned>,
    seen: BTreeSet<(String, bool)>,
}

impl List {
    fn push(&mut self, query: Planned) {
        if self.seen.insert((query.text.clone(), query.range)) {
            self.queries.push(query);
        }
    }
}

/// Each (signal, grain) once, with a track when any wish wants one.
pub(crate) fn distinct(wants: &[Want]) -> Vec<Want> {
    let mut found: BTreeMap<(&'static str, Grain), bool> = BTreeMap::new();
    for want in wants {
        *found.entry((want.signal, want.grain)).or_default() |= want.track;
    }
    let wants = found.into_iter();
    wants.map(|((signal, grain), track)| Want { signal, grain, track }).collect()
}

/// Why a signal cannot be asked for in a scope.
pub(crate) fn askable(scope: &Scope, def: &SignalDef, grain: Grain) -> bool {
    // Every process of every host is a question for one host.
    let processes =
        def.entity == EntityKind::Process && grain == Grain::Each && *scope == Scope::Fleet;
    !processes && (scope::narrows(scope, def.entity) || is_told_by_tenant(scope, def))
}

/// Whether a signal of each model is told of each tenant too: a gateway writes both on its series.
fn is_told_by_tenant(scope: &Scope, def: &SignalDef) -> bool {
    let by_tenant = |metric: &&str| {
        let metric = Catalog::builtin().metric(metric);
        metric.is_some_and(|metric| metric.attributes.iter().any(|label| label == "tenant"))
    };
    let tenant = matches!(scope, Scope::Entity(id) if id.kind == EntityKind::Tenant);
    tenant && def.entity == EntityKind::Model && def.inputs.iter().any(by_tenant)
}

/// Text of a signal at one grain. `per_step` asks a spread for its columns.
pub(crate) fn text_of(
    ask: &Ask,
    def: &SignalDef,
    recipe: &Recipe,
    grain: Grain,
    per_step: bool,
) -> String {
    let narrowing = Narrowing::of(&ask.scope);
    let filling =
        Filling { entity: def.entity, narrowing: &narrowing, window: ask.window, per_step };
    match grain {
        Grain::Each => template::fill(recipe.each, filling),
        Grain::Whole => template::fill(&recipe.whole_template(), filling),
    }
}

/// The queries of one wish, in the order (now or track, columns).
pub(crate) fn queries_of(ask: &Ask, def: &SignalDef, recipe: &Recipe, want: Want) -> Vec<Planned> {
    let grain = match want.grain {
        Grain::Whole => "whole",
        Grain::Each => "each",
    };
    let key = format!("{}/{grain}", def.id);
    let text = text_of(ask, def, recipe, want.grain, false);
    match def.shape {
        Shape::Number => vec![Planned { key, text, range: want.track }],
        Shape::Spread => {
            let mut queries = Vec::new();
            if !adds_columns(ask.window, want) {
                queries.push(Planned { key: key.clone(), text, range: false });
            }
            if want.track {
                let text = text_of(ask, def, recipe, want.grain, true);
                queries.push(Planned { key: format!("{key}/columns"), text, range: true });
            }
            queries
        }
    }
}

/// Whether a spread over the whole window is the sum of its columns: where these stand side by side.
/// To ask for it by itself means to read every sample of a day anew for each look.
pub(crate) fn adds_columns(window: Window, want: Want) -> bool {
    want.track && template::step_range_ms(window) == window.step_ms
}

/// How keys of questions for the edges of a histogram begin; its dotted name follows.
pub(crate) const EDGES: &str = "edges/";

fn edges_text(ask: &Ask, def: &SignalDef, metric: &str) -> String {
    let narrowing = Narrowing::of(&ask.scope);
    let (entity, window) = (def.entity, ask.window);
    let filling = Filling { entity, narrowing: &narrowing, window, per_step: false };
    template::edges_of(metric, filling)
}

/// Label that tells metrics apart in the answer to a question for newest times.
pub(crate) const METRIC_LABEL: &str = "metric";

/// Key and text of the questions for the time of the newest sample of each metric.
pub(crate) fn newest(ask: &Ask, metrics: &BTreeSet<&'static str>) -> Vec<(String, String)> {
    let narrowing = Narrowing::of(&ask.scope);
    let filling = Filling {
        entity: EntityKind::Node,
        narrowing: &narrowing,
        window: ask.window,
        per_step: false,
    };
    let metrics: Vec<&str> = metrics.iter().copied().collect();
    let chunks = metrics.chunks(NEWEST_PER_QUERY).enumerate();
    let queries = chunks.map(|(at, chunk)| {
        let parts = chunk.iter().map(|metric| {
            let one = template::newest_of(metric, filling);
            format!("label_replace({one}, \"{METRIC_LABEL}\", \"{metric}\", \"\", \"\")")
        });
        (format!("newest/{at}"), parts.collect::<Vec<_>>().join(" or "))
    });
    queries.collect()
}

#[cfg(test)]
mod tests;

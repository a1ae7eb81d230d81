//! Signals from answers.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use super::identity::key;
use super::not_askable;
use super::rows::{Book, Outcome, Row, at_end, on_grid};
use super::things::Things;
use super::unknown::Reasons;
use crate::ask::{Ask, Grain, Want};
use crate::entity::EntityId;
use crate::plan::{self, MAX_TRACK_CELLS};
use crate::recipe::Recipe;
use crate::signal::{InputUsed, Reading, Signal, SignalDef, Unknown, UnknownReason};
use crate::template;

/// All that signals are made from.
pub(crate) struct Maker<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) book: &'a Book<'a>,
    pub(crate) reasons: &'a Reasons<'a>,
    pub(crate) things: &'a Things<'a>,
    /// Lowest finite edge of each histogram, by dotted name.
    pub(crate) floors: &'a BTreeMap<String, f64>,
    /// Time of the newest sample by metric, in milliseconds.
    pub(crate) newest: &'a BTreeMap<String, i64>,
    /// By dotted name.
    pub(crate) inputs: &'a BTreeMap<&'static str, InputUsed>,
}

/// A value with its track, none where it is not known.
#[derive(Debug, Default)]
struct Measured {
    now: Option<f64>,
    track: Vec<Option<f64>>,
}

impl Maker<'_> {
    /// The signals of one wish for a number, in order of entity.
    pub(crate) fn numbers(
        &self,
        def: &'static SignalDef,
        recipe: &Recipe,
        want: Want,
        notes: &mut Vec<String>,
    ) -> Vec<Signal> {
        let query = plan::text_of(self.ask, def, recipe, want.grain, false);
        let range = want.track && self.book.asked(&query, true);
        if want.track && !range {
            notes.push(too_many(def));
        }
        let blank = self.blank(def, query);
        match self.book.outcome(&blank.query, range) {
            Outcome::Rows(rows) => match want.grain {
                Grain::Whole => vec![self.whole(recipe, blank, &rows, range)],
                Grain::Each => self.each(recipe, &blank, &rows, range, notes),
            },
            Outcome::Failed(text) => self.none_known(want.grain, &blank, &Reasons::failed(text)),
            Outcome::NotAsked => {
                let text = "the plan does not ask for it".to_owned();
                self.none_known(want.grain, &blank, &Reasons::failed(text))
            }
        }
    }

    /// A signal that the scope cannot narrow.
    pub(crate) fn out_of_scope(&self, def: &'static SignalDef) -> Signal {
        let text = not_askable(&self.ask.scope, def.id, def.entity.name());
        let unknown = Unknown { reason: UnknownReason::OutOfScope, text };
        Signal { now: Reading::Unknown(unknown), newest_ms: None, ..self.blank(def, String::new()) }
    }

    /// A signal without a value.
    fn blank(&self, def: &'static SignalDef, query: String) -> Signal {
        let inputs = def.inputs.iter().filter_map(|metric| self.inputs.get(metric)).cloned();
        Signal {
            def,
            entity: None,
            now: Reading::Known(0.0),
            track: Vec::new(),
            query: query.into(),
            inputs: inputs.collect(),
            newest_ms: self.newest_of(def),
            at_most: false,
            outlier: false,
        }
    }

    /// Time of the newest sample of any input.
    pub(crate) fn newest_of(&self, def: &SignalDef) -> Option<i64> {
        def.inputs.iter().filter_map(|metric| self.newest.get(*metric)).max().copied()
    }

    fn whole(&self, recipe: &Recipe, blank: Signal, rows: &[Row<'_>], range: bool) -> Signal {
        let measured = rows.first().map(|row| self.measure(row, range)).unwrap_or_default();
        let empty = LazyCell::new(|| self.reasons.empty(recipe));
        fill(recipe, blank, None, measured, &|| empty.about(None)).floored(self.floor(recipe))
    }

    /// The lowest edge of the histogram that a quantile is of: the first of its alternatives that
    /// is there.
    fn floor(&self, recipe: &Recipe) -> Option<f64> {
        let mut metrics = template::quantiles_of(recipe.each).into_iter();
        metrics.find_map(|metric| self.floors.get(metric)).copied()
    }

    fn measure(&self, row: &Row<'_>, range: bool) -> Measured {
        let window = self.ask.window;
        Measured {
            now: at_end(window, &row.points),
            track: if range { on_grid(window, &row.points) } else { Vec::new() },
        }
    }

    fn each(
        &self,
        recipe: &Recipe,
        blank: &Signal,
        rows: &[Row<'_>],
        range: bool,
        notes: &mut Vec<String>,
    ) -> Vec<Signal> {
        let kind = blank.def.entity;
        let (first, known) = self.things.of_kind(kind);
        let mut measured: Vec<Measured> = known.iter().map(|_| Measured::default()).collect();
        // What the inventory does not know, though a series tells of it.
        let mut others: BTreeMap<EntityId, Measured> = BTreeMap::new();
        let mut nameless = 0_usize;
        for row in rows {
            let Some(key) = key(kind, row.labels) else {
                nameless += 1;
                continue;
            };
            let place = self.things.place(kind, &key).and_then(|place| place.checked_sub(first));
            let into = match place.and_then(|place| measured.get_mut(place)) {
                Some(known) => known,
                None => others.entry(EntityId::new(kind, key)).or_default(),
            };
            merge(into, self.measure(row, range));
        }
        if nameless > 0 {
            notes.push(format!(
                "{}: {nameless} series carry no identity of a {} and are left out",
                blank.def.id,
                kind.name()
            ));
        }
        let known = known.iter().map(|thing| thing.id.clone()).zip(measured);
        let mut things: Vec<(EntityId, Measured)> = known.chain(others).collect();
        things.sort_by(|(one, _), (other, _)| one.cmp(other));
        if range && things.len().saturating_mul(self.ask.window.len()) > MAX_TRACK_CELLS {
            notes.push(too_many(blank.def));
            for (_, measured) in &mut things {
                measured.track = Vec::new();
            }
        }
        let floor = self.floor(recipe);
        let empty = LazyCell::new(|| self.reasons.empty(recipe));
        let signals = things.into_iter().map(|(id, measured)| {
            let why = || empty.about(Some(&id));
            fill(recipe, blank.clone(), Some(id.clone()), measured, &why).floored(floor)
        });
        signals.collect()
    }

    /// The signals of a question that gave nothing at all.
    fn none_known(&self, grain: Grain, blank: &Signal, unknown: &Unknown) -> Vec<Signal> {
        let with = |entity: Option<EntityId>| Signal {
            entity,
            now: Reading::Unknown(unknown.clone()),
            ..blank.clone()
        };
        match grain {
            Grain::Whole => vec![with(None)],
            Grain::Each => {
                let (_, things) = self.things.of_kind(blank.def.entity);
                things.iter().map(|thing| with(Some(thing.id.clone()))).collect()
            }
        }
    }
}

/// Put a value into a blank signal, or the reason why there is none.
fn fill(
    recipe: &Recipe,
    mut blank: Signal,
    entity: Option<EntityId>,
    measured: Measured,
    empty: &dyn Fn() -> Unknown,
) -> Signal {
    blank.now = match measured.now {
        Some(value) if value.is_finite() => Reading::Known(value),
        Some(_) => Reading::Unknown(Reasons::not_a_number(recipe)),
        None => Reading::Unknown(empty()),
    };
    if measured.now.is_none() {
        blank.newest_ms = None;
    }
    blank.entity = entity;
    blank.track = measured.track;
    blank
}

impl Signal {
    /// A quantile in the lowest bucket is at most its edge; what was interpolated below it goes.
    fn floored(mut self, floor: Option<f64>) -> Self {
        let Some(floor) = floor else { return self };
        if let Reading::Known(value) = &mut self.now
            && *value <= floor
        {
            (*value, self.at_most) = (floor, true);
        }
        for value in self.track.iter_mut().flatten() {
            *value = value.max(floor);
        }
        self
    }
}

/// Two series of one thing, as when two programs read one host: the greater value.
fn merge(into: &mut Measured, other: Measured) {
    let greater = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    into.now = greater(into.now, other.now);
    if into.track.is_empty() {
        into.track = other.track;
    } else {
        for (mine, theirs) in into.track.iter_mut().zip(other.track) {
            *mine = greater(*mine, theirs);
        }
    }
}

fn too_many(def: &SignalDef) -> String {
    format!(
        "{}: the course over time of each {} is left out, more than {MAX_TRACK_CELLS} points; \
         narrow the scope to see it",
        def.id,
        def.entity.name()
    )
}

//! From signals to numbers, charts and tables, with their explanations.

use strata_diagnose::Standing;
use strata_model::catalog::{Catalog, Quality};
use strata_world::{
    Entity, EntityId, EntityKind, InputUsed, Reading, Signal, SignalDef, Spread, World, signal_def,
};

use crate::page::Link;
use crate::page::block::{Block, Section};
use crate::page::chart::{Chart, Distribution, Line, TimeAxis};
use crate::page::number::{Explanation, Input, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::PageId;
use crate::words;

/// Rows of a table at most; the rest is counted.
pub(super) const ROWS_MAX: usize = 200;

/// Drawn form of a standing.
pub(super) fn status(standing: Standing) -> Status {
    match standing {
        Standing::Absent => Status::Absent,
        Standing::Ok => Status::Ok,
        Standing::Blind => Status::Blind,
        Standing::Watch => Status::Watch,
        Standing::Broken => Status::Broken,
    }
}

pub(super) fn axis(world: &World) -> TimeAxis {
    let window = world.window;
    TimeAxis { start_ms: window.start_ms, step_ms: window.step_ms, count: window.len() }
}

/// The signal of one thing or of the whole as a number.
pub(super) fn number(world: &World, label: &str, id: &str, entity: Option<&EntityId>) -> Number {
    let signal = world.signal(id, entity);
    let def = signal.map(|signal| signal.def).or_else(|| signal_def(id));
    let value = signal.and_then(|signal| signal.now.known()).filter(|value| value.is_finite());
    let unit = world.unit(def.map_or("1", |def| def.unit));
    let unit = unit.as_ref();
    let at_most = signal.is_some_and(|signal| signal.at_most);
    Number {
        label: label.to_owned(),
        text: words::bounded(value, unit, at_most),
        value,
        unit: unit.to_owned(),
        note: None,
        status: None,
        link: None,
        explain: explain(world, signal, def, value.is_none()),
    }
}

/// The first of several signals that is known; where none is, the first.
pub(super) fn first_known(world: &World, choices: &[(&str, &str)]) -> Number {
    let numbers = choices.iter().map(|(label, id)| number(world, label, id, None));
    let numbers: Vec<Number> = numbers.collect();
    let known = numbers.iter().position(|number| number.value.is_some()).unwrap_or(0);
    numbers.into_iter().nth(known).unwrap_or_else(|| number(world, "", "", None))
}

fn explain(
    world: &World,
    signal: Option<&Signal>,
    def: Option<&SignalDef>,
    unknown: bool,
) -> Explanation {
    let Some(def) = def else {
        return Explanation {
            definition: "This number has no definition.".to_owned(),
            unknown: Some("it is not part of this version".to_owned()),
            ..Explanation::default()
        };
    };
    let inputs = signal.map_or(&[][..], |signal| &signal.inputs);
    let why = match signal.map(|signal| &signal.now) {
        Some(Reading::Unknown(why)) => why.text.clone(),
        Some(Reading::Known(_)) => "the value is not a finite number".to_owned(),
        None => "nothing gave this number for this thing".to_owned(),
    };
    explanation(
        world,
        def,
        inputs,
        signal.and_then(|signal| signal.newest_ms),
        Told {
            query: signal.map(|signal| signal.query.to_string()),
            unknown: unknown.then_some(why),
        },
    )
}

struct Told {
    query: Option<String>,
    unknown: Option<String>,
}

fn explanation(
    world: &World,
    def: &SignalDef,
    inputs: &[InputUsed],
    newest_ms: Option<i64>,
    told: Told,
) -> Explanation {
    let worst = inputs.iter().filter_map(|input| input.quality).max();
    let named = |metric: &str| {
        let known = Catalog::builtin().metric(metric);
        known.map_or_else(|| metric.to_owned(), |metric| metric.prometheus.clone())
    };
    let inputs = if inputs.is_empty() {
        let none = |metric: &&'static str| Input {
            metric: named(metric),
            sources: Vec::new(),
            quality: None,
        };
        def.inputs.iter().map(none).collect()
    } else {
        let used = |input: &InputUsed| Input {
            metric: named(input.metric),
            sources: input
                .sources
                .iter()
                .map(|(title, family)| format!("{title} ({family})"))
                .collect(),
            quality: input.quality.map(|quality| quality.name().to_owned()),
        };
        inputs.iter().map(used).collect()
    };
    let age = newest_ms.map(|newest| (world.window.now_ms - newest).max(0) as f64 / 1000.0);
    Explanation {
        definition: def.definition.to_owned(),
        formula: def.formula.to_owned(),
        query: told.query.filter(|query| !query.is_empty()),
        inputs,
        age_seconds: age,
        quality: worst.map(|quality: Quality| quality.name().to_owned()),
        unknown: told.unknown,
    }
}

/// Numbers of the whole side by side: (label, signal).
pub(super) fn numbers(world: &World, wanted: &[(&str, &str)], entity: Option<&EntityId>) -> Block {
    let numbers = wanted.iter().map(|(label, id)| number(world, label, id, entity));
    Block::Numbers { numbers: numbers.collect() }
}

/// A chart of signals of one thing, or of the whole: (name of the line, signal).
pub(super) fn chart(
    world: &World,
    title: &str,
    wanted: &[(&str, &str)],
    entity: Option<&EntityId>,
) -> Chart {
    let signals: Vec<(&str, Option<&Signal>)> =
        wanted.iter().map(|(name, id)| (*name, world.signal(id, entity))).collect();
    let lines = signals.iter().map(|(name, signal)| Line {
        name: (*name).to_owned(),
        values: padded(world, signal.map(|signal| signal.track.as_slice())),
        faint: false,
    });
    let lines: Vec<Line> = lines.collect();
    let first = wanted.first().map_or("", |(_, id)| *id);
    drawn(world, title, first, lines, signals.first().and_then(|(_, signal)| *signal))
}

fn drawn(world: &World, title: &str, id: &str, lines: Vec<Line>, signal: Option<&Signal>) -> Chart {
    let def = signal.map(|signal| signal.def).or_else(|| signal_def(id));
    let unit = world.unit(def.map_or("1", |def| def.unit));
    let known = lines.iter().flat_map(|line| &line.values).copied().flatten();
    let known = known.filter(|value| value.is_finite());
    let is_negative = known.clone().any(|value| value < 0.0);
    let blank = lines.iter().all(|line| line.values.iter().all(Option::is_none));
    let explain = explain(world, signal, def, blank);
    Chart {
        title: title.to_owned(),
        axis: axis(world),
        scale: words::shared(&unit, known),
        lines,
        marks: Vec::new(),
        min: (!is_negative).then_some(0.0),
        max: None,
        stacked: false,
        missing: blank.then(|| explain.unknown.clone()).flatten(),
        link: None,
        explain,
    }
}

/// Values on the window's grid; a track that was not asked for has none.
pub(super) fn padded(world: &World, track: Option<&[Option<f64>]>) -> Vec<Option<f64>> {
    let count = world.window.len();
    let mut values: Vec<Option<f64>> = track.unwrap_or_default().to_vec();
    values.resize(count, None);
    values
}

/// Name of a thing for people.
pub(super) fn name(world: &World, id: &EntityId) -> String {
    world.entity(id).map_or_else(|| id.key.to_string(), |entity| entity.name.clone())
}

/// A link to the page of a thing.
pub(super) fn link_to(page: PageId, id: &EntityId) -> Link {
    Link { page: page.name().to_owned(), params: vec![("entity".to_owned(), id.to_string())] }
}

/// One column of a table of things.
pub(super) enum Show {
    /// A fact of the thing by name.
    Fact(&'static str),
    /// A signal of the thing.
    Signal(&'static str),
    /// Its curve.
    Curve(&'static str),
    /// A word about the thing.
    Word(fn(&Entity) -> &'static str),
}

/// A table of all things of a kind: title, rank and content of each column behind the name.
pub(super) fn table(
    world: &World,
    title: &str,
    (kind, page): (EntityKind, Option<PageId>),
    columns: &[(&str, u8, Show)],
    empty: &str,
) -> Table {
    let things: Vec<&Entity> = world.of_kind(kind).collect();
    let row = |thing: &&Entity| Row {
        cells: std::iter::once(Cell::Text { text: thing.name.clone() })
            .chain(columns.iter().map(|(label, _, show)| cell(world, thing, label, show)))
            .collect(),
        link: page.map(|page| link_to(page, &thing.id)),
    };
    let rows: Vec<Row> = things.iter().take(ROWS_MAX).map(row).collect();
    let head = Column { title: kind.name().to_owned(), numeric: false, rank: 0 };
    let column = |(label, rank, show): &(&str, u8, Show)| Column {
        title: (*label).to_owned(),
        numeric: matches!(show, Show::Signal(_)),
        rank: *rank,
    };
    Table {
        title: title.to_owned(),
        columns: std::iter::once(head).chain(columns.iter().map(column)).collect(),
        rows,
        total_rows: (things.len() > ROWS_MAX).then_some(things.len()),
        empty: empty.to_owned(),
    }
}

fn cell(world: &World, thing: &Entity, label: &str, show: &Show) -> Cell {
    match show {
        Show::Word(word) => Cell::Text { text: word(thing).to_owned() },
        Show::Fact(fact) => Cell::Text { text: fact_of(thing, fact).to_owned() },
        Show::Signal(id) => {
            let mut number = number(world, label, id, Some(&thing.id));
            if world.signal(id, Some(&thing.id)).is_some_and(|signal| signal.outlier) {
                number.status = Some(Status::Watch);
                number.note = Some("apart from its peers".to_owned());
            }
            Cell::Number(Box::new(number))
        }
        Show::Curve(id) => {
            let signal = world.signal(id, Some(&thing.id));
            Cell::Spark { values: padded(world, signal.map(|signal| signal.track.as_slice())) }
        }
    }
}

/// A fact of a thing, empty when it is not known.
pub(super) fn fact_of<'a>(thing: &'a Entity, name: &str) -> &'a str {
    let fact = thing.facts.iter().find(|(known, _)| known == name);
    fact.map_or("", |(_, value)| value.as_str())
}

/// How a quantity is spread.
pub(super) fn distribution(
    world: &World,
    title: &str,
    id: &str,
    entity: Option<&EntityId>,
) -> Option<Distribution> {
    let def = signal_def(id)?;
    let spread = world.spread(id, entity);
    let counts = spread.and_then(|spread| spread.counts.as_ref().ok());
    let total: f64 = counts.map_or(0.0, |counts| counts.iter().sum());
    let edges = spread.map_or(&[][..], |spread| &spread.edges);
    let finite = edges.iter().copied().filter(|edge| edge.is_finite());
    let used = edges.iter().zip(counts.into_iter().flatten());
    let used = used.filter(|(edge, count)| edge.is_finite() && **count > 0.0);
    let scale = words::shared(def.unit, used.map(|(edge, _)| *edge));
    let why = match spread.map(|spread| &spread.counts) {
        Some(Err(why)) => why.text.clone(),
        Some(Ok(_)) => "nothing was observed in this range".to_owned(),
        None => "no source gives this histogram".to_owned(),
    };
    let missing = (total <= 0.0).then_some(why);
    let told = Told { query: spread.map(|spread| spread.query.clone()), unknown: missing.clone() };
    let inputs = spread.map_or(&[][..], |spread| &spread.inputs);
    let explain = explanation(world, def, inputs, spread.and_then(|s: &Spread| s.newest_ms), told);
    let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)].map(|(label, share)| {
        let edge = counts.filter(|_| total > 0.0).and_then(|counts| quantile(edges, counts, share));
        Number {
            label: label.to_owned(),
            text: match edge {
                Some(edge) if edge.is_finite() => {
                    format!("<= {}", words::text(Some(edge), def.unit))
                }
                Some(_) => {
                    let last = finite.clone().next_back();
                    format!("> {}", words::text(last, def.unit))
                }
                None => words::UNKNOWN.to_owned(),
            },
            value: edge.filter(|edge| edge.is_finite()),
            unit: def.unit.to_owned(),
            note: None,
            status: None,
            link: None,
            explain: Explanation {
                formula: format!("edge of the bucket that holds the {label}"),
                unknown: edge
                    .is_none_or(|edge| !edge.is_finite())
                    .then(|| missing.clone().unwrap_or_else(|| "above the last edge".to_owned())),
                ..explain.clone()
            },
        }
    });
    Some(Distribution {
        title: title.to_owned(),
        scale,
        edges: edges.iter().map(|edge| edge.is_finite().then_some(*edge)).collect(),
        columns: match counts {
            Some(counts) if total > 0.0 => {
                vec![Some(counts.iter().map(|count| count / total).collect())]
            }
            _ => vec![None],
        },
        axis: None,
        numbers: quantiles.to_vec(),
        missing,
        explain,
    })
}

/// Upper edge of the bucket that holds a quantile: all that a histogram can tell for sure.
fn quantile(edges: &[f64], counts: &[f64], share: f64) -> Option<f64> {
    let total: f64 = counts.iter().sum();
    let mut sum = 0.0;
    edges.iter().zip(counts).find_map(|(edge, count)| {
        sum += count;
        (sum >= share * total).then_some(*edge)
    })
}

/// A section.
pub(super) fn section(id: &str, title: &str, brief: &str, blocks: Vec<Block>) -> Section {
    Section { id: id.to_owned(), title: title.to_owned(), brief: brief.to_owned(), blocks }
}

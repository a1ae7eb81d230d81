//! Measure by measure: both values with their intervals, the difference, and the verdict.

use strata_diagnose::compare::interval::Interval;
use strata_diagnose::compare::{Better, Compared, Comparison, Measure, Measured, Verdict};

use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::words;

pub(super) fn measures(found: &Comparison, currency: &str) -> Table {
    let rows = found.measures.iter().map(|one| Row {
        cells: vec![
            Cell::Text { text: one.measure.name() },
            measured(one, &found.a, one.a, currency),
            measured(one, &found.b, one.b, currency),
            difference(one, currency),
            Cell::Status { status: status(one.verdict), text: verdict(one) },
        ],
        link: None,
    });
    let b = &found.b;
    let columns = ["measure", &found.a, &found.b, "difference", "the second is"];
    let column = |(at, title): (usize, &&str)| Column {
        title: (*title).to_owned(),
        numeric: (1..4).contains(&at),
        rank: u8::from(at == 3),
    };
    Table {
        title: format!("{b} against {}", found.a),
        columns: columns.iter().enumerate().map(column).collect(),
        rows: rows.collect(),
        total_rows: None,
        empty: "nothing can be compared".to_owned(),
    }
}

fn status(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Better | Verdict::NoDifference => Status::Ok,
        Verdict::Worse => Status::Watch,
        Verdict::TooFew => Status::Blind,
    }
}

fn verdict(one: &Compared) -> String {
    match one.why.as_str() {
        "" => one.verdict.words().to_owned(),
        why => format!("{}: {why}", one.verdict.words()),
    }
}

fn unit_of(measure: &Measure, currency: &str) -> String {
    measure.unit().replace("{currency}", currency)
}

fn measured(one: &Compared, model: &str, side: Measured, currency: &str) -> Cell {
    let unit = unit_of(&one.measure, currency);
    let value = side.value.map(|value| value.estimate);
    let of = match one.measure {
        Measure::Cost => String::new(),
        _ => format!("of {}", words::text(Some(side.count as f64), "{observation}")),
    };
    let note = match side.value {
        Some(found) if found.low < found.high => format!("{}; {of}", between(found, &unit)),
        _ => of,
    };
    Cell::Number(Box::new(Number {
        label: format!("{}, {model}", one.measure.name()),
        text: words::text(value, &unit),
        value,
        unit,
        note: Some(note).filter(|note| !note.is_empty()),
        status: None,
        link: None,
        explain: explanation(&one.measure, value.is_none().then(|| one.why.clone())),
    }))
}

fn difference(one: &Compared, currency: &str) -> Cell {
    let unit = unit_of(&one.measure, currency);
    let value = one.difference.map(|found| found.estimate);
    let note = one.difference.filter(|found| found.low < found.high);
    Cell::Number(Box::new(Number {
        label: format!("{}, difference", one.measure.name()),
        text: value.map_or_else(|| words::UNKNOWN.to_owned(), |value| signed(value, &unit)),
        value,
        unit: unit.clone(),
        note: note
            .map(|found| format!("{} to {}", signed(found.low, &unit), signed(found.high, &unit))),
        status: None,
        link: None,
        explain: explanation(&one.measure, value.is_none().then(|| one.why.clone())),
    }))
}

fn explanation(measure: &Measure, unknown: Option<String>) -> Explanation {
    let better = match measure.better() {
        Better::More => "More is better.",
        Better::Less => "Less is better.",
    };
    Explanation {
        definition: format!("{} {better}", measure.definition()),
        formula: measure.method().to_owned(),
        unknown: unknown.map(
            |why| {
                if why.is_empty() { "nothing was observed".to_owned() } else { why }
            },
        ),
        ..Explanation::default()
    }
}

fn between(found: Interval, unit: &str) -> String {
    format!("{} to {}", words::text(Some(found.low), unit), words::text(Some(found.high), unit))
}

/// A difference with its sign; of shares in points, as a difference of percentages is none.
fn signed(value: f64, unit: &str) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    let text = if unit == "1" { points(value) } else { words::text(Some(value), unit) };
    format!("{sign}{text}")
}

/// A share in points, as a difference of percentages is none.
pub(super) fn points(share: f64) -> String {
    format!("{:.1} points", share * 100.0)
}

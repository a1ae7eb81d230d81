//! Numbers of the ledger with their definitions, and tables of them.

use strata_cost::ledger::Ledger;

use crate::page::number::{Explanation, Number};
use crate::page::table::{Cell, Column, Row, Table};
use crate::words;

const ROWS_MAX: usize = 100;

/// A number of the ledger with its definition.
pub(super) fn told(value: Option<f64>, unit: &str, definition: &str, formula: &str) -> Cell {
    Cell::Number(Box::new(Number {
        label: definition.split('.').next().unwrap_or_default().to_owned(),
        text: words::text(value, unit),
        value,
        unit: unit.to_owned(),
        note: None,
        status: None,
        link: None,
        explain: Explanation {
            definition: definition.to_owned(),
            formula: formula.to_owned(),
            unknown: value.is_none().then(|| {
                "a part of it has no price or was not counted; see the prices below".to_owned()
            }),
            ..Explanation::default()
        },
    }))
}

/// A number with a word beside it.
pub(super) fn noted(mut cell: Cell, note: Option<String>) -> Cell {
    if let Cell::Number(number) = &mut cell
        && number.value.is_some()
    {
        number.note = note;
    }
    cell
}

pub(super) fn money(ledger: &Ledger, value: Option<f64>) -> Cell {
    told(
        value,
        &ledger.options.currency,
        "Cost. GPU seconds at the price that held when they passed.",
        "sum over seconds of price per hour / 3600",
    )
}

pub(super) fn hours(seconds: f64) -> Cell {
    told(
        Some(seconds / 3600.0),
        "h",
        "GPU hours. Time of whole GPUs, slices by their part.",
        "GPU seconds / 3600",
    )
}

pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

pub(super) fn table(
    title: &str,
    columns: &[(&str, bool)],
    rows: Vec<Vec<Cell>>,
    empty: &str,
) -> Table {
    let total = rows.len();
    let column = |(at, (title, numeric)): (usize, &(&str, bool))| Column {
        title: (*title).to_owned(),
        numeric: *numeric,
        rank: u8::try_from(at / 3).unwrap_or(3),
    };
    Table {
        title: title.to_owned(),
        columns: columns.iter().enumerate().map(column).collect(),
        rows: rows.into_iter().take(ROWS_MAX).map(|cells| Row { cells, link: None }).collect(),
        total_rows: (total > ROWS_MAX).then_some(total),
        empty: empty.to_owned(),
    }
}

pub(super) fn share(part: f64, whole: f64) -> Cell {
    told(
        (whole > 0.0).then(|| part / whole),
        "1",
        "Share of GPU time.",
        "GPU seconds in the state / all GPU seconds",
    )
}

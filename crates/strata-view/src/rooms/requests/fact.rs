//! Numbers out of records, each with its definition, and plain cells.

use crate::page::number::{Explanation, Number};
use crate::page::table::{Cell, Column, Row, Table};
use crate::words;

/// What a number says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Says<'a> {
    pub(super) label: &'a str,
    pub(super) unit: &'a str,
    pub(super) definition: &'a str,
    pub(super) formula: &'a str,
    /// Why it is unknown, where it is.
    pub(super) unknown: &'a str,
}

pub(super) fn number(value: Option<f64>, says: Says<'_>) -> Number {
    Number {
        label: says.label.to_owned(),
        text: words::text(value, says.unit),
        value,
        unit: says.unit.to_owned(),
        note: None,
        status: None,
        link: None,
        explain: Explanation {
            definition: says.definition.to_owned(),
            formula: says.formula.to_owned(),
            unknown: value.is_none().then(|| says.unknown.to_owned()),
            ..Explanation::default()
        },
    }
}

/// Microseconds as a number of seconds.
pub(super) fn seconds(us: Option<i64>, says: Says<'_>) -> Number {
    number(us.map(|us| us as f64 / 1e6), Says { unit: "s", ..says })
}

pub(super) fn cell(number: Number) -> Cell {
    Cell::Number(Box::new(number))
}

pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

/// A table: of each column the title, whether it holds numbers, and its rank.
pub(super) fn table(
    title: &str,
    columns: &[(&str, bool, u8)],
    rows: Vec<Row>,
    empty: &str,
) -> Table {
    let column = |(title, numeric, rank): &(&str, bool, u8)| Column {
        title: (*title).to_owned(),
        numeric: *numeric,
        rank: *rank,
    };
    Table {
        title: title.to_owned(),
        columns: columns.iter().map(column).collect(),
        rows,
        total_rows: None,
        empty: empty.to_owned(),
    }
}

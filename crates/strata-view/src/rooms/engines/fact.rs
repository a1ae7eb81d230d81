//! Numbers of the capacity card, with how each was made.

use strata_model::catalog::Catalog;

use crate::page::number::{Explanation, Input, Number};
use crate::page::table::{Cell, Column};
use crate::words;

/// What a number of the card is, beside its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    /// UCUM.
    pub(super) unit: &'static str,
    pub(super) definition: &'static str,
    pub(super) formula: &'static str,
    /// Dotted canonical names.
    pub(super) inputs: &'static [&'static str],
}

/// A number, or why it is not known.
pub(super) fn fact(label: &str, value: Result<f64, &str>, made: Made) -> Number {
    let known = value.ok().filter(|value| value.is_finite());
    let input = |name: &&'static str| Input {
        metric: Catalog::builtin()
            .metric(name)
            .map_or_else(|| (*name).to_owned(), |metric| metric.prometheus.clone()),
        sources: Vec::new(),
        quality: None,
    };
    let why = match value {
        Ok(_) => "the result is not a number",
        Err(why) => why,
    };
    Number {
        label: label.to_owned(),
        text: words::text(known, made.unit),
        value: known,
        unit: made.unit.to_owned(),
        note: None,
        status: None,
        link: None,
        explain: Explanation {
            definition: made.definition.to_owned(),
            formula: made.formula.to_owned(),
            inputs: made.inputs.iter().map(input).collect(),
            unknown: known.is_none().then(|| why.to_owned()),
            ..Explanation::default()
        },
    }
}

pub(super) fn cell(number: Number) -> Cell {
    Cell::Number(Box::new(number))
}

pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

pub(super) fn column(title: &str, numeric: bool, rank: u8) -> Column {
    Column { title: title.to_owned(), numeric, rank }
}

//! Own GPUs beside an API, and what would save money.

use strata_cost::advice::Evidence;
use strata_cost::breakeven::BreakEven;

use super::Books;
use super::cells::{table, text, told};
use crate::page::status::Status;
use crate::page::table::{Cell, Table};
use crate::words;

/// A model on own GPUs beside an API.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Model on own GPUs.
    pub model: String,
    /// What it is compared with.
    pub against: String,
    /// The comparison, or what is missing for it.
    pub found: Result<BreakEven, String>,
}

pub(super) fn comparisons(books: &Books) -> Table {
    let currency = &books.ledger.options.currency;
    let per_hour = format!("{currency}/h");
    let rows = books.comparisons.iter().map(|one| {
        let found = one.found.as_ref().ok();
        let of = |value: fn(&BreakEven) -> f64| found.map(value);
        let cell = match &one.found {
            Err(why) => Cell::Status { status: Status::Blind, text: why.clone() },
            Ok(found) if found.is_cheaper_now() => {
                Cell::Status { status: Status::Ok, text: "own GPUs are cheaper now".to_owned() }
            }
            Ok(found) if found.break_even <= 1.0 => Cell::Status {
                status: Status::Watch,
                text: "own GPUs are cheaper at more load".to_owned(),
            },
            Ok(_) => Cell::Status {
                status: Status::Watch,
                text: "the API is cheaper at any load".to_owned(),
            },
        };
        vec![
            text(one.model.clone()),
            text(one.against.clone()),
            told(
                of(|found| found.own_per_hour),
                &per_hour,
                "Own GPUs. All of them for an hour, idle ones among them.",
                "cost of the model / hours",
            ),
            told(
                of(|found| found.api_per_hour),
                &per_hour,
                "The API for the work of an hour.",
                "sum over token classes of tokens x price",
            ),
            told(
                of(|found| found.utilization),
                "1",
                "Load now. As a share of what the busiest steps show the GPUs can do.",
                "cost at saturation / cost now",
            ),
            told(
                of(|found| found.break_even),
                "1",
                "Load from which on own GPUs are cheaper. Above 1 they never are.",
                "own cost of an hour / API cost of an hour at saturation",
            ),
            cell,
        ]
    });
    table(
        "From which load own GPUs pay",
        &[
            ("model", false),
            ("against", false),
            ("own, per hour", true),
            ("API, per hour", true),
            ("load now", true),
            ("break-even load", true),
            ("verdict", false),
        ],
        rows.collect(),
        "name a price map and what to compare with: api_prices and compare under [cost]",
    )
}

/// `GPU time held and idle 12 h`
fn evidence(all: &[Evidence], currency: &str) -> String {
    let one = |one: &Evidence| {
        let unit = one.unit.replace("{currency}", currency);
        format!("{} {}", one.name, words::text(Some(one.value), &unit))
    };
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(super) fn advice(books: &Books) -> Table {
    let currency = &books.ledger.options.currency;
    let per_hour = format!("{currency}/h");
    let rows = books.advice.advice.iter().map(|one| {
        vec![
            text(one.kind.name().replace('_', " ")),
            text(one.subject.clone()),
            told(
                Some(one.saves_per_hour),
                &per_hour,
                "What it saves in an hour. By the period shown, computed and never guessed.",
                "by kind; see the cost documentation",
            ),
            text(one.action.clone()),
            text(evidence(&one.evidence, currency)),
            text(one.command.clone().unwrap_or_default()),
        ]
    });
    table(
        "What would save money",
        &[
            ("advice", false),
            ("about", false),
            ("saves", true),
            ("do", false),
            ("because", false),
            ("command", false),
        ],
        rows.collect(),
        "nothing that is measured says so; below is what could not be checked",
    )
}

pub(super) fn tryouts(books: &Books) -> Table {
    let currency = &books.ledger.options.currency;
    let per_hour = format!("{currency}/h");
    let rows = books.advice.tryouts.iter().map(|one| {
        vec![
            text(one.kind.name().replace('_', " ")),
            text(one.subject.clone()),
            told(
                Some(one.at_most_per_hour),
                &per_hour,
                "What it could save in an hour at most. A bound, until a trial shows more.",
                one.bound,
            ),
            text(one.action.clone()),
            text(evidence(&one.evidence, currency)),
            text(one.command.clone().unwrap_or_default()),
        ]
    });
    table(
        "Needs a trial",
        &[
            ("advice", false),
            ("about", false),
            ("an hour at most", true),
            ("what to try", false),
            ("because", false),
            ("command", false),
        ],
        rows.collect(),
        "nothing at hand suggests a trial",
    )
}

pub(super) fn unchecked(books: &Books) -> Table {
    let rows = books.advice.unchecked.iter().map(|one| {
        vec![
            text(one.kind.name().replace('_', " ")),
            text(one.subject.clone()),
            text(one.missing.join(", ")),
        ]
    });
    table(
        "Not checked",
        &[("advice", false), ("about", false), ("missing", false)],
        rows.collect(),
        "everything was checked",
    )
}

//! What may be spent, and why it is more or less than before.

use strata_cost::time::rfc3339;

use super::Books;
use super::cells::{table, text, told};
use crate::page::block::Block;
use crate::page::status::Status;
use crate::page::table::{Cell, Table};
use crate::words;

pub(super) fn changed(books: &Books) -> Block {
    let change = match &books.change {
        Ok(change) => change,
        Err(why) => return Block::Text { text: why.clone() },
    };
    let currency = &books.ledger.options.currency;
    let mut terms = change.terms.clone();
    terms.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    let row = |name: &str, value: f64| {
        let definition = "Part of the difference that this factor makes, whatever the order.";
        let formula = "Shapley value over all orders of moving the factors";
        vec![text(name), told(Some(value), currency, definition, formula)]
    };
    let rows = [("before", change.before), ("now", change.after)];
    let rows = rows.into_iter().map(|(name, value)| row(name, value));
    let terms = terms.iter().map(|(factor, value)| row(factor.name(), *value));
    Block::Table(table(
        "Terms",
        &[("factor", false), ("amount", true)],
        rows.chain(terms).collect(),
        "",
    ))
}

pub(super) fn budgets(books: &Books) -> Table {
    let currency = &books.ledger.options.currency;
    let rows = books.budgets.iter().map(|budget| {
        let standing = budget.standing.as_ref();
        let used = standing.map(|one| one.used);
        let status = match standing {
            None => Status::Blind,
            Some(one) if one.used >= 1.0 => Status::Broken,
            Some(one) if one.exhausted_ms.is_some() || !one.burning.is_empty() => Status::Watch,
            Some(one) if one.unknown > 0.0 => Status::Blind,
            Some(_) => Status::Ok,
        };
        let unknown = standing.map(|one| one.unknown).filter(|share| *share > 0.0);
        let unknown = unknown.map_or_else(String::new, |share| {
            format!("; of {} of the hours nobody knows the price", words::text(Some(share), "1"))
        });
        let lasts = match standing.map(|one| one.exhausted_ms) {
            None => "not known yet".to_owned(),
            Some(None) => "it lasts".to_owned(),
            Some(Some(at_ms)) => format!("used up on {}", rfc3339(at_ms)),
        };
        let spent = "Spent so far. Whole hours that the ledger has counted.";
        vec![
            text(budget.name.clone()),
            told(
                Some(budget.amount),
                currency,
                "Budget. Money for the whole period.",
                "as configured",
            ),
            text(budget.period.clone()),
            told(standing.map(|one| one.spent), currency, spent, "sum of cost.amount"),
            told(used, "1", "Share of the budget that is spent.", "spent / budget"),
            told(
                standing.and_then(|one| one.forecast),
                currency,
                "Money at the end of the period. If it goes on like the last week.",
                "spent + rate of each hour of the week x time left",
            ),
            Cell::Status { status, text: lasts + &unknown },
        ]
    });
    table(
        "What may be spent",
        &[
            ("budget", false),
            ("amount", true),
            ("period", false),
            ("spent", true),
            ("used", true),
            ("forecast", true),
            ("lasts", false),
        ],
        rows.collect(),
        "no budget is set: [[cost.budget]] in the configuration",
    )
}

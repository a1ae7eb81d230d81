//! What calls cost by the records of requests, and how useful they were.

use strata_cost::calls::{CallTotals, CallWaste, LevelCost, PricedBy};
use strata_cost::time::day;
use strata_cost::useful::{LEVELS, Level};

use super::Books;
use super::cells::{noted, table, text, told};
use crate::page::block::Block;
use crate::page::table::{Cell, Table};

/// Above this share of the tokens a level is told of all of them.
const WHOLE: f64 = 0.995;

/// Calls of the page's window.
#[derive(Debug, Clone, PartialEq)]
pub struct CallBooks {
    pub total: CallTotals,
    pub models: Vec<CallModel>,
    /// What bought nothing, the dearest first.
    pub waste: Vec<CallWaste>,
    /// Conversations that had calls.
    pub conversations: u64,
    /// Date of the map of API prices, milliseconds since the Unix epoch.
    pub listed_ms: Option<i64>,
}

/// Calls to one model.
#[derive(Debug, Clone, PartialEq)]
pub struct CallModel {
    /// Empty where records name none.
    pub model: String,
    pub total: CallTotals,
    /// Cost of a useful token by level.
    pub levels: [Option<LevelCost>; LEVELS],
}

pub(super) fn blocks(books: &Books) -> Vec<Block> {
    match &books.calls {
        Err(why) => vec![Block::Text { text: why.clone() }],
        Ok(calls) => {
            vec![
                Block::Text { text: whole(calls) },
                Block::Table(models(books, calls)),
                Block::Table(waste(books, calls)),
            ]
        }
    }
}

/// How much of it has a price.
fn whole(calls: &CallBooks) -> String {
    let CallTotals { requests, unpriced, untimed, unknown, .. } = &calls.total;
    let talks = calls.conversations;
    let begin = format!("{requests:.0} calls, {talks} conversations");
    let listed = calls.listed_ms.filter(|_| calls.total.by.contains(&PricedBy::PriceMap));
    let listed = listed.map(|ms| format!("; prices of APIs of {}", day(ms))).unwrap_or_default();
    let untimed = match *untimed {
        count if count > 0.0 => {
            format!(
                "; {count:.0} answered ones tell no time to the first token, U2 is of the others"
            )
        }
        _ => String::new(),
    };
    if *unpriced > 0.0 {
        let why = unknown.join("; ");
        format!("{begin}{listed}{untimed}; {unpriced:.0} calls have no price: {why}")
    } else {
        format!("{begin}{listed}{untimed}; all have a price.")
    }
}

fn level(books: &Books, one: &CallModel, level: Level, what: &str) -> Cell {
    let cost = one.levels.get(level.place()).copied().flatten();
    let covered = cost.map(|cost| cost.covered).filter(|covered| *covered < WHOLE);
    let note = covered.map(|covered| format!("of {:.0} % of the tokens", covered * 100.0));
    let cell = told(
        cost.map(|cost| cost.cost),
        &format!("{}/{{token}}", books.ledger.options.currency),
        what,
        "cost of the level before x its tokens of which it is told / those of this level",
    );
    noted(cell, note)
}

/// Money of which a part may be missing.
fn at_least(cell: Cell, unpriced: f64) -> Cell {
    noted(cell, (unpriced > 0.0).then(|| format!("at least: {unpriced:.0} calls have no price")))
}

fn models(books: &Books, calls: &CallBooks) -> Table {
    let currency = &books.ledger.options.currency;
    let rows = calls.models.iter().map(|one| {
        let total = &one.total;
        let priced = total.requests - total.unpriced;
        let by: Vec<_> = total.by.iter().map(|by| by.name().replace('_', " ")).collect();
        vec![
            text(if one.model.is_empty() { "not named" } else { &one.model }),
            text(format!("{:.0}", total.requests)),
            at_least(
                told(
                    total.amount,
                    currency,
                    "Cost of the calls. Of those that have a price.",
                    "sum over token classes of tokens x price",
                ),
                total.unpriced,
            ),
            told(
                total.amount.filter(|_| priced > 0.0).map(|amount| amount / priced),
                &format!("{currency}/{{request}}"),
                "Cost of a call that has a price.",
                "cost / calls with a price",
            ),
            level(books, one, Level::Generated, "Cost of a generated token (U0)."),
            level(books, one, Level::Delivered, "Cost of a delivered token (U1)."),
            level(books, one, Level::WithinSlo, "Cost of a token within the objective (U2)."),
            level(
                books,
                one,
                Level::FirstSuccess,
                "Cost of a token that was not asked again (U3).",
            ),
            level(books, one, Level::Accepted, "Cost of an accepted token (U4)."),
            text(by.join(", ")),
        ]
    });
    table(
        "By model",
        &[
            ("model", false),
            ("calls", true),
            ("cost", true),
            ("a call", true),
            ("generated", true),
            ("delivered", true),
            ("in time", true),
            ("first", true),
            ("accepted", true),
            ("priced by", false),
        ],
        rows.collect(),
        "no record of a call in this window",
    )
}

fn waste(books: &Books, calls: &CallBooks) -> Table {
    let currency = &books.ledger.options.currency;
    let rows = calls.waste.iter().map(|one| {
        vec![
            text(one.cause.name().replace('_', " ")),
            text(one.team.clone()),
            text(format!("{:.0}", one.requests)),
            at_least(
                told(
                    one.amount,
                    currency,
                    "Cost of calls that were for nothing. Of those that have a price.",
                    "sum over token classes of tokens x price",
                ),
                one.unpriced,
            ),
        ]
    });
    table(
        "Calls that may have bought nothing",
        &[("cause", false), ("team", false), ("calls", true), ("cost", true)],
        rows.collect(),
        "none, as far as records tell",
    )
}

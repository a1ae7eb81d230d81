//! What may be spent, and until when it lasts.

use strata_cost::budget::Standing;
use strata_cost::time::rfc3339;

use super::cells::{noted, table, text, told};
use super::{Books, BudgetLine};
use crate::page::status::Status;
use crate::page::table::{Cell, Table};
use crate::words;

pub(super) fn budgets(books: &Books) -> Table {
    let rows = books.budgets.iter().map(|budget| row(budget, &books.ledger.options.currency));
    table(
        "What may be spent",
        &[
            ("budget", false),
            ("amount", true),
            ("period", false),
            ("spent", true),
            ("left", true),
            ("used", true),
            ("burn rate", true),
            ("forecast", true),
            ("lasts", false),
        ],
        rows.collect(),
        "no budget is set: [[cost.budget]] in the configuration",
    )
}

fn row(budget: &BudgetLine, currency: &str) -> Vec<Cell> {
    let standing = budget.standing.as_ref().ok();
    let of = |value: fn(&Standing) -> f64| standing.map(value);
    // The window that was measured best without being over already.
    let burn = standing.and_then(|one| one.burns.iter().find(|burn| burn.rate.is_some()));
    let hours = burn.map(|burn| burn.rule.long_ms / 3_600_000);
    let burned = told(
        burn.and_then(|burn| burn.rate),
        "1",
        "Burn rate. Spending over the even rate, the budget spread over its period.",
        "money of the window / its length / (budget / length of the period)",
    );
    vec![
        text(budget.name.clone()),
        told(Some(budget.amount), currency, "Budget. Money for the whole period.", "as configured"),
        text(budget.period.clone()),
        told(
            of(|one| one.spent),
            currency,
            "Spent so far. Whole hours that the ledger has counted.",
            "sum of cost.amount",
        ),
        told(
            standing.map(|one| budget.amount - one.spent),
            currency,
            "Left of the budget. Below 0 where more is spent.",
            "budget - spent",
        ),
        told(of(|one| one.used), "1", "Share of the budget that is spent.", "spent / budget"),
        noted(burned, hours.map(|hours| format!("of the even rate, over {hours} h"))),
        told(
            standing.and_then(|one| one.forecast),
            currency,
            "Money at the end of the period. If it goes on like the last week.",
            "spent + rate of each hour of the week x time left",
        ),
        lasts(budget),
    ]
}

/// Until when it lasts, and what is wrong with it.
fn lasts(budget: &BudgetLine) -> Cell {
    let one = match &budget.standing {
        Ok(one) => one,
        Err(why) => {
            return Cell::Status { status: Status::Blind, text: format!("not known: {why}") };
        }
    };
    let firing: Vec<_> = one.firing().map(|rule| rule.name.replace('_', " ")).collect();
    let status = if one.used >= 1.0 {
        Status::Broken
    } else if one.exhausted_ms.is_some() || !firing.is_empty() {
        Status::Watch
    } else if one.unknown > 0.0 || one.forecast.is_none() {
        Status::Blind
    } else {
        Status::Ok
    };
    let mut told = match (one.exhausted_ms, one.forecast) {
        (Some(at_ms), _) => format!("used up on {}", rfc3339(at_ms)),
        (None, Some(_)) => "it lasts".to_owned(),
        (None, None) => "not known: no whole hour was counted yet".to_owned(),
    };
    if !firing.is_empty() {
        told = format!("{told}; {}", firing.join(", "));
    }
    if one.unknown > 0.0 {
        let share = words::text(Some(one.unknown), "1");
        told = format!("{told}; of {share} of the hours nobody knows the price");
    }
    Cell::Status { status, text: told }
}

#[cfg(test)]
mod tests {
    use strata_cost::budget::{Budget, Spending};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn line(standing: Result<Standing, String>) -> BudgetLine {
        BudgetLine {
            name: "agents".to_owned(),
            amount: 24.0,
            period: "day".to_owned(),
            namespace: None,
            model: None,
            start_ms: 0,
            end_ms: 24 * HOUR_MS,
            counted_ms: 2 * HOUR_MS,
            standing,
        }
    }

    fn spent(steps: &[f64]) -> Result<Standing, String> {
        let budget =
            Budget { owner: "agents".into(), amount: 24.0, start_ms: 0, end_ms: 24 * HOUR_MS };
        budget
            .standing(Spending { start_ms: 0, step_ms: HOUR_MS, steps, begun: 0 })
            .ok_or_else(|| "nothing".to_owned())
    }

    fn texts(cells: &[Cell]) -> Vec<String> {
        let text = |cell: &Cell| match cell {
            Cell::Number(number) => number.text.clone(),
            Cell::Text { text } | Cell::Command { text } | Cell::Status { text, .. } => {
                text.clone()
            }
            Cell::Fold { .. } | Cell::Spark { .. } | Cell::Bar { .. } => String::new(),
        };
        cells.iter().map(text).collect()
    }

    #[test]
    fn a_budget_tells_what_is_left_how_fast_it_burns_and_by_which_rule() {
        let cells = row(&line(spent(&[1.0, 8.0])), "USD");
        let told = texts(&cells);
        assert_eq!(told[3..7], ["9 USD", "15 USD", "37.5 %", "800 %"], "{told:?}");
        assert!(matches!(&cells[8], Cell::Status { status: Status::Watch, .. }), "{told:?}");
        // 4.5 an hour on the mean: 15 last for three hours and twenty minutes.
        assert_eq!(told[8], "used up on 1970-01-01T05:20:00Z");
        let told = texts(&row(&line(spent(&[1.0, 15.0])), "USD"));
        assert!(told[8].ends_with("; fast burn"), "{told:?}");
    }

    #[test]
    fn what_is_not_known_is_said_and_is_not_nothing() {
        let why = "no whole hour of it is over".to_owned();
        let cells = row(&line(Err(why)), "USD");
        let told = texts(&cells);
        assert_eq!(told[8], "not known: no whole hour of it is over");
        for at in [3, 4, 5, 6, 7] {
            assert!(matches!(&cells[at], Cell::Number(one) if one.value.is_none()), "{told:?}");
        }
    }
}

//! What training costs: by run, with what is not known said in words.

use strata_cost::unit::{RunUnits, training};

use super::Books;
use super::cells::{hours, money, table, text, told};
use crate::page::table::{Cell, Table};

pub(super) fn runs(books: &Books) -> Table {
    let found = training(&books.ledger);
    let rows = found.iter().map(|one| row(books, one));
    table(
        "By run",
        &[
            ("run", false),
            ("cost", true),
            ("GPU hours", true),
            ("kept step", true),
            ("trained token", true),
            ("useful exaflop", true),
            ("steps lost", true),
            ("lost step", true),
            ("cost of lost steps", true),
            ("not known", false),
        ],
        rows.collect(),
        "no trainer tells of a run",
    )
}

fn row(books: &Books, one: &RunUnits) -> Vec<Cell> {
    let currency = &books.ledger.options.currency;
    let per = |what: &str| format!("{currency}/{{{what}}}");
    let (training, units) = (&one.training, &one.units);
    vec![
        text(one.run.clone()),
        money(&books.ledger, training.amount),
        hours(training.gpu_s),
        told(
            units.per_step,
            &per("step"),
            "Cost of a kept step. All money of the run's GPUs, lost and idle time included.",
            "cost / steps that were kept",
        ),
        told(
            units.per_token,
            &per("token"),
            "Cost of a trained token. Of the steps that were kept.",
            "cost / (kept steps x tokens of a step)",
        ),
        told(
            units.per_exaflop,
            &per("exaflop"),
            "Cost of 1e18 useful operations. The model's own, by its formula, in kept steps.",
            "cost / (kept steps x model FLOPs of a step)",
        ),
        told(
            training.lost_steps,
            "{step}",
            "Steps that were computed and lost. The step number went back to a checkpoint.",
            "sum of what training.step went back",
        ),
        told(
            units.per_lost_step,
            &per("step"),
            "Cost of a lost step. As any step that was computed; none where none was lost.",
            "cost / (kept + lost steps)",
        ),
        told(
            units.lost,
            currency,
            "Cost of the lost steps. At the cost of a computed step.",
            "lost steps x cost / (kept + lost steps)",
        ),
        text(one.unknown.join("; ")),
    ]
}

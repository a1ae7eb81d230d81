//! What may be spent.

use serde_json::json;
use strata_cost::budget::{ALERTS, BURNS};

use super::{TAG, add, currency, period};
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation};
use crate::openapi::schema::{
    count, flag, list, maybe, moment, number, object, said, text, with, word,
};

pub(super) fn describe(document: &mut Document) {
    let known = |what: &str| said(maybe(number()), what);
    let burn = object([
        ("rule", word(BURNS.map(|rule| rule.name))),
        ("rate", known("How many times the even rate; null where most of the time is unknown.")),
        ("limit", said(number(), "The rate above which the rule fires.")),
        ("over_seconds", said(count(), "Length of the window.")),
        ("is_urgent", said(flag(), "Whether a person should be woken.")),
        ("is_firing", flag()),
    ]);
    let mut reached = number();
    reached["enum"] = json!(ALERTS);
    let budget = with(
        object([
            ("name", text()),
            ("namespace", said(maybe(text()), "The one it is for; null for all.")),
            ("model", said(maybe(text()), "The one it is for; null for all.")),
            ("period", word(["day", "week", "month"])),
            ("counted_until", said(moment(), "The hour that goes on is not counted yet.")),
            ("amount", said(number(), "Money for the whole period.")),
            ("spent", known("A lower bound where `unknown_share` is above 0.")),
            ("left", known("Below 0 where more is spent.")),
            ("used", known("Spent over amount.")),
            ("unknown_share", known("Of the hours so far, those whose cost is not known.")),
            ("forecast", known("Money at the end of the period, if it goes on like this.")),
            ("exhausted", said(maybe(moment()), "When it is used up; null if it lasts.")),
            ("reached", said(maybe(list(reached)), "Shares of it that are spent.")),
            ("burn", maybe(list(burn))),
            ("unknown", said(maybe(text()), "Why nothing is known.")),
        ]),
        period(),
    );
    let budget = document.name("BudgetStanding", budget);
    let schema = object([
        ("currency", currency()),
        ("budgets", list(budget)),
        ("hint", said(maybe(text()), "How a budget is set, where there is none.")),
    ]);
    let summary = "Budgets: what is spent and left, how fast it burns and until when it lasts.";
    let operation = Operation::new("cost_budgets", TAG, summary).answers(
        200,
        "The document.",
        &[(JSON, schema)],
    );
    add(document, "/cost/budgets", operation, &[]);
}

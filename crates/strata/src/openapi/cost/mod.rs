//! Documents of the ledger: what is asked.

mod account;
mod budgets;
mod calls;
mod market;
mod opencost;
mod statements;
mod tariff;
mod units;

use serde_json::{Value as Json, json};
use strata_cost::ledger::{Basis, IdlePolicy};
use strata_view::{PageError, PageErrorCode};

use super::Document;
use super::operation::{JSON, Operation, query};
use super::pages::refusing;
use super::schema::{count, list, moment, object, said, text, word};
use crate::ledger::{BY_MAX, DIMENSIONS, MORE, NAME_BYTES_MAX, PARTIES};

pub(super) const TAG: &str = "cost";
pub(super) const OPENCOST: &str = "opencost";

const SINCE: &str = "Length of the period, from 1m to 366d. An hour when nothing is given.";
const END: &str = "First moment no longer in the period: 2026-04, 2026-04-01 or RFC 3339. Now when \
    nothing is given.";

pub(super) fn describe(document: &mut Document) {
    account::describe(document);
    budgets::describe(document);
    calls::describe(document);
    market::describe(document);
    statements::describe(document);
    tariff::describe(document);
    opencost::describe(document);
}

/// A document about a period, refused in the words of a page.
fn add(document: &mut Document, path: &str, operation: Operation, codes: &[PageErrorCode]) {
    let refused = document.of::<PageError>();
    let usual = [PageErrorCode::BadRequest, PageErrorCode::NotFound];
    let operation = refusing(operation, &refused, &usual);
    let operation = refusing(operation, &refused, codes);
    document.get(&format!("/api/v1{path}"), operation);
}

/// A document that is JSON.
fn report(id: &str, summary: &str, path: &str, schema: Json) -> Operation {
    Operation::new(id, TAG, summary).asks(parameters(path)).answers(
        200,
        "The document.",
        &[(JSON, schema)],
    )
}

/// What every document takes, and what this one takes besides.
fn parameters(path: &str) -> Vec<Json> {
    let own = MORE.iter().find(|(known, _)| *known == path).map_or(&[][..], |(_, own)| own);
    let names = DIMENSIONS.map(|(name, _)| name);
    let by = json!({ "type": "array", "items": word(names), "maxItems": BY_MAX });
    let about =
        "What lines are about: namespace when nothing is given; a tenant goes alone or with model.";
    let mut by = query("by", about, &by);
    // Joined by commas.
    (by["style"], by["explode"]) = (json!("form"), json!(false));
    let usual = [query("since", SINCE, &text()), query("end", END, &text()), by];
    usual.into_iter().chain(own.iter().map(|name| own_parameter(path, name))).collect()
}

/// A parameter that only some documents take.
fn own_parameter(path: &str, name: &str) -> Json {
    let number = json!({ "type": "number", "minimum": 0 });
    let (what, schema) = match name {
        "basis" => {
            ("What a holder is charged for; held when only idle is given.", named(&Basis::ALL))
        }
        "idle" => ("Who bears the rest; owner when only basis is given.", named(&IdlePolicy::ALL)),
        "model" => ("This model only.", text()),
        "against" => {
            ("A model of the price map; what the configuration says when nothing is given.", text())
        }
        "prompt" => ("Price of a million prompt tokens.", number),
        "cached" => (
            "Price of a million cached prompt tokens; that of prompt tokens when nothing is given.",
            number,
        ),
        "generated" => ("Price of a million generated tokens.", number),
        "customer" => {
            let what = format!("Whose statement; a name of at most {NAME_BYTES_MAX} bytes.");
            let mut parameter = query(name, &what, &text());
            if path != "/cost/statements" {
                parameter["required"] = json!(true);
            }
            return parameter;
        }
        "of" => {
            let mut words = word(PARTIES.map(|(name, _)| name));
            words["default"] = json!("tenant");
            ("What the customer is.", words)
        }
        "number" => ("Number of the statement; the last when nothing is given.", count()),
        "from" => (
            "First moment; where the statement before ended, else the month before, when nothing is given.",
            text(),
        ),
        "until" => {
            ("First moment no longer in it; the begin of this month when nothing is given.", text())
        }
        "accept_assumed" => {
            ("Close it although not all of it was measured.", super::schema::flag())
        }
        other => return query(other, "", &text()),
    };
    query(name, what, &schema)
}

/// One of these words, whatever they stand for.
fn named<T, const N: usize>(all: &[(&str, T); N]) -> Json {
    word(all.iter().map(|(name, _)| *name))
}

/// A moment where one begins and one where it ends.
fn period() -> [(&'static str, Json); 2] {
    [("start", moment()), ("end", said(moment(), "First moment no longer in it."))]
}

/// What must be said of how an answer came about.
fn notes() -> Json {
    said(list(text()), "What must be said of how the answer came about.")
}

fn currency() -> Json {
    said(text(), "ISO 4217.")
}

/// The period of a ledger.
fn stepped() -> Json {
    let [start, end] = period();
    object([start, end, ("step_seconds", super::schema::integer())])
}

//! What calls to models cost, by the records of requests.

use serde_json::{Value as Json, json};
use strata_cost::calls::{CallCause, PricedBy};
use strata_cost::useful::Level;

use super::{BY_MAX, END, SINCE, TAG, add, currency, notes, period};
use crate::ledger::CALL_DIMENSIONS;
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation, query};
use crate::openapi::schema::{
    count, day, list, loose, maybe, number, object, said, text, with, word,
};

pub(super) fn describe(document: &mut Document) {
    let names = CALL_DIMENSIONS.map(|(name, _)| name);
    let by = json!({ "type": "array", "items": word(names), "maxItems": BY_MAX });
    let mut by = query("by", "What lines are about: model when nothing is given.", &by);
    (by["style"], by["explode"]) = (json!("form"), json!(false));
    let asked = vec![query("since", SINCE, &text()), query("end", END, &text()), by];
    let waste = object([
        ("cause", word(CallCause::ALL.map(CallCause::name))),
        ("team", text()),
        ("requests", number()),
        ("generated_tokens", number()),
        ("amount", said(maybe(number()), "Of those that have a price.")),
        ("unpriced_requests", number()),
    ]);
    let map = object([("sha256", text()), ("models", count()), ("as_of", day())]);
    let line = with(sums(), [("keys", said(list(text()), "In the order of `by`."))]);
    let schema = object([
        ("period", object(period())),
        ("currency", currency()),
        ("by", list(word(names))),
        ("total", sums()),
        ("lines", said(list(line), "The dearest first.")),
        ("models", list(model())),
        ("waste", said(list(waste), "What bought nothing; a call has one cause.")),
        ("price_map", said(maybe(map), "The operator's map of API prices.")),
        ("notes", notes()),
    ]);
    let summary = "What calls to models cost, by the records of requests.";
    let operation = Operation::new("cost_calls", TAG, summary).asks(asked).answers(
        200,
        "The document.",
        &[(JSON, schema)],
    );
    add(document, "/cost/calls", operation, &[]);
}

fn priced_by() -> Json {
    said(list(word(PricedBy::ALL.map(PricedBy::name))), "Where prices are from.")
}

fn unknown() -> Json {
    said(list(text()), "Why calls have no price.")
}

fn sums() -> Json {
    object([
        ("requests", number()),
        ("unpriced_requests", said(number(), "Calls of which money is not known.")),
        (
            "untimed_requests",
            said(number(), "Answered, and no time to the first token: U2 and beyond are not told."),
        ),
        ("conversations", count()),
        ("prompt_tokens", said(number(), "Computed, not from a cache.")),
        ("cached_tokens", number()),
        ("generated_tokens", said(number(), "Reasoning included.")),
        ("amount", said(maybe(number()), "Of the calls that have a price.")),
        ("per_request", said(maybe(number()), "Of the calls that have a price.")),
        (
            "per_conversation",
            said(maybe(number()), "Null where a call of a conversation has no price."),
        ),
        ("priced_by", priced_by()),
        ("unknown", unknown()),
    ])
}

fn model() -> Json {
    let useful = object([
        ("per_million", said(number(), "Money.")),
        ("tokens", said(number(), "Generated tokens known to be of the level.")),
        ("covered", said(number(), "Share of the generated tokens of which the level is told.")),
    ]);
    object([
        ("model", said(text(), "Empty where records name none.")),
        ("requests", number()),
        ("amount", said(maybe(number()), "Of the calls that have a price.")),
        (
            "explained",
            said(maybe(number()), "Share of the money of the model's own GPUs; null without them."),
        ),
        ("priced_by", priced_by()),
        (
            "useful",
            said(
                loose(Level::ALL.map(|level| (level.name(), useful.clone()))),
                "By level; those that are not known are left out.",
            ),
        ),
        ("unknown", unknown()),
    ])
}

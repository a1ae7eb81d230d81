//! Own GPUs beside an API, advice, and the price book.

use serde_json::{Value as Json, json};
use strata_cost::advice::Kind;
use strata_cost::price::{Confidence, PriceKind, Term};

use super::account::count_of_days;
use super::{TAG, add, currency, notes, period, report};
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation};
use crate::openapi::schema::{
    count, day, flag, list, maybe, number, object, said, text, with, word,
};

pub(super) fn describe(document: &mut Document) {
    breakeven(document);
    advice(document);
    prices(document);
}

fn breakeven(document: &mut Document) {
    let names = || [("model", text()), ("against", said(text(), "What it is compared with."))];
    let found = with(
        object([
            ("own_per_hour", number()),
            ("api_per_hour", number()),
            ("api_per_hour_at_saturation", number()),
            ("load", said(number(), "Share of what its GPUs can do at most.")),
            ("break_even_load", said(maybe(number()), "Load from which own GPUs are cheaper.")),
            ("break_even_requests_per_second", maybe(number())),
            ("cheaper_now", word(["own", "api"])),
        ]),
        names(),
    );
    let unknown = with(object([("unknown", said(text(), "Why nothing can be said."))]), names());
    let map = object([("sha256", text()), ("models", count()), ("as_of", day())]);
    let [start, end] = period();
    let schema = object([
        ("currency", currency()),
        start,
        end,
        ("price_map", said(maybe(map), "The operator's map of API prices.")),
        ("models", list(json!({ "oneOf": [found, unknown] }))),
        ("notes", notes()),
    ]);
    let path = "/cost/breakeven";
    let operation = report("cost_breakeven", "From which load on own GPUs pay.", path, schema);
    add(document, path, operation, &[]);
}

fn advice(document: &mut Document) {
    let kinds = || word(Kind::ALL.map(Kind::name));
    let evidence = object([("name", text()), ("value", number()), ("unit", said(text(), "UCUM."))]);
    let one = object([
        ("kind", kinds()),
        ("subject", text()),
        ("saves_per_hour", number()),
        ("action", text()),
        (
            "command",
            said(maybe(text()), "With names in angle brackets that the ledger does not know."),
        ),
        ("evidence", list(evidence.clone())),
    ]);
    let tryout = object([
        ("kind", kinds()),
        ("subject", text()),
        ("saves_at_most_per_hour", said(number(), "A bound by figures at hand, not measured.")),
        ("bound", said(text(), "How the bound is computed.")),
        ("action", text()),
        (
            "command",
            said(maybe(text()), "With names in angle brackets that the ledger does not know."),
        ),
        ("evidence", list(evidence)),
    ]);
    let unchecked = object([("kind", kinds()), ("subject", text()), ("missing", list(text()))]);
    let [start, end] = period();
    let schema = object([
        ("currency", currency()),
        start,
        end,
        ("advice", list(one)),
        ("trials", said(list(tryout), "What needs a trial before it is advice.")),
        (
            "unchecked",
            said(list(unchecked), "What could not be looked at, and what is missing for it."),
        ),
        ("notes", notes()),
    ]);
    let operation = report("cost_advice", "What would save money.", "/cost/advice", schema);
    add(document, "/cost/advice", operation, &[]);
}

fn prices(document: &mut Document) {
    let row = object([
        ("gpu", maybe(text())),
        ("node", said(maybe(text()), "Instance type.")),
        ("label", said(maybe(text()), "A label of the node, as name=value.")),
        ("provider", maybe(text())),
        ("region", maybe(text())),
        ("term", maybe(word(Term::ALL.map(|(name, _)| name)))),
        ("per_hour", number()),
        ("of", said(word(["gpu", "node"]), "What an hour buys.")),
        ("currency", currency()),
        ("kind", word(PriceKind::ALL.map(|(name, _)| name))),
        ("from", said(maybe(day()), "Null since ever.")),
        ("until", said(maybe(day()), "Null for ever.")),
        ("source", text()),
        ("as_of", day()),
        ("age_days", count_of_days()),
        ("confidence", word(Confidence::ALL.map(|(name, _)| name))),
        ("origin", word(["published", "imported", "own"])),
        ("stands_in", said(flag(), "Whether it is taken where the provider is not known.")),
    ]);
    let row = document.name("BookedPrice", row);
    let schema = object([
        ("currency", currency()),
        ("prices", list(row)),
        (
            "nodes",
            said(list(nodes(document)), "Nodes with GPUs at the end of the period, by kind."),
        ),
        ("split_by", said(text(), "What the price of a node is split by, and who says so.")),
    ]);
    let operation =
        Operation::new("cost_prices", TAG, "The price book, the operator's rows first.")
            .asks(super::parameters("/cost/prices"))
            .answers(200, "The document.", &[(JSON, schema)]);
    add(document, "/cost/prices", operation, &[]);
}

/// Nodes of one kind, and what of their price is for what.
fn nodes(document: &mut Document) -> Json {
    let part = |what: &str| said(maybe(number()), what);
    let parts = object([
        ("gpus", number()),
        ("cores", number()),
        ("memory", number()),
        ("disk", part("Null where its size is not known; it is then in the other parts.")),
        ("network", part("Always null: no base price of it is published.")),
    ]);
    let node = object([
        ("nodes", said(list(text()), "The first of their names.")),
        ("count", count()),
        ("skus", list(text())),
        ("gpus", said(count(), "Of one node, as far as they were seen.")),
        ("cores", maybe(number())),
        ("memory_gib", maybe(number())),
        ("disk_gib", maybe(number())),
        ("per_hour", said(maybe(number()), "Money: the prices of its GPUs with their part of it.")),
        ("source", said(maybe(text()), "Of the oldest price in it.")),
        ("as_of", maybe(day())),
        ("age_days", maybe(count_of_days())),
        ("parts", said(maybe(parts), "Money for an hour; they add up to `per_hour`.")),
        ("unknown", said(maybe(text()), "Why there are no parts.")),
    ]);
    document.name("NodePrice", node)
}

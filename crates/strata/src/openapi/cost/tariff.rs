//! What is sold, what it costs, and what a GPU hour is in tokens.

use strata_cost::split::Class;

use super::account::price;
use super::{add, currency, notes, report, stepped};
use crate::openapi::Document;
use crate::openapi::schema::{list, maybe, number, object, said, text, word};

pub(super) fn describe(document: &mut Document) {
    let known = |what: &str| said(maybe(number()), what);
    let item = object([
        ("class", word(Class::ALL.map(Class::name))),
        ("of", said(number(), "Tokens or requests that the price and the cost are for.")),
        ("price", said(number(), "What it is sold for.")),
        ("cost", known("What it cost in the period, idle time included.")),
        ("margin", known("What is left of the price, as a share of it.")),
    ]);
    let row = object([
        ("model", text()),
        ("tier", text()),
        ("items", said(list(item), "Classes that are sold.")),
        ("reserved_gpu_hour", known("What a reserved GPU hour is sold for.")),
        ("per_gpu_hour", known("What a held GPU hour costs.")),
    ]);
    let tariff = object([("name", text()), ("currency", currency()), ("rows", list(row))]);
    let rate = object([
        ("model", text()),
        ("sku", said(maybe(text()), "Kind of GPU; joined by + where pools are on several.")),
        ("gpu_hours", number()),
        ("covered", said(number(), "Share of them in which generated tokens were counted.")),
        ("tokens_per_gpu_hour", known("Generated, of a held GPU hour at the load of the period.")),
        ("tokens_per_gpu_hour_at_saturation", known("The same in the busiest steps.")),
        ("per_gpu_hour", known("Money; null where a part has no price.")),
        ("per_million", known("Money for a million generated tokens at the load of the period.")),
        ("per_million_at_saturation", known("The same in the busiest steps.")),
    ]);
    let schema = object([
        ("period", stepped()),
        ("currency", currency()),
        ("tariff", maybe(tariff)),
        ("hint", said(maybe(text()), "How a tariff is set, where there is none.")),
        ("exchange", list(document.name("ExchangeRate", rate))),
        ("prices", list(price(document))),
        ("notes", notes()),
    ]);
    let summary = "What is sold beside what it costs, and what a GPU hour is in tokens.";
    add(document, "/cost/tariff", report("cost_tariff", summary, "/cost/tariff", schema), &[]);
}

//! How long requests are.

use serde_json::{Value as Json, json};

use super::story::{END, START};
use super::{CODES, TAG, conditions, microseconds, query};
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation};
use crate::openapi::pages::refusing;
use crate::openapi::schema::{count, list, maybe, number, object, said, text, word};
use strata_view::rooms::LENGTHS_BY as BY;

pub(super) fn describe(document: &mut Document, refused: &Json) {
    let mut by = word(BY);
    by["default"] = json!("app");
    let positive = json!({ "type": "number", "exclusiveMinimum": 0 });
    let lengths = lengths(document);
    let group = object([
        ("name", said(maybe(text()), "Null for requests that do not name it.")),
        ("lengths", lengths.clone()),
    ]);
    let answer = object([
        ("start_us", microseconds("First moment")),
        ("end_us", microseconds("First moment no longer in it")),
        ("matching", said(count(), "Requests that meet the conditions.")),
        ("taken", said(count(), "Requests that went in, evenly over the time.")),
        ("all", lengths),
        ("by", word(BY)),
        ("groups", said(list(group), "The largest first; hours in their order.")),
        ("models", said(list(model()), "What follows for each, the most asked first.")),
        ("more_models", said(count(), "Models beyond those.")),
    ]);
    let target = "Target of the gap between output tokens, milliseconds; 50 when nothing is given.";
    let batch = "Requests that one replica decodes at once within the target.";
    let batched = "Tokens of a step as engines are set up now, for the replay; 8192 when nothing is \
                   given.";
    let transfer = "Speed from a prefill to a decode replica, gigabits a second.";
    let operation = Operation::new("request_lengths", TAG, "How long inputs and outputs are.")
        .asks([
            query("start", START, &text()),
            query("end", END, &text()),
            conditions(),
            query("by", "What groups are told apart by.", &by),
            query("itl_target_ms", target, &positive),
            query("batch", batch, &positive),
            query("batched_tokens", batched, &positive),
            query("transfer_gbps", transfer, &positive),
        ])
        .answers(200, "The lengths.", &[(JSON, answer)]);
    document.get("/api/v1/requests/lengths", refusing(operation, refused, &CODES));
}

fn lengths(document: &mut Document) -> Json {
    let at_most = || said(maybe(count()), "Upper edge in tokens; null beyond the last.");
    let cell = object([
        ("input_at_most", at_most()),
        ("output_at_most", at_most()),
        ("requests", count()),
        ("input_tokens", count()),
        ("cached_tokens", said(maybe(count()), "Null where no request tells.")),
        ("cached_share", said(maybe(number()), "Of the requests that tell, 0 to 1.")),
    ]);
    let spread = || {
        object([
            ("told_by", said(count(), "Requests that tell it.")),
            ("mean", maybe(number())),
            ("p50", maybe(count())),
            ("p90", maybe(count())),
            ("p99", maybe(count())),
            ("longest", maybe(count())),
        ])
    };
    let lengths = object([
        ("cells", said(list(cell), "Pairs of buckets that hold a request.")),
        ("input", spread()),
        ("computed", spread()),
        ("cached", spread()),
        ("output", spread()),
        ("whole", said(spread(), "Input and output together.")),
    ]);
    document.name("Lengths", lengths)
}

fn model() -> Json {
    let busiest = "When that hour began; null for a time of less than an hour.";
    object([
        ("model", text()),
        ("requests", count()),
        ("requests_per_second", said(number(), "In the busiest hour.")),
        ("busiest_hour_us", said(maybe(count()), busiest)),
        ("advice", list(advice())),
        ("simulated", said(maybe(simulated()), "Recorded requests on simulated engines.")),
    ])
}

fn simulated() -> Json {
    let line = object([
        ("setting", text()),
        ("ended", said(count(), "Requests that got their whole answer.")),
        ("ttft_p50_seconds", said(number(), "Inside the engine.")),
        ("ttft_p99_seconds", number()),
        ("itl_p50_seconds", maybe(number())),
        ("itl_p99_seconds", maybe(number())),
    ]);
    object([
        ("from_us", microseconds("First moment of the requests")),
        ("seconds", number()),
        ("requests", count()),
        ("settings", said(list(line), "As it is first, then as is advised.")),
        ("why", said(text(), "Why nothing was replayed; empty where it was.")),
    ])
}

fn advice() -> Json {
    let input = object([("name", text()), ("value", number()), ("unit", said(text(), "UCUM."))]);
    object([
        ("about", text()),
        ("setting", said(maybe(text()), "Null where nothing is advised.")),
        ("says", text()),
        ("formula", text()),
        ("inputs", list(input)),
        ("missing", said(text(), "What is missing for it; empty where it stands.")),
    ])
}

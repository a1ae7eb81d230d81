//! Statements: drafted, closed for good, listed and read again.

use serde_json::{Value as Json, json};
use strata_view::{PageError, PageErrorCode};

use super::{PARTIES, add, currency, period, report};
use crate::openapi::Document;
use crate::openapi::pages::refusing;
use crate::openapi::schema::{
    count, flag, integer, list, maybe, number, object, said, text, with, word,
};

/// What names a statement.
fn named() -> [(&'static str, Json); 3] {
    [
        ("customer", text()),
        ("of", word(PARTIES.map(|(name, _)| name))),
        ("number", said(count(), "Among those of the customer.")),
    ]
}

/// A line, its numbers as they are written there.
fn line(amount: &Json) -> Json {
    object([
        ("model", text()),
        ("tier", text()),
        ("item", said(text(), "Class of token, requests, gpu_hours or reserved_gpu_hours.")),
        ("quantity", amount.clone()),
        ("unit_price", amount.clone()),
        ("amount", amount.clone()),
    ])
}

/// What a statement rests on that was not measured.
fn assumed(amount: &Json) -> Json {
    object([
        (
            "equal_share_gpu_hours",
            said(amount.clone(), "Shared without a known share, in equal parts."),
        ),
        ("unknown_gpu_hours", said(amount.clone(), "While nobody watched the GPU.")),
        ("uncounted_models", said(list(text()), "Models of which not all use was counted.")),
    ])
}

/// Seconds of a step of the bill.
fn step() -> Json {
    said(integer(), "Length of a step of the bill, in seconds.")
}

pub(super) fn describe(document: &mut Document) {
    let exact = said(text(), "A decimal number of six digits behind the point, as text.");
    let previous = || said(maybe(text()), "Hash of the statement before.");
    let [start, end] = period();
    let [customer, of, number_of] = named();
    let head = object([
        customer.clone(),
        of,
        number_of.clone(),
        start.clone(),
        end.clone(),
        ("step_seconds", maybe(step())),
        ("total", exact.clone()),
        ("assumed", maybe(assumed(&exact))),
        ("currency", currency()),
        ("tariff", text()),
        ("sha256", said(text(), "Of the text as it was closed.")),
        ("previous_sha256", previous()),
    ]);
    let closed = document.name("StatementHead", head.clone());
    let broken = object(named());
    let mut broken = with(broken, [("fault", said(text(), "Why it cannot be trusted."))]);
    broken["required"] = json!(["customer", "of", "number", "fault"]);
    let path = "/cost/statements";
    let listed = object([
        ("statements", list(json!({ "oneOf": [closed.clone(), broken] }))),
        ("more", said(flag(), "Whether there are more than are listed.")),
    ]);
    let operation = report("statements", "Statements that are closed.", path, listed);
    add(document, path, operation, &[]);
    let body = object([
        number_of.clone(),
        customer.clone(),
        ("tariff", text()),
        ("currency", currency()),
        start.clone(),
        end.clone(),
        ("step_seconds", maybe(step())),
        ("total", exact.clone()),
        ("assumed", maybe(assumed(&exact))),
        ("lines", list(line(&exact))),
        ("previous_sha256", previous()),
    ]);
    let mut whole = with(
        head,
        [
            ("statement", said(body, "As it was closed.")),
            ("text", said(text(), "What the hash is of.")),
        ],
    );
    if let Some(required) = whole["required"].as_array_mut() {
        required.extend([json!("statement"), json!("text")]);
    }
    let path = "/cost/statement";
    let operation =
        report("statement", "A closed statement, checked against its hash.", path, whole);
    add(document, path, operation, &[]);
    draft(document);
    close(document, closed);
}

fn draft(document: &mut Document) {
    let [start, end] = period();
    let [customer, _, number_of] = named();
    let draft = object([
        number_of,
        customer,
        ("tariff", text()),
        ("currency", currency()),
        start,
        end,
        ("step_seconds", step()),
        ("total", number()),
        ("assumed", assumed(&number())),
        ("lines", list(line(&number()))),
    ]);
    let path = "/cost/statement/draft";
    let operation = report("statement_draft", "What would be closed now.", path, draft);
    add(document, path, operation, &[]);
}

fn close(document: &mut Document, closed: Json) {
    let summary = "Close a statement for good; a correction is a line of a later one.";
    let path = "/cost/statement/close";
    let refused = document.of::<PageError>();
    let codes = [PageErrorCode::BadRequest, PageErrorCode::NotFound, PageErrorCode::Internal];
    let operation = report("statement_close", summary, path, closed).shares(403, "CrossOrigin");
    document.post(&format!("/api/v1{path}"), refusing(operation, &refused, &codes));
}

//! Two models side by side.

use serde_json::{Value as Json, json};
use strata_diagnose::compare::{Better, Margins, Move, Verdict};

use super::story::{END, START};
use super::{CODES, TAG, microseconds};
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation, needed, query, repeated};
use crate::openapi::pages::refusing;
use crate::openapi::schema::{count, flag, list, maybe, number, object, said, text, word};
use crate::records::{MARGIN as MARGINS, SCORES_MAX};

const MARGIN: &str = "Loss of quality that nobody would mind, as a part of 1.";

const LESS: &str = "Name of a score of which less is better, such as hallucination; repeatable. Those \
                    of records.less_is_better are known already.";

pub(super) fn describe(document: &mut Document, refused: &Json) {
    let default = Margins::default().share;
    let (least, most) = (MARGINS.start(), MARGINS.end());
    let share = json!({ "type": "number", "minimum": least, "maximum": most, "default": default });
    let operation = Operation::new("compare", TAG, "Two models by what their users got.")
        .asks([
            needed(query("a", "The model that is there now.", &text())),
            needed(query("b", "The model to move to.", &text())),
            query("start", START, &text()),
            query("end", END, &text()),
            query("margin", MARGIN, &share),
            repeated("less_is_better", LESS, SCORES_MAX),
        ])
        .answers(200, "The comparison.", &[(JSON, comparison(document))]);
    document.get("/api/v1/requests/compare", refusing(operation, refused, &CODES));
}

fn comparison(document: &mut Document) -> Json {
    let moves = [Move::Yes, Move::AtAPrice, Move::No, Move::NotYet].map(Move::name);
    let answer = object([
        ("can_move", word(moves)),
        ("reasons", list(text())),
        ("judgements_needed", said(maybe(count()), "Of each model, for a verdict.")),
    ]);
    let margins = object([
        ("share", said(number(), "Of shares.")),
        ("relative", said(number(), "Of anything else, as a part of the first model's.")),
    ]);
    let line = object([
        ("name", text()),
        ("unit", said(text(), "UCUM.")),
        ("a", maybe(number())),
        ("b", maybe(number())),
        ("alike", said(maybe(flag()), "Null where one of them is not known.")),
    ]);
    let measure = measure(document);
    object([
        ("start_us", microseconds("First moment")),
        ("end_us", microseconds("First moment no longer in it")),
        ("a", text()),
        ("b", text()),
        ("margins", margins),
        ("answer", answer),
        ("measures", list(measure)),
        ("mix", said(list(line), "Whether both got the same kind of requests.")),
        (
            "apps_apart",
            said(maybe(number()), "Part of the requests that come from other apps, 0 to 1."),
        ),
        ("notes", said(list(text()), "What must be said of the data.")),
    ])
}

fn measure(document: &mut Document) -> Json {
    let interval = object([("value", number()), ("low", number()), ("high", number())]);
    let interval = document.name("Interval", said(interval, "With its limits of 95 %."));
    let side = object([
        ("value", maybe(interval.clone())),
        ("count", said(count(), "Observations behind it.")),
    ]);
    let verdicts = [Verdict::Better, Verdict::Worse, Verdict::NoDifference, Verdict::TooFew];
    let verdicts = verdicts.map(|verdict| verdict.words().replace(' ', "_"));
    let measure = object([
        ("name", text()),
        ("unit", said(text(), "UCUM; money is in the ledger's currency.")),
        ("a", side.clone()),
        ("b", side),
        ("difference", said(maybe(interval), "The second minus the first.")),
        ("margin", said(maybe(number()), "What is not minded.")),
        ("better", said(word([Better::More, Better::Less].map(Better::name)), "What is better.")),
        ("verdict", said(word(verdicts.iter().map(String::as_str)), "What the second is.")),
        ("why", said(text(), "Why the verdict is not more; empty where it speaks for itself.")),
        ("method", text()),
    ]);
    document.name("Compared", measure)
}

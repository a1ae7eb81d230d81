//! The HTTP API of Prometheus: what is asked.

mod answers;
mod status;

use serde_json::{Value as Json, json};
use strata_serve::bounds::{POINTS_MAX, SELECTORS_MAX};

use super::Document;
use super::operation::{JSON, Operation, in_path, needed, query, repeated};
use super::schema::{integer, list, map, object, text, word};

pub(super) const TAG: &str = "prometheus";

const TIME: &str = "RFC 3339, or seconds since 1970, also with a fraction.";
const DURATION: &str = "As in PromQL (`1h30m`), or seconds, also with a fraction.";

/// What a refusal looks like.
pub(super) fn api_error() -> Json {
    let kinds = ["bad_data", "execution", "timeout", "canceled", "internal", "not_found"];
    object([("status", json!({ "const": "error" })), ("errorType", word(kinds)), ("error", text())])
}

/// What may go wrong with everything that is evaluated.
fn refusing(operation: Operation) -> Operation {
    let error = || [(JSON, json!({ "$ref": "#/components/schemas/ApiError" }))];
    operation
        .answers(400, "A parameter or the expression is wrong.", &error())
        .answers(422, "The expression cannot be evaluated within its bounds.", &error())
        .answers(499, "The evaluation was canceled.", &error())
        .answers(503, "It waited or took longer than it may.", &error())
}

/// Data in the envelope of a success.
fn success(data: Json) -> [(&'static str, Json); 1] {
    let envelope = object([("status", json!({ "const": "success" })), ("data", data)]);
    let notes = [("warnings", list(text())), ("infos", list(text()))];
    [(JSON, super::schema::with(envelope, notes))]
}

pub(super) fn describe(document: &mut Document) {
    queries(document);
    lookups(document);
    status::describe(document);
}

/// By `GET` with parameters in the address, and by `POST` with a form.
fn both(document: &mut Document, path: &str, operation: Operation) {
    let form = operation.as_form();
    document.get(path, operation);
    document.post(path, form);
}

fn expression() -> Json {
    needed(query("query", "An expression of PromQL.", &text()))
}

/// What instant and range queries have in common.
fn options() -> [Json; 4] {
    [
        query(
            "timeout",
            &format!("Not above `query_timeout` under `[server]`. {DURATION}"),
            &text(),
        ),
        query("limit", "Series at most; 0 means all.", &limit()),
        query(
            "lookback_delta",
            &format!("How far back an instant selector looks. {DURATION}"),
            &text(),
        ),
        query("stats", "Whatever is written here, timings are told.", &text()),
    ]
}

fn limit() -> Json {
    json!({ "type": "integer", "minimum": 0 })
}

fn time(name: &str, what: &str) -> Json {
    query(name, &format!("{what} {TIME}"), &text())
}

fn queries(document: &mut Document) {
    let answer = answers::query(document);
    let instant = Operation::new("query", TAG, "An expression at one time.")
        .asks([expression(), time("time", "When; now when nothing is given.")])
        .asks(options())
        .answers(200, "The value.", &success(answer.clone()));
    both(document, "/api/v1/query", refusing(instant));
    let step = format!(
        "Time between two points, at least 1 ms, for at most {POINTS_MAX} points. {DURATION}"
    );
    let range = Operation::new("query_range", TAG, "An expression over a range of time.")
        .asks([
            expression(),
            needed(time("start", "First point.")),
            needed(time("end", "Last point at most.")),
        ])
        .asks([needed(query("step", &step, &text()))])
        .asks(options())
        .answers(200, "The values.", &success(answer));
    both(document, "/api/v1/query_range", refusing(range));
    let error = || [(JSON, json!({ "$ref": "#/components/schemas/ApiError" }))];
    let exemplars = Operation::new("query_exemplars", TAG, "Exemplars, which are not stored.")
        .asks([expression(), time("start", "From when."), time("end", "Until when.")])
        .answers(200, "None.", &success(json!({ "type": "array", "maxItems": 0 })))
        .answers(400, "A parameter or the expression is wrong.", &error());
    both(document, "/api/v1/query_exemplars", exemplars);
    let format = Operation::new("format_query", TAG, "An expression as it is usually written.")
        .asks([expression()])
        .answers(200, "The expression.", &success(text()))
        .answers(400, "The expression is wrong.", &error());
    both(document, "/api/v1/format_query", format);
}

fn lookups(document: &mut Document) {
    let selectors = "Selectors of the series that count; all when there is none.";
    let range = || {
        [
            time("start", "From when; from ever when nothing is given."),
            time("end", "Until when; for ever when nothing is given."),
            query("limit", "Results at most; 0 means all.", &limit()),
        ]
    };
    let matched = || repeated("match[]", selectors, SELECTORS_MAX);
    let series = Operation::new("series", TAG, "Series that match.")
        .asks([needed(repeated(
            "match[]",
            "Selectors; a series of any of them counts.",
            SELECTORS_MAX,
        ))])
        .asks(range())
        .answers(200, "Their labels.", &success(list(map(text()))));
    both(document, "/api/v1/series", refusing(series));
    let names = Operation::new("labels", TAG, "Names of labels.")
        .asks([matched()])
        .asks(range())
        .answers(200, "The names, in order.", &success(list(text())));
    both(document, "/api/v1/labels", refusing(names));
    let name = "Name of the label; `U__` begins a name that is escaped as Prometheus does.";
    let values = Operation::new("label_values", TAG, "Values of a label.")
        .asks([in_path("name", name, &json!({ "type": "string", "minLength": 1 })), matched()])
        .asks(range())
        .answers(200, "The values, in order.", &success(list(text())));
    document.get("/api/v1/label/{name}/values", refusing(values));
    let metadata = Operation::new("metadata", TAG, "What is known about families of metrics.")
        .asks([
            query("metric", "Of this family only.", &text()),
            query("limit", "Families at most; all when negative.", &integer()),
            query(
                "limit_per_metric",
                "Entries of a family at most; all when not above 0.",
                &integer(),
            ),
        ])
        .answers(200, "Entries by family.", &success(answers::metadata()));
    document.get("/api/v1/metadata", refusing(metadata));
}

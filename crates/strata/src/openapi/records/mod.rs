//! Single requests: listed, summed, asked for in SQL; and feedback on them.

mod compare;
mod feedback;
mod lengths;
mod story;

use serde_json::{Value as Json, json};
use strata_model::record::{Door, Field, RequestRecord, RollupDimension, TokenBuckets, Totals};
use strata_serve::bounds::{FILTERS_MAX, GROUPS_MAX, LIMIT, LIMIT_MAX};
use strata_view::{PageError, PageErrorCode};

use super::Document;
use super::operation::{JSON, Operation, needed, query, repeated};
use super::pages::refusing;
use super::schema::{
    flag, integer, list, loose, map, maybe, number, object, said, text, with, word,
};

pub(super) const TAG: &str = "records";

const START: &str =
    "First moment, RFC 3339 or seconds since 1970; an hour before end when nothing is given.";
const END: &str =
    "First moment no longer in it, RFC 3339 or seconds since 1970; now when nothing is given.";

/// What a question can be refused for.
const CODES: [PageErrorCode; 4] = [
    PageErrorCode::BadRequest,
    PageErrorCode::NotFound,
    PageErrorCode::Internal,
    PageErrorCode::Timeout,
];

pub(super) fn describe(document: &mut Document) {
    let refused = document.of::<PageError>();
    requests(document, &refused);
    sums(document, &refused);
    sql(document, &refused);
    compare::describe(document, &refused);
    story::describe(document, &refused);
    lengths::describe(document, &refused);
    feedback::describe(document, &refused);
}

fn range() -> [Json; 2] {
    [query("start", START, &text()), query("end", END, &text())]
}

fn microseconds(what: &str) -> Json {
    said(integer(), &format!("{what}, microseconds since 1970."))
}

fn limit(default: usize, most: usize) -> Json {
    let schema = json!({ "type": "integer", "minimum": 1, "maximum": most, "default": default });
    query("limit", "Rows at most.", &schema)
}

/// What requests can be narrowed by.
fn conditions() -> Json {
    let fields: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
    let conditions = format!(
        "A condition: `team=search`, `outcome!=ok`, `duration>=2s`, `output_text<=10`. Fields are \
         {}.",
        fields.join(", ")
    );
    repeated("where", &conditions, FILTERS_MAX)
}

fn requests(document: &mut Document, refused: &Json) {
    let orders =
        json!({ "type": "string", "enum": ["slowest", "ttft", "newest"], "default": "slowest" });
    let one = request(document);
    let answer = object([
        ("start_us", microseconds("First moment")),
        ("end_us", microseconds("First moment no longer in it")),
        ("requests", list(one)),
    ]);
    let operation = Operation::new("requests", TAG, "Requests that began in a range of time.")
        .asks(range())
        .asks([conditions(), query("order", "Which come first.", &orders), limit(LIMIT, LIMIT_MAX)])
        .answers(200, "The requests.", &[(JSON, answer)]);
    document.get("/api/v1/requests", refusing(operation, refused, &CODES));
}

/// A record as it is answered: without the door it came through, with what follows from it.
fn request(document: &mut Document) -> Json {
    let mut schema = document.whole::<RequestRecord>();
    without_defaults(&mut schema);
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.shift_remove("door");
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| name != "door");
        required.extend([json!("uid"), json!("doors")]);
    }
    let door = document.of::<Door>();
    let schema = with(
        schema,
        [
            ("uid", said(text(), "Stable for as long as the record is kept.")),
            ("doors", said(list(door), "Who saw it.")),
            ("model", said(text(), "The model that served it, else the one that was asked for.")),
            ("duration_us", said(integer(), "End minus start, microseconds.")),
        ],
    );
    document.name("StoredRequest", schema)
}

/// What a record has that nobody told is not an answer: it is left out there.
fn without_defaults(schema: &mut Json) {
    let Some(properties) = schema["properties"].as_object_mut() else { return };
    for property in properties.values_mut().filter_map(Json::as_object_mut) {
        property.shift_remove("default");
    }
}

fn sums(document: &mut Document, refused: &Json) {
    let dimensions = [
        RollupDimension::Tenant,
        RollupDimension::Team,
        RollupDimension::App,
        RollupDimension::Model,
        RollupDimension::Hour,
    ]
    .map(RollupDimension::name);
    let told = dimensions.join(", ");
    let quantiles = || {
        let at_most = || maybe(said(number(), "Microseconds; null beyond the last edge."));
        object([
            ("count", integer()),
            ("p50_at_most_us", at_most()),
            ("p90_at_most_us", at_most()),
            ("p99_at_most_us", at_most()),
        ])
    };
    let known = object([
        ("sum", integer()),
        ("requests", said(integer(), "Requests of which it is known.")),
    ]);
    let tokens = TokenBuckets::NAMES.map(|name| (name, known.clone()));
    let row = object([
        ("keys", said(map(maybe(text())), "By dimension.")),
        ("requests", integer()),
        ("tokens", said(loose(tokens), "A class that no request reported is left out.")),
        ("outcomes", object(Totals::OUTCOMES.map(|name| (name, integer())))),
        ("duration", quantiles()),
        ("duration_sum_us", integer()),
        ("ttft", quantiles()),
        ("ttft_sum_us", integer()),
    ]);
    let row = document.name("RequestSums", row);
    let answer = object([
        ("start_us", microseconds("First moment, to the hour")),
        ("end_us", microseconds("First moment no longer in it, to the hour")),
        ("by", list(word(dimensions))),
        ("sums", list(row)),
    ]);
    let operation = Operation::new("request_sums", TAG, "Sums of requests, of whole hours.")
        .asks(range())
        .asks([
            query("by", &format!("Dimensions, joined by commas: {told}."), &text()),
            repeated("where", "A condition on a dimension: `team=search`.", FILTERS_MAX),
            limit(LIMIT_MAX, GROUPS_MAX),
        ])
        .answers(200, "The sums.", &[(JSON, answer)]);
    document.get("/api/v1/requests/sums", refusing(operation, refused, &CODES));
}

fn sql(document: &mut Document, refused: &Json) {
    let value = json!({ "type": ["string", "number", "null"] });
    let answer = object([
        ("columns", list(text())),
        ("rows", list(list(value))),
        ("cut", said(flag(), "There were more rows than `sql_rows_max` under `[records]`.")),
    ]);
    let question = "A SELECT over the tables request, span, feedback, rollup.";
    let operation = Operation::new("sql", TAG, "A question in SQL to the records.")
        .asks([needed(query("query", question, &json!({ "type": "string", "minLength": 1 })))])
        .asks(range())
        .answers(200, "The table.", &[(JSON, answer)]);
    document.get("/api/v1/sql", refusing(operation, refused, &CODES));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_never_answered_where_nothing_is_known() {
        let mut document = Document::new();
        request(&mut document);
        let schema = &document.named["StoredRequest"];
        assert!(schema["properties"]["start_us"].get("default").is_none(), "{schema}");
        assert!(schema["properties"].get("door").is_none(), "{schema}");
    }
}

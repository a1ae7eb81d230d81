//! Feedback: what somebody thought of an answer.

use serde_json::{Value as Json, json};
use strata_model::record::FeedbackSource;
use strata_serve::bounds::{COMMENT_BYTES_MAX, FEEDBACK_BYTES_MAX, TEXT_BYTES_MAX};

use super::TAG;
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation, TEXT};
use crate::openapi::schema::{flag, loose, maybe, object, said, short, text, with};

pub(super) fn describe(document: &mut Document, refused: &Json) {
    let body = judgement(document);
    let accepted = with(
        object([
            ("accepted", json!({ "const": true })),
            ("replaced", said(flag(), "An earlier one with the same key was replaced.")),
        ]),
        [("comment", said(text(), "That the comment was not stored, and why."))],
    );
    let size = format!("At most {FEEDBACK_BYTES_MAX} bytes of JSON.");
    let operation = Operation::new("feedback", TAG, "What somebody thought of an answer.")
        .takes(&size, &[(JSON, body)])
        .answers(200, "It is stored.", &[(JSON, accepted)])
        .answers(
            400,
            "The body is not a judgement, or broke off.",
            &[(JSON, refused.clone()), (TEXT, text())],
        )
        .shares(403, "CrossOrigin")
        .answers(404, "This server keeps no records.", &[(JSON, refused.clone()), (TEXT, text())])
        .shares(408, "SlowBody")
        .shares(413, "LargeBody")
        .answers(422, "There is too much feedback today.", &[(JSON, refused.clone())])
        .answers(
            500,
            "It could not be stored.",
            &[(TEXT, text()), (JSON, json!({ "$ref": "#/components/schemas/ApiError" }))],
        )
        .shares(503, "Later");
    document.post("/v1/feedback", operation);
}

fn judgement(document: &mut Document) -> Json {
    let id = || maybe(json!({ "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX }));
    let mut target = loose([
        ("request_id", id()),
        ("response_id", id()),
        ("trace_id", id()),
        ("span_id", said(id(), "With its trace_id.")),
        ("conversation_id", id()),
    ]);
    target["additionalProperties"] = json!(false);
    target["minProperties"] = json!(1);
    target["dependentRequired"] = json!({ "span_id": ["trace_id"] });
    let name = json!({
        "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX, "default": "user_feedback",
    });
    let comment = format!(
        "Kept where `feedback_comments` under `[records]` is true; at most {COMMENT_BYTES_MAX} bytes."
    );
    let source = document.of::<FeedbackSource>();
    let mut schema = with(
        object([("target", said(target, "What is judged: any one of the ids will do."))]),
        [
            ("name", name),
            (
                "value",
                said(
                    json!({ "type": ["boolean", "number", "null"] }),
                    "A score; true counts as 1, false as 0.",
                ),
            ),
            ("label", id()),
            ("comment", said(maybe(short(FEEDBACK_BYTES_MAX)), &comment)),
            ("source", said(maybe(source), "Who judged; human when nothing is given.")),
            (
                "idempotency_key",
                said(id(), "A second judgement with the same key replaces the first."),
            ),
        ],
    );
    schema["additionalProperties"] = json!(false);
    schema["anyOf"] = json!([
        { "required": ["value"] }, { "required": ["label"] }, { "required": ["comment"] },
    ]);
    document.name("Judgement", schema)
}

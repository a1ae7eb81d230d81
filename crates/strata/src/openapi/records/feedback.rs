//! Feedback: what somebody thought of an answer.

use serde_json::{Value as Json, json};
use strata_model::record::FeedbackSource;
use strata_serve::bounds::{
    COMMENT_BYTES_MAX, FEEDBACK_BYTES_MAX, FEEDBACK_EVENTS, FEEDBACK_MAX, TEXT_BYTES_MAX,
};

use super::TAG;
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation, TEXT};
use crate::openapi::schema::{
    flag, list, loose, maybe, number, object, said, short, text, with, word,
};

/// A path, what its requests are called, and whose shape it is.
const OTHERS: [(&str, &str, &str); 5] = [
    ("/feedback", "feedback_tensorzero", "TensorZero"),
    ("/api/public/scores", "feedback_langfuse", "Langfuse"),
    ("/v1/span_annotations", "feedback_phoenix_spans", "Phoenix"),
    ("/v1/trace_annotations", "feedback_phoenix_traces", "Phoenix"),
    ("/v1/session_annotations", "feedback_phoenix_sessions", "Phoenix"),
];

pub(super) fn describe(document: &mut Document, refused: &Json) {
    let own = judgement(document);
    let others = others(document);
    let bodies: Vec<Json> = [own].into_iter().chain(others.clone()).collect();
    let answered = document.name("FeedbackTaken", answered());
    let any = |bodies: &[Json]| json!({ "anyOf": bodies });
    let what = "What somebody thought of an answer, in the shape of this house or of another.";
    let body = any(&bodies);
    document.post("/v1/feedback", operation(("feedback", what), body, &answered, refused));
    for (path, id, whose) in OTHERS {
        let what = format!("Feedback where clients of {whose} send it.");
        let body = any(&bodies);
        document.post(path, operation((id, &what), body, &answered, refused));
    }
}

fn operation((id, what): (&str, &str), body: Json, answered: &Json, refused: &Json) -> Operation {
    let size = format!(
        "At most {FEEDBACK_BYTES_MAX} bytes of JSON and {FEEDBACK_MAX} judgements. The shape is told by \
         the names in it, whatever the path."
    );
    Operation::new(id, TAG, what)
        .takes(&size, &[(JSON, body)])
        .answers(200, "It is stored.", &[(JSON, answered.clone())])
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
        .shares(503, "Later")
}

/// Each shape is answered as its clients expect.
fn answered() -> Json {
    let comment = || [("comment", said(text(), "That the comment was not stored, and why."))];
    let own = object([
        ("accepted", json!({ "const": true })),
        ("replaced", said(flag(), "An earlier one with the same key was replaced.")),
    ]);
    let portkey = object([
        ("status", json!({ "const": "success" })),
        ("message", text()),
        ("feedback_ids", list(text())),
    ]);
    let phoenix = object([("data", list(object([("id", text())])))]);
    let all = [own, object([("feedback_id", text())]), object([("id", text())]), phoenix, portkey];
    json!({ "anyOf": all.map(|shape| with(shape, comment())) })
}

/// The shapes of others, as far as they are read.
fn others(document: &mut Document) -> [Json; 4] {
    let value = || json!({ "type": ["boolean", "number", "string"] });
    let tensorzero = with(
        object([("metric_name", text()), ("value", value())]),
        [
            ("inference_id", maybe(text())),
            ("episode_id", maybe(text())),
            ("dryrun", said(flag(), "Check it and store nothing.")),
        ],
    );
    let langfuse = with(
        object([("name", text()), ("value", value())]),
        [
            ("id", said(maybe(text()), "The same id replaces.")),
            ("dataType", maybe(text())),
            ("traceId", maybe(text())),
            ("observationId", maybe(text())),
            ("sessionId", maybe(text())),
            ("comment", maybe(text())),
        ],
    );
    let result = loose([
        ("label", maybe(text())),
        ("score", maybe(number())),
        ("explanation", maybe(text())),
    ]);
    let annotation = with(
        object([("name", text())]),
        [
            ("span_id", maybe(text())),
            ("trace_id", maybe(text())),
            ("session_id", maybe(text())),
            ("annotator_kind", maybe(text())),
            ("result", result),
            ("identifier", said(maybe(text()), "The same identifier on the same thing replaces.")),
        ],
    );
    let phoenix = object([("data", list(annotation))]);
    let one = object([("trace_id", text()), ("value", json!({ "type": ["boolean", "number"] }))]);
    let portkey = json!({ "anyOf": [one.clone(), list(one)] });
    [
        document.name("TensorZeroFeedback", tensorzero),
        document.name("LangfuseScore", langfuse),
        document.name("PhoenixAnnotations", phoenix),
        document.name("PortkeyFeedback", portkey),
    ]
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
    // What a user did needs no more than its name.
    let events = FEEDBACK_EVENTS.map(|(name, _)| name);
    schema["anyOf"] = json!([
        { "required": ["value"] }, { "required": ["label"] }, { "required": ["comment"] },
        { "required": ["name"], "properties": { "name": word(events) } },
    ]);
    document.name("Judgement", schema)
}

//! `POST /v1/feedback`: what somebody thought of an answer, under any id of it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use strata_model::SinkError;
use strata_model::record::{Feedback, FeedbackSource, FeedbackTarget, RecordBatch};
use strata_view::{PageError, PageErrorCode};

use super::{answer, bad, records};
use crate::ingest::{Arrival, ArrivalError, refusal_of_body, sink_refusal};
use crate::state::App;

/// One judgement, with room for a comment.
pub const FEEDBACK_BYTES_MAX: usize = 64 << 10;
/// An id or a name.
pub const TEXT_BYTES_MAX: usize = 256;
/// A comment; the rest is cut off.
pub const COMMENT_BYTES_MAX: usize = 4 << 10;

/// A judgement as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    target: FeedbackTarget,
    #[serde(default = "user_feedback")]
    name: String,
    value: Option<Score>,
    label: Option<String>,
    comment: Option<String>,
    source: Option<FeedbackSource>,
    idempotency_key: Option<String>,
}

fn user_feedback() -> String {
    "user_feedback".to_owned()
}

/// Thumbs come as true and false.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Score {
    Flag(bool),
    Number(f64),
}

/// `POST /v1/feedback`
pub(crate) async fn feedback(State(app): State<Arc<App>>, request: Request) -> Response {
    if let Err(error) = records(&app) {
        return answer(Err(error));
    }
    let arrival = match Arrival::receive(&app, request).await {
        Ok(arrival) => arrival,
        Err(ArrivalError::Refused(refusal)) => return refusal.into_response(),
        Err(error) => return refusal_of_body(error),
    };
    match take(&app, &arrival.bytes).await {
        Ok(Ok(json)) => answer(Ok(json)),
        Ok(Err(error)) => sink_refusal(&error),
        Err(error) => answer(Err(error)),
    }
}

async fn take(app: &App, body: &[u8]) -> Result<Result<Json, SinkError>, PageError> {
    let records = records(app)?;
    let at_us = app.parts.clock.now_ms().saturating_mul(1_000);
    let mut one = read(body, at_us)?;
    let commented = one.comment.is_some();
    if !records.rules.comments {
        one.comment = None;
    }
    let stored = one.comment.is_some();
    let batch = RecordBatch { feedback: vec![one], ..RecordBatch::default() };
    let receipt = match records.sink.append(batch).await {
        Ok(receipt) => receipt,
        Err(error) => return Ok(Err(error)),
    };
    if receipt.refused() > 0 {
        return Err(PageError {
            code: PageErrorCode::TooMuch,
            message: "there is too much feedback today".to_owned(),
            hint: "see records.day_records_max in the configuration".to_owned(),
        });
    }
    let mut told = json!({ "accepted": true, "replaced": receipt.joined > 0 });
    if commented
        && !stored
        && let Some(object) = told.as_object_mut()
    {
        let words = "comments are not stored, see records.feedback_comments";
        object.insert("comment".to_owned(), json!(words));
    }
    Ok(Ok(told))
}

fn read(body: &[u8], at_us: i64) -> Result<Feedback, PageError> {
    let hint = "send {\"target\":{\"response_id\":\"..\"},\"value\":1}, see docs/records.md";
    if body.len() > FEEDBACK_BYTES_MAX {
        return Err(bad(format!("the body has more than {FEEDBACK_BYTES_MAX} bytes"), hint));
    }
    let given: Given =
        serde_json::from_slice(body).map_err(|error| bad(format!("the body: {error}"), hint))?;
    let target = &given.target;
    let ids = [
        &target.request_id,
        &target.response_id,
        &target.trace_id,
        &target.span_id,
        &target.conversation_id,
    ];
    let unfit = |text: &String| text.is_empty() || text.len() > TEXT_BYTES_MAX;
    let others = [&given.label, &given.idempotency_key];
    if ids.iter().chain(&others).any(|text| text.as_ref().is_some_and(unfit)) || unfit(&given.name)
    {
        return Err(bad(format!("a text is empty or longer than {TEXT_BYTES_MAX} bytes"), hint));
    }
    let no_id = ids.iter().all(|id| id.is_none());
    if no_id || (target.span_id.is_some() && target.trace_id.is_none()) {
        return Err(bad("the target has no id, or a span without its trace", hint));
    }
    let value = given.value.map(|score| match score {
        Score::Flag(flag) => f64::from(u8::from(flag)),
        Score::Number(number) => number,
    });
    if value.is_none() && given.label.is_none() && given.comment.is_none() {
        return Err(bad("there is no value, label or comment", hint));
    }
    let comment = given.comment.map(|mut text| {
        text.truncate(text.floor_char_boundary(COMMENT_BYTES_MAX));
        text
    });
    let lower = |id: Option<String>| id.map(|id| id.to_ascii_lowercase());
    let target = FeedbackTarget {
        trace_id: lower(given.target.trace_id),
        span_id: lower(given.target.span_id),
        ..given.target
    };
    Ok(Feedback {
        at_us,
        target,
        name: given.name,
        value,
        label: given.label,
        comment,
        source: given.source.unwrap_or(FeedbackSource::Human),
        idempotency_key: given.idempotency_key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_refused_and_thumbs_are_numbers() {
        let check = |body: &str, expected: Option<Option<f64>>| {
            let value = read(body.as_bytes(), 1).ok().map(|one| one.value);
            assert_eq!(value, expected, "{body}");
        };
        check(r#"{"target":{"response_id":"r"},"value":true}"#, Some(Some(1.0)));
        check(r#"{"target":{"trace_id":"T"},"value":-0.5,"source":"model"}"#, Some(Some(-0.5)));
        check(r#"{"target":{"conversation_id":"c"},"label":"good"}"#, Some(None));
        check(r#"{"target":{},"value":1}"#, None);
        check(r#"{"target":{"span_id":"s"},"value":1}"#, None);
        check(r#"{"target":{"response_id":"r"}}"#, None);
        check(r#"{"target":{"response_id":""},"value":1}"#, None);
        check(r#"{"target":{"response_id":"r"},"value":1,"mood":"x"}"#, None);
        check(r#"{"target":{"response_id":"r"},"value":1,"source":"dog"}"#, None);
        check("[", None);
    }
}

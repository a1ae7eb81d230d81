//! Feedback: what somebody thought of an answer, under any id of it. In the shape of this house on
//! `POST /v1/feedback`, and in those of other programs there and on their own paths.

mod own;
mod shapes;

pub use own::FEEDBACK_EVENTS;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};
use strata_model::SinkError;
use strata_model::record::{Feedback, RecordBatch};
use strata_view::{PageError, PageErrorCode};

use super::{answer, bad, records};
use crate::ingest::{Arrival, ArrivalError, refusal_of_body, sink_refusal};
use crate::routes::Route;
use crate::state::App;

/// One judgement, with room for a comment.
pub const FEEDBACK_BYTES_MAX: usize = 64 << 10;
/// An id or a name.
pub const TEXT_BYTES_MAX: usize = 256;
/// A comment; the rest is cut off.
pub const COMMENT_BYTES_MAX: usize = 4 << 10;

/// Judgements of one body.
pub const FEEDBACK_MAX: usize = 1_000;

/// Who is answered, and so in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Own,
    TensorZero,
    Langfuse,
    Phoenix,
    Portkey,
}

/// What a body asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) shape: Shape,
    pub(super) judgements: Vec<Feedback>,
    /// Check it and store nothing.
    pub(super) is_dry: bool,
}

/// Paths that take feedback: ours, and where the clients of other programs send theirs.
pub(crate) fn routes() -> Vec<Route> {
    let paths = [
        "/v1/feedback",
        "/feedback",
        "/api/public/scores",
        "/v1/span_annotations",
        "/v1/trace_annotations",
        "/v1/session_annotations",
    ];
    paths.map(|path| Route::post(path, "feedback", feedback)).into()
}

async fn feedback(State(app): State<Arc<App>>, request: Request) -> Response {
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
    let Asked { shape, mut judgements, is_dry } = read(body, at_us)?;
    let commented = judgements.iter().any(|one| one.comment.is_some());
    if !records.rules.comments {
        for one in &mut judgements {
            one.comment = None;
        }
    }
    let unstored = commented && !records.rules.comments;
    let ids: Vec<String> = judgements.iter().enumerate().map(|(at, one)| id_of(one, at)).collect();
    if is_dry {
        return Ok(Ok(told(shape, &ids, false, unstored)));
    }
    let onward = app.parts.onward.as_ref().map(|onward| (onward, judgements.clone()));
    let batch = RecordBatch { feedback: judgements, ..RecordBatch::default() };
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
    if let Some((onward, judgements)) = onward {
        onward.feedback(&judgements);
    }
    Ok(Ok(told(shape, &ids, receipt.joined > 0, unstored)))
}

/// What clients of other programs want back: some id of what they sent.
fn id_of(one: &Feedback, at: usize) -> String {
    one.idempotency_key.clone().unwrap_or_else(|| format!("{}-{at}", one.at_us))
}

fn told(shape: Shape, ids: &[String], replaced: bool, unstored: bool) -> Json {
    let first = ids.first();
    let mut told = match shape {
        Shape::Own => json!({ "accepted": true, "replaced": replaced }),
        Shape::TensorZero => json!({ "feedback_id": first }),
        Shape::Langfuse => json!({ "id": first }),
        Shape::Phoenix => {
            json!({ "data": ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() })
        }
        Shape::Portkey => {
            let words = "feedback is stored; its weight is not used";
            json!({ "status": "success", "message": words, "feedback_ids": ids })
        }
    };
    if unstored && let Some(object) = told.as_object_mut() {
        let words = "comments are not stored, see records.feedback_comments";
        object.insert("comment".to_owned(), json!(words));
    }
    told
}

/// Read a body in whatever shape it is, told apart by the names that only one of them has.
fn read(body: &[u8], at_us: i64) -> Result<Asked, PageError> {
    if body.len() > FEEDBACK_BYTES_MAX {
        return Err(bad(format!("the body has more than {FEEDBACK_BYTES_MAX} bytes"), own::HINT));
    }
    let wrong = |error: serde_json::Error| bad(format!("the body: {error}"), own::HINT);
    let value: Json = serde_json::from_slice(body).map_err(wrong)?;
    let first = if let Json::Array(all) = &value { all.first().unwrap_or(&value) } else { &value };
    let has = |name: &str| first.get(name).is_some();
    let asked = if has("target") {
        let judgements = vec![own::read(value, at_us)?];
        Asked { shape: Shape::Own, judgements, is_dry: false }
    } else if has("metric_name") {
        shapes::tensorzero(value, at_us)?
    } else if ["traceId", "observationId", "sessionId"].into_iter().any(has) {
        shapes::langfuse(value, at_us)?
    } else if has("data") {
        shapes::phoenix(value, at_us)?
    } else if has("trace_id") {
        shapes::portkey(value, at_us)?
    } else {
        return Err(bad("the body is no judgement: it names no target", own::HINT));
    };
    if asked.judgements.len() > FEEDBACK_MAX {
        return Err(bad(format!("more than {FEEDBACK_MAX} judgements at once"), own::HINT));
    }
    asked.judgements.iter().try_for_each(own::check)?;
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use strata_model::record::FeedbackSource;

    use super::*;

    #[test]
    fn what_is_wrong_is_refused_and_thumbs_are_numbers() {
        let check = |body: &str, expected: Option<Option<f64>>| {
            let value = read(body.as_bytes(), 1).ok().map(|asked| asked.judgements[0].value);
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

    #[test]
    fn what_a_user_did_needs_no_more_than_its_name() {
        let check = |more: &str, expected: Option<(&str, FeedbackSource)>| {
            let body = format!(r#"{{"target":{{"response_id":"r"}},{more}}}"#);
            let asked = read(body.as_bytes(), 1);
            let one = asked.ok().map(|mut asked| asked.judgements.remove(0));
            let told = one.as_ref().map(|one| (one.name.as_str(), one.source));
            assert_eq!(told, expected, "{more}");
            assert!(one.is_none_or(|one| one.value == Some(1.0)), "{more}");
        };
        check(r#""name":"copy""#, Some(("copied", FeedbackSource::Implicit)));
        check(
            r#""name":"regenerate","source":"implicit""#,
            Some(("regenerated", FeedbackSource::Implicit)),
        );
        // What somebody says is no event, whatever it is called.
        check(r#""name":"copy","value":1"#, Some(("copy", FeedbackSource::Human)));
        check(r#""name":"copy","source":"human""#, None);
        check(r#""name":"helpful""#, None);
    }
}

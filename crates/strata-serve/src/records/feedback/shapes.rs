//! Feedback as clients of `TensorZero`, Langfuse, Phoenix and Portkey send it. What they say beyond a
//! judgement (tags, metadata, weights, configurations) is not kept; content is refused.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use strata_model::record::{Feedback, FeedbackSource, FeedbackTarget};
use strata_view::PageError;

use super::own::{Score, bounded, lowered, user_feedback};
use super::{Asked, Shape, bad};

const CONTENT: &str = "what a model should have said is content, which is not stored here";

fn parse<T: DeserializeOwned>(body: Json, of: &str) -> Result<T, PageError> {
    let hint = format!("this was read as feedback of {of}, see docs/records.md");
    serde_json::from_value(body).map_err(|error| bad(format!("the body: {error}"), &hint))
}

/// A judgement of which only the target and the name are known yet.
fn about(target: FeedbackTarget, name: String, at_us: i64) -> Feedback {
    Feedback {
        at_us,
        target: lowered(target),
        name,
        value: None,
        label: None,
        comment: None,
        source: FeedbackSource::Human,
        idempotency_key: None,
    }
}

fn one(shape: Shape, judgement: Feedback) -> Asked {
    Asked { shape, judgements: vec![judgement], is_dry: false }
}

/// A value that is a number, a flag or a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Value {
    Score(Score),
    Text(String),
}

#[derive(Debug, Deserialize)]
struct TensorZero {
    metric_name: String,
    inference_id: Option<String>,
    episode_id: Option<String>,
    value: Value,
    #[serde(default)]
    dryrun: bool,
}

/// `POST /feedback` of `TensorZero`: the inference's id is the id of the answer on its `OpenAI` API.
pub(super) fn tensorzero(body: Json, at_us: i64) -> Result<Asked, PageError> {
    let given: TensorZero = parse(body, "TensorZero")?;
    if given.metric_name == "demonstration" {
        return Err(bad(CONTENT, "send a metric or a comment"));
    }
    let target = FeedbackTarget {
        response_id: given.inference_id,
        conversation_id: given.episode_id,
        ..FeedbackTarget::default()
    };
    let is_comment = given.metric_name == "comment";
    let name = if is_comment { user_feedback() } else { given.metric_name };
    let mut judged = about(target, name, at_us);
    match given.value {
        Value::Score(score) => judged.value = Some(score.number()),
        Value::Text(text) if is_comment => judged.comment = Some(bounded(text)),
        Value::Text(text) => judged.label = Some(text),
    }
    Ok(Asked { is_dry: given.dryrun, ..one(Shape::TensorZero, judged) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Langfuse {
    id: Option<String>,
    name: String,
    value: Value,
    data_type: Option<String>,
    trace_id: Option<String>,
    observation_id: Option<String>,
    session_id: Option<String>,
    comment: Option<String>,
}

/// `POST /api/public/scores` of Langfuse; its session is a conversation.
pub(super) fn langfuse(body: Json, at_us: i64) -> Result<Asked, PageError> {
    let given: Langfuse = parse(body, "Langfuse")?;
    let kind = given.data_type.as_deref().unwrap_or_default();
    if kind == "CORRECTION" {
        return Err(bad(CONTENT, "send a score"));
    }
    let target = FeedbackTarget {
        trace_id: given.trace_id,
        span_id: given.observation_id,
        conversation_id: given.session_id,
        ..FeedbackTarget::default()
    };
    let mut judged = about(target, given.name, at_us);
    judged.comment = given.comment.map(bounded);
    match given.value {
        Value::Score(score) => judged.value = Some(score.number()),
        Value::Text(text) if kind == "TEXT" => judged.comment = Some(bounded(text)),
        Value::Text(text) => judged.label = Some(text),
    }
    judged.idempotency_key = given.id.map(|id| format!("langfuse/{id}"));
    Ok(one(Shape::Langfuse, judged))
}

#[derive(Debug, Deserialize)]
struct Phoenix {
    data: Vec<Annotation>,
}

#[derive(Debug, Deserialize)]
struct Annotation {
    span_id: Option<String>,
    trace_id: Option<String>,
    session_id: Option<String>,
    name: String,
    annotator_kind: Option<String>,
    #[serde(default)]
    result: Outcome,
    identifier: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Outcome {
    label: Option<String>,
    score: Option<f64>,
    explanation: Option<String>,
}

/// `POST /v1/span_annotations` of Phoenix, and those of traces and sessions. A span comes without its
/// trace. The same identifier on the same thing replaces.
pub(super) fn phoenix(body: Json, at_us: i64) -> Result<Asked, PageError> {
    let given: Phoenix = parse(body, "Phoenix")?;
    let judged = given.data.into_iter().map(|one| {
        let about_what = one.span_id.as_ref().or(one.trace_id.as_ref()).or(one.session_id.as_ref());
        let identifier = one.identifier.filter(|text| !text.is_empty());
        let key = about_what
            .zip(identifier)
            .map(|(thing, identifier)| format!("phoenix/{thing}/{}/{identifier}", one.name));
        let target = FeedbackTarget {
            trace_id: one.trace_id,
            span_id: one.span_id,
            conversation_id: one.session_id,
            ..FeedbackTarget::default()
        };
        let mut judged = about(target, one.name, at_us);
        // LLM and CODE judge by themselves.
        if one.annotator_kind.is_some_and(|kind| kind != "HUMAN") {
            judged.source = FeedbackSource::Model;
        }
        judged.value = one.result.score;
        judged.label = one.result.label;
        judged.comment = one.result.explanation.map(bounded);
        judged.idempotency_key = key;
        judged
    });
    let judgements: Vec<Feedback> = judged.collect();
    if judgements.is_empty() {
        return Err(bad("data has no annotation", "see docs/records.md"));
    }
    Ok(Asked { shape: Shape::Phoenix, judgements, is_dry: false })
}

#[derive(Debug, Deserialize)]
struct Portkey {
    trace_id: String,
    value: Score,
}

/// `POST /v1/feedback` of Portkey, one or several: its trace id is any text, so one that is none of
/// `OpenTelemetry` is looked for as the id of a request.
pub(super) fn portkey(body: Json, at_us: i64) -> Result<Asked, PageError> {
    let given: Vec<Portkey> = match body {
        Json::Array(_) => parse(body, "Portkey")?,
        body => vec![parse(body, "Portkey")?],
    };
    let judged = given.into_iter().map(|one| {
        let is_trace =
            one.trace_id.len() == 32 && one.trace_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (trace_id, request_id) =
            if is_trace { (Some(one.trace_id), None) } else { (None, Some(one.trace_id)) };
        let target = FeedbackTarget { trace_id, request_id, ..FeedbackTarget::default() };
        Feedback { value: Some(one.value.number()), ..about(target, user_feedback(), at_us) }
    });
    Ok(Asked { shape: Shape::Portkey, judgements: judged.collect(), is_dry: false })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read;
    use super::*;

    const TRACE: &str = "5B8EFFF798038103D269B633813FC60C";

    fn asked(body: &Json) -> Result<Asked, String> {
        read(body.to_string().as_bytes(), 7).map_err(|error| error.message)
    }

    fn judged(body: &Json) -> (Shape, Feedback) {
        let mut asked = asked(body).unwrap();
        (asked.shape, asked.judgements.remove(0))
    }

    #[test]
    fn tensorzero_judges_answers_and_episodes() {
        let body = json!({ "metric_name": "task_success", "inference_id": "0195", "value": true,
            "tags": { "user": "u" } });
        let (shape, one) = judged(&body);
        assert_eq!((shape, one.value, &*one.name), (Shape::TensorZero, Some(1.0), "task_success"));
        assert_eq!(one.target.response_id.as_deref(), Some("0195"));
        let body = json!({ "metric_name": "comment", "episode_id": "e", "value": "too long" });
        let (_, one) = judged(&body);
        assert_eq!(one.target.conversation_id.as_deref(), Some("e"));
        assert_eq!((one.comment.as_deref(), one.value), (Some("too long"), None));
        let dry = json!({ "metric_name": "m", "inference_id": "i", "value": 0.5, "dryrun": true });
        assert!(asked(&dry).unwrap().is_dry);
        let content = json!({ "metric_name": "demonstration", "inference_id": "i", "value": "x" });
        assert_eq!(asked(&content), Err(CONTENT.to_owned()));
        assert!(asked(&json!({ "metric_name": "m", "value": 1 })).unwrap_err().contains("no id"));
    }

    #[test]
    fn langfuse_scores_are_numbers_words_and_flags() {
        let score = |more: Json| {
            let mut body = json!({ "name": "n", "traceId": TRACE, "observationId": "AB" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            judged(&body).1
        };
        let number = score(json!({ "value": 0.25, "dataType": "NUMERIC", "id": "s1" }));
        assert_eq!((number.value, number.label), (Some(0.25), None));
        assert_eq!(number.idempotency_key.as_deref(), Some("langfuse/s1"));
        assert_eq!(number.target.trace_id.as_deref(), Some(&*TRACE.to_ascii_lowercase()));
        assert_eq!(number.target.span_id.as_deref(), Some("ab"));
        let word = score(json!({ "value": "correct", "dataType": "CATEGORICAL", "comment": "c" }));
        assert_eq!((word.label.as_deref(), word.comment.as_deref()), (Some("correct"), Some("c")));
        assert_eq!(score(json!({ "value": 1, "dataType": "BOOLEAN" })).value, Some(1.0));
        let session = json!({ "name": "n", "sessionId": "s", "value": 1 });
        assert_eq!(judged(&session).1.target.conversation_id.as_deref(), Some("s"));
        let content =
            json!({ "name": "n", "traceId": "t", "value": "x", "dataType": "CORRECTION" });
        assert_eq!(asked(&content), Err(CONTENT.to_owned()));
    }

    #[test]
    fn phoenix_annotates_several_things_at_once() {
        let body = json!({ "data": [
            { "span_id": "Ab12", "name": "correctness", "annotator_kind": "LLM",
              "result": { "label": "correct", "score": 0.9, "explanation": "because" },
              "metadata": {}, "identifier": "v1" },
            { "trace_id": TRACE, "name": "thumb", "annotator_kind": "HUMAN", "result": { "score": 0 } },
        ]});
        let found = asked(&body).unwrap();
        assert_eq!((found.shape, found.judgements.len()), (Shape::Phoenix, 2));
        let first = &found.judgements[0];
        assert_eq!((first.source, first.value), (FeedbackSource::Model, Some(0.9)));
        assert_eq!(first.target.span_id.as_deref(), Some("ab12"));
        assert_eq!(first.idempotency_key.as_deref(), Some("phoenix/Ab12/correctness/v1"));
        assert_eq!(found.judgements[1].source, FeedbackSource::Human);
        assert!(asked(&json!({ "data": [] })).is_err());
        let nothing = json!({ "data": [{ "span_id": "a", "name": "n", "result": {} }] });
        assert!(asked(&nothing).unwrap_err().contains("no value"));
    }

    #[test]
    fn portkey_names_a_trace_that_may_be_any_text() {
        let (shape, one) = judged(&json!({ "trace_id": TRACE, "value": 5, "weight": 0.5 }));
        assert_eq!((shape, one.value), (Shape::Portkey, Some(5.0)));
        assert!(one.target.trace_id.is_some() && one.target.request_id.is_none());
        let several = json!([{ "trace_id": "mine", "value": -1 }, { "trace_id": "x", "value": 1 }]);
        let found = asked(&several).unwrap();
        assert_eq!(found.judgements.len(), 2);
        assert_eq!(found.judgements[0].target.request_id.as_deref(), Some("mine"));
        assert!(asked(&json!([])).is_err() && asked(&json!("x")).is_err());
    }
}

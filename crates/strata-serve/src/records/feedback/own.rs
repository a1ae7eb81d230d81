//! The shape of this house, and what every judgement must keep to.

use serde::Deserialize;
use serde_json::Value as Json;
use strata_model::record::{Feedback, FeedbackSource, FeedbackTarget};
use strata_view::PageError;

use super::{COMMENT_BYTES_MAX, TEXT_BYTES_MAX, bad};

pub(super) const HINT: &str =
    "send {\"target\":{\"response_id\":\"..\"},\"value\":1}, see docs/records.md";

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

pub(super) fn user_feedback() -> String {
    "user_feedback".to_owned()
}

/// Thumbs come as true and false.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Score {
    Flag(bool),
    Number(f64),
}

impl Score {
    /// True is 1, false 0.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Flag(flag) => f64::from(u8::from(*flag)),
            Self::Number(number) => *number,
        }
    }
}

pub(super) fn read(body: Json, at_us: i64) -> Result<Feedback, PageError> {
    let given: Given =
        serde_json::from_value(body).map_err(|error| bad(format!("the body: {error}"), HINT))?;
    let given = event(given);
    let target = given.target;
    if target.span_id.is_some() && target.trace_id.is_none() {
        return Err(bad("the target has a span without its trace", HINT));
    }
    Ok(Feedback {
        at_us,
        target: lowered(target),
        name: given.name,
        value: given.value.map(|score| score.number()),
        label: given.label,
        comment: given.comment.map(bounded),
        source: given.source.unwrap_or(FeedbackSource::Human),
        idempotency_key: given.idempotency_key,
    })
}

/// What clients call what their user did with an answer, and what it is kept as.
pub const FEEDBACK_EVENTS: [(&str, &str); 9] = [
    ("abandon", "abandoned"),
    ("accept", "accepted"),
    ("continue", "continued"),
    ("copied", "copied"),
    ("copy", "copied"),
    ("edit", "edited"),
    ("regenerate", "regenerated"),
    ("regenerated", "regenerated"),
    ("retry", "regenerated"),
];

/// A name and nothing else is an event: it happened, and nobody judged.
fn event(mut given: Given) -> Given {
    let judged = given.value.is_some() || given.label.is_some() || given.comment.is_some();
    let human = given.source.is_some_and(|source| source != FeedbackSource::Implicit);
    let known = FEEDBACK_EVENTS.iter().find(|(name, _)| *name == given.name);
    if let Some((_, kept)) = known.filter(|_| !judged && !human) {
        (*kept).clone_into(&mut given.name);
        given.value = Some(Score::Flag(true));
        given.source = Some(FeedbackSource::Implicit);
    }
    given
}

/// Trace and span ids as they are kept.
pub(super) fn lowered(target: FeedbackTarget) -> FeedbackTarget {
    let lower = |id: Option<String>| id.map(|id| id.to_ascii_lowercase());
    let (trace_id, span_id) = (lower(target.trace_id), lower(target.span_id));
    FeedbackTarget { trace_id, span_id, ..target }
}

/// A comment as long as may be kept.
pub(super) fn bounded(mut comment: String) -> String {
    comment.truncate(comment.floor_char_boundary(COMMENT_BYTES_MAX));
    comment
}

/// What every judgement must keep to, whoever sent it.
pub(super) fn check(one: &Feedback) -> Result<(), PageError> {
    let target = &one.target;
    let ids = [
        &target.request_id,
        &target.response_id,
        &target.trace_id,
        &target.span_id,
        &target.conversation_id,
    ];
    let unfit = |text: &String| text.is_empty() || text.len() > TEXT_BYTES_MAX;
    let others = [&one.label, &one.idempotency_key];
    let mut texts = ids.iter().chain(&others);
    if texts.any(|text| text.as_ref().is_some_and(unfit)) || unfit(&one.name) {
        return Err(bad(format!("a text is empty or longer than {TEXT_BYTES_MAX} bytes"), HINT));
    }
    if ids.iter().all(|id| id.is_none()) {
        return Err(bad("the target has no id", HINT));
    }
    if one.value.is_none() && one.label.is_none() && one.comment.is_none() {
        return Err(bad("there is no value, label or comment", HINT));
    }
    Ok(())
}

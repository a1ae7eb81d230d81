//! What somebody thought of an answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who judged.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackSource {
    /// A person said so.
    Human,
    /// Read from what a person did: asked again, went away.
    Implicit,
    /// Another model.
    Model,
}

impl FeedbackSource {
    /// `human`, `implicit`, `model`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Implicit => "implicit",
            Self::Model => "model",
        }
    }

    /// The source of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Human, Self::Implicit, Self::Model].into_iter().find(|one| one.name() == name)
    }
}

/// What is judged. Any one of the ids will do; all that are given must be of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeedbackTarget {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
}

/// One judgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    /// When it was given, microseconds since the Unix epoch.
    pub at_us: i64,
    pub target: FeedbackTarget,
    /// `user_feedback`, `groundedness`, ...
    pub name: String,
    /// A score; finite.
    pub value: Option<f64>,
    /// `thumbs_up`, `pass`, ...
    pub label: Option<String>,
    /// Free text; only present where storing it was switched on.
    pub comment: Option<String>,
    pub source: FeedbackSource,
    /// A second judgement with the same key replaces the first.
    pub idempotency_key: Option<String>,
}

//! Attributes of spans and events: looked up under many names, and kept only where they hold no
//! content.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use serde_json::{Map, Number, Value as Json};

/// Bytes of a text that is kept: ids, names of models and teams are shorter.
pub(super) const TEXT_BYTES_MAX: usize = 256;
/// Attributes of one span that are kept.
const KEPT_MAX: usize = 64;

/// Attributes of a span, then those of its program.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a>(pub(super) &'a [KeyValue]);

impl<'a> Attributes<'a> {
    pub(super) fn value(self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|one| one.key == name)?.value.as_ref()?.value.as_ref()
    }

    /// The first of these that is a text, not empty and not too long to be a name. Of a list the
    /// first element counts: headers and finish reasons come as lists.
    pub(super) fn text(self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| name_of(self.value(name)?))
    }

    /// The first of these that is a number.
    pub(super) fn number(self, names: &[&str]) -> Option<f64> {
        names.iter().find_map(|name| match self.value(name)? {
            Value::IntValue(n) => Some(*n as f64),
            Value::DoubleValue(n) => Some(*n).filter(|n| n.is_finite()),
            Value::StringValue(text) => text.parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        })
    }

    /// The first of these that is a count.
    pub(super) fn count(self, names: &[&str]) -> Option<u64> {
        let whole = |n: &f64| *n >= 0.0 && *n < 9e15 && n.fract() == 0.0;
        self.number(names).filter(whole).map(|n| n as u64)
    }

    pub(super) fn flag(self, names: &[&str]) -> Option<bool> {
        names.iter().find_map(|name| match self.value(name)? {
            Value::BoolValue(flag) => Some(*flag),
            _ => None,
        })
    }

    pub(super) fn has_prefix(self, prefix: &str) -> bool {
        self.0.iter().any(|one| one.key.starts_with(prefix))
    }
}

fn name_of(value: &Value) -> Option<String> {
    match value {
        Value::StringValue(text) => {
            // Langfuse writes its attributes as JSON.
            let text = text.trim().trim_matches('"');
            (!text.is_empty() && text.len() <= TEXT_BYTES_MAX).then(|| text.to_owned())
        }
        Value::IntValue(n) => Some(n.to_string()),
        Value::ArrayValue(list) => name_of(list.values.first()?.value.as_ref()?),
        _ => None,
    }
}

/// What programs say about tokens, as they say it.
const USAGE: [&str; 5] =
    ["gen_ai.usage.", "llm.usage.", "llm.token_count.", "ai.usage.", "langfuse.observation.usage"];

/// Numbers about tokens as a JSON object; `None` when there are none.
pub(super) fn usage_json(attributes: Attributes<'_>) -> Option<String> {
    let about = |one: &&KeyValue| USAGE.iter().any(|prefix| one.key.starts_with(prefix));
    let mut object = Map::new();
    for one in attributes.0.iter().filter(about).take(KEPT_MAX) {
        if let Some(number) = one.value.as_ref().and_then(|v| number_json(v.value.as_ref()?)) {
            object.insert(one.key.clone(), number);
        }
    }
    (!object.is_empty()).then(|| Json::Object(object).to_string())
}

fn number_json(value: &Value) -> Option<Json> {
    match value {
        Value::IntValue(n) => Some(Json::from(*n)),
        Value::DoubleValue(n) => Number::from_f64(*n).map(Json::Number),
        Value::BoolValue(flag) => Some(Json::from(*flag)),
        _ => None,
    }
}

/// Texts that are names. Everything else that is a text may be what somebody said to a model, and
/// is not kept: a list of what is content would be out of date with the next library.
const NAMES: [&str; 33] = [
    "ai.model.id",
    "ai.model.provider",
    "ai.operationId",
    "ai.response.finishReason",
    "error.type",
    "exception.type",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "gen_ai.conversation.id",
    "gen_ai.data_source.id",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.id",
    "gen_ai.request.model",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
    "gen_ai.response.model",
    "gen_ai.system",
    "gen_ai.tool.call.id",
    "gen_ai.tool.name",
    "gen_ai.tool.type",
    "gen_ai.workflow.name",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "llm.model_name",
    "llm.provider",
    "llm.request.type",
    "llm.system",
    "openinference.span.kind",
    "session.id",
    "tenant.id",
    "traceloop.span.kind",
];

/// Prefixes of texts that are names.
const NAME_PREFIXES: [&str; 8] =
    ["k8s.", "host.", "mcp.method", "network.", "rpc.", "server.", "service.", "team"];

/// Whether a text under this key is a name.
pub(super) fn is_name(key: &str) -> bool {
    NAMES.contains(&key) || NAME_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// The attributes that hold no content as a JSON object, and how many were left out.
pub(super) fn without_content(attributes: &[KeyValue]) -> (String, u64) {
    let mut object = Map::new();
    let mut dropped = 0;
    for one in attributes {
        let named = is_name(&one.key);
        let value = one.value.as_ref().and_then(|value| value.value.as_ref());
        let kept = value.and_then(|value| match value {
            Value::IntValue(_) | Value::DoubleValue(_) | Value::BoolValue(_) => number_json(value),
            other if named => name_of(other).map(Json::String),
            _ => None,
        });
        match kept {
            Some(kept) if object.len() < KEPT_MAX && one.key.len() <= TEXT_BYTES_MAX => {
                object.insert(one.key.clone(), kept);
            }
            _ => dropped += 1,
        }
    }
    (Json::Object(object).to_string(), dropped)
}

//! Chat and text completions of `OpenAI` and of the engines that speak like it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{PARTS_MAX, append, list, pick, set};

/// Fields of a message that say something. Servers write reasoning under either of two names.
const MESSAGE: [&str; 7] =
    ["role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call"];

#[derive(Default)]
struct Choice {
    message: Map<String, Value>,
    text: Option<Map<String, Value>>,
    calls: BTreeMap<u64, Map<String, Value>>,
    finish: Value,
}

/// An answer in one piece.
pub(super) fn whole(mut document: Value) -> Option<Value> {
    let choices = document.get_mut("choices")?.as_array_mut()?;
    let mut said = Vec::new();
    for choice in choices {
        let choice = choice.as_object_mut()?;
        let mut kept = pick(choice, &["index", "text", "finish_reason"]);
        if let Some(message) = choice.get_mut("message") {
            kept.insert("message".to_owned(), pick(message.as_object_mut()?, &MESSAGE).into());
        }
        said.push(Value::Object(kept));
    }
    (!said.is_empty()).then(|| json!({ "choices": said }))
}

/// An answer out of its events.
pub(super) fn joined(events: impl Iterator<Item = Value>) -> Option<Value> {
    let mut choices: BTreeMap<u64, Choice> = BTreeMap::new();
    for event in events {
        for said in list(&event, "choices") {
            choices.entry(said["index"].as_u64().unwrap_or(0)).or_default().hear(said);
        }
        if choices.len() > PARTS_MAX {
            return None;
        }
    }
    let choices: Vec<Value> = choices.into_iter().map(Choice::document).collect();
    (!choices.is_empty()).then(|| json!({ "choices": choices }))
}

impl Choice {
    fn hear(&mut self, said: &Value) {
        if said["text"].is_string() {
            append(self.text.get_or_insert_default(), "text", &said["text"]);
        }
        self.add(&said["delta"]);
        if !said["finish_reason"].is_null() {
            self.finish = said["finish_reason"].clone();
        }
    }

    fn add(&mut self, delta: &Value) {
        set(&mut self.message, "role", &delta["role"]);
        for field in ["content", "refusal", "reasoning_content", "reasoning"] {
            append(&mut self.message, field, &delta[field]);
        }
        if let Some(call) = delta.get("function_call").filter(|call| call.is_object()) {
            let made = self.message.entry("function_call").or_insert_with(|| json!({}));
            if let Some(made) = made.as_object_mut() {
                append(made, "name", &call["name"]);
                append(made, "arguments", &call["arguments"]);
            }
        }
        for (place, call) in list(delta, "tool_calls").enumerate() {
            let index = call["index"].as_u64().unwrap_or(place as u64);
            let made = self.calls.entry(index).or_default();
            // Some servers say the id in every part of a call.
            set(made, "id", &call["id"]);
            set(made, "type", &call["type"]);
            let function = made.entry("function").or_insert_with(|| json!({}));
            if let Some(function) = function.as_object_mut() {
                append(function, "name", &call["function"]["name"]);
                append(function, "arguments", &call["function"]["arguments"]);
            }
        }
    }

    fn document((index, choice): (u64, Self)) -> Value {
        let Self { mut message, text, calls, finish } = choice;
        if let Some(text) = text {
            return json!({ "index": index, "text": text["text"], "finish_reason": finish });
        }
        if !calls.is_empty() {
            let calls: Vec<Value> = calls.into_values().map(Value::Object).collect();
            message.insert("tool_calls".to_owned(), calls.into());
        }
        json!({ "index": index, "message": message, "finish_reason": finish })
    }
}

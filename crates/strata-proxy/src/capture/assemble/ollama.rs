//! Ollama's chat and generate: every document of a stream is a part, and one document is all of it.

use serde_json::{Map, Value, json};

use super::{append, list, set};

/// The answer to a chat.
pub(super) fn chat(documents: impl Iterator<Item = Value>) -> Option<Value> {
    let (mut message, mut calls, mut reason) = (Map::new(), Vec::new(), Value::Null);
    for document in documents {
        let part = document.get("message")?;
        set(&mut message, "role", &part["role"]);
        append(&mut message, "content", &part["content"]);
        append(&mut message, "thinking", &part["thinking"]);
        calls.extend(list(part, "tool_calls").cloned());
        end(&document, &mut reason);
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    (!message.is_empty()).then(|| json!({ "message": message, "done_reason": reason }))
}

/// The answer to a prompt.
pub(super) fn generated(documents: impl Iterator<Item = Value>) -> Option<Value> {
    let (mut said, mut reason) = (Map::new(), Value::Null);
    for document in documents {
        document.get("response")?;
        append(&mut said, "response", &document["response"]);
        append(&mut said, "thinking", &document["thinking"]);
        end(&document, &mut reason);
    }
    said.insert("done_reason".to_owned(), reason);
    said.contains_key("response").then_some(Value::Object(said))
}

fn end(document: &Value, reason: &mut Value) {
    if !document["done_reason"].is_null() {
        *reason = document["done_reason"].clone();
    }
}

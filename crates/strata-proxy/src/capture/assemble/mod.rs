//! A request and its answer as documents, whatever the API and however the answer came.
//!
//! A stream is put together to the document that the same answer would have been in one piece. It must
//! be whole before it is cleaned: the halves of a secret in two events look like nothing. Only fields
//! that say what was said are taken; who said it (`user`, `metadata`) is not.

mod anthropic;
mod ollama;
mod openai;
mod responses;

use serde_json::{Map, Value};

use super::LeftOut;
use crate::api::Api;
use crate::observe::sse::{Piece, SseReader};

/// Fields of a request that say what was asked, and of which tools.
const ASKED: [&str; 18] = [
    "model",
    "messages",
    "prompt",
    "suffix",
    "system",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "format",
    "previous_response_id",
    "conversation",
    "raw",
    "echo",
];

/// The request, with the fields that say what was asked.
///
/// # Errors
/// When it is no JSON object, or asks in numbers of tokens, in which nothing can be found.
pub(super) fn request(api: Api, bytes: &[u8]) -> Result<Value, LeftOut> {
    let Ok(Value::Object(mut whole)) = serde_json::from_slice(bytes) else {
        return Err(LeftOut::Unread);
    };
    let tokens = |value: &Value| {
        value.as_array().is_some_and(|list| list.iter().any(|one| !one.is_string()))
    };
    let context = whole.get("context").is_some_and(|context| !context.is_null());
    let in_tokens = api == Api::OpenAiCompletions && whole.get("prompt").is_some_and(tokens);
    if in_tokens || context {
        return Err(LeftOut::Unread);
    }
    let mut asked = Value::Object(pick(&mut whole, &ASKED));
    without_keys(&mut asked);
    without_seals(&mut asked);
    Ok(asked)
}

/// Take out how servers are asked that are named as tools: their keys may look like nothing.
fn without_keys(asked: &mut Value) {
    let tools = asked.get_mut("tools").and_then(Value::as_array_mut);
    for tool in tools.into_iter().flatten().filter_map(Value::as_object_mut) {
        for field in ["authorization", "headers", "server_url"] {
            tool.remove(field);
        }
    }
}

/// Take out what a model thought in a way that only its server can read: it says nothing to anybody, and
/// looks like a file.
fn without_seals(said: &mut Value) {
    match said {
        Value::Array(items) => {
            items.retain(|item| item["type"] != "redacted_thinking");
            items.iter_mut().for_each(without_seals);
        }
        Value::Object(fields) => {
            fields.remove("encrypted_content");
            if fields.get("type").is_some_and(|kind| kind == "thinking") {
                fields.remove("signature");
            }
            fields.values_mut().for_each(without_seals);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The answer as one document.
///
/// # Errors
/// When it is not what the API answers.
pub(super) fn answer(api: Api, kind: &str, bytes: &[u8]) -> Result<Value, LeftOut> {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (events, streamed) = match kind.as_str() {
        "text/event-stream" => (events(bytes)?, true),
        "application/x-ndjson" | "application/jsonl" | "application/ndjson" => {
            (lines(bytes)?, true)
        }
        _ => (vec![read(bytes)?], false),
    };
    let document = match (api, streamed) {
        (Api::OpenAiChat | Api::OpenAiCompletions, true) => openai::joined(&events),
        (Api::OpenAiChat | Api::OpenAiCompletions, false) => openai::whole(events),
        (Api::AnthropicMessages, true) => anthropic::joined(&events),
        (Api::AnthropicMessages, false) => anthropic::whole(events),
        (Api::OpenAiResponses, true) => responses::joined(events),
        (Api::OpenAiResponses, false) => responses::whole(events),
        // One document is a stream of one.
        (Api::OllamaChat, _) => ollama::chat(&events),
        (Api::OllamaGenerate, _) => ollama::generated(&events),
        (Api::Embeddings | Api::Rerank | Api::OllamaEmbed, _) => None,
    };
    let mut document = document.ok_or(LeftOut::Unread)?;
    without_seals(&mut document);
    Ok(document)
}

fn read(bytes: &[u8]) -> Result<Value, LeftOut> {
    serde_json::from_slice(bytes).map_err(|_error| LeftOut::Unread)
}

/// The documents of a stream of events; `[DONE]` is none.
fn events(bytes: &[u8]) -> Result<Vec<Value>, LeftOut> {
    let mut documents: Vec<Vec<u8>> = Vec::new();
    let mut data = Vec::new();
    let mut on = |piece: Piece<'_>| match piece {
        Piece::Data(part) => data.extend_from_slice(part),
        Piece::LineEnd => data.push(b'\n'),
        Piece::End => documents.push(std::mem::take(&mut data)),
        Piece::Name(_) => {}
    };
    let mut reader = SseReader::default();
    reader.feed(bytes, &mut on);
    reader.finish(&mut on);
    let said = documents.iter().map(|document| document.trim_ascii());
    said.filter(|document| !document.is_empty() && *document != b"[DONE]").map(read).collect()
}

fn lines(bytes: &[u8]) -> Result<Vec<Value>, LeftOut> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).map(read).collect()
}

/// These fields of an object, as far as they say something.
fn pick(whole: &mut Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let mut picked = Map::new();
    for field in fields {
        if let Some(value) = whole.remove(*field).filter(|value| !value.is_null()) {
            picked.insert((*field).to_owned(), value);
        }
    }
    picked
}

/// Add to a text field what a delta says.
fn append(object: &mut Map<String, Value>, field: &str, more: &Value) {
    let Some(more) = more.as_str() else { return };
    match object.get_mut(field) {
        Some(Value::String(text)) => text.push_str(more),
        _ => {
            object.insert(field.to_owned(), Value::from(more));
        }
    }
}

/// Set a field where it says something.
fn set(object: &mut Map<String, Value>, field: &str, value: &Value) {
    if !value.is_null() {
        object.insert(field.to_owned(), value.clone());
    }
}

/// The elements of a field that is a list.
fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

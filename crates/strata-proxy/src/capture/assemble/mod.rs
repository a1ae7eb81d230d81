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
use super::weight::{JOINED, Signs};
use crate::api::Api;
use crate::observe::sse::{Piece, SseReader};

/// Parts of an answer that events name by number: choices, blocks. Beyond it is no answer of a model.
const PARTS_MAX: usize = 512;
/// What a document weighs in the list of all beside its bytes, of which a short one takes a block.
const LISTED: usize = 128;

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

/// An answer cut into its documents, none of them read yet.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    documents: Vec<Vec<u8>>,
    streamed: bool,
}

/// Cut an answer of this content type into documents.
pub(super) fn pieces(kind: &str, bytes: Vec<u8>) -> Pieces {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/event-stream" => Pieces { documents: events(&bytes), streamed: true },
        "application/x-ndjson" | "application/jsonl" | "application/ndjson" => {
            Pieces { documents: lines(&bytes), streamed: true }
        }
        _ => Pieces { documents: vec![bytes], streamed: false },
    }
}

/// Documents of a stream that stay, or parts of them; of the others only texts are taken.
const STAYS: [&str; 5] = [
    "tool_calls",
    "content_block_start",
    "response.output_item.done",
    "response.completed",
    "response.incomplete",
];

impl Pieces {
    /// Bytes that reading and cleaning take at most.
    pub(super) fn weight(&self) -> usize {
        let (mut copies, mut stays, mut longest, mut nested) = (0, 0, 0, 0);
        for document in &self.documents {
            let signs = Signs::of(document, self.streamed);
            copies += signs.copies() + LISTED;
            nested += signs.nested();
            let text = std::str::from_utf8(document).unwrap_or_default();
            if STAYS.iter().any(|word| text.contains(word)) {
                stays += signs.tree();
            } else {
                longest = longest.max(signs.tree());
            }
        }
        copies + stays + longest + nested + if self.streamed { JOINED } else { 0 }
    }
}

/// The answer as one document.
///
/// # Errors
/// When it is not what the API answers.
pub(super) fn answer(api: Api, pieces: Pieces) -> Result<Value, LeftOut> {
    let Pieces { documents, streamed } = pieces;
    let mut broken = false;
    // One after the other: as trees, all events of a stream together would take ten times its bytes.
    let mut values = documents.into_iter().map_while(|document| {
        let read = serde_json::from_slice::<Value>(&document);
        broken |= read.is_err();
        read.ok()
    });
    let document = match (api, streamed) {
        (Api::OpenAiChat | Api::OpenAiCompletions, true) => openai::joined(values),
        (Api::OpenAiChat | Api::OpenAiCompletions, false) => values.next().and_then(openai::whole),
        (Api::AnthropicMessages, true) => anthropic::joined(values),
        (Api::AnthropicMessages, false) => values.next().and_then(anthropic::whole),
        (Api::OpenAiResponses, true) => responses::joined(values),
        (Api::OpenAiResponses, false) => values.next().and_then(responses::whole),
        // One document is a stream of one.
        (Api::OllamaChat, _) => ollama::chat(values),
        (Api::OllamaGenerate, _) => ollama::generated(values),
        (Api::Embeddings | Api::Rerank | Api::OllamaEmbed, _) => None,
    };
    let mut document = document.filter(|_| !broken).ok_or(LeftOut::Unread)?;
    without_seals(&mut document);
    Ok(document)
}

/// The documents of a stream of events; `[DONE]` is none.
fn events(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut documents: Vec<Vec<u8>> = Vec::new();
    let mut data = Vec::new();
    let mut on = |piece: Piece<'_>| match piece {
        Piece::Data(part) => data.extend_from_slice(part),
        Piece::LineEnd => data.push(b'\n'),
        Piece::End => {
            let document = std::mem::take(&mut data);
            if !matches!(document.trim_ascii(), b"" | b"[DONE]") {
                documents.push(document);
            }
        }
        Piece::Name(_) => {}
    };
    let mut reader = SseReader::default();
    reader.feed(bytes, &mut on);
    reader.finish(&mut on);
    documents
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
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

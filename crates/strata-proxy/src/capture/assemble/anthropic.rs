//! Anthropic's messages.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{PARTS_MAX, append, pick};

const FIELDS: [&str; 3] = ["role", "content", "stop_reason"];

/// An answer in one piece.
pub(super) fn whole(mut document: Value) -> Option<Value> {
    let document = document.as_object_mut()?;
    document.get("content")?.as_array()?;
    Some(Value::Object(pick(document, &FIELDS)))
}

/// An answer out of its events.
pub(super) fn joined(events: impl Iterator<Item = Value>) -> Option<Value> {
    let mut blocks: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    let (mut reason, mut begun) = (Value::Null, false);
    for event in events {
        let index = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => begun = true,
            "content_block_start" => {
                let block = event["content_block"].as_object()?;
                blocks.insert(index, block.clone());
            }
            "content_block_delta" => add(blocks.entry(index).or_default(), &event["delta"]),
            "message_delta" if !event["delta"]["stop_reason"].is_null() => {
                reason = event["delta"]["stop_reason"].clone();
            }
            _ => {}
        }
        if blocks.len() > PARTS_MAX {
            return None;
        }
    }
    let content: Option<Vec<Value>> = blocks.into_values().map(block).collect();
    let content = content?;
    begun.then(|| json!({ "role": "assistant", "content": content, "stop_reason": reason }))
}

fn add(block: &mut Map<String, Value>, delta: &Value) {
    let (kind, field, from) = match delta["type"].as_str().unwrap_or_default() {
        "text_delta" => ("text", "text", "text"),
        "thinking_delta" => ("thinking", "thinking", "thinking"),
        // The arguments of a call come as pieces of a document and stay a text until its end.
        "input_json_delta" => ("tool_use", "partial_json", "partial_json"),
        _ => return,
    };
    block.entry("type").or_insert_with(|| kind.into());
    append(block, field, &delta[from]);
}

/// A block that has ended; `None` where its arguments are no document.
fn block(mut block: Map<String, Value>) -> Option<Value> {
    if let Some(Value::String(input)) = block.remove("partial_json")
        && !input.is_empty()
    {
        block.insert("input".to_owned(), serde_json::from_str(&input).ok()?);
    }
    Some(Value::Object(block))
}

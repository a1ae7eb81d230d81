//! `OpenAI`'s responses. The last event of a stream has the whole of it; servers that leave the output
//! out there have said each item before.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::pick;

const FIELDS: [&str; 3] = ["output", "status", "incomplete_details"];

/// An answer in one piece.
pub(super) fn whole(mut document: Value) -> Option<Value> {
    kept(document.as_object_mut()?)
}

fn kept(response: &mut Map<String, Value>) -> Option<Value> {
    let output = response.get("output")?.as_array()?;
    if output.is_empty() {
        return None;
    }
    Some(Value::Object(pick(response, &FIELDS)))
}

/// An answer out of its events.
pub(super) fn joined(events: impl Iterator<Item = Value>) -> Option<Value> {
    let (mut items, mut last) = (BTreeMap::new(), None);
    for mut event in events {
        match event["type"].as_str().unwrap_or_default() {
            "response.output_item.done" => {
                let index = event["output_index"].as_u64().unwrap_or(items.len() as u64);
                items.insert(index, event["item"].take());
            }
            "response.completed" | "response.incomplete" => last = Some(event["response"].take()),
            _ => {}
        }
    }
    let mut last = last?;
    let response = last.as_object_mut()?;
    let empty = |output: &Value| output.as_array().is_none_or(Vec::is_empty);
    if response.get("output").is_none_or(empty) {
        let items: Vec<Value> = items.into_values().collect();
        response.insert("output".to_owned(), items.into());
    }
    kept(response)
}

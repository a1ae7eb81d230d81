//! Anthropic's messages as chat messages: the system's words in front, calls and their results apart.

use serde_json::{Value, json};
use strata_store::Exchange;

use super::{
    Prompt, Talk, Unfit, assistant, call, ended, function, items, media_or_shape, string, text,
};

pub(super) fn talk(one: &Exchange) -> Result<Talk, Unfit> {
    let mut messages = Vec::new();
    let system = text(&one.request["system"], &["text"])?;
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system }));
    }
    let asked = items(&one.request, "messages")?;
    if asked.is_empty() {
        return Err(Unfit::Shape);
    }
    for message in asked {
        match string(message, "role") {
            Some("assistant") => messages.push(said(&message["content"], false)?),
            Some(role) => heard(role, &message["content"], &mut messages)?,
            None => return Err(Unfit::Shape),
        }
    }
    ended(&one.answer, "stop_reason", &["end_turn", "stop_sequence", "tool_use"])?;
    let mut tools = Vec::new();
    for tool in items(&one.request, "tools")? {
        if tool["input_schema"].is_null() {
            // A tool of the server's, which only it can call.
            return Err(Unfit::Shape);
        }
        tools.push(function(&tool["name"], &tool["description"], &tool["input_schema"]));
    }
    let answer = said(&one.answer["content"], true)?;
    Ok(Talk { prompt: Prompt::Chat { messages, tools, parallel: None }, answer })
}

/// What the assistant said.
fn said(content: &Value, reasoning: bool) -> Result<Value, Unfit> {
    let Value::Array(blocks) = content else {
        return Ok(assistant(Some(text(content, &[])?), Vec::new(), None));
    };
    let (mut words, mut calls, mut thought) = (String::new(), Vec::new(), String::new());
    for block in blocks {
        match string(block, "type").unwrap_or_default() {
            "text" => words.push_str(string(block, "text").unwrap_or_default()),
            "thinking" => thought.push_str(string(block, "thinking").unwrap_or_default()),
            "redacted_thinking" => {}
            "tool_use" => {
                let name = string(block, "name").ok_or(Unfit::Shape)?;
                let id = string(block, "id").ok_or(Unfit::Shape)?;
                calls.push(call(id, name, &block["input"]));
            }
            kind => return Err(media_or_shape(kind)),
        }
    }
    Ok(assistant(Some(words), calls, reasoning.then_some(thought)))
}

/// What was said to it: results of calls are messages of their own, in front of the words.
fn heard(role: &str, content: &Value, messages: &mut Vec<Value>) -> Result<(), Unfit> {
    let Value::Array(blocks) = content else {
        messages.push(json!({ "role": role, "content": text(content, &[])? }));
        return Ok(());
    };
    let mut words = Vec::new();
    for block in blocks {
        if string(block, "type") == Some("tool_result") {
            let id = string(block, "tool_use_id").ok_or(Unfit::Shape)?;
            let result = text(&block["content"], &["text"])?;
            messages.push(json!({ "role": "tool", "tool_call_id": id, "content": result }));
        } else {
            words.push(block.clone());
        }
    }
    if !words.is_empty() {
        let words = text(&Value::Array(words), &["text"])?;
        messages.push(json!({ "role": role, "content": words }));
    }
    Ok(())
}

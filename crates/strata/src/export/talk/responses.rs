//! `OpenAI`'s responses: items in and out, instructions apart.

use serde_json::{Value, json};
use strata_store::Exchange;

use super::{Prompt, Talk, Unfit, assistant, call, function, items, media_or_shape, string, text};

const TEXT: [&str; 3] = ["input_text", "output_text", "text"];

pub(super) fn talk(one: &Exchange) -> Result<Talk, Unfit> {
    let elsewhere = ["previous_response_id", "conversation"];
    if elsewhere.iter().any(|field| !one.request[*field].is_null())
        || one.request["prompt"].is_object()
    {
        return Err(Unfit::Elsewhere);
    }
    let mut messages = Vec::new();
    if let Some(instructions) = string(&one.request, "instructions") {
        messages.push(json!({ "role": "system", "content": instructions }));
    }
    match &one.request["input"] {
        Value::String(text) => messages.push(json!({ "role": "user", "content": text })),
        Value::Array(asked) => add(asked, &mut messages)?,
        _ => return Err(Unfit::Shape),
    }
    // What a model thought in earlier turns is no part of later prompts.
    for message in messages.iter_mut().filter_map(Value::as_object_mut) {
        message.remove(super::REASONING);
    }
    let reason = one.answer["incomplete_details"]["reason"].as_str();
    match (string(&one.answer, "status"), reason) {
        (_, Some("max_output_tokens")) => return Err(Unfit::Cut),
        (None | Some("completed"), _) => {}
        _ => return Err(Unfit::Empty),
    }
    let mut answers = Vec::new();
    add(items(&one.answer, "output")?, &mut answers)?;
    let [answer] = answers.as_slice() else { return Err(Unfit::Several) };
    let mut tools = Vec::new();
    for tool in items(&one.request, "tools")? {
        if string(tool, "type") != Some("function") {
            return Err(Unfit::Shape);
        }
        tools.push(function(&tool["name"], &tool["description"], &tool["parameters"]));
    }
    let parallel = one.request["parallel_tool_calls"].as_bool();
    let answer = answer.clone();
    Ok(Talk { prompt: Prompt::Chat { messages, tools, parallel }, answer })
}

/// Items as messages. What the assistant said and called one after the other is one message.
fn add(said: &[Value], messages: &mut Vec<Value>) -> Result<(), Unfit> {
    let mut turn: Option<(String, Vec<Value>, String)> = None;
    for item in said {
        let role = string(item, "role");
        match (string(item, "type").unwrap_or("message"), role) {
            ("message", Some("assistant")) => {
                let words = text(&item["content"], &TEXT)?;
                turn.get_or_insert_default().0.push_str(&words);
            }
            ("function_call", _) => {
                let name = string(item, "name").ok_or(Unfit::Shape)?;
                let id = string(item, "call_id").ok_or(Unfit::Shape)?;
                let made = call(id, name, &item["arguments"]);
                turn.get_or_insert_default().1.push(made);
            }
            ("reasoning", _) => {
                let thought =
                    items(item, "summary")?.iter().filter_map(|part| string(part, "text"));
                turn.get_or_insert_default().2.extend(thought);
            }
            ("message", Some(role)) => {
                close(&mut turn, messages);
                messages.push(json!({ "role": role, "content": text(&item["content"], &TEXT)? }));
            }
            ("function_call_output", _) => {
                close(&mut turn, messages);
                let id = string(item, "call_id").ok_or(Unfit::Shape)?;
                let result = text(&item["output"], &TEXT)?;
                messages.push(json!({ "role": "tool", "tool_call_id": id, "content": result }));
            }
            (kind, _) => return Err(media_or_shape(kind)),
        }
    }
    close(&mut turn, messages);
    Ok(())
}

fn close(turn: &mut Option<(String, Vec<Value>, String)>, messages: &mut Vec<Value>) {
    if let Some((words, calls, thought)) = turn.take() {
        messages.push(assistant(Some(words), calls, Some(thought)));
    }
}

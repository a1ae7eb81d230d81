//! Chat and text completions.

use serde_json::{Value, json};
use strata_store::Exchange;

use super::{Prompt, Talk, Unfit, assistant, call, ended, items, string, text};

const TEXT: [&str; 2] = ["text", "refusal"];
/// Why an answer that is whole ended.
const WHOLE: [&str; 3] = ["stop", "tool_calls", "function_call"];

/// A chat: the messages as they are, parts of text put together.
pub(super) fn chat(one: &Exchange) -> Result<Talk, Unfit> {
    let asked = items(&one.request, "messages")?;
    if asked.is_empty() {
        return Err(Unfit::Shape);
    }
    let messages = asked.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    let choice = only(&one.answer)?;
    let answer = answered(&choice["message"])?;
    let mut tools = items(&one.request, "tools")?.to_vec();
    // The older way to say the same.
    let functions = items(&one.request, "functions")?.iter();
    tools.extend(functions.map(|function| json!({ "type": "function", "function": function })));
    let parallel = one.request["parallel_tool_calls"].as_bool();
    Ok(Talk { prompt: Prompt::Chat { messages, tools, parallel }, answer })
}

/// The only answer there is, that has come to its end.
fn only(answer: &Value) -> Result<&Value, Unfit> {
    match items(answer, "choices")? {
        [one] => ended(one, "finish_reason", &WHOLE).map(|()| one),
        [] => Err(Unfit::Shape),
        _ => Err(Unfit::Several),
    }
}

/// A message of the request.
fn message(asked: &Value) -> Result<Value, Unfit> {
    let role = string(asked, "role").ok_or(Unfit::Shape)?;
    if role == "assistant" {
        let mut said = answered(asked)?;
        // What a model thought in earlier turns is no part of later prompts.
        if let Some(said) = said.as_object_mut() {
            said.remove(super::REASONING);
        }
        return Ok(said);
    }
    let mut said = json!({ "role": role, "content": text(&asked["content"], &TEXT)? });
    for field in ["name", "tool_call_id"] {
        if let Some(value) = string(asked, field) {
            said[field] = value.into();
        }
    }
    Ok(said)
}

fn answered(message: &Value) -> Result<Value, Unfit> {
    let thought =
        ["reasoning_content", "reasoning"].iter().find_map(|field| string(message, field));
    let mut calls = Vec::new();
    for one in items(message, "tool_calls")? {
        let name = string(&one["function"], "name").ok_or(Unfit::Shape)?;
        let id = string(one, "id").ok_or(Unfit::Shape)?;
        calls.push(call(id, name, &one["function"]["arguments"]));
    }
    if let Some(name) = message.get("function_call").and_then(|one| string(one, "name")) {
        calls.push(call("call_0", name, &message["function_call"]["arguments"]));
    }
    let said = text(&message["content"], &TEXT)?;
    let mut answer = assistant(Some(said), calls, thought.map(str::to_owned));
    if let Some(refusal) = string(message, "refusal").filter(|refusal| !refusal.is_empty()) {
        answer["refusal"] = refusal.into();
    }
    Ok(answer)
}

/// A completion of a text.
pub(super) fn completion(one: &Exchange) -> Result<Talk, Unfit> {
    let prompt = match &one.request["prompt"] {
        Value::String(text) => text.clone(),
        Value::Array(texts) => match texts.as_slice() {
            [Value::String(text)] => text.clone(),
            _ => return Err(Unfit::Several),
        },
        _ => return Err(Unfit::Shape),
    };
    if one.request["echo"] == true || string(&one.request, "suffix").is_some() {
        return Err(Unfit::Shape);
    }
    let said = string(only(&one.answer)?, "text").ok_or(Unfit::Shape)?;
    let answer = assistant(Some(said.to_owned()), Vec::new(), None);
    Ok(Talk { prompt: Prompt::Text(prompt), answer })
}

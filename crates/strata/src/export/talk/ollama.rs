//! Ollama's chat and generate. Calls have no ids there; results belong to calls by their order.

use std::collections::VecDeque;

use serde_json::{Value, json};
use strata_store::Exchange;

use super::{Prompt, Talk, Unfit, assistant, call, ended, items, string};

pub(super) fn chat(one: &Exchange) -> Result<Talk, Unfit> {
    let (mut messages, mut numbers) = (Vec::new(), Numbers::default());
    for message in items(&one.request, "messages")? {
        if !items(message, "images")?.is_empty() {
            return Err(Unfit::Media);
        }
        let content = string(message, "content").unwrap_or_default();
        match string(message, "role").ok_or(Unfit::Shape)? {
            "assistant" => messages.push(numbers.said(message, false)?),
            "tool" => {
                let id = numbers.open.pop_front().ok_or(Unfit::Shape)?;
                messages.push(json!({ "role": "tool", "tool_call_id": id, "content": content }));
            }
            role => messages.push(json!({ "role": role, "content": content })),
        }
    }
    if messages.is_empty() {
        return Err(Unfit::Shape);
    }
    ended(&one.answer, "done_reason", &["stop"])?;
    let answer = numbers.said(&one.answer["message"], true)?;
    let tools = items(&one.request, "tools")?.to_vec();
    Ok(Talk { prompt: Prompt::Chat { messages, tools, parallel: None }, answer })
}

/// Ids for calls, and those whose results have not come.
#[derive(Default)]
struct Numbers {
    next: usize,
    open: VecDeque<String>,
}

impl Numbers {
    fn said(&mut self, message: &Value, reasoning: bool) -> Result<Value, Unfit> {
        let mut calls = Vec::new();
        for one in items(message, "tool_calls")? {
            let name = string(&one["function"], "name").ok_or(Unfit::Shape)?;
            let id = format!("call_{}", self.next);
            self.next += 1;
            calls.push(call(&id, name, &one["function"]["arguments"]));
            self.open.push_back(id);
        }
        let thought = string(message, "thinking").filter(|_| reasoning).map(str::to_owned);
        Ok(assistant(string(message, "content").map(str::to_owned), calls, thought))
    }
}

/// A prompt, which Ollama puts into the model's template as the user's turn unless it is `raw`.
pub(super) fn generated(one: &Exchange) -> Result<Talk, Unfit> {
    ended(&one.answer, "done_reason", &["stop"])?;
    let prompt = string(&one.request, "prompt").ok_or(Unfit::Shape)?;
    let said = string(&one.answer, "response").map(str::to_owned);
    let thought = string(&one.answer, "thinking").map(str::to_owned);
    let answer = assistant(said, Vec::new(), thought);
    if string(&one.request, "suffix").is_some() {
        return Err(Unfit::Shape);
    }
    if one.request["raw"] == true {
        return Ok(Talk { prompt: Prompt::Text(prompt.to_owned()), answer });
    }
    let system = string(&one.request, "system").filter(|system| !system.is_empty());
    let system = system.map(|system| json!({ "role": "system", "content": system }));
    let user = json!({ "role": "user", "content": prompt });
    let messages = system.into_iter().chain([user]).collect();
    Ok(Talk { prompt: Prompt::Chat { messages, tools: Vec::new(), parallel: None }, answer })
}

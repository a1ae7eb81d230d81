//! A captured call as one conversation, in the shape of `OpenAI`'s chat messages whatever API it spoke.
//!
//! What that shape cannot say is not told in another way: such a call is left out, with the reason.

mod anthropic;
mod ollama;
mod openai;
mod responses;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};
use strata_store::Exchange;

/// Why a captured call is no example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unfit {
    /// Images, sound or files were in it.
    Media,
    /// The answer did not come to its own end: at its limit of tokens, or stopped by somebody.
    Cut,
    /// Several answers to one prompt: nobody can say which one was judged.
    Several,
    /// The beginning of the conversation is in the server, not in the request.
    Elsewhere,
    /// The answer says nothing.
    Empty,
    /// In a shape that is not known.
    Shape,
}

impl Unfit {
    /// In words, behind a number of calls.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Media => "with images, sound or files",
            Self::Cut => "whose answer was cut off",
            Self::Several => "with several answers",
            Self::Elsewhere => "whose beginning only their server has",
            Self::Empty => "without an answer",
            Self::Shape => "that cannot be told as messages",
        }
    }
}

/// What was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Prompt {
    Chat {
        messages: Vec<Value>,
        tools: Vec<Value>,
        parallel: Option<bool>,
    },
    /// Of a completion: no turns, just the beginning of a text.
    Text(String),
}

/// A prompt and its answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Talk {
    pub(crate) prompt: Prompt,
    /// A message of the assistant.
    pub(crate) answer: Value,
}

impl Talk {
    /// Of a captured call; with what the model thought where `reasoning`.
    ///
    /// # Errors
    /// Why it is no example.
    pub(crate) fn of(one: &Exchange, reasoning: bool) -> Result<Self, Unfit> {
        if one.media {
            return Err(Unfit::Media);
        }
        let mut talk = match one.api.as_str() {
            "openai_chat" => openai::chat(one),
            "openai_completions" => openai::completion(one),
            "openai_responses" => responses::talk(one),
            "anthropic_messages" => anthropic::talk(one),
            "ollama_chat" => ollama::chat(one),
            "ollama_generate" => ollama::generated(one),
            _ => Err(Unfit::Shape),
        }?;
        // A last message of the assistant is the beginning of its answer, which no trainer could tell.
        if let Prompt::Chat { messages, .. } = &talk.prompt
            && messages.last().is_some_and(|last| last["role"] == "assistant")
        {
            return Err(Unfit::Shape);
        }
        if !reasoning && let Some(answer) = talk.answer.as_object_mut() {
            answer.remove(REASONING);
        }
        let says = |field: &str| match &talk.answer[field] {
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => false,
        };
        if ["content", "refusal", "tool_calls"].into_iter().any(says) {
            Ok(talk)
        } else {
            Err(Unfit::Empty)
        }
    }
}

/// The field of reasoning that trainers of open models read.
const REASONING: &str = "reasoning_content";

/// A message of the assistant, of what is there.
fn assistant(text: Option<String>, calls: Vec<Value>, thought: Option<String>) -> Value {
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    if let Some(thought) = thought.filter(|thought| !thought.is_empty()) {
        message.insert(REASONING.to_owned(), thought.into());
    }
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        message.insert("content".to_owned(), text.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    Value::Object(message)
}

/// A call of a function; its arguments are a text.
fn call(id: &str, name: &str, arguments: &Value) -> Value {
    let arguments = match arguments {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

/// A function that may be called.
fn function(name: &Value, description: &Value, parameters: &Value) -> Value {
    let mut function = Map::new();
    function.insert("name".to_owned(), name.clone());
    for (field, value) in [("description", description), ("parameters", parameters)] {
        if !value.is_null() {
            function.insert(field.to_owned(), value.clone());
        }
    }
    json!({ "type": "function", "function": function })
}

/// The text of a content: a string, or parts of which all are text.
fn text(content: &Value, kinds: &[&str]) -> Result<String, Unfit> {
    match content {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let mut whole = String::new();
            for part in parts {
                let kind = part["type"].as_str().unwrap_or_default();
                if !kinds.contains(&kind) {
                    return Err(media_or_shape(kind));
                }
                whole.push_str(part["text"].as_str().ok_or(Unfit::Shape)?);
            }
            Ok(whole)
        }
        _ => Err(Unfit::Shape),
    }
}

fn media_or_shape(kind: &str) -> Unfit {
    let media = ["image", "audio", "file", "document", "video"];
    if media.iter().any(|word| kind.contains(word)) { Unfit::Media } else { Unfit::Shape }
}

/// The elements of a list that must be one, or be left out.
fn items<'a>(value: &'a Value, field: &str) -> Result<&'a [Value], Unfit> {
    match value.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(Unfit::Shape),
    }
}

/// Whether an answer came to its own end, by the word for why it ended; some servers say none.
fn ended(answer: &Value, field: &str, whole: &[&str]) -> Result<(), Unfit> {
    match string(answer, field) {
        None | Some("") => Ok(()),
        Some(why) if whole.contains(&why) => Ok(()),
        Some(_) => Err(Unfit::Cut),
    }
}

fn string<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str()
}

//! One call with what was said in it, and what is left of it to be written.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strata_model::content::Redactor;

/// What stands in the place of images, sound and files: in them nothing can be found.
pub const MEDIA: &str = "[media]";
/// Longest text without a space that may be a word and no file in base64.
const WORD_MAX: usize = 512;
/// Nesting of documents in texts that is looked into: arguments of a call are one.
const DEPTH_MAX: usize = 4;

/// A call with its request and its answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exchange {
    /// The call's own number, 32 hexadecimal digits.
    pub id: String,
    /// When it began, microseconds since the Unix epoch: that of the request's record.
    pub start_us: i64,
    pub route: String,
    /// `openai_chat`, `anthropic_messages`, ...
    pub api: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The model that served, else the one asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Images, sound or files were taken out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub media: bool,
    /// The fields of the request that say what was asked.
    pub request: Value,
    /// The answer in one piece, in the shape of its API.
    pub answer: Value,
}

/// Calls of a captured route that are not here, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gap {
    /// When it was counted, microseconds since the Unix epoch.
    pub at_us: i64,
    pub route: String,
    pub reason: String,
    pub count: u64,
}

/// A line of a segment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Exchange(Box<Exchange>),
    Gap(Gap),
}

/// A call that has been through a redactor: the only thing that can be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Redacted(Exchange);

impl Redacted {
    /// Clean all texts of a call: its request, its answer, names of fields and numbers among them.
    pub fn of(mut exchange: Exchange, redactor: &Redactor) -> Self {
        let mut media = exchange.media;
        for document in [&mut exchange.request, &mut exchange.answer] {
            clean(document, redactor, &mut media, 0);
        }
        exchange.media = media;
        Self(exchange)
    }

    /// The texts that a program may clean further, in order.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        for document in [&self.0.request, &self.0.answer] {
            gather(document, &mut texts);
        }
        texts
    }

    /// With these in the place of its [`Self::texts`]; `None` when they are not as many.
    pub fn with_texts(mut self, texts: Vec<String>) -> Option<Self> {
        if texts.len() != self.texts().len() {
            return None;
        }
        let mut texts = texts.into_iter();
        for document in [&mut self.0.request, &mut self.0.answer] {
            put_back(document, &mut texts);
        }
        Some(self)
    }

    pub(super) fn into_exchange(self) -> Exchange {
        self.0
    }
}

/// Whether the values of a field are words of the protocol, without which nobody could read the rest.
fn is_word(field: &str, value: &Value) -> bool {
    let plain = |text: &str| {
        text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    matches!(field, "role" | "type") && value.as_str().is_some_and(plain)
}

fn clean(value: &mut Value, redactor: &Redactor, media: &mut bool, depth: usize) {
    match value {
        Value::String(text) => {
            if is_media(text) {
                *media = true;
                MEDIA.clone_into(text);
            } else if let Some(cleaned) = clean_text(text, redactor, media, depth) {
                *text = cleaned;
            }
        }
        Value::Number(number) => {
            if let Some(cleaned) = redactor.clean(&number.to_string()) {
                *value = Value::String(cleaned);
            }
        }
        Value::Array(items) => {
            for item in items {
                clean(item, redactor, media, depth);
            }
        }
        Value::Object(fields) => {
            let whole = std::mem::take(fields);
            for (field, mut value) in whole {
                if !is_word(&field, &value) {
                    clean(&mut value, redactor, media, depth);
                }
                fields.insert(redactor.clean(&field).unwrap_or(field), value);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// A text without what was found in it. One that is a document itself, such as the arguments of a call,
/// is looked into: escapes hide what is in it.
fn clean_text(text: &str, redactor: &Redactor, media: &mut bool, depth: usize) -> Option<String> {
    let begins = text.trim_start().starts_with(['{', '[']);
    if begins
        && depth < DEPTH_MAX
        && let Ok(mut document) = serde_json::from_str::<Value>(text)
    {
        let before = document.clone();
        clean(&mut document, redactor, media, depth + 1);
        return if document == before { None } else { Some(document.to_string()) };
    }
    redactor.clean(text)
}

/// Whether a text is a file and no words: a data URL (RFC 2397), or base64 longer than any word.
fn is_media(text: &str) -> bool {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(&byte);
    let data = text.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("data:"));
    (data && text.contains(',') && text.contains('/'))
        || (text.len() > WORD_MAX && text.bytes().all(base64))
}

fn gather<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| gather(item, texts)),
        Value::Object(fields) => {
            let said = fields.iter().filter(|(field, value)| !is_word(field, value));
            said.for_each(|(_, value)| gather(value, texts));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn put_back(value: &mut Value, texts: &mut impl Iterator<Item = String>) {
    match value {
        Value::String(text) => {
            if let Some(next) = texts.next() {
                *text = next;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put_back(item, texts)),
        Value::Object(fields) => {
            for (field, value) in fields.iter_mut() {
                if !is_word(field, value) {
                    put_back(value, texts);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

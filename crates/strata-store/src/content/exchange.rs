//! One call with what was said in it, and what is left of it to be written.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::io::{self, Write};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strata_model::content::Redactor;

/// What stands in the place of images, sound and files: in them nothing can be found.
pub const MEDIA: &str = "[media]";
/// Longest text without a space that may be a word and no file in base64.
const WORD_MAX: usize = 512;
/// Shortest line but the last of base64 in lines; MIME has 76, PEM 64.
const LINE_MIN: usize = 48;
/// What stands in the place of a value that is a secret by its name.
const NAMED: &str = "[secret]";
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
    /// Where something was taken out of the request: a sum of it as it was, its model aside, under a key
    /// that only the process which wrote it had. Two that are alike now were alike if their sums are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleaned: Option<u64>,
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
        let mut cleaning = Cleaning { redactor, media: exchange.media, cleaned: false };
        let sum = sum_of(&exchange.request);
        cleaning.clean(&mut exchange.request, 0);
        exchange.cleaned = cleaning.cleaned.then_some(sum);
        cleaning.clean(&mut exchange.answer, 0);
        exchange.media = cleaning.media;
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
        let before = self.0.request.clone();
        for document in [&mut self.0.request, &mut self.0.answer] {
            put_back(document, &mut texts);
        }
        if self.0.request != before {
            // Under what was taken out before lies what it was.
            self.0.cleaned.get_or_insert_with(|| sum_of(&before));
        }
        Some(self)
    }

    pub(super) fn into_exchange(self) -> Exchange {
        self.0
    }
}

/// A sum of a request without its model, under a key of this process: nobody can try words against it.
fn sum_of(request: &Value) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let mut sum = Sum(KEY.build_hasher());
    for (field, value) in request.as_object().into_iter().flatten() {
        if field != "model" {
            field.hash(&mut sum.0);
            // Written into a sum nothing fails, and nothing is held a second time.
            drop(serde_json::to_writer(&mut sum, value));
        }
    }
    sum.0.finish()
}

/// A sum of what is written.
struct Sum(DefaultHasher);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the values of a field are words of the protocol, without which nobody could read the rest.
fn is_word(field: &str, value: &Value) -> bool {
    let plain = |text: &str| {
        text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    matches!(field, "role" | "type") && value.as_str().is_some_and(plain)
}

/// Cleaning of one call, and what it came upon.
struct Cleaning<'r> {
    redactor: &'r Redactor,
    media: bool,
    cleaned: bool,
}

impl Cleaning<'_> {
    fn clean(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::String(text) => self.text(text, depth),
            Value::Number(number) => {
                if let Some(cleaned) = self.redactor.clean(&number.to_string()) {
                    self.cleaned = true;
                    *value = Value::String(cleaned);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean(item, depth)),
            Value::Object(fields) => self.fields(fields, depth),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn fields(&mut self, fields: &mut Map<String, Value>, depth: usize) {
        let whole = std::mem::take(fields);
        let files: Vec<String> =
            whole.keys().filter(|field| is_file(field, &whole)).cloned().collect();
        for (field, mut value) in whole {
            if files.contains(&field) {
                self.media = true;
                value = Value::from(MEDIA);
            } else if !is_word(&field, &value) {
                self.clean(&mut value, depth);
                if let Value::String(text) = &mut value {
                    self.named(&field, text);
                }
            }
            let cleaned = self.redactor.clean(&field);
            self.cleaned |= cleaned.is_some();
            fields.insert(cleaned.unwrap_or(field), value);
        }
    }

    fn text(&mut self, text: &mut String, depth: usize) {
        if is_media(text) {
            self.media = true;
            MEDIA.clone_into(text);
        } else if let Some(cleaned) = self.clean_text(text, depth) {
            self.cleaned = true;
            *text = cleaned;
        }
    }

    /// A value that is a secret by the name of its field, as `password` is.
    fn named(&mut self, field: &str, text: &mut String) {
        let begin = format!("{field}: ");
        let said = self.redactor.clean(&format!("{begin}{text}"));
        // A redactor that takes the name away as well has found the value by it.
        if said.is_some_and(|said| !said.starts_with(&begin))
            && self.redactor.clean(field).is_none()
        {
            self.cleaned = true;
            NAMED.clone_into(text);
        }
    }

    /// A text without what was found in it. One that is a document itself, such as the arguments of a
    /// call, is looked into: escapes hide what is in it.
    fn clean_text(&mut self, text: &str, depth: usize) -> Option<String> {
        let begins = text.trim_start().starts_with(['{', '[']);
        if begins
            && depth < DEPTH_MAX
            && let Ok(mut document) = serde_json::from_str::<Value>(text)
        {
            let before = document.clone();
            self.clean(&mut document, depth + 1);
            if document != before {
                return Some(document.to_string());
            }
            // What a document does not keep, such as a field that stands twice, is in its text.
        }
        self.redactor.clean(text)
    }
}

/// Whether a field of an object holds a file: the list of Ollama's images, and data beside its kind.
fn is_file(field: &str, beside: &Map<String, Value>) -> bool {
    let kind = || ["media_type", "format"].iter().any(|kind| beside.contains_key(*kind));
    let list = || {
        let items = beside.get(field).and_then(Value::as_array);
        items.is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string))
    };
    match field {
        "data" => kind() && beside.get(field).is_some_and(Value::is_string),
        "images" => list(),
        _ => false,
    }
}

/// Whether a text is a file and no words: a data URL (RFC 2397), or base64 longer than any word.
fn is_media(text: &str) -> bool {
    let kind = |kind: &str| kind.contains('/') && !kind.contains(char::is_whitespace);
    let data = text.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("data:"))
        && text.split_once(',').is_some_and(|(begin, _)| kind(begin));
    data || (text.len() > WORD_MAX && is_base64(text))
}

/// Base64, in one line or in lines as long as encoders make them: a list of words has short ones.
fn is_base64(text: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
    let mut lines = text.trim_end().lines().peekable();
    while let Some(line) = lines.next() {
        let short = line.len() < LINE_MIN && lines.peek().is_some();
        if short || !line.bytes().all(sign) {
            return false;
        }
    }
    true
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

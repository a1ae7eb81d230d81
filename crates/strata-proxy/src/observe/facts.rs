//! What the values of one JSON document (a whole answer, an event, a line) say, in every dialect.
//!
//! Paths differ enough between the dialects that one table serves all of them. What depends on the
//! event's type is decided at its end, for keys come in any order.

use super::engine;
use super::usage::Usage;
use crate::call::EngineTimes;
use crate::json::Value;

/// What one document said.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The document's or event's type.
    kind: Kind,
    /// A token of any kind.
    pub(super) token: bool,
    /// A token that a reader sees.
    pub(super) visible: bool,
    /// A text that is there and empty.
    textless: bool,
    /// The event that names the speaker: an empty text is no token there.
    pub(super) speaker: bool,
    /// The event with the reason of the end: nor there.
    last: bool,
    /// A bare `delta`, whose meaning hangs on the type.
    delta: bool,
    /// The document says that something failed.
    pub(super) error: bool,
    /// The last document of its stream.
    pub(super) terminal: bool,
    /// The choices are there and empty, as in the record of usage alone.
    pub(super) no_choices: bool,
    pub(super) usage: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Other,
    /// Output that is read.
    Visible,
    /// A token that is not read: reasoning, arguments, audio.
    Hidden,
    Terminal,
    Failed,
}

/// What is remembered of a whole answer.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    pub(super) model: Option<String>,
    pub(super) id: Option<String>,
    pub(super) finish_reason: Option<String>,
    pub(super) error_type: Option<String>,
    pub(super) usage: Usage,
    pub(super) engine: EngineTimes,
}

/// Longest model name, id or reason that is kept; the JSON reader keeps no more.
fn keep(slot: &mut Option<String>, value: Value<'_>) {
    if let Some(text) = value.text() {
        *slot = Some(text.to_owned());
    }
}

impl Facts {
    /// The name of the event, where the stream has names.
    pub(super) fn name(&mut self, name: &str) {
        let kind = kind_of(name);
        if kind != Kind::Other {
            self.kind = kind;
        }
    }

    /// One value of the document.
    pub(super) fn value(&mut self, learnt: &mut Learnt, path: &str, value: Value<'_>) {
        self.textless |= value == Value::Text("", 0) && is_text(path);
        match path {
            "type" => {
                if let Some(name) = value.text() {
                    self.name(name);
                }
            }
            "model" | "message.model" | "response.model" => keep(&mut learnt.model, value),
            "id" | "message.id" | "response.id" | "response_id" => keep(&mut learnt.id, value),
            "choices[].finish_reason"
            | "stop_reason"
            | "delta.stop_reason"
            | "done_reason"
            | "response.incomplete_details.reason"
            | "incomplete_details.reason" => {
                keep(&mut learnt.finish_reason, value);
                self.last |= value.is_filled();
            }
            "choices[].delta.role" => self.speaker |= value.is_filled(),
            "response.status" | "status" => self.status(learnt, value),
            "choices" => self.no_choices |= value == Value::Elements(0),
            "done" => self.terminal |= value == Value::Bool(true),
            "delta" => self.delta |= value.is_filled(),
            "error" | "response.error" => {
                self.error |= value.is_filled() || matches!(value, Value::Object(_));
            }
            "error.type" | "error.code" | "response.error.code" => {
                // The type is the more general word and stays when both are there.
                if path == "error.type" || learnt.error_type.is_none() {
                    keep(&mut learnt.error_type, value);
                }
            }
            _ if Self::is_visible(path, value) => self.visible = true,
            _ if is_hidden_token(path, value) => self.token = true,
            _ if engine::value(&mut learnt.engine, path, value) => {}
            _ => self.usage |= learnt.usage.value(path, value),
        }
        self.token |= self.visible;
    }

    /// A token whose text is not whole yet: engines send an event without text for it and the text
    /// with the next (seen of vLLM, where a character has several tokens).
    pub(super) fn is_textless_token(&self) -> bool {
        self.textless && !self.speaker && !self.last && !self.error
    }

    fn is_visible(path: &str, value: Value<'_>) -> bool {
        // Chat, completions, a refusal; Messages; Ollama's two.
        let known = matches!(
            path,
            "choices[].delta.content"
                | "choices[].delta.content[].text"
                | "choices[].delta.refusal"
                | "choices[].text"
                | "delta.text"
                | "message.content"
        );
        // `response` is an object in the Responses API and the text in Ollama's.
        (known || path == "response") && value.is_filled()
    }

    /// The status of a response in the Responses API; other documents have other words here.
    fn status(&mut self, learnt: &mut Learnt, value: Value<'_>) {
        match value.text() {
            Some("failed") => self.error = true,
            Some("completed") if learnt.finish_reason.is_none() => {
                learnt.finish_reason = Some("completed".to_owned());
            }
            _ => {}
        }
    }

    /// The document has ended.
    pub(super) fn end(&mut self) {
        match self.kind {
            Kind::Visible if self.delta => {
                self.visible = true;
                self.token = true;
            }
            Kind::Hidden if self.delta => self.token = true,
            Kind::Terminal => self.terminal = true,
            Kind::Failed => {
                self.error = true;
                self.terminal = true;
            }
            _ => {}
        }
    }
}

/// Where a token's text stands, be it empty.
fn is_text(path: &str) -> bool {
    matches!(
        path,
        "choices[].delta.content"
            | "choices[].delta.reasoning_content"
            | "choices[].delta.reasoning"
            | "choices[].text"
    )
}

fn is_hidden_token(path: &str, value: Value<'_>) -> bool {
    matches!(
        path,
        "choices[].delta.reasoning_content"
            | "choices[].delta.reasoning"
            | "choices[].delta.tool_calls[].function.arguments"
            | "choices[].delta.tool_calls[].function.name"
            | "choices[].delta.tool_calls[].custom.input"
            | "choices[].delta.tool_calls[].custom.name"
            | "choices[].delta.function_call.arguments"
            | "choices[].delta.function_call.name"
            | "choices[].delta.audio.data"
            | "choices[].delta.audio.transcript"
            | "delta.thinking"
            | "delta.partial_json"
            | "delta.citation.cited_text"
            | "message.thinking"
            | "message.tool_calls[].function.name"
            | "thinking"
    ) && value.is_filled()
}

/// The types of the Responses API and of Messages.
fn kind_of(name: &str) -> Kind {
    match name {
        "response.output_text.delta" | "response.refusal.delta" => Kind::Visible,
        "response.reasoning_text.delta"
        | "response.reasoning_summary_text.delta"
        | "response.function_call_arguments.delta"
        | "response.custom_tool_call_input.delta"
        | "response.mcp_call_arguments.delta"
        | "response.code_interpreter_call_code.delta"
        | "response.audio.delta"
        | "response.audio.transcript.delta" => Kind::Hidden,
        "response.completed" | "response.incomplete" | "message_stop" => Kind::Terminal,
        "response.failed" | "error" => Kind::Failed,
        _ => Kind::Other,
    }
}

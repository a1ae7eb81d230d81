//! What is read off a request's body while it passes by.

use std::time::Duration;

use crate::capture::Copies;
use crate::json::{Reader, Value};
use crate::metrics::InFlight;

/// What a request asked for.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Default)]
pub(crate) struct RequestSeen {
    pub(crate) reader: Reader,
    pub(crate) model: Option<String>,
    pub(crate) stream: Option<bool>,
    /// Offset after the brace of `stream_options`, when it is there.
    pub(crate) stream_options: Option<u64>,
    /// `include_usage` is said, whichever way.
    pub(crate) says_usage: bool,
    /// `stream_options` is there and no object.
    pub(crate) odd_options: bool,
    pub(crate) echo: bool,
    /// The response that this one goes on from, and the conversation it belongs to (responses API).
    pub(crate) previous_response_id: Option<String>,
    pub(crate) conversation: Option<String>,
    pub(crate) inputs: Option<u64>,
    pub(crate) bytes: u64,
    /// When the body had come whole.
    pub(crate) received: Option<Duration>,
    /// Where the outermost object begins: the offset after its brace.
    pub(crate) begin: Option<u64>,
    /// The body is encoded or was no JSON.
    pub(crate) unread: bool,
    /// Counted as in flight, from the whole request to the end of its answer.
    pub(crate) in_flight: Option<InFlight>,
    /// The answer has ended: what is received after it is in flight no more.
    pub(crate) ended: bool,
    /// Copies what passes, on a route that is captured; the answer too.
    pub(crate) copies: Option<Box<Copies>>,
}

impl RequestSeen {
    /// A part of the body.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(copies) = &mut self.copies {
            copies.request(bytes);
        }
        if self.unread {
            return;
        }
        let mut reader = std::mem::take(&mut self.reader);
        reader.feed(bytes, &mut |path, value| self.value(path, value));
        self.unread |= reader.is_lost();
        self.reader = reader;
    }

    fn value(&mut self, path: &str, value: Value<'_>) {
        match (path, value) {
            ("", Value::Object(offset)) => self.begin = Some(offset),
            ("model", _) => self.model = value.text().map(str::to_owned),
            ("stream", Value::Bool(stream)) => self.stream = Some(stream),
            ("stream_options", Value::Object(offset)) => self.stream_options = Some(offset),
            ("stream_options", _) => self.odd_options = true,
            ("stream_options.include_usage", _) => self.says_usage = true,
            ("previous_response_id", _) => {
                self.previous_response_id = value.text().map(str::to_owned);
            }
            ("conversation" | "conversation.id", Value::Text(..)) => {
                self.conversation = value.text().map(str::to_owned);
            }
            ("echo", Value::Bool(echo)) => self.echo = echo,
            ("input" | "documents" | "texts", Value::Elements(count)) => self.inputs = Some(count),
            ("input", Value::Text(..)) => self.inputs = Some(1),
            _ => {}
        }
    }

    /// Whether the whole body was one object.
    pub(crate) fn is_whole(&self) -> bool {
        !self.unread && self.begin.is_some() && self.reader.is_done()
    }
}

//! Reads an answer while it passes by: the same frames, with the time each arrived.
//!
//! Memory is bounded whatever comes: parsers keep positions and short values, never content.

mod encoding;
mod engine;
mod facts;
pub(crate) mod request;
pub(crate) mod sse;
mod usage;

use std::time::Duration;

use crate::api::Api;
use crate::call::{EngineTimes, Gaps, Tokens};
use crate::json::Reader;
pub(crate) use encoding::Decoder;
use facts::{Facts, Learnt};
use sse::{Piece, SseReader};

/// Shortest gap that can be a stall: below it nobody reading along would notice.
const STALL_MIN: Duration = Duration::from_millis(100);
/// A stall is this many times the median gap of its answer.
const STALL_TIMES: f64 = 4.0;
/// The longest data line that is not JSON and means something is `[DONE]`.
const MARK_MAX: usize = 8;

/// How the parts of an answer are told from each other.
#[derive(Debug)]
enum Framing {
    Sse(Box<SseReader>),
    /// One JSON document a line.
    Lines,
    Whole,
    /// Nothing that is understood.
    Blind,
}

/// The observer of one answer.
#[derive(Debug)]
pub(crate) struct Observer {
    api: Api,
    decoder: Decoder,
    decoded: u64,
    framing: Framing,
    rest: Rest,
}

/// What is not the framing, apart from it so that both can be borrowed at once.
#[derive(Debug)]
struct Rest {
    reader: Reader,
    /// The beginning of the data line that is being read, while it is not known to be JSON.
    mark: Vec<u8>,
    line_begun: bool,
    is_json: bool,
    facts: Facts,
    learnt: Learnt,
    seen: Seen,
    /// Time of the event that is being read: that of the frame its last data came in.
    event_at: Duration,
    skip_first: bool,
}

/// What an answer was seen to be.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Default, Clone)]
struct Seen {
    events: u64,
    token_events: u64,
    first_token: Option<Duration>,
    first_output: Option<Duration>,
    last_token: Option<Duration>,
    gaps: Gaps,
    error: bool,
    terminal: bool,
    /// The event that names the speaker has come, before the tokens of a chat.
    greeted: bool,
    /// A document that was no JSON.
    lost: bool,
}

/// The sum of it all, when the answer has ended.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    pub(crate) streamed: bool,
    pub(crate) model: Option<String>,
    pub(crate) response_id: Option<String>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) error_type: Option<String>,
    pub(crate) first_token: Option<Duration>,
    pub(crate) first_output: Option<Duration>,
    pub(crate) last_token: Option<Duration>,
    pub(crate) token_events: u64,
    pub(crate) gaps: Gaps,
    pub(crate) tokens: Tokens,
    pub(crate) engine: EngineTimes,
    pub(crate) error: bool,
    /// A stream ended without its last event.
    pub(crate) unfinished: bool,
    pub(crate) unread: bool,
}

impl Observer {
    /// For an answer with these headers; `echo` when its first text repeats the prompt.
    pub(crate) fn new(
        api: Api,
        content_type: Option<&str>,
        encoding: Option<&str>,
        echo: bool,
    ) -> Self {
        let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        let framing = match kind.as_str() {
            "text/event-stream" => Framing::Sse(Box::default()),
            "application/x-ndjson" | "application/jsonl" | "application/ndjson" => Framing::Lines,
            kind if kind.ends_with("json") => Framing::Whole,
            _ => Framing::Blind,
        };
        let rest = Rest {
            reader: Reader::default(),
            mark: Vec::new(),
            line_begun: false,
            is_json: false,
            facts: Facts::default(),
            learnt: Learnt::default(),
            seen: Seen::default(),
            event_at: Duration::ZERO,
            skip_first: echo,
        };
        Self { api, decoder: Decoder::of(encoding), decoded: 0, framing, rest }
    }

    /// Whether the answer comes as a stream of events.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.framing, Framing::Sse(_) | Framing::Lines)
    }

    /// Whether the last event of the stream has come.
    pub(crate) fn has_ended(&self) -> bool {
        self.rest.seen.terminal
    }

    /// A frame that arrived at `at`.
    pub(crate) fn frame(&mut self, bytes: &[u8], at: Duration) {
        let Self { decoder, decoded, framing, rest, .. } = self;
        decoder.feed(bytes, decoded, &mut |plain| match framing {
            Framing::Sse(reader) => reader.feed(plain, &mut |piece| rest.piece(piece, at)),
            Framing::Lines => rest.lines(plain, at),
            Framing::Whole => rest.json(plain),
            Framing::Blind => {}
        });
    }

    /// The answer has ended.
    pub(crate) fn finish(mut self) -> Summary {
        let streamed = self.is_stream();
        match &mut self.framing {
            Framing::Sse(reader) => {
                let rest = &mut self.rest;
                let at = rest.event_at;
                reader.finish(&mut |piece| rest.piece(piece, at));
            }
            Framing::Lines => self.rest.end_of_document(self.rest.event_at),
            Framing::Whole => {
                self.rest.seen.lost |= self.rest.reader.is_lost();
                self.rest.facts.end();
                self.rest.seen.error |= self.rest.facts.error;
            }
            Framing::Blind => {}
        }
        let blind = self.decoder.is_blind() || matches!(self.framing, Framing::Blind);
        self.summary(streamed, blind)
    }

    fn summary(self, streamed: bool, blind: bool) -> Summary {
        let Rest { learnt, mut seen, .. } = self.rest;
        seen.gaps.stalls = stalls(&seen.gaps);
        let chunks = (streamed && seen.token_events > 0).then_some(seen.token_events);
        let tokens = learnt.usage.tokens(self.api.generates(), chunks);
        let finished = seen.terminal || learnt.finish_reason.is_some() || seen.error;
        Summary {
            streamed,
            model: learnt.model,
            response_id: learnt.id,
            finish_reason: learnt.finish_reason,
            error_type: learnt.error_type,
            first_token: seen.first_token,
            first_output: seen.first_output,
            last_token: seen.last_token,
            token_events: seen.token_events,
            gaps: seen.gaps,
            tokens,
            engine: learnt.engine,
            error: seen.error,
            // What could not be read may have had its last event.
            unfinished: streamed && !blind && !finished && self.api.generates(),
            unread: blind || seen.lost,
        }
    }
}

impl Rest {
    fn piece(&mut self, piece: Piece<'_>, at: Duration) {
        match piece {
            Piece::Name(name) => {
                self.facts.name(name);
                self.event_at = at;
            }
            Piece::Data(bytes) => {
                self.event_at = at;
                self.data(bytes);
            }
            Piece::LineEnd => {
                self.event_at = at;
                if self.is_json {
                    // A line break between data lines is white space to JSON.
                    self.json(b"\n");
                } else if self.mark.trim_ascii() == b"[DONE]" {
                    self.facts.terminal = true;
                }
                self.line_begun = false;
            }
            Piece::End => {
                let at = self.event_at;
                self.end_of_document(at);
            }
        }
    }

    /// A part of a data line: JSON when it begins like it or goes on with it.
    fn data(&mut self, bytes: &[u8]) {
        if self.is_json {
            self.json(bytes);
            return;
        }
        if !self.line_begun {
            self.line_begun = true;
            self.mark.clear();
        }
        let before = self.mark.len();
        let room = (MARK_MAX - before).min(bytes.len());
        self.mark.extend_from_slice(bytes.get(..room).unwrap_or_default());
        let first = self.mark.iter().position(|byte| !byte.is_ascii_whitespace());
        if first.is_some_and(|at| self.mark.get(at) == Some(&b'{')) {
            self.is_json = true;
            let start = first.unwrap_or(0).saturating_sub(before);
            self.json(bytes.get(start..).unwrap_or_default());
        }
    }

    fn json(&mut self, bytes: &[u8]) {
        let Self { reader, facts, learnt, .. } = self;
        reader.feed(bytes, &mut |path, value| facts.value(learnt, path, value));
    }

    fn lines(&mut self, bytes: &[u8], at: Duration) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.event_at = at;
            self.is_json |= part.iter().any(|byte| !byte.is_ascii_whitespace());
            self.json(part);
            if part.ends_with(b"\n") {
                self.end_of_document(at);
            }
        }
    }

    fn end_of_document(&mut self, at: Duration) {
        let mut facts = std::mem::take(&mut self.facts);
        facts.end();
        self.seen.lost |= self.is_json && (self.reader.is_lost() || !self.reader.is_done());
        self.is_json = false;
        self.reader.reset();
        self.seen.events += 1;
        self.seen.error |= facts.error;
        self.seen.terminal |= facts.terminal;
        if facts.visible && self.skip_first {
            self.skip_first = false;
            return;
        }
        self.seen.token(&facts, at);
    }
}

impl Seen {
    fn token(&mut self, facts: &Facts, at: Duration) {
        if facts.visible {
            self.first_output.get_or_insert(at);
        }
        // Before the speaker is named an empty text may as well be the server's greeting.
        let begun = self.greeted || self.first_token.is_some();
        self.greeted |= facts.speaker;
        let textless = begun && facts.is_textless_token();
        if !facts.token && !textless {
            return;
        }
        self.token_events += 1;
        self.first_token.get_or_insert(at);
        if let Some(before) = self.last_token.replace(at) {
            let gap = at.saturating_sub(before);
            self.gaps.count += 1;
            self.gaps.total += gap;
            self.gaps.longest = self.gaps.longest.max(gap);
            self.gaps.spread.add(gap.as_secs_f64());
        }
    }
}

/// Gaps that stand out; one in the very bucket of the limit (4.4 % wide) does not.
fn stalls(gaps: &Gaps) -> u64 {
    let Some(median) = gaps.spread.median() else { return 0 };
    gaps.spread.above((median * STALL_TIMES).max(STALL_MIN.as_secs_f64()))
}

#[cfg(test)]
mod tests;

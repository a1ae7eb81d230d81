//! The two changes that a route may ask for: have the usage record sent, and take it out again.

use bytes::{Bytes, BytesMut};

use crate::json::{Reader, Value};
use crate::observe::request::RequestSeen;
use crate::observe::sse::{Piece, SseReader};

/// An event longer than this is no record of usage: what is held back is let go.
const EVENT_MAX: usize = 256 << 10;

/// The body with `stream_options.include_usage` set, or `None` where there is nothing to set: no
/// stream, or the client has said what it wants.
pub(crate) fn inject(body: &[u8], seen: &RequestSeen) -> Option<Bytes> {
    if !seen.is_whole() || seen.stream != Some(true) || seen.says_usage || seen.odd_options {
        return None;
    }
    let (at, text) = match seen.stream_options {
        Some(at) => (at, "\"include_usage\":true"),
        None => (seen.begin?, "\"stream_options\":{\"include_usage\":true}"),
    };
    let (before, after) = body.split_at_checked(usize::try_from(at).ok()?)?;
    let empty = after.trim_ascii_start().first() == Some(&b'}');
    let comma: &[u8] = if empty { b"" } else { b"," };
    Some(Bytes::from([before, text.as_bytes(), comma, after].concat()))
}

/// Takes the record of usage out of a stream. Everything else passes as it came, each event as soon
/// as its end is there.
#[derive(Debug, Default)]
pub(crate) struct Strip {
    held: BytesMut,
    /// Bytes of `held` in which no end of an event is.
    looked: usize,
    off: bool,
}

impl Strip {
    /// What may go on of these bytes and those held back before.
    pub(crate) fn feed(&mut self, bytes: Bytes) -> Bytes {
        if self.off {
            return bytes;
        }
        self.held.extend_from_slice(&bytes);
        let mut out = BytesMut::new();
        while let Some(end) = self.event_end() {
            let event = self.held.split_to(end);
            self.looked = 0;
            if !is_usage_alone(&event) {
                out.extend_from_slice(&event);
            }
        }
        if self.held.len() > EVENT_MAX {
            self.off = true;
            out.extend_from_slice(&self.held.split());
        }
        out.freeze()
    }

    /// What is left when the stream has ended.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    /// The offset after the empty line that ends the first event.
    fn event_end(&mut self) -> Option<usize> {
        let from = self.looked;
        let rest = self.held.get(from..)?;
        for at in memchr::memchr_iter(b'\n', rest).map(|at| from + at) {
            let next = self.held.get(at + 1..).unwrap_or_default();
            match next {
                [b'\n', ..] => return Some(at + 2),
                [b'\r', b'\n', ..] => return Some(at + 3),
                [] | [b'\r'] => {
                    self.looked = at;
                    return None;
                }
                _ => {}
            }
        }
        self.looked = self.held.len();
        None
    }
}

/// Whether an event holds usage and no choice. Usage beside choices belongs to what the client asked.
fn is_usage_alone(event: &[u8]) -> bool {
    let (mut json, mut no_choices, mut usage) = (Reader::default(), false, false);
    let mut events = SseReader::default();
    events.feed(event, &mut |piece| {
        if let Piece::Data(data) = piece {
            json.feed(data, &mut |path, value| match (path, value) {
                ("choices", Value::Elements(0)) => no_choices = true,
                ("usage", Value::Object(_)) => usage = true,
                _ => {}
            });
        }
    });
    no_choices && usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usage_is_asked_for_where_the_client_left_it_open() {
        let check = |body: &str, expected: Option<&str>| {
            let mut seen = RequestSeen::default();
            seen.feed(body.as_bytes());
            let got = inject(body.as_bytes(), &seen);
            assert_eq!(got.as_deref(), expected.map(str::as_bytes), "{body}");
        };
        check(
            r#" {"model":"m","stream":true}"#,
            Some(r#" {"stream_options":{"include_usage":true},"model":"m","stream":true}"#),
        );
        check(
            r#"{"stream":true,"stream_options":{ }}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage":true }}"#),
        );
        check(
            r#"{"stream_options":{"x":1},"stream":true}"#,
            Some(r#"{"stream_options":{"include_usage":true,"x":1},"stream":true}"#),
        );
        check(r#"{"stream":true,"stream_options":{"include_usage":false}}"#, None);
        check(r#"{"stream":true,"stream_options":null}"#, None);
        check(r#"{"stream":false}"#, None);
        check(r#"{"stream":true"#, None);
        check("not json", None);
    }

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\\n\\n\"}}],\"usage\":null}\r\n\r\n: c\n\ndata: {\"choices\":[],\"prompt_filter_results\":[]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\ntail";

    proptest! {
        #[test]
        fn only_the_usage_record_goes(cuts in prop::collection::vec(0usize..230, 0..10)) {
            let expected = STREAM.replace("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n", "");
            let bytes = Bytes::from_static(STREAM.as_bytes());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let (mut strip, mut out, mut from) = (Strip::default(), Vec::new(), 0);
            for cut in cuts.into_iter().chain([bytes.len()]) {
                out.extend_from_slice(&strip.feed(bytes.slice(from..cut)));
                from = cut;
            }
            out.extend_from_slice(&strip.finish());
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}

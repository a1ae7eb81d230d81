//! Server-sent events, read as they come: any chunking, any line ending, comments, several data lines.
//!
//! An event is announced when its last data line has ended, not when the empty line after it came:
//! some servers send that empty line with the next event, and time would be read off the wrong frame.

use memchr::memchr2;

/// Bytes of an event's name kept.
const NAME_MAX: usize = 64;
/// Bytes of the field name in front of the colon.
const FIELD_MAX: usize = 8;

/// What the reader tells, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// The event has this name. Comes before its data where the sender puts it there.
    Name(&'a str),
    /// A part of the data of the event.
    Data(&'a [u8]),
    /// A data line has ended.
    LineEnd,
    /// The event has ended.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    LineStart,
    Field,
    /// After the colon: one space belongs to the syntax.
    ValueStart,
    Data,
    Name,
    Skip,
}

/// The reader of one stream.
#[derive(Debug, Default)]
pub(crate) struct SseReader {
    state: State,
    field: Vec<u8>,
    name: Vec<u8>,
    /// The last byte was a carriage return; a line feed now belongs to it.
    after_return: bool,
    /// Something of the event has come.
    open: bool,
    /// Bytes of a byte order mark seen at the very beginning.
    mark: u8,
}

const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

impl SseReader {
    /// Read on.
    pub(crate) fn feed(&mut self, bytes: &[u8], told: &mut dyn FnMut(Piece<'_>)) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if self.mark < 3 {
                if MARK.get(usize::from(self.mark)) == Some(&byte) {
                    self.mark += 1;
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
                self.mark = 3;
            }
            if self.after_return {
                self.after_return = false;
                if byte == b'\n' {
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
            }
            let end = memchr2(b'\n', b'\r', rest);
            let (line, after) = match end {
                Some(at) => rest.split_at(at),
                None => (rest, &[][..]),
            };
            self.part(line, told);
            if let Some((&ending, next)) = after.split_first() {
                self.after_return = ending == b'\r';
                self.line_end(told);
                rest = next;
            } else {
                rest = &[];
            }
        }
    }

    /// The stream has ended; an event that nobody closed counts as ended.
    pub(crate) fn finish(&mut self, told: &mut dyn FnMut(Piece<'_>)) {
        if self.state != State::LineStart {
            self.line_end(told);
        }
        if self.open {
            self.open = false;
            told(Piece::End);
        }
    }

    /// A part of a line, without its ending.
    fn part(&mut self, mut part: &[u8], told: &mut dyn FnMut(Piece<'_>)) {
        if self.state == State::LineStart && !part.is_empty() {
            self.field.clear();
            self.state = State::Field;
        }
        if self.state == State::Field {
            let colon = memchr::memchr(b':', part);
            let (name, after) = part.split_at(colon.unwrap_or(part.len()));
            let room = (FIELD_MAX - self.field.len()).min(name.len());
            self.field.extend_from_slice(name.get(..room).unwrap_or_default());
            if colon.is_none() {
                return;
            }
            self.state = State::ValueStart;
            part = after.get(1..).unwrap_or_default();
        }
        if self.state == State::ValueStart {
            let Some(&first) = part.first() else { return };
            self.begin_value();
            if first == b' ' {
                part = part.get(1..).unwrap_or_default();
            }
        }
        match self.state {
            State::Data if !part.is_empty() => told(Piece::Data(part)),
            State::Name => {
                let room = (NAME_MAX - self.name.len()).min(part.len());
                self.name.extend_from_slice(part.get(..room).unwrap_or_default());
            }
            _ => {}
        }
    }

    fn begin_value(&mut self) {
        self.state = match self.field.as_slice() {
            b"data" => {
                self.open = true;
                State::Data
            }
            b"event" => {
                self.open = true;
                self.name.clear();
                State::Name
            }
            _ => State::Skip,
        };
    }

    fn line_end(&mut self, told: &mut dyn FnMut(Piece<'_>)) {
        match self.state {
            State::LineStart => {
                if self.open {
                    self.open = false;
                    told(Piece::End);
                }
            }
            State::Data => told(Piece::LineEnd),
            State::Name => {
                if let Ok(name) = std::str::from_utf8(&self.name) {
                    told(Piece::Name(name));
                }
            }
            State::Field | State::ValueStart | State::Skip => {}
        }
        self.state = State::LineStart;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Events as (name, data), data lines joined by a bar.
    fn read(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut reader = SseReader::default();
        let (mut events, mut name, mut data) = (Vec::new(), String::new(), Vec::new());
        let mut on = |piece: Piece<'_>| match piece {
            Piece::Name(text) => text.clone_into(&mut name),
            Piece::Data(bytes) => data.extend_from_slice(bytes),
            Piece::LineEnd => data.push(b'|'),
            Piece::End => {
                let text = String::from_utf8_lossy(&std::mem::take(&mut data)).into_owned();
                events.push((std::mem::take(&mut name), text));
            }
        };
        for piece in pieces {
            reader.feed(piece, &mut on);
        }
        reader.finish(&mut on);
        events
    }

    #[test]
    fn events_are_told_whatever_ends_their_lines() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let got = read(&[text.as_bytes()]);
            let got: Vec<_> = got.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(got, expected, "{text:?}");
        };
        check("data: a\n\ndata:b\n\n", &[("", "a|"), ("", "b|")]);
        check("event: x\r\ndata: a\r\n\r\n", &[("x", "a|")]);
        check("data: a\rdata: b\r\r", &[("", "a|b|")]);
        check(": keep-alive\n\ndata: a\n\n", &[("", "a|")]);
        check("\u{feff}data: a\n\nid: 3\nretry: 1\n\n", &[("", "a|")]);
        check("data: a", &[("", "a|")]);
        check("data\n\nnonsense\n\ndata: \n\n", &[("", "|")]);
        check("data:  two\n\n", &[("", " two|")]);
    }

    proptest! {
        #[test]
        fn splits_change_nothing(cuts in prop::collection::vec(0usize..120, 0..10)) {
            let text = ": c\r\nevent: delta\r\ndata: {\"a\":\"gr\u{fc}\u{df}e\"}\r\n\r\ndata: 1\ndata: 2\n\ndata: [DONE]\r\r";
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&[&bytes]);
        }
    }
}

//! A JSON reader that is fed bytes as they come and keeps no more than a path and a short value.
//!
//! Bodies may be a gigabyte and hold what nobody but their owner may read. So a value is told by its
//! path and its first bytes, and is gone. Nothing is rejected that a lenient reader would take: the
//! bytes pass on whatever is thought of them here.

use memchr::memchr2;

/// Bytes of a string kept: model names, ids, finish reasons.
const TEXT_MAX: usize = 200;
/// Bytes of a path kept. Deeper values are skipped.
const PATH_MAX: usize = 160;
/// Containers within one another, as bits of one word.
const DEPTH_MAX: u32 = 64;

/// One value that was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// A string: its beginning with escapes as they stand, and its length in bytes. The beginning is
    /// empty when it is not UTF-8.
    Text(&'a str, u64),
    Number(f64),
    Bool(bool),
    Null,
    /// An object begins; `offset` is that of the byte after its brace.
    Object(u64),
    /// An array ended with this many elements.
    Elements(u64),
}

impl Value<'_> {
    /// A string that is not empty.
    pub(crate) fn is_filled(&self) -> bool {
        matches!(self, Value::Text(_, length) if *length > 0)
    }

    /// A count of something, when it is a whole number.
    pub(crate) fn count(&self) -> Option<u64> {
        match self {
            Value::Number(value) if *value >= 0.0 && *value < 1e15 => Some(*value as u64),
            _ => None,
        }
    }

    /// The text, when it was short enough to be kept whole.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text, length) if *length > 0 && text.len() as u64 == *length => Some(text),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Between values.
    #[default]
    Between,
    /// In a string; whether the last byte was a backslash.
    Text { escaped: bool },
    /// In a number or a word.
    Word,
    /// What came was no JSON.
    Lost,
}

/// The reader of one document.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    state: State,
    /// Keys joined by dots, `[]` for any element: `choices[].delta.content`.
    path: String,
    /// Length of the path at the beginning of each container that is open.
    lengths: Vec<u16>,
    /// Elements of each container that is open, so far.
    counts: Vec<u64>,
    /// One bit for each open container, the innermost lowest: whether it is an object.
    objects: u64,
    depth: u32,
    /// The next string is a key.
    wants_key: bool,
    /// The path is too long to be told.
    overflow: u32,
    text: Vec<u8>,
    text_length: u64,
    offset: u64,
    done: bool,
}

impl Reader {
    /// Ready for another document; memory is kept.
    pub(crate) fn reset(&mut self) {
        self.state = State::Between;
        self.path.clear();
        self.lengths.clear();
        self.counts.clear();
        self.objects = 0;
        self.depth = 0;
        self.wants_key = false;
        self.overflow = 0;
        self.text.clear();
        self.text_length = 0;
        self.offset = 0;
        self.done = false;
    }

    /// Whether the outermost container has been closed.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether what came was no JSON.
    pub(crate) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Read on; `told` gets every value whose path could be kept.
    pub(crate) fn feed(&mut self, bytes: &[u8], told: &mut dyn FnMut(&str, Value<'_>)) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            match self.state {
                State::Lost => return,
                State::Text { escaped } => {
                    rest = self.text(rest, escaped, told);
                    continue;
                }
                State::Word => {
                    if matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'a'..=b'z' | b'E') {
                        self.keep(&[byte]);
                    } else {
                        self.word(told);
                        continue;
                    }
                }
                State::Between => self.between(byte, told),
            }
            self.offset += 1;
            rest = rest.get(1..).unwrap_or_default();
        }
    }

    fn between(&mut self, byte: u8, told: &mut dyn FnMut(&str, Value<'_>)) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => {}
            b',' => {
                self.wants_key = self.in_object();
                if let Some(count) = self.counts.last_mut() {
                    *count += 1;
                }
            }
            b'{' | b'[' => self.open(byte == b'{', told),
            b'}' | b']' => self.close(told),
            b'"' => {
                self.touch();
                self.text.clear();
                self.text_length = 0;
                self.state = State::Text { escaped: false };
            }
            b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => {
                self.touch();
                self.text.clear();
                self.text_length = 0;
                self.keep(&[byte]);
                self.state = State::Word;
            }
            _ => self.state = State::Lost,
        }
    }

    /// The innermost array has an element.
    fn touch(&mut self) {
        if let Some(count) = self.counts.last_mut()
            && *count == 0
        {
            *count = 1;
        }
    }

    fn in_object(&self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    fn open(&mut self, object: bool, told: &mut dyn FnMut(&str, Value<'_>)) {
        if self.depth >= DEPTH_MAX {
            self.state = State::Lost;
            return;
        }
        self.touch();
        if object && self.overflow == 0 {
            told(&self.path, Value::Object(self.offset + 1));
        }
        self.lengths.push(self.path.len() as u16);
        self.counts.push(0);
        self.objects = self.objects << 1 | u64::from(object);
        self.depth += 1;
        self.wants_key = object;
        if self.overflow > 0 {
            self.overflow += 1;
        } else if !object {
            self.path.push_str("[]");
        }
    }

    fn close(&mut self, told: &mut dyn FnMut(&str, Value<'_>)) {
        let (Some(length), Some(count)) = (self.lengths.pop(), self.counts.pop()) else {
            self.state = State::Lost;
            return;
        };
        let array = !self.in_object();
        self.overflow = self.overflow.saturating_sub(1);
        self.path.truncate(usize::from(length));
        self.objects >>= 1;
        self.depth -= 1;
        if array && self.overflow == 0 {
            told(&self.path, Value::Elements(count));
        }
        self.leave();
        if self.depth == 0 {
            self.done = true;
        }
    }

    /// A value has ended: its key goes.
    fn leave(&mut self) {
        if !self.in_object() {
            return;
        }
        self.overflow = if self.overflow == 1 { 0 } else { self.overflow };
        if let Some(&length) = self.lengths.last() {
            self.path.truncate(usize::from(length));
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = TEXT_MAX.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        self.text_length += bytes.len() as u64;
    }

    /// Read on within a string; what is left after it.
    fn text<'a>(
        &mut self,
        bytes: &'a [u8],
        escaped: bool,
        told: &mut dyn FnMut(&str, Value<'_>),
    ) -> &'a [u8] {
        if escaped {
            let (one, rest) = bytes.split_at(1);
            self.keep(one);
            self.offset += 1;
            self.state = State::Text { escaped: false };
            return rest;
        }
        let Some(at) = memchr2(b'"', b'\\', bytes) else {
            self.keep(bytes);
            self.offset += bytes.len() as u64;
            return &[];
        };
        let (before, rest) = bytes.split_at(at);
        self.keep(before);
        let (mark, rest) = rest.split_at(1);
        self.offset += at as u64 + 1;
        if mark == b"\\" {
            self.keep(mark);
            self.state = State::Text { escaped: true };
            return rest;
        }
        self.state = State::Between;
        if self.wants_key && self.in_object() {
            self.wants_key = false;
            self.key();
        } else {
            if self.overflow == 0 {
                let text = std::str::from_utf8(&self.text).unwrap_or_default();
                told(&self.path, Value::Text(text, self.text_length));
            }
            self.leave();
        }
        rest
    }

    fn key(&mut self) {
        if self.overflow > 0 {
            return;
        }
        match std::str::from_utf8(&self.text) {
            Ok(key) if self.path.len() + key.len() < PATH_MAX => {
                if !self.path.is_empty() {
                    self.path.push('.');
                }
                self.path.push_str(key);
            }
            _ => self.overflow = 1,
        }
    }

    fn word(&mut self, told: &mut dyn FnMut(&str, Value<'_>)) {
        self.state = State::Between;
        let word = std::str::from_utf8(&self.text).unwrap_or_default();
        let value = match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            _ => {
                let Ok(number) = word.parse() else {
                    self.state = State::Lost;
                    return;
                };
                Value::Number(number)
            }
        };
        if self.overflow == 0 {
            told(&self.path, value);
        }
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut reader = Reader::default();
        let mut told = Vec::new();
        for piece in pieces {
            reader.feed(piece, &mut |path, value| {
                if !matches!(value, Value::Object(_)) {
                    told.push(format!("{path}={value:?}"));
                }
            });
        }
        if reader.is_lost() {
            told.push("lost".to_owned());
        }
        told
    }

    #[test]
    fn values_are_told_by_path() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(read(&[text.as_bytes()]), expected, "{text}");
        };
        check(
            r#"{"a":{"b":[1,{"c":"x\"y"}],"d":true},"e":null}"#,
            &[
                "a.b[]=Number(1.0)",
                r#"a.b[].c=Text("x\\\"y", 4)"#,
                "a.b=Elements(2)",
                "a.d=Bool(true)",
                "e=Null",
            ],
        );
        check(r#"{"a":[],"b":-1.5e3}"#, &["a=Elements(0)", "b=Number(-1500.0)"]);
        check(
            r#"{"a":[[1],[2,3]],"b":""}"#,
            &[
                "a[][]=Number(1.0)",
                "a[]=Elements(1)",
                "a[][]=Number(2.0)",
                "a[][]=Number(3.0)",
                "a[]=Elements(2)",
                "a=Elements(2)",
                "b=Text(\"\", 0)",
            ],
        );
        check("{\"a\":<html>", &["lost"]);
        check("]", &["lost"]);
    }

    #[test]
    fn a_path_too_long_is_skipped_and_the_rest_is_read() {
        let long = "k".repeat(PATH_MAX);
        let text = format!(r#"{{"{long}":{{"x":[1,{{"y":2}}]}},"{long}":3,"b":4}}"#);
        assert_eq!(read(&[text.as_bytes()]), ["b=Number(4.0)"]);
    }

    #[test]
    fn long_strings_are_counted_and_not_kept() {
        let mut reader = Reader::default();
        let mut lengths = Vec::new();
        let mut feed = |bytes: &[u8]| {
            reader.feed(bytes, &mut |_, value| {
                if let Value::Text(kept, length) = value {
                    lengths.push((kept.len(), length));
                }
            });
        };
        feed(b"{\"prompt\":\"");
        for _ in 0..1000 {
            feed(&[b'x'; 1000]);
        }
        feed(b"\"}");
        assert_eq!(lengths, [(TEXT_MAX, 1_000_000)]);
    }

    proptest! {
        #[test]
        fn splits_change_nothing(cuts in prop::collection::vec(0usize..200, 0..12)) {
            let text = r#"{"choices":[{"delta":{"content":"h\u00e9 \\\" %","n":[1.25,-3]},"x":false}],"usage":{"t":12345}}"#;
            let text = text.replace('%', "\u{fc}");
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

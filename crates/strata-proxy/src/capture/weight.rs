//! What reading a call takes in memory, known before it is read: documents as trees take many times
//! their bytes, and of whoever writes them nobody knows how they are made.

/// Bytes held at most for each byte of a call: as it came, cut into documents, as texts of a tree, and
/// one more while a frame is made of it.
const COPIES: usize = 4;
/// More of that for each byte of a text that is a document itself: a tree and what it was before, at
/// each of the four depths that are looked into.
const COPIES_NESTED: usize = 8;
/// An object: `serde_json` with its order kept has room for four fields of 104 bytes at once, and a table
/// of hashes beside them.
const OBJECT: usize = 600;
/// A list: room for four values of 72 bytes at once.
const LIST: usize = 320;
/// Another field or value: lists double as they grow, and while they are moved are there twice.
const COMMA: usize = 400;
/// A name or a text: the block of a short one.
const TEXT: usize = 32;
/// What the parts that events name by number take, see `PARTS_MAX`.
pub(super) const JOINED: usize = 1 << 20;

/// Signs that make a document's tree, and those in texts that are documents themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signs {
    bytes: usize,
    /// Bytes of the tree, beside its texts.
    tree: usize,
    nested_bytes: usize,
    nested_tree: usize,
}

/// What a sign outside of texts adds to a tree.
fn adds(sign: u8) -> usize {
    match sign {
        b'{' => OBJECT,
        b'[' => LIST,
        b',' => COMMA,
        b'"' => TEXT,
        _ => 0,
    }
}

impl Signs {
    /// Of a document. Its texts count as documents where they begin like one; all of them where they
    /// are pieces of a text, of which the first alone says what it is.
    pub(super) fn of(document: &[u8], pieces: bool) -> Self {
        let mut signs = Self { bytes: document.len(), ..Self::default() };
        let mut rest = document;
        while let Some((first, after)) = rest.split_first() {
            signs.tree += adds(*first);
            rest = match first {
                b'"' => signs.text(after, pieces || begins(after)),
                _ => after,
            };
        }
        signs
    }

    /// Through a text to behind its end.
    fn text<'d>(&mut self, mut rest: &'d [u8], counts: bool) -> &'d [u8] {
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            let mut sign = *first;
            if sign == b'"' {
                break;
            }
            if sign == b'\\' {
                let Some((escaped, after)) = rest.split_first() else { break };
                rest = after;
                self.nested_bytes += usize::from(counts);
                sign = match escaped {
                    b'u' => ascii(rest),
                    escaped => *escaped,
                };
            }
            if counts {
                self.nested_bytes += 1;
                self.nested_tree += adds(sign);
            }
        }
        rest
    }

    /// Bytes of all copies, without the tree.
    pub(super) fn copies(&self) -> usize {
        self.bytes * COPIES + self.nested_bytes * COPIES_NESTED
    }

    /// Bytes of the tree beside its texts.
    pub(super) fn tree(&self) -> usize {
        self.tree
    }

    /// The same of trees within texts: as it is and as it was.
    pub(super) fn nested(&self) -> usize {
        2 * self.nested_tree
    }
}

/// Whether a text may be a document: by its first sign, or because that is written as an escape.
fn begins(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'\\'))
}

/// The sign that the four digits behind `\u` stand for, where it is one of ASCII.
fn ascii(digits: &[u8]) -> u8 {
    let code = digits.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
    let code = code.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, tree: usize, nested: usize) {
        let signs = Signs::of(document.as_bytes(), false);
        assert_eq!((signs.tree(), signs.nested()), (tree, 2 * nested), "{document}");
    }

    #[test]
    fn signs_outside_of_texts_count_and_those_in_texts_that_are_documents() {
        check(r#"{"a":[1,2],"b":{}}"#, 2 * OBJECT + LIST + 2 * COMMA + 2 * TEXT, 0);
        check(r#"{"a":"one, two: {[\"\\"}"#, OBJECT + 2 * TEXT, 0);
        check(r#"["  {\"a\":[1,2]}"]"#, LIST + TEXT, OBJECT + LIST + COMMA + 2 * TEXT);
        check(r#"["\u007b\"a\"\u003a1}"]"#, LIST + TEXT, OBJECT + 2 * TEXT);
        check(r#"["\n[[],[]]"]"#, LIST + TEXT, 3 * LIST + COMMA);
        // Texts that do not end are read as far as they go.
        check(r#"["[[\"#, LIST + TEXT, 2 * LIST);
        check("\"\\", TEXT, 0);
    }

    #[test]
    fn of_pieces_all_texts_count() {
        let signs = Signs::of(br#"{"t":"a,{"}"#, true);
        assert_eq!(signs.nested(), 2 * (OBJECT + COMMA));
        assert_eq!(signs.tree(), OBJECT + 2 * TEXT);
        assert_eq!(signs.copies(), 11 * COPIES + 4 * COPIES_NESTED, "t, and three in the text");
    }
}

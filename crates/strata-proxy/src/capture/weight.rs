//! What reading a call takes in memory, known before it is read: documents as trees take many times
//! their bytes, and of whoever writes them nobody knows how they are made.

/// Bytes held at most for each byte of a call: as it came, cut into documents, as texts of a tree, and
/// one more while a frame is made of it.
const COPIES: usize = 4;
/// More of that for each byte of a text that is a document itself: a tree and what it was before, at
/// each of the four depths that are looked into.
const COPIES_NESTED: usize = 8;
/// An object: a node of a `BTreeMap` has room for eleven names and values, 56 bytes each, and a head.
const OBJECT: usize = 700;
/// A value or a name: 32 bytes in a list that doubles as it grows, with the block of a short text.
const VALUE: usize = 160;
/// What the parts that events name by number take, see `PARTS_MAX`.
pub(super) const JOINED: usize = 1 << 20;

/// Signs that make a document's tree, and those in texts that are documents themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signs {
    bytes: usize,
    objects: usize,
    values: usize,
    nested_bytes: usize,
    nested_objects: usize,
    nested_values: usize,
}

impl Signs {
    /// Of a document. Its texts count as documents where they begin like one; all of them where they
    /// are pieces of a text, of which the first alone says what it is.
    pub(super) fn of(document: &[u8], pieces: bool) -> Self {
        let mut signs = Self { bytes: document.len(), ..Self::default() };
        let mut rest = document;
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match first {
                b'"' => rest = signs.text(after, pieces || begins(after)),
                b'{' => signs.objects += 1,
                b'[' | b',' | b':' => signs.values += 1,
                _ => {}
            }
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
                sign = if *escaped == b'u' { ascii(rest) } else { b' ' };
            }
            if counts {
                self.nested_bytes += 1;
                match sign {
                    b'{' => self.nested_objects += 1,
                    b'[' | b',' | b':' => self.nested_values += 1,
                    _ => {}
                }
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
        self.objects * OBJECT + self.values * VALUE
    }

    /// The same of trees within texts: as it is and as it was.
    pub(super) fn nested(&self) -> usize {
        2 * (self.nested_objects * OBJECT + self.nested_values * VALUE)
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

    fn check(document: &str, objects: usize, values: usize, nested: (usize, usize)) {
        let signs = Signs::of(document.as_bytes(), false);
        let found = (signs.objects, signs.values, (signs.nested_objects, signs.nested_values));
        assert_eq!(found, (objects, values, nested), "{document}");
    }

    #[test]
    fn signs_outside_of_texts_count_and_those_in_texts_that_are_documents() {
        check(r#"{"a":[1,2],"b":{}}"#, 2, 5, (0, 0));
        check(r#"{"a":"one, two: {[\"\\"}"#, 1, 1, (0, 0));
        check(r#"["  {\"a\":[1,2]}"]"#, 0, 1, (1, 3));
        check(r#"["\u007b\"a\"\u003a1}"]"#, 0, 1, (1, 1));
        check(r#"["\n[[],[]]"]"#, 0, 1, (0, 4));
        // Texts that do not end are read as far as they go.
        check(r#"["[[\"#, 0, 1, (0, 2));
        check("\"\\", 0, 0, (0, 0));
    }

    #[test]
    fn of_pieces_all_texts_count() {
        let signs = Signs::of(br#"{"t":"a,{"}"#, true);
        assert_eq!((signs.nested_objects, signs.nested_values), (1, 1));
        assert_eq!(signs.nested(), 2 * (OBJECT + VALUE));
        assert_eq!(signs.tree(), OBJECT + VALUE);
        assert_eq!(signs.copies(), 11 * COPIES + 4 * COPIES_NESTED, "t, and three in the text");
    }
}

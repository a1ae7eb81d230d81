//! What others said, in words of one line: errors with their causes, the beginning of a foreign text.

use std::error::Error;

/// An error with its causes, each once: wrappers often repeat what they wrap.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The beginning of a foreign text, at most so many characters on one line, without control
/// characters.
pub fn beginning(body: &[u8], characters: usize) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(&'static str, std::io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn causes_are_told_once() {
        let refused = || std::io::Error::other("refused");
        assert_eq!(causes(&Outer("cannot reach it", refused())), "cannot reach it: refused");
        assert_eq!(
            causes(&Outer("cannot reach it: refused", refused())),
            "cannot reach it: refused"
        );
    }

    #[test]
    fn a_foreign_text_is_one_short_line() {
        assert_eq!(beginning(b"  a\n\tb\x07 \xff", 100), "a b \u{fffd}");
        assert_eq!(beginning("\u{e4}bc".as_bytes(), 2), "\u{e4}b");
        assert_eq!(beginning(b"", 9), "");
    }
}

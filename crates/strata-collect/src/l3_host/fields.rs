//! Reading words and numbers out of the kernel's text files, as bytes and without allocation.

use std::borrow::Cow;

/// The lines of a file, the empty ones left out.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

/// The words of a line.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A decimal number; `None` when it is something else or beyond 64 bits.
pub(crate) fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0_u64, |sum, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A decimal fraction such as `0.41`; `None` when it is no finite number.
pub(crate) fn fraction(word: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// Text for a label: what is not UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The mount table writes space, tab, newline and backslash as three octal digits
/// (`proc_pid_mounts(5)`).
pub(crate) fn unescape(word: &[u8]) -> String {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if byte == b'\\' => {
                Some(((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'), after))
            }
            _ => None,
        };
        let (decoded, after) = octal.unwrap_or((byte, tail));
        plain.push(decoded);
        rest = after;
    }
    text(&plain).into_owned()
}

/// The first number after each key, for files whose lines are `key value` or `Key: value kB`.
/// A key may be preceded by other words: `Node 0 MemFree: 12 kB`, skipped by `prefix_words`.
pub(crate) fn values_of<const N: usize>(
    file: &[u8],
    prefix_words: usize,
    keys: &[&str; N],
) -> [Option<u64>; N] {
    let mut values = [None; N];
    for line in lines(file) {
        let mut words = words(line).skip(prefix_words);
        let Some(key) = words.next() else { continue };
        let key = key.strip_suffix(b":").unwrap_or(key);
        if let Some(index) = keys.iter().position(|wanted| wanted.as_bytes() == key) {
            values[index] = words.next().and_then(number);
        }
    }
    values
}

/// Undoes the wrap-around of a counter that the kernel keeps in 32 bits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unwrap32 {
    last: u64,
    laps: u64,
}

impl Unwrap32 {
    /// The counter continued beyond 32 bits. A large step back is a wrap; a step back from a small
    /// value is a reset (device re-attached), which starts again from what is read.
    pub(crate) fn next(&mut self, raw: u64) -> u64 {
        const LAP: u64 = 1 << 32;
        if raw < self.last {
            let wrapped = self.last < LAP && self.last - raw > LAP / 2;
            self.laps = if wrapped { self.laps + 1 } else { 0 };
        }
        self.last = raw;
        raw.saturating_add(self.laps.saturating_mul(LAP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_decimal_and_bounded() {
        let check = |word: &str, expected: Option<u64>| {
            assert_eq!(number(word.as_bytes()), expected, "{word}");
        };
        check("0", Some(0));
        check("18446744073709551615", Some(u64::MAX));
        check("18446744073709551616", None);
        check("-1", None);
        check("+1", None);
        check("1.5", None);
        check("", None);
    }

    #[test]
    fn escapes_of_the_mount_table_are_undone() {
        let check = |word: &str, expected: &str| assert_eq!(unescape(word.as_bytes()), expected);
        check(r"/mnt/my\040disk", "/mnt/my disk");
        check(r"/a\134b", r"/a\b");
        check(r"/a\9b\04", r"/a\9b\04");
        check(r"\777", r"\777");
    }

    #[test]
    fn keys_are_found_after_their_prefix() {
        let file = b"Node 0 MemTotal:  100 kB\nNode 0 MemFree: 40 kB\nNode 0 Odd: x\n";
        let values = values_of(file, 2, &["MemFree", "MemTotal", "Odd", "Missing"]);
        assert_eq!(values, [Some(40), Some(100), None, None]);
    }

    #[test]
    fn a_wrap_continues_and_a_reset_starts_again() {
        let check = |raws: &[u64], expected: u64| {
            let mut counter = Unwrap32::default();
            let mut last = 0;
            for raw in raws {
                last = counter.next(*raw);
            }
            assert_eq!(last, expected, "{raws:?}");
        };
        check(&[4_294_967_290, 4], (1 << 32) + 4);
        check(&[4_294_967_290, 4, 4_294_967_290, 5], (2 << 32) + 5);
        check(&[1_000, 4], 4);
        check(&[4_294_967_290, 4, 2], 2);
        check(&[u64::MAX, 7], 7);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(file: Vec<u8>, word: Vec<u8>) {
            let _ = values_of(&file, 1, &["a", "b"]);
            let _ = (number(&word), fraction(&word), text(&word));
        }

        #[test]
        fn written_numbers_read_back(value: u64) {
            prop_assert_eq!(number(value.to_string().as_bytes()), Some(value));
        }
    }
}

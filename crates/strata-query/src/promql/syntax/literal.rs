//! Numbers and quoted text, read and written as Prometheus (that is, Go) does.

use std::fmt::Write as _;

/// Read a number: decimal, `0x` hexadecimal, leading-zero octal, exponents, `Inf`, `NaN`, digits
/// separated by `_`.
pub fn parse_number(text: &str) -> Option<f64> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let value = if let Some(hex) = lower.strip_prefix("0x") {
        parse_integer(hex, 16)?
    } else if let Some(octal) = lower.strip_prefix("0o") {
        parse_integer(octal, 8)?
    } else if let Some(binary) = lower.strip_prefix("0b") {
        parse_integer(binary, 2)?
    } else if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit())
    {
        parse_integer(&lower, 8).or_else(|| lower.parse().ok())?
    } else {
        match lower.as_str() {
            "inf" | "infinity" => f64::INFINITY,
            "nan" => f64::NAN,
            _ if lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                lower.parse().ok()?
            }
            _ => return None,
        }
    };
    Some(if negative { -value } else { value })
}

fn parse_integer(digits: &str, radix: u32) -> Option<f64> {
    i64::from_str_radix(digits, radix).ok().map(|n| n as f64)
}

/// The shortest decimal that reads back, without exponent, like Go's `'f', -1`.
pub fn format_float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value}")
    }
}

/// Quote a text with double quotes, escaping as Go does.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, c: char) {
    let short = match c {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{b}' => "\\v",
        _ => "",
    };
    let code = u32::from(c);
    if !short.is_empty() {
        out.push_str(short);
    } else if code < 0x20 || code == 0x7f {
        // Writing to a String cannot fail.
        let _infallible = write!(out, "\\x{code:02x}");
    } else if (0x80..0xa0).contains(&code) || code == 0xfeff || code == 0x2028 || code == 0x2029 {
        let _infallible = write!(out, "\\u{code:04x}");
    } else {
        out.push(c);
    }
}

/// Quote bytes that need not be UTF-8.
fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_escaped(&mut out, c));
        for byte in chunk.invalid() {
            let _infallible = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// The text inside a quoted literal, and its bytes quoted again when they are not UTF-8.
pub fn unquote(literal: &str) -> Option<(String, Option<String>)> {
    let mut chars = literal.chars();
    let mark = chars.next()?;
    if chars.next_back()? != mark || !matches!(mark, '"' | '\'' | '`') {
        return None;
    }
    let body = chars.as_str();
    if mark == '`' {
        return Some((body.to_owned(), None));
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            unescape(&mut rest, &mut bytes)?;
        } else {
            push_char(&mut bytes, c);
        }
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let raw = error.into_bytes();
            (String::from_utf8_lossy(&raw).into_owned(), Some(quote_bytes(&raw)))
        }
    })
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn unescape(rest: &mut std::str::Chars<'_>, bytes: &mut Vec<u8>) -> Option<()> {
    let c = rest.next()?;
    let plain = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '"' | '\'' => c as u8,
        'x' => take_digits(rest, 2, 16)? as u8,
        '0'..='7' => {
            let first = c.to_digit(8)?;
            u8::try_from(first * 64 + take_digits(rest, 2, 8)?).ok()?
        }
        'u' | 'U' => {
            let digits = if c == 'u' { 4 } else { 8 };
            push_char(bytes, char::from_u32(take_digits(rest, digits, 16)?)?);
            return Some(());
        }
        _ => return None,
    };
    bytes.push(plain);
    Some(())
}

fn take_digits(rest: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    let mut value = 0_u32;
    for _ in 0..count {
        value = value.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_go() {
        let check = |text: &str, expected: f64| assert_eq!(parse_number(text), Some(expected));
        check("1", 1.0);
        check("0x1f", 31.0);
        check("010", 8.0);
        check("1_000.5", 1000.5);
        check("1e-3", 0.001);
        check("-Inf", f64::NEG_INFINITY);
        assert!(parse_number("nan").is_some_and(f64::is_nan));
        assert_eq!(parse_number("abc"), None);
    }

    #[test]
    fn floats_write_as_in_go() {
        let check = |value: f64, expected: &str| assert_eq!(format_float(value), expected);
        check(0.5, "0.5");
        check(1e6, "1000000");
        check(1e21, "1000000000000000000000");
        check(f64::NAN, "NaN");
        check(f64::NEG_INFINITY, "-Inf");
    }

    #[test]
    fn quoted_text_reads_and_writes() {
        assert_eq!(unquote(r#""a\tb\x41\u00e9""#), Some(("a\tbA\u{e9}".to_owned(), None)));
        assert_eq!(unquote("`a\\b`"), Some(("a\\b".to_owned(), None)));
        let (_, raw) = unquote(r#""a\xc5z""#).unwrap();
        assert_eq!(raw.as_deref(), Some(r#""a\xc5z""#));
        assert_eq!(quote("a\"b\n"), r#""a\"b\n""#);
    }
}

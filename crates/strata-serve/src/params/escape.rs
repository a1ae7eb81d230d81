//! Label names with any characters in a URL path: the `U__` value encoding.

/// A code point has at most this many hexadecimal digits.
const HEX_DIGITS_MAX: usize = 6;

/// Undo the `U__` encoding of a label name. A name without the prefix, or one that is not properly
/// encoded, stands for itself.
///
/// Source: Prometheus, "UTF-8 in Prometheus", value encoding escaping; `__` is `_`, `_2e_` is `.`.
pub fn unescape_label_name(name: &str) -> String {
    match name.strip_prefix("U__").and_then(unescape) {
        Some(plain) => plain,
        None => name.to_owned(),
    }
}

fn unescape(escaped: &str) -> Option<String> {
    let mut plain = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, after)) = rest.split_once('_') {
        plain.push_str(before);
        let (code, tail) = after.split_once('_')?;
        if code.is_empty() {
            plain.push('_');
        } else if code.len() > HEX_DIGITS_MAX || !code.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        } else {
            plain.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        }
        rest = tail;
    }
    plain.push_str(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_names_read_back() {
        let check = |name: &str, expected: &str| assert_eq!(unescape_label_name(name), expected);
        check("job", "job");
        check("U__my_2e_label", "my.label");
        check("U__a__b", "a_b");
        check("U___1F600_", "\u{1F600}");
        check("U__a_2e", "U__a_2e");
        check("U__a_", "U__a_");
        check("U__a_zz_", "U__a_zz_");
        check("U__a_d800_", "U__a_d800_");
        check("U__a_1234567_", "U__a_1234567_");
        check("U__", "");
    }
}

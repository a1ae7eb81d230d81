//! JSON strings and label sets, written straight into the answer's buffer.

use strata_model::Labels;

use super::number::push_text;

/// Append a JSON string with its quotes.
pub(crate) fn push_string(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    let bytes = text.as_bytes();
    let mut clean_from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        buffer.extend_from_slice(&bytes[clean_from..at]);
        clean_from = at + 1;
        match byte {
            b'"' => buffer.extend_from_slice(b"\\\""),
            b'\\' => buffer.extend_from_slice(b"\\\\"),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            b'\r' => buffer.extend_from_slice(b"\\r"),
            b'\t' => buffer.extend_from_slice(b"\\t"),
            _ => push_text(buffer, format_args!("\\u{byte:04x}")),
        }
    }
    buffer.extend_from_slice(&bytes[clean_from..]);
    buffer.push(b'"');
}

/// Append `{"__name__":"up","job":"x"}`.
pub(crate) fn push_labels(buffer: &mut Vec<u8>, labels: &Labels) {
    buffer.push(b'{');
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            buffer.push(b',');
        }
        push_string(buffer, name);
        buffer.push(b':');
        push_string(buffer, value);
    }
    buffer.push(b'}');
}

/// Append `["a","b"]`.
pub(crate) fn push_strings(buffer: &mut Vec<u8>, texts: &[String]) {
    buffer.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            buffer.push(b',');
        }
        push_string(buffer, text);
    }
    buffer.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_read_back_whatever_they_hold() {
        for text in
            ["", "plain", "a\"b\\c", "line\nfeed\r\t", "\u{1}\u{1f}\u{7f}", "\u{2028}<&>\u{e9}"]
        {
            let mut buffer = Vec::new();
            push_string(&mut buffer, text);
            let read: String = serde_json::from_slice(&buffer).unwrap();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn labels_are_an_object_in_order_of_name() {
        let mut buffer = Vec::new();
        push_labels(&mut buffer, &Labels::from_pairs([("job", "a\"b"), ("__name__", "up")]));
        assert_eq!(buffer, br#"{"__name__":"up","job":"a\"b"}"#);
    }
}

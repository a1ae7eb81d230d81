//! Attribute values as label values.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

/// An attribute value as a label value: text as it is, lists and maps as JSON, bytes as base64.
pub(super) fn label_value(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BytesValue(bytes)) => base64(bytes),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(other) => {
            let mut json = String::new();
            write_json(other, &mut json);
            json
        }
        None => String::new(),
    }
}

fn write_json(value: &Value, json: &mut String) {
    match value {
        Value::BoolValue(flag) => json.push_str(if *flag { "true" } else { "false" }),
        Value::IntValue(number) => json.push_str(&number.to_string()),
        Value::DoubleValue(number) if number.is_finite() => json.push_str(&number.to_string()),
        Value::DoubleValue(number) => write_json_text(&number.to_string(), json),
        Value::StringValue(text) => write_json_text(text, json),
        Value::BytesValue(bytes) => write_json_text(&base64(bytes), json),
        Value::ArrayValue(list) => {
            json.push('[');
            for (index, item) in list.values.iter().enumerate() {
                write_json_item(index, item.value.as_ref(), json);
            }
            json.push(']');
        }
        Value::KvlistValue(list) => {
            let mut pairs: Vec<_> = list.values.iter().collect();
            pairs.sort_by(|a, b| a.key.cmp(&b.key));
            json.push('{');
            for (index, pair) in pairs.into_iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_json_text(&pair.key, json);
                json.push(':');
                write_json_item(0, pair.value.as_ref().and_then(|v| v.value.as_ref()), json);
            }
            json.push('}');
        }
        // References into a string table exist only in profiles.
        Value::StringValueStrindex(_) => json.push_str("null"),
    }
}

fn write_json_item(index: usize, value: Option<&Value>, json: &mut String) {
    if index > 0 {
        json.push(',');
    }
    match value {
        Some(value) => write_json(value, json),
        None => json.push_str("null"),
    }
}

fn write_json_text(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            c if c < ' ' => {
                // Writing to a string cannot fail.
                write!(json, "\\u{:04x}", u32::from(c)).unwrap_or_default();
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (group >> (18 - 6 * place)) & 63;
            text.push(if place > chunk.len() { '=' } else { BASE64[digit as usize] as char });
        }
    }
    text
}

/// The bytes of base64 text, standard or URL alphabet, padded or not; `None` when it is neither.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut bits) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let byte = match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
        let digit = BASE64.iter().position(|&known| known == byte)?;
        group = group << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits) as u8);
            group &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_round_trips() {
        let check = |bytes: &[u8], text: &str| {
            assert_eq!(base64(bytes), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes));
        };
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(&[0xff, 0xfe, 0xfd, 0xfc], "//79/A==");
        assert_eq!(from_base64("_-79_A").as_deref(), Some(&[0xff, 0xee, 0xfd, 0xfc][..]));
        assert_eq!(from_base64("a b"), None);
    }
}

//! Words for writing JSON schemas by hand.

use serde_json::{Map, Value as Json, json};

/// Any text.
pub(super) fn text() -> Json {
    json!({ "type": "string" })
}

/// Text of at most so many characters.
pub(super) fn short(most: usize) -> Json {
    json!({ "type": "string", "maxLength": most })
}

/// A number.
pub(super) fn number() -> Json {
    json!({ "type": "number" })
}

/// A count: a whole number from 0 on.
pub(super) fn count() -> Json {
    json!({ "type": "integer", "minimum": 0 })
}

/// A whole number.
pub(super) fn integer() -> Json {
    json!({ "type": "integer" })
}

/// True or false.
pub(super) fn flag() -> Json {
    json!({ "type": "boolean" })
}

/// RFC 3339.
pub(super) fn moment() -> Json {
    json!({ "type": "string", "format": "date-time" })
}

/// A day of the calendar.
pub(super) fn day() -> Json {
    json!({ "type": "string", "format": "date" })
}

/// One of these words.
pub(super) fn word<'a>(words: impl IntoIterator<Item = &'a str>) -> Json {
    json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

/// Null where it is not known: missing is never zero.
pub(super) fn maybe(schema: Json) -> Json {
    let mut choice = json!({});
    choice["anyOf"] = Json::Array(vec![schema, json!({ "type": "null" })]);
    choice
}

/// Any number of them.
pub(super) fn list(of: Json) -> Json {
    let mut schema = json!({ "type": "array" });
    schema["items"] = of;
    schema
}

/// Some of the same kind under names that are data.
pub(super) fn map(of: Json) -> Json {
    let mut schema = json!({ "type": "object" });
    schema["additionalProperties"] = of;
    schema
}

/// A fixed number of things in a fixed order.
pub(super) fn tuple(parts: &[Json]) -> Json {
    let count = parts.len();
    json!({ "type": "array", "prefixItems": parts, "minItems": count, "maxItems": count })
}

/// A schema with a sentence.
pub(super) fn said(mut schema: Json, sentence: &str) -> Json {
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(sentence));
    }
    schema
}

/// An object that always has all of these.
pub(super) fn object<const N: usize>(properties: [(&str, Json); N]) -> Json {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let required = json!(required);
    let mut schema = loose(properties);
    schema["required"] = required;
    schema
}

/// An object of which each of these may be missing.
pub(super) fn loose<const N: usize>(properties: [(&str, Json); N]) -> Json {
    let properties = properties.into_iter().map(|(name, schema)| (name.to_owned(), schema));
    json!({ "type": "object", "properties": properties.collect::<Map<_, _>>() })
}

/// An object that may also have these.
pub(super) fn with<const N: usize>(mut schema: Json, more: [(&str, Json); N]) -> Json {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.extend(more.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    }
    schema
}

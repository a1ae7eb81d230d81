//! Whether a value is what a schema of the document says: as much of JSON Schema 2020-12 as the
//! document uses. Another keyword ends the test, so that nothing is passed over; and what is not
//! described is refused, although a client has to bear it.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

/// Keywords that allow and forbid nothing.
const WORDS: [&str; 5] = ["description", "title", "format", "default", "$schema"];

/// Properties that a schema speaks of.
type Seen = BTreeSet<String>;
type Schema = Map<String, Json>;

/// Check a value.
pub(super) fn check(document: &Json, schema: &Json, value: &Json) -> Result<(), String> {
    whole(document, schema, value, "$")
}

/// A value with all that is in it.
fn whole(document: &Json, schema: &Json, value: &Json, at: &str) -> Result<(), String> {
    let seen = part(document, schema, value, at)?;
    let Some(properties) = value.as_object() else { return Ok(()) };
    let anything = schema.as_object().is_some_and(|schema| {
        schema.get("type").is_some_and(|kind| kind == "object") && schema.len() == 1
    });
    match properties.keys().find(|name| !anything && !seen.contains(*name)) {
        None => Ok(()),
        Some(name) => Err(format!("{at}.{name} is not described")),
    }
}

/// What one schema says of a value, without what others may say of it.
fn part(document: &Json, schema: &Json, value: &Json, at: &str) -> Result<Seen, String> {
    let schema = match schema {
        Json::Object(schema) => schema,
        // Anything will do.
        Json::Bool(true) => {
            return Ok(value.as_object().into_iter().flat_map(Map::keys).cloned().collect());
        }
        other => return Err(format!("{at}: {other} is no schema")),
    };
    let mut seen = Seen::new();
    for (keyword, says) in schema {
        let told = match keyword.as_str() {
            word if WORDS.contains(&word) => continue,
            "$ref" => reference(document, says, value, at)?,
            "anyOf" | "oneOf" => choice(document, keyword, says, value, at)?,
            "properties" => properties(document, says, value, at)?,
            // With `properties`, and with `prefixItems`.
            "additionalProperties" => additional(document, schema, value, at)?,
            "items" => items(document, schema, value, at)?,
            "prefixItems" => first_items(document, says, value, at)?,
            _ => simple(keyword, says, value, at)?,
        };
        seen.extend(told);
    }
    Ok(seen)
}

/// Keywords that look at the value alone.
fn simple(keyword: &str, says: &Json, value: &Json, at: &str) -> Result<Seen, String> {
    let bound = says.as_f64().unwrap_or(f64::NAN);
    let within = |measured: Option<usize>, most: bool| {
        measured.is_none_or(|size| if most { size as f64 <= bound } else { size as f64 >= bound })
    };
    let length = value.as_str().map(|text| text.chars().count());
    let count = value.as_array().map(Vec::len);
    let holds = match keyword {
        "type" => match says {
            Json::Array(kinds) => kinds.iter().any(|kind| is_a(value, kind)),
            kind => is_a(value, kind),
        },
        "const" => value == says,
        "enum" => says.as_array().is_some_and(|words| words.contains(value)),
        "minimum" => value.as_f64().is_none_or(|number| number >= bound),
        "maximum" => value.as_f64().is_none_or(|number| number <= bound),
        "minLength" => within(length, false),
        "maxLength" => within(length, true),
        "minItems" => within(count, false),
        "maxItems" => within(count, true),
        "required" => value.as_object().is_none_or(|object| {
            says.as_array()
                .into_iter()
                .flatten()
                .all(|name| name.as_str().is_some_and(|name| object.contains_key(name)))
        }),
        _ => return Err(format!("{at}: the keyword {keyword} is not known to the test")),
    };
    if holds { Ok(Seen::new()) } else { Err(format!("{at}: {value} is not {keyword} {says}")) }
}

fn is_a(value: &Json, kind: &Json) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("number") => value.is_number(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

fn reference(document: &Json, says: &Json, value: &Json, at: &str) -> Result<Seen, String> {
    let pointer = says.as_str().and_then(|text| text.strip_prefix('#')).unwrap_or_default();
    let schema = document.pointer(pointer).ok_or_else(|| format!("{at}: {says} leads nowhere"))?;
    part(document, schema, value, at)
}

fn choice(
    document: &Json,
    keyword: &str,
    says: &Json,
    value: &Json,
    at: &str,
) -> Result<Seen, String> {
    let mut fitting = Vec::new();
    let mut reasons = Vec::new();
    for schema in says.as_array().into_iter().flatten() {
        match part(document, schema, value, at) {
            Ok(seen) => fitting.push(seen),
            Err(reason) => reasons.push(reason),
        }
    }
    match fitting.len() {
        0 => Err(format!("{at}: none of {keyword}: {}", reasons.join("; or "))),
        1 => Ok(fitting.remove(0)),
        _ if keyword == "anyOf" => Ok(fitting.into_iter().flatten().collect()),
        more => Err(format!("{at}: {more} of oneOf fit {value}")),
    }
}

fn properties(document: &Json, says: &Json, value: &Json, at: &str) -> Result<Seen, String> {
    let mut seen = Seen::new();
    let known = says.as_object().into_iter().flatten();
    for (name, schema) in known {
        if let Some(value) = value.get(name) {
            whole(document, schema, value, &format!("{at}.{name}"))?;
            seen.insert(name.clone());
        }
    }
    Ok(seen)
}

fn additional(document: &Json, schema: &Schema, value: &Json, at: &str) -> Result<Seen, String> {
    let named = schema.get("properties").and_then(Json::as_object);
    let mut seen = Seen::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        if named.is_some_and(|named| named.contains_key(name)) {
            continue;
        }
        if schema["additionalProperties"] == false {
            return Err(format!("{at}.{name} is one too many"));
        }
        whole(document, &schema["additionalProperties"], value, &format!("{at}.{name}"))?;
        seen.insert(name.clone());
    }
    Ok(seen)
}

fn items(document: &Json, schema: &Schema, value: &Json, at: &str) -> Result<Seen, String> {
    let first = schema.get("prefixItems").and_then(Json::as_array).map_or(0, Vec::len);
    let all = value.as_array().into_iter().flatten().enumerate();
    for (index, value) in all.skip(first) {
        whole(document, &schema["items"], value, &format!("{at}[{index}]"))?;
    }
    Ok(Seen::new())
}

fn first_items(document: &Json, says: &Json, value: &Json, at: &str) -> Result<Seen, String> {
    let values = value.as_array().into_iter().flatten();
    for (index, (schema, value)) in says.as_array().into_iter().flatten().zip(values).enumerate() {
        whole(document, schema, value, &format!("{at}[{index}]"))?;
    }
    Ok(Seen::new())
}

#[test]
fn the_check_finds_what_is_not_as_described() {
    let document = json!({ "schemas": {
        "Named": { "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] },
        "Block": { "oneOf": [
            { "$ref": "#/schemas/Named", "properties": { "kind": { "const": "a" } }, "required": ["kind"] },
            { "properties": { "kind": { "const": "b" }, "count": { "type": "integer", "minimum": 1 } }, "required": ["kind"] },
        ] },
        "Map": { "type": "object", "additionalProperties": { "type": ["number", "null"] } },
        "Pair": { "type": "array", "prefixItems": [{ "type": "number" }, { "enum": ["x"] }], "maxItems": 2 },
        "Odd": { "not": {} },
    } });
    let holds = |name: &str, value: Json| {
        let schema = json!({ "$ref": format!("#/schemas/{name}") });
        check(&document, &schema, &value).is_ok()
    };
    let cases = [
        ("Named", json!({ "name": "x" }), true),
        ("Named", json!({}), false),
        ("Named", json!({ "name": 1 }), false),
        ("Named", json!({ "name": "x", "more": 1 }), false),
        ("Block", json!({ "kind": "a", "name": "x" }), true),
        ("Block", json!({ "kind": "a" }), false),
        ("Block", json!({ "kind": "b", "count": 2 }), true),
        ("Block", json!({ "kind": "b", "name": "x" }), false),
        ("Block", json!({ "kind": "b", "count": 0 }), false),
        ("Block", json!({ "kind": "b", "count": 1.5 }), false),
        ("Block", json!({ "kind": "c" }), false),
        ("Map", json!({ "a": 1, "b": null }), true),
        ("Map", json!({ "a": "1" }), false),
        ("Pair", json!([1, "x"]), true),
        ("Pair", json!([1, "y"]), false),
        ("Pair", json!([1, "x", 2]), false),
        ("Odd", json!(1), false),
        ("Nowhere", json!(1), false),
    ];
    for (name, value, expected) in cases {
        assert_eq!(holds(name, value.clone()), expected, "{name}: {value}");
    }
}

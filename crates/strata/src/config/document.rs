//! A TOML document that remembers where everything stands, checked against the schema of the
//! options, so that all problems come at once, with line, column and a suggestion.

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

/// Two names are taken for a slip of the finger above this likeness (Jaro-Winkler, 0..1).
const LIKENESS_MIN: f64 = 0.8;

/// A problem with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Located {
    /// 1-based; 0 when the problem is about the file as a whole.
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

impl std::fmt::Display for Located {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.message);
        }
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

/// Place a byte offset of `text`, or nowhere without an offset.
pub(crate) fn locate(text: &str, offset: Option<usize>, message: String) -> Located {
    let Some(before) = offset.and_then(|offset| text.get(..offset)) else {
        return Located { line: 0, column: 0, message };
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    Located { line, column, message }
}

/// Byte offset of the option at `path` (`scrape[1].interval`), or of its nearest parent.
pub(crate) fn offset_of(table: &DeTable<'_>, path: &str) -> Option<usize> {
    let mut place = None;
    let mut here = Node::Table(table);
    for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
        let next = match here {
            Node::Table(table) => {
                table.iter().find(|(key, _)| key.get_ref() == step).map(|(_, value)| value)
            }
            Node::Value(DeValue::Table(table)) => {
                table.iter().find(|(key, _)| key.get_ref() == step).map(|(_, value)| value)
            }
            Node::Value(DeValue::Array(items)) => {
                step.trim_end_matches(']').parse().ok().and_then(|index: usize| items.get(index))
            }
            Node::Value(_) => None,
        };
        let Some(value) = next else { break };
        place = Some(value.span().start);
        here = Node::Value(value.get_ref());
    }
    place
}

enum Node<'a, 'i> {
    Table(&'a DeTable<'i>),
    Value(&'a DeValue<'i>),
}

/// What the schema of the options does not allow.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    pub(crate) problems: Vec<Located>,
    /// Paths of the options concerned.
    pub(crate) paths: Vec<String>,
    /// Options that somebody seems to have meant by a misspelt one.
    pub(crate) meant: Vec<String>,
}

/// Everything in `table` that the schema of the options does not allow.
pub(crate) fn check(text: &str, table: &DeTable<'_>, schema: &Json) -> Refused {
    let mut checker = Checker { text, root: schema, refused: Refused::default() };
    checker.table(table, schema, "");
    checker.refused
}

/// The document without the options at `paths`, so that the others can be checked as well. `None`
/// when one of them cannot be taken out without moving its neighbours.
pub(crate) fn without(mut table: toml::Table, paths: &[String]) -> Option<toml::Table> {
    for path in paths {
        let mut steps: Vec<&str> = path.split(['.', '[']).collect();
        let last = steps.pop().filter(|last| !last.ends_with(']'))?;
        let mut here = &mut table;
        let mut steps = steps.into_iter().peekable();
        while let Some(step) = steps.next() {
            let mut value = here.get_mut(step)?;
            while let Some(index) = steps.next_if(|next| next.ends_with(']')) {
                let index: usize = index.trim_end_matches(']').parse().ok()?;
                value = value.get_mut(index)?;
            }
            here = value.as_table_mut()?;
        }
        here.remove(last);
    }
    Some(table)
}

struct Checker<'a> {
    text: &'a str,
    root: &'a Json,
    refused: Refused,
}

impl Checker<'_> {
    fn table(&mut self, table: &DeTable<'_>, schema: &Json, path: &str) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let open = schema.get("additionalProperties");
        for (key, value) in table {
            let name: &str = key.get_ref();
            let child = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            if let Some(property) = properties.and_then(|known| known.get(name)) {
                self.value(value.get_ref(), value.span().start, property, &child);
            } else if let Some(Json::Object(_)) = open {
                let values = open.cloned().unwrap_or_default();
                self.value(value.get_ref(), value.span().start, &values, &child);
            } else if open == Some(&Json::Bool(false)) {
                let known = properties.into_iter().flat_map(|known| known.keys());
                let message = match nearest(name, known) {
                    Some(near) => {
                        let near = if path.is_empty() {
                            near.to_owned()
                        } else {
                            format!("{path}.{near}")
                        };
                        let message = format!("unknown key `{child}`, did you mean `{near}`?");
                        self.refused.meant.push(near);
                        message
                    }
                    None => format!("unknown key `{child}`"),
                };
                self.refuse(&child, key.span().start, message);
            }
        }
    }

    fn value(&mut self, value: &DeValue<'_>, offset: usize, schema: &Json, path: &str) {
        let alternatives = self.alternatives(schema);
        let fitting = alternatives.iter().find(|schema| fits(value, schema));
        let Some(schema) = fitting.cloned() else {
            let wanted: Vec<_> = alternatives.iter().map(describe).collect();
            let message =
                format!("`{path}` must be {}, not {}", wanted.join(" or "), type_of(value));
            self.refuse(path, offset, message);
            return;
        };
        match value {
            DeValue::Table(table) => self.table(table, &schema, path),
            DeValue::Array(items) => {
                if let Some(item_schema) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        let child = format!("{path}[{index}]");
                        self.value(item.get_ref(), item.span().start, item_schema, &child);
                    }
                }
            }
            DeValue::String(text) => self.word(text, offset, &alternatives, path),
            _ => {}
        }
    }

    /// A string that must be one of a few words.
    fn word(&mut self, text: &str, offset: usize, alternatives: &[Json], path: &str) {
        let words: Vec<String> = alternatives.iter().flat_map(words_of).collect();
        let free = alternatives.iter().any(|schema| {
            schema.get("type").is_some_and(|name| name == "string") && words_of(schema).is_empty()
        });
        if free || words.is_empty() || words.iter().any(|word| word == text) {
            return;
        }
        let near = nearest(text, words.iter())
            .map(|near| format!(", did you mean {near:?}?"))
            .unwrap_or_default();
        let message = format!("`{path}` must be one of {}{near}", words.join(", "));
        self.refuse(path, offset, message);
    }

    fn refuse(&mut self, path: &str, offset: usize, message: String) {
        self.refused.problems.push(locate(self.text, Some(offset), message));
        self.refused.paths.push(path.to_owned());
    }

    /// The schemas a value may follow: references resolved, unions opened, null left out.
    fn alternatives(&self, schema: &Json) -> Vec<Json> {
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            let pointer = reference.trim_start_matches('#');
            return self.root.pointer(pointer).map(|s| self.alternatives(s)).unwrap_or_default();
        }
        for union in ["anyOf", "oneOf", "allOf"] {
            if let Some(members) = schema.get(union).and_then(Json::as_array) {
                return members.iter().flat_map(|member| self.alternatives(member)).collect();
            }
        }
        match schema.get("type") {
            Some(Json::String(name)) if name == "null" => Vec::new(),
            Some(Json::Array(names)) => {
                let names = names.iter().filter(|name| *name != "null");
                names
                    .map(|name| {
                        let mut one = schema.clone();
                        one["type"] = name.clone();
                        one
                    })
                    .collect()
            }
            _ => vec![schema.clone()],
        }
    }
}

fn words_of(schema: &Json) -> Vec<String> {
    if let Some(word) = schema.get("const").and_then(Json::as_str) {
        return vec![word.to_owned()];
    }
    let words = schema.get("enum").and_then(Json::as_array);
    words.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

fn fits(value: &DeValue<'_>, schema: &Json) -> bool {
    let Some(name) = schema.get("type").and_then(Json::as_str) else { return true };
    match value {
        DeValue::String(_) | DeValue::Datetime(_) => name == "string",
        DeValue::Integer(_) => name == "integer" || name == "number",
        DeValue::Float(_) => name == "number",
        DeValue::Boolean(_) => name == "boolean",
        DeValue::Array(_) => name == "array",
        DeValue::Table(_) => name == "object",
    }
}

fn describe(schema: &Json) -> String {
    match schema.get("type").and_then(Json::as_str) {
        Some("string") => "a string".to_owned(),
        Some("integer") => "a whole number".to_owned(),
        Some("number") => "a number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => "a table".to_owned(),
        _ => "something else".to_owned(),
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.as_str())
}

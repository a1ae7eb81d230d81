//! Taking out of a text what must not be kept: built-in patterns by name, and patterns of one's own.
//!
//! Expressions are those of the `regex` crate, which take linear time whatever the text. What an
//! expression alone cannot tell (check digits of cards and accounts) is looked at afterwards.
//! A pattern finds what it knows the shape of: names, addresses of streets and what is said in other
//! words stay.

mod numbers;
mod patterns;
#[cfg(test)]
mod tests;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use patterns::Found;

/// Names of the built-in patterns, in the order in which they are applied.
pub const BUILTIN: [&str; 6] = ["secret", "email", "iban", "card", "ip", "phone"];

/// Memory of one compiled expression: more than any that a person writes, less than what hurts.
const COMPILED_MAX: usize = 1 << 20;
/// Longest name and replacement of a pattern.
const TEXT_MAX: usize = 64;

/// A pattern of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatternOptions {
    /// What it finds; stands in the place of what was found: `[name]`.
    pub name: String,
    /// The expression, as the `regex` crate of Rust reads it.
    pub regex: String,
    /// Other text to put in the place; `$1` is the first group.
    #[serde(default)]
    pub replace: Option<String>,
}

/// One pattern, ready.
#[derive(Debug)]
struct Rule {
    regex: Regex,
    /// Which part of what the expression finds is meant; `None` is all of it.
    look: Option<fn(&str) -> Vec<Found>>,
    replacement: String,
}

/// Cleans texts.
#[derive(Debug, Default)]
pub struct Redactor(Vec<Rule>);

impl Redactor {
    /// One with these built-in patterns and those of one's own behind them.
    ///
    /// # Errors
    /// What is wrong, with the place: the index of a name, or of a pattern and its field.
    pub fn new(names: &[String], own: &[PatternOptions]) -> Result<Self, Vec<(String, String)>> {
        let mut problems = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if !BUILTIN.contains(&name.as_str()) {
                let known = BUILTIN.join(", ");
                let message = format!("{name:?} is no built-in pattern; there are {known}");
                problems.push((format!("redact[{index}]"), message));
            }
        }
        let mut rules = Vec::new();
        // In one order whatever was written: a secret may hold what looks like an address.
        for name in BUILTIN.iter().filter(|name| names.iter().any(|asked| asked == *name)) {
            for (expression, look) in patterns::of(name) {
                match compile(expression) {
                    Ok(regex) => {
                        rules.push(Rule { regex, look, replacement: format!("[{name}]") });
                    }
                    Err(message) => problems.push(("redact".to_owned(), message)),
                }
            }
        }
        for (index, pattern) in own.iter().enumerate() {
            let mut problem = |field: &str, message: String| {
                problems.push((format!("patterns[{index}].{field}"), message));
            };
            if pattern.name.is_empty() || pattern.name.len() > TEXT_MAX {
                problem("name", format!("has no or more than {TEXT_MAX} bytes"));
            }
            let replacement = pattern.replace.clone();
            let replacement = replacement.unwrap_or_else(|| format!("[{}]", pattern.name));
            if replacement.len() > TEXT_MAX {
                problem("replace", format!("has more than {TEXT_MAX} bytes"));
            }
            match compile(&pattern.regex) {
                Ok(regex) if regex.is_match("") => {
                    problem("regex", "fits the empty text, so it would fit everywhere".to_owned());
                }
                Ok(regex) => rules.push(Rule { regex, look: None, replacement }),
                Err(message) => problem("regex", message),
            }
        }
        if problems.is_empty() { Ok(Self(rules)) } else { Err(problems) }
    }

    /// The text without what was found, or `None` where nothing was.
    pub fn clean(&self, text: &str) -> Option<String> {
        let mut cleaned: Option<String> = None;
        for rule in &self.0 {
            let now = cleaned.as_deref().unwrap_or(text);
            if let Some(next) = rule.apply(now) {
                cleaned = Some(next);
            }
        }
        cleaned
    }

    /// Whether nothing is ever taken out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn compile(expression: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(expression).size_limit(COMPILED_MAX).build();
    // The crate draws the place under the expression over several lines; the last says what it is.
    built.map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        format!("is no expression: {}", last.trim().trim_start_matches("error: "))
    })
}

impl Rule {
    fn apply(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut from = 0;
        for captures in self.regex.captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            let parts = match self.look {
                None => std::iter::once(0..whole.len()).collect(),
                Some(look) => look(whole.as_str()),
            };
            for part in parts {
                let (start, end) = (whole.start() + part.start, whole.start() + part.end);
                out.push_str(text.get(from..start).unwrap_or_default());
                match self.look {
                    None => captures.expand(&self.replacement, &mut out),
                    Some(_) => out.push_str(&self.replacement),
                }
                from = end;
            }
        }
        if from == 0 {
            return None;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Some(out)
    }
}

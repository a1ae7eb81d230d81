//! What an `eval` must do, beside its values.

use regex::Regex;
use strata_model::Labels;

use super::numbers::Written;

/// How a text must be.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Any,
    Exactly(String),
    Matching(Regex),
}

impl Text {
    pub(super) fn holds(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(wanted) => wanted == text,
            Self::Matching(regex) => regex.is_match(text),
        }
    }
}

/// Everything expected of one query.
#[derive(Debug, Clone, Default)]
pub(super) struct Expectation {
    pub(super) fail: Vec<Text>,
    pub(super) warn: Vec<Text>,
    pub(super) info: Vec<Text>,
    pub(super) no_warn: bool,
    pub(super) no_info: bool,
    pub(super) ordered: bool,
    pub(super) string: Option<String>,
    pub(super) scalar: Option<f64>,
    /// Series in the order they are written.
    pub(super) series: Vec<(Labels, Vec<Written>)>,
}

impl Expectation {
    /// Read `expect <kind> [msg|regex: <text>]` without its first word.
    pub(super) fn clause(&mut self, clause: &str) -> Result<(), String> {
        let clause = clause.trim();
        let (kind, rest) = clause.split_once(char::is_whitespace).unwrap_or((clause, ""));
        let text = text(rest.trim())?;
        match kind {
            "fail" => self.fail.push(text),
            "warn" => self.warn.push(text),
            "info" => self.info.push(text),
            "no_warn" => self.no_warn = true,
            "no_info" => self.no_info = true,
            "ordered" => self.ordered = true,
            _ => return Err(format!("cannot expect {kind:?}")),
        }
        Ok(())
    }

    /// Compare notes.
    pub(super) fn notes(&self, annotations: &crate::engine::Annotations) -> Result<(), String> {
        let sides = [
            ("warning", &self.warn, self.no_warn, &annotations.warnings),
            ("info", &self.info, self.no_info, &annotations.infos),
        ];
        for (name, wanted, none, got) in sides {
            if none && !got.is_empty() {
                return Err(format!("expected no {name}, got {got:?}"));
            }
            if let Some(missing) =
                wanted.iter().find(|text| !got.iter().any(|note| text.holds(note)))
            {
                return Err(format!("expected {name} {missing:?}, got {got:?}"));
            }
            if let Some(extra) = got
                .iter()
                .find(|note| !wanted.is_empty() && !wanted.iter().any(|text| text.holds(note)))
            {
                return Err(format!("unexpected {name} {extra:?}"));
            }
        }
        Ok(())
    }
}

fn text(rest: &str) -> Result<Text, String> {
    if rest.is_empty() {
        return Ok(Text::Any);
    }
    if let Some(message) = rest.strip_prefix("msg:") {
        return Ok(Text::Exactly(message.trim().to_owned()));
    }
    let pattern = rest.strip_prefix("regex:").ok_or_else(|| format!("cannot read {rest:?}"))?;
    let regex = Regex::new(pattern.trim()).map_err(|error| error.to_string())?;
    Ok(Text::Matching(regex))
}

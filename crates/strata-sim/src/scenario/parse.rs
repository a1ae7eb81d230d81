//! From TOML to changes, with every problem and its line.

use serde::Deserialize;
use strata_model::text::parse_duration;
use toml::Spanned;

use super::{Change, Goal, Scenario, ScenarioError, did_you_mean};
use crate::knob::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    about: String,
    #[serde(default)]
    change: Vec<Written>,
}

/// A change as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at: Spanned<String>,
    entity: Spanned<String>,
    parameter: Spanned<String>,
    to: Option<Spanned<f64>>,
    by: Option<Spanned<f64>>,
    over: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
}

/// Line of a byte of the text, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Reads changes and gathers what is wrong with them.
struct Reader<'a> {
    text: &'a str,
    problems: Vec<(usize, String)>,
}

pub(super) fn parse(origin: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let fail = |problems| ScenarioError { origin: origin.to_owned(), problems };
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        fail(vec![(line, error.message().to_owned())])
    })?;
    let mut reader = Reader { text, problems: Vec::new() };
    let changes: Vec<_> = file.change.iter().filter_map(|one| reader.change(one)).collect();
    if !reader.problems.is_empty() {
        return Err(fail(reader.problems));
    }
    Ok(Scenario { origin: origin.to_owned(), about: file.about, changes })
}

impl Reader<'_> {
    fn problem<T>(&mut self, at: &Spanned<T>, message: String) {
        self.problems.push((line_of(self.text, at.span().start), message));
    }

    fn seconds(&mut self, written: &Spanned<String>) -> Option<f64> {
        match parse_duration(written.get_ref()) {
            Ok(duration) => Some(duration.as_secs_f64()),
            Err(message) => {
                self.problem(written, message);
                None
            }
        }
    }

    /// An optional duration: `Some(usual)` when it is not written, `None` when it is wrong.
    fn seconds_or(&mut self, written: Option<&Spanned<String>>, usual: f64) -> Option<f64> {
        written.map_or(Some(usual), |written| self.seconds(written))
    }

    fn change(&mut self, written: &Written) -> Option<Change> {
        let at = self.seconds(&written.at);
        let over = self.seconds_or(written.over.as_ref(), 0.0);
        let until = self.seconds_or(written.until.as_ref(), f64::INFINITY);
        let (kind, pattern) = self.entity(&written.entity)?;
        let (place, knob) = self.knob(kind, &written.parameter)?;
        let goal = self.goal(written, knob.bounds)?;
        let (at, over, until) = (at?, over?, until?);
        if until <= at {
            let message = "it ends before it begins".to_owned();
            self.problem(written.until.as_ref().unwrap_or(&written.at), message);
            return None;
        }
        let line = line_of(self.text, written.entity.span().start);
        Some(Change { line, kind, pattern, knob: place, goal, at, over, until })
    }

    fn entity(&mut self, written: &Spanned<String>) -> Option<(Kind, String)> {
        let text = written.get_ref();
        let Some((kind, pattern)) = text.split_once(':') else {
            self.problem(written, format!("entity {text:?} is not kind:name"));
            return None;
        };
        let Some(known) = Kind::ALL.into_iter().find(|known| known.name() == kind) else {
            let known = Kind::ALL.map(Kind::name);
            let hint = did_you_mean(kind, known);
            let message = format!("there is no kind of entity {kind:?}{hint}; kinds: {known:?}");
            self.problem(written, message);
            return None;
        };
        Some((known, pattern.to_owned()))
    }

    fn knob(
        &mut self,
        kind: Kind,
        written: &Spanned<String>,
    ) -> Option<(usize, &'static crate::knob::Knob)> {
        let text = written.get_ref();
        let found = kind.knobs().iter().enumerate().find(|(_, knob)| knob.name == text);
        if found.is_none() {
            let names: Vec<&str> = kind.knobs().iter().map(|knob| knob.name).collect();
            let hint = did_you_mean(text, names.iter().copied());
            let message = format!(
                "a {} has no parameter {text:?}{hint}; it has {}",
                kind.name(),
                names.join(", ")
            );
            self.problem(written, message);
        }
        found
    }

    fn goal(&mut self, written: &Written, bounds: (f64, f64)) -> Option<Goal> {
        let (goal, place) = match (&written.to, &written.by) {
            (Some(to), None) => (Goal::To(*to.get_ref()), to),
            (None, Some(by)) => (Goal::By(*by.get_ref()), by),
            _ => {
                self.problem(&written.parameter, "one of `to` and `by` is needed".to_owned());
                return None;
            }
        };
        let fits = match goal {
            Goal::To(value) => (bounds.0..=bounds.1).contains(&value),
            Goal::By(factor) => factor.is_finite() && factor >= 0.0,
        };
        if !fits {
            let message = match goal {
                Goal::To(value) => {
                    format!("{value} is not between {} and {}", bounds.0, bounds.1)
                }
                Goal::By(factor) => format!("{factor} is no factor"),
            };
            self.problem(place, message);
            return None;
        }
        Some(goal)
    }
}

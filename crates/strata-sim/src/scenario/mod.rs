//! A scenario: which physical parameters of which entities change when.
//!
//! ```toml
//! about = "one GPU is held at half its clock"
//! [[change]]
//! at = "40m"            # after the simulation began
//! entity = "gpu:gpu-node-1/2"   # `*` stands for any characters
//! parameter = "clock_ratio"
//! to = 0.5              # or by = 0.5: times what it was
//! over = "2m"           # gradually; at once without it
//! until = "55m"         # then as before; for good without it
//! ```

mod apply;
mod parse;

pub(crate) use apply::Plan;

use crate::knob::{Kind, Knob};

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    To(f64),
    By(f64),
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    /// Name with `*`.
    pub(crate) pattern: String,
    pub(crate) knob: usize,
    pub(crate) goal: Goal,
    /// Seconds since the simulation began.
    pub(crate) at: f64,
    pub(crate) over: f64,
    pub(crate) until: f64,
}

impl Change {
    pub(crate) fn knob(&self) -> Option<&'static Knob> {
        self.kind.knobs().get(self.knob)
    }
}

/// A scenario that was read; entities are looked up when a simulation is built with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// File or name, for messages.
    pub(crate) origin: String,
    pub(crate) about: String,
    pub(crate) changes: Vec<Change>,
}

/// What is wrong with a scenario, all at once.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.text())]
pub struct ScenarioError {
    pub origin: String,
    /// Line, from 1, and what is wrong there.
    pub problems: Vec<(usize, String)>,
}

impl ScenarioError {
    fn text(&self) -> String {
        let problems = self.problems.iter();
        let lines = problems.map(|(line, message)| format!("{}:{line}: {message}", self.origin));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The scenarios that come with the program: name and text.
pub const BUILTIN: &[(&str, &str)] = &[
    ("calm-day", include_str!("../../scenarios/calm-day.toml")),
    ("kv-pressure", include_str!("../../scenarios/kv-pressure.toml")),
    ("rush", include_str!("../../scenarios/rush.toml")),
    ("slow-gpu", include_str!("../../scenarios/slow-gpu.toml")),
    ("hot-aisle", include_str!("../../scenarios/hot-aisle.toml")),
    ("memory-errors", include_str!("../../scenarios/memory-errors.toml")),
    ("slow-disk", include_str!("../../scenarios/slow-disk.toml")),
    ("slow-link", include_str!("../../scenarios/slow-link.toml")),
    ("cpu-quota", include_str!("../../scenarios/cpu-quota.toml")),
    ("lossy-network", include_str!("../../scenarios/lossy-network.toml")),
    ("straggler", include_str!("../../scenarios/straggler.toml")),
    ("eval-flood", include_str!("../../scenarios/eval-flood.toml")),
];

impl Scenario {
    /// Read a scenario; `origin` is what messages call it.
    ///
    /// # Errors
    /// Everything that is wrong with it, but for entities that are not there.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ScenarioError> {
        parse::parse(origin, text)
    }

    /// A built-in scenario.
    pub fn builtin(name: &str) -> Option<Result<Self, ScenarioError>> {
        let found = BUILTIN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(name, found.1))
    }

    /// What it is about, in a sentence.
    pub fn about(&self) -> &str {
        &self.about
    }
}

/// The known name nearest to what was written, if it is near.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|name| (strsim::damerau_levenshtein(text, name), name));
    let near = near.min_by_key(|(distance, _)| *distance)?;
    (near.0 <= 1 + text.len() / 4).then_some(near.1)
}

/// `, did you mean ...?` or nothing.
pub(crate) fn did_you_mean<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(text, known).map_or(String::new(), |name| format!(", did you mean {name:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_line_and_suggestion() {
        let check = |text: &str, line: usize, expected: &str| {
            let error = Scenario::parse("x.toml", text).unwrap_err();
            let found =
                error.problems.iter().find(|(at, said)| *at == line && said.contains(expected));
            assert!(found.is_some(), "{expected} is not in {:?}", error.problems);
        };
        let change = |rest: &str| format!("[[change]]\nat = \"1m\"\n{rest}");
        let gpu = "entity = \"gpu:*\"\n";
        check(
            &change(&format!("{gpu}parameter = \"clock_rato\"\nto = 0.5")),
            4,
            "did you mean \"clock_ratio\"?",
        );
        check(
            &change("entity = \"gpus:*\"\nparameter = \"x\"\nto = 1"),
            3,
            "did you mean \"gpu\"?",
        );
        check(&change("entity = \"gpu\"\nparameter = \"x\"\nto = 1"), 3, "kind:name");
        check(
            &change(&format!("{gpu}parameter = \"clock_ratio\"\nto = 7")),
            5,
            "between 0.05 and 1",
        );
        check(&change(&format!("{gpu}parameter = \"clock_ratio\"")), 4, "one of `to` and `by`");
        check(&change(&format!("{gpu}parameter = \"clock_ratio\"\nto = 1\nbi = 2")), 6, "bi");
        check(
            "[[change]]\nat = \"soon\"\nentity = \"gpu:*\"\nparameter = \"clock_ratio\"\nto = 1",
            2,
            "soon",
        );
        check("about = 3", 1, "string");
        check("[[change", 1, "");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = "[[change]]\nat = \"1m\"\nentity = \"gpu:*\"\nparameter = \"a\"\nto = 1\n\
                    [[change]]\nat = \"1m\"\nentity = \"gpu:*\"\nparameter = \"b\"\nto = 1";
        assert_eq!(Scenario::parse("x", text).unwrap_err().problems.len(), 2);
    }

    #[test]
    fn builtin_scenarios_can_be_read_and_say_what_they_are() {
        for (name, _) in BUILTIN {
            let scenario = Scenario::builtin(name).unwrap().unwrap();
            assert!(!scenario.about().is_empty(), "{name}");
        }
        assert!(Scenario::builtin("nothing").is_none());
    }
}

//! From changes to the values of parameters at a time.

use super::{Change, Goal, Scenario, ScenarioError, did_you_mean};
use crate::knob::Kind;

/// Names of the entities of each kind, in the order in which the simulation keeps them.
pub(crate) type Names<'a> = &'a dyn Fn(Kind) -> Vec<String>;

/// One parameter of one entity with the changes that reach it, in the order of the file.
#[derive(Debug)]
pub(crate) struct Touched {
    pub(crate) kind: Kind,
    pub(crate) entity: usize,
    pub(crate) knob: usize,
    /// Value without the scenario.
    pub(crate) usual: f64,
    changes: Vec<Change>,
}

/// A scenario with its entities found.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) touched: Vec<Touched>,
}

impl Plan {
    /// Find the entities; `usual` tells the value of a parameter without the scenario.
    ///
    /// # Errors
    /// Names that no entity has, with their lines.
    pub(crate) fn of(
        scenario: &Scenario,
        names: Names<'_>,
        usual: &dyn Fn(Kind, usize, usize) -> f64,
    ) -> Result<Self, ScenarioError> {
        let mut plan = Self::default();
        let mut problems = Vec::new();
        for change in &scenario.changes {
            let names = names(change.kind);
            let found: Vec<usize> = (0..names.len())
                .filter(|place| names.get(*place).is_some_and(|name| fits(&change.pattern, name)))
                .collect();
            if found.is_empty() {
                let kind = change.kind.name();
                let hint = did_you_mean(&change.pattern, names.iter().map(String::as_str));
                let first: Vec<&str> = names.iter().take(4).map(String::as_str).collect();
                let list = first.join(", ");
                let message = format!(
                    "there is no {kind} {:?}{hint}; there are {} of them: {list} ..",
                    change.pattern,
                    names.len()
                );
                problems.push((change.line, message));
            }
            for entity in found {
                plan.touch(change, entity, usual);
            }
        }
        if problems.is_empty() {
            return Ok(plan);
        }
        Err(ScenarioError { origin: scenario.origin.clone(), problems })
    }

    fn touch(&mut self, change: &Change, entity: usize, usual: &dyn Fn(Kind, usize, usize) -> f64) {
        let (kind, knob) = (change.kind, change.knob);
        let same = |one: &&mut Touched| (one.kind, one.entity, one.knob) == (kind, entity, knob);
        if let Some(touched) = self.touched.iter_mut().find(same) {
            touched.changes.push(change.clone());
            return;
        }
        let usual = usual(kind, entity, knob);
        self.touched.push(Touched { kind, entity, knob, usual, changes: vec![change.clone()] });
    }
}

impl Touched {
    /// The value at `now` seconds.
    pub(crate) fn value(&self, now: f64) -> f64 {
        let active = self.changes.iter().filter(|change| change.at <= now && now < change.until);
        let value = active.fold(self.usual, |value, change| {
            let done =
                if change.over > 0.0 { ((now - change.at) / change.over).min(1.0) } else { 1.0 };
            match change.goal {
                Goal::To(goal) => value + (goal - value) * done,
                Goal::By(factor) => value * (1.0 + (factor - 1.0) * done),
            }
        });
        let bounds = self.changes.first().and_then(Change::knob).map(|knob| knob.bounds);
        bounds.map_or(value, |(least, most)| value.clamp(least, most))
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            let ends = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
            ends.filter_map(|at| tail.get(at..)).any(|tail| fits(rest, tail))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<Plan, ScenarioError> {
        let names = |kind: Kind| match kind {
            Kind::Gpu => vec!["n-1/0".to_owned(), "n-1/1".to_owned(), "n-2/0".to_owned()],
            _ => Vec::new(),
        };
        Plan::of(&Scenario::parse("x", text).unwrap(), &names, &|_, _, _| 0.8)
    }

    fn change(rest: &str) -> String {
        format!("[[change]]\nentity = \"gpu:n-1/*\"\nparameter = \"clock_ratio\"\n{rest}\n")
    }

    #[test]
    fn values_go_where_changes_lead_them() {
        let check = |changes: &[&str], now: f64, expected: f64| {
            let text: String = changes.iter().map(|rest| change(rest)).collect();
            let plan = plan(&text).unwrap();
            assert_eq!(plan.touched.len(), 2);
            let value = plan.touched[0].value(now);
            assert!((value - expected).abs() < 1e-9, "{changes:?} at {now}: {value}");
        };
        let step = "at = \"10s\"\nto = 0.4";
        check(&[step], 9.0, 0.8);
        check(&[step], 10.0, 0.4);
        let ramp = "at = \"10s\"\nto = 0.4\nover = \"20s\"\nuntil = \"60s\"";
        check(&[ramp], 20.0, 0.6);
        check(&[ramp], 50.0, 0.4);
        check(&[ramp], 60.0, 0.8);
        check(&[step, "at = \"20s\"\nby = 0.5"], 30.0, 0.2);
        check(&["at = \"0s\"\nby = 10"], 1.0, 1.0);
    }

    #[test]
    fn an_entity_that_is_not_there_is_told() {
        let text = "[[change]]\nat = \"1s\"\nentity = \"gpu:n-1/9\"\nparameter = \"power_limit\"\n\
                    to = 300";
        let error = plan(text).unwrap_err().to_string();
        assert!(error.starts_with("x:3: there is no gpu \"n-1/9\", did you mean"), "{error}");
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c*", "abcd", true),
            ("a*d", "abc", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}

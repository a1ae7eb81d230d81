//! Team, model and cost center of a pod, by the operator's rules.
//!
//! The first rule that finds something wins. Labels and annotations are looked for on the pod, then on
//! its owners from the nearest to the farthest.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;

/// Where a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleFrom {
    /// A label of the pod or its owners.
    Label,
    /// An annotation of the pod or its owners.
    Annotation,
    /// A label of the pod's namespace.
    NamespaceLabel,
    /// The name of the namespace itself.
    Namespace,
    /// The name of the workload at the top of the owners.
    Workload,
    /// An argument of a container: `--model x` or `--model=x`. Nothing else of a command line is
    /// looked at.
    Argument,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleOptions {
    /// Where to look.
    pub from: RuleFrom,
    /// The label, annotation or argument; left out for names.
    #[serde(default)]
    pub key: String,
    /// A regular expression the value must match. Its first group, if it has one, is what is taken.
    #[serde(default)]
    pub pattern: String,
}

/// `[kubernetes.rules]`: how the team, the model and the cost center of a pod are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RulesOptions {
    /// The team, first match wins.
    pub team: Vec<RuleOptions>,
    /// The model, first match wins.
    pub model: Vec<RuleOptions>,
    /// The cost center, first match wins.
    pub cost_center: Vec<RuleOptions>,
}

impl Default for RulesOptions {
    fn default() -> Self {
        let rule =
            |from, key: &str| RuleOptions { from, key: key.to_owned(), pattern: String::new() };
        Self {
            team: vec![rule(RuleFrom::Label, "team"), rule(RuleFrom::NamespaceLabel, "team")],
            model: vec![
                rule(RuleFrom::Label, "model"),
                rule(RuleFrom::Argument, "--served-model-name"),
                rule(RuleFrom::Argument, "--model"),
                rule(RuleFrom::Argument, "--model-path"),
                rule(RuleFrom::Argument, "--model-id"),
            ],
            cost_center: vec![
                rule(RuleFrom::Label, "cost-center"),
                rule(RuleFrom::Annotation, "cost-center"),
                rule(RuleFrom::NamespaceLabel, "cost-center"),
            ],
        }
    }
}

/// A rule that was found to make sense.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    from: RuleFrom,
    key: Arc<str>,
    pattern: Option<Regex>,
}

/// All rules.
#[derive(Debug, Clone)]
pub(super) struct RuleSet {
    pub(super) team: Vec<Rule>,
    pub(super) model: Vec<Rule>,
    pub(super) cost_center: Vec<Rule>,
}

impl RuleOptions {
    pub(super) fn validate(&self) -> Result<Rule, Problem> {
        let named = matches!(self.from, RuleFrom::Namespace | RuleFrom::Workload);
        if named != self.key.is_empty() {
            let message = if named { "must be left out here" } else { "must be given here" };
            return Err(Problem::new("key", message));
        }
        let pattern = match &*self.pattern {
            "" => None,
            text => {
                let error = |error: regex::Error| Problem::new("pattern", error.to_string());
                Some(Regex::new(text).map_err(error)?)
            }
        };
        Ok(Rule { from: self.from, key: Arc::from(&*self.key), pattern })
    }
}

/// Labels, annotations and arguments that some rule looks at; everything else of an object is
/// dropped when it arrives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Where it was found, the key of a rule, and the value: one or two of most pods, so a map would be
    /// ten times as large.
    found: Vec<(Place, Arc<str>, Box<str>)>,
}

/// Where a mark was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Label,
    Annotation,
    Argument,
}

impl Marks {
    fn get(&self, place: Place, key: &str) -> Option<&str> {
        let is_it = |(at, known, _): &&(Place, Arc<str>, Box<str>)| *at == place && **known == *key;
        self.found.iter().find(is_it).map(|(.., value)| &**value)
    }
}

/// What the rules can look at for one pod.
pub(super) struct Subject<'a> {
    /// Of the pod and its owners, nearest first.
    pub(super) marks: Vec<&'a Marks>,
    pub(super) namespace: &'a str,
    pub(super) namespace_labels: Option<&'a Marks>,
    pub(super) workload: &'a str,
}

/// What the rules said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Belonging {
    pub(super) team: String,
    pub(super) model: String,
    pub(super) cost_center: String,
}

impl RuleSet {
    fn all(&self) -> impl Iterator<Item = &Rule> {
        self.team.iter().chain(&self.model).chain(&self.cost_center)
    }

    /// Whether any rule looks at the labels of namespaces.
    pub(super) fn needs_namespaces(&self) -> bool {
        self.all().any(|rule| rule.from == RuleFrom::NamespaceLabel)
    }

    /// What is worth keeping of an object.
    pub(super) fn marks<'a>(
        &self,
        labels: Option<&'a BTreeMap<String, String>>,
        annotations: Option<&'a BTreeMap<String, String>>,
        arguments: &[&'a str],
    ) -> Marks {
        let mut found: Vec<(Place, Arc<str>, Box<str>)> = Vec::new();
        for rule in self.all() {
            let of = |from: Option<&'a BTreeMap<String, String>>| {
                from.and_then(|from| from.get(&*rule.key)).map(String::as_str)
            };
            let (place, value) = match rule.from {
                RuleFrom::Label | RuleFrom::NamespaceLabel => (Place::Label, of(labels)),
                RuleFrom::Annotation => (Place::Annotation, of(annotations)),
                RuleFrom::Argument => (Place::Argument, argument(arguments, &rule.key)),
                RuleFrom::Namespace | RuleFrom::Workload => continue,
            };
            let known = found.iter().any(|(at, key, _)| *at == place && *key == rule.key);
            if let Some(value) = value.filter(|_| !known) {
                found.push((place, Arc::clone(&rule.key), Box::from(value)));
            }
        }
        found.shrink_to_fit();
        Marks { found }
    }

    /// Apply all rules.
    pub(super) fn apply(&self, subject: &Subject<'_>) -> Belonging {
        let first = |rules: &[Rule]| rules.iter().find_map(|rule| rule.apply(subject));
        Belonging {
            team: first(&self.team).unwrap_or_default(),
            model: first(&self.model).unwrap_or_default(),
            cost_center: first(&self.cost_center).unwrap_or_default(),
        }
    }
}

impl Rule {
    fn apply(&self, subject: &Subject<'_>) -> Option<String> {
        let mut marks = subject.marks.iter();
        let value = match self.from {
            RuleFrom::Label => marks.find_map(|one| one.get(Place::Label, &self.key)),
            RuleFrom::Annotation => marks.find_map(|one| one.get(Place::Annotation, &self.key)),
            RuleFrom::Argument => marks.find_map(|one| one.get(Place::Argument, &self.key)),
            RuleFrom::NamespaceLabel => {
                subject.namespace_labels.and_then(|marks| marks.get(Place::Label, &self.key))
            }
            RuleFrom::Namespace => return self.taken(subject.namespace),
            RuleFrom::Workload => return self.taken(subject.workload),
        };
        self.taken(value?)
    }

    /// The part of a value that the pattern takes.
    fn taken(&self, value: &str) -> Option<String> {
        let taken = match &self.pattern {
            None => value,
            Some(pattern) => {
                let groups = pattern.captures(value)?;
                groups.get(1).or_else(|| groups.get(0))?.as_str()
            }
        };
        (!taken.is_empty()).then(|| taken.to_owned())
    }
}

/// The value of `key` in `key value` or `key=value`; the whole may also be one shell line.
fn argument<'a>(arguments: &[&'a str], key: &str) -> Option<&'a str> {
    let mut words = arguments.iter().flat_map(|argument| argument.split_ascii_whitespace());
    while let Some(word) = words.next() {
        if word == key {
            return words.next().filter(|value| !value.starts_with('-'));
        }
        if let Some(value) = word.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: RuleFrom, key: &str, pattern: &str) -> Rule {
        let options = RuleOptions { from, key: key.to_owned(), pattern: pattern.to_owned() };
        options.validate().unwrap()
    }

    #[test]
    fn the_first_rule_that_finds_something_wins() {
        let rules = RuleSet {
            team: vec![
                rule(RuleFrom::Label, "team", ""),
                rule(RuleFrom::Annotation, "owner", "^([a-z]+)@"),
                rule(RuleFrom::NamespaceLabel, "team", ""),
                rule(RuleFrom::Namespace, "", "^ml-(.+)$"),
                rule(RuleFrom::Workload, "", "^x"),
            ],
            model: vec![rule(RuleFrom::Argument, "--model", "([^/]+)$")],
            cost_center: Vec::new(),
        };
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let check = |pod: Marks, owner: Marks, namespace: &str, team: &str| {
            let spaces = rules.marks(Some(&map(&[("team", "space")])), None, &[]);
            let spaces = (namespace == "labelled").then_some(&spaces);
            let subject = Subject {
                marks: vec![&pod, &owner],
                namespace,
                namespace_labels: spaces,
                workload: "xyz",
            };
            assert_eq!(rules.apply(&subject).team, team, "{pod:?} {owner:?} {namespace}");
        };
        let labels =
            |value: &str| rules.marks(Some(&map(&[("team", value), ("z", "z")])), None, &[]);
        let annotated = |value: &str| rules.marks(None, Some(&map(&[("owner", value)])), &[]);
        let none = Marks::default;
        check(labels("pod"), labels("owner"), "labelled", "pod");
        check(none(), labels("owner"), "labelled", "owner");
        check(labels(""), none(), "labelled", "space");
        check(annotated("anna@x"), none(), "labelled", "anna");
        check(annotated("Anna"), none(), "labelled", "space");
        check(none(), none(), "ml-search", "search");
        check(none(), none(), "other", "x");
        assert!(!format!("{:?}", labels("a")).contains('z'), "what no rule wants is not kept");
        let model = |arguments: &[&str]| {
            let marks = rules.marks(None, None, arguments);
            let subject = Subject {
                marks: vec![&marks],
                namespace: "",
                namespace_labels: None,
                workload: "",
            };
            rules.apply(&subject).model
        };
        assert_eq!(model(&["serve", "--model", "org/llama-8b"]), "llama-8b");
        assert_eq!(model(&["--model=llama"]), "llama");
        assert_eq!(model(&["exec vllm serve --model a/b --port 1"]), "b");
        assert_eq!(model(&["--model", "--port"]), "");
        assert_eq!(model(&["--model-path", "x"]), "");
    }
}

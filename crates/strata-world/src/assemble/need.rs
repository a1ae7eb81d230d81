//! What a signal needs: metrics, some of them only with certain labels (`type="c2c"`).
//!
//! A source may write a metric about one kind of thing and never about another: its mapping then sets
//! the label to one value, and what asks for another value is not fed by it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use strata_model::Matcher;
use strata_model::catalog::{Catalog, MetricDef};
use strata_query::promql::syntax::parse_selector;

use crate::recipe::{recipe, signals};
use crate::template;

/// A metric, with the labels that a recipe asks of it.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) metric: &'static MetricDef,
    /// As in a selector, without braces; empty where any series will do.
    pub(crate) labels: String,
    matchers: Vec<Matcher>,
}

impl Need {
    /// Any series of a metric.
    pub(crate) fn any(metric: &'static MetricDef) -> Self {
        Self { metric, labels: String::new(), matchers: Vec::new() }
    }

    fn of(name: &str, labels: &str) -> Option<Self> {
        // A name that the catalog lacks and labels that do not parse are mistakes that tests find.
        let metric = Catalog::builtin().metric(name)?;
        if labels.is_empty() {
            return Some(Self::any(metric));
        }
        let matchers = parse_selector(&format!("{{{labels}}}")).unwrap_or_default();
        Some(Self { metric, labels: labels.to_owned(), matchers })
    }

    /// Dotted name and labels: what tells needs apart.
    pub(crate) fn key(&self) -> (&'static str, &str) {
        (&self.metric.name, &self.labels)
    }

    /// Whether series that always carry these labels can be meant. A label that is not among them may
    /// have any value.
    pub(crate) fn fits(&self, constants: &[(String, String)]) -> bool {
        self.matchers.iter().all(|matcher| {
            let set = constants.iter().find(|(label, _)| *label == matcher.name);
            set.is_none_or(|(_, value)| matcher.matches(value))
        })
    }
}

/// What one signal needs.
#[derive(Debug)]
pub(crate) struct Needs {
    /// One for each alternative of the recipe: all that it takes.
    pub(crate) ways: Vec<Vec<Need>>,
    /// Everything that goes in, the question for all in scope included.
    pub(crate) all: Vec<Need>,
}

static NEEDS: LazyLock<BTreeMap<&'static str, Needs>> = LazyLock::new(|| {
    let needs = signals().iter().filter_map(|def| {
        let (_, recipe) = recipe(def.id)?;
        let ways = template::alternatives(recipe.each).into_iter().map(of_template);
        let mut all = of_template(recipe.each);
        add(&mut all, of_template(&recipe.whole_template()));
        Some((def.id, Needs { ways: ways.collect(), all }))
    });
    needs.collect()
});

/// What a signal needs.
pub(crate) fn needs(signal: &str) -> Option<&'static Needs> {
    NEEDS.get(signal)
}

fn of_template(template: &str) -> Vec<Need> {
    let mut found = Vec::new();
    let named = template::selected(template).filter_map(|(name, labels)| Need::of(name, labels));
    add(&mut found, named.collect());
    found
}

fn add(found: &mut Vec<Need>, more: Vec<Need>) {
    for need in more {
        if !found.iter().any(|known| known.key() == need.key()) {
            found.push(need);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_that_is_asked_for_is_understood() {
        for (id, needs) in &*NEEDS {
            assert!(!needs.all.is_empty() && needs.ways.iter().all(|way| !way.is_empty()), "{id}");
            for need in &needs.all {
                assert_eq!(
                    need.labels.is_empty(),
                    need.matchers.is_empty(),
                    "{id} {}",
                    need.labels
                );
            }
        }
        assert_eq!(NEEDS.len(), signals().len());
    }

    #[test]
    fn what_a_source_sets_decides_whether_it_is_meant() {
        let check = |labels: &str, set: &[(&str, &str)], fits: bool| {
            let set: Vec<(String, String)> =
                set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let need = Need::of("gpu.interconnect.errors", labels).unwrap();
            assert_eq!(need.fits(&set), fits, "{labels} of {set:?}");
        };
        check("", &[("type", "nvlink")], true);
        check("type=\"c2c\"", &[("type", "nvlink"), ("kind", "replay")], false);
        check("type=\"c2c\"", &[("type", "c2c")], true);
        check("type=\"c2c\"", &[("kind", "replay")], true);
        check("type!=\"c2c\"", &[("type", "nvlink")], true);
        check("direction=~\"receive|transmit\",type!=\"c2c\"", &[("direction", "total")], false);
    }
}

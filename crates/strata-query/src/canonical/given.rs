//! Label look-ups that name no metric: the labels that stored series have under canonical names.
//!
//! Cheap on purpose: what the mappings do to labels is looked up by the names that are stored, and
//! only labels that a mapping renames cost a second look into the index. A value may be offered that
//! only a series has which no canonical name reads.

use std::collections::BTreeSet;

use strata_model::catalog::{Catalog, GivenLabels};
use strata_model::{METRIC_NAME, MatchOp, Matcher, SelectError, SeriesSource};

use super::labels::{self, Translated};

/// What the mappings give to the series of one span of time.
pub(super) struct Given<'a> {
    inner: &'a dyn SeriesSource,
    groups: Vec<GivenLabels>,
    range: (i64, i64),
}

impl<'a> Given<'a> {
    pub(super) fn new(
        inner: &'a dyn SeriesSource,
        catalog: &Catalog,
        range: (i64, i64),
    ) -> Result<Self, SelectError> {
        let stored = inner.label_values(METRIC_NAME, &[], range.0, range.1)?;
        let groups = catalog.given_labels(&stored.into_iter().collect());
        Ok(Self { inner, groups, range })
    }

    /// Label names, those of the source among them.
    pub(super) fn names(&self, sets: &[Vec<Matcher>]) -> Result<Vec<String>, SelectError> {
        let (start, end) = self.range;
        let stored = self.inner.label_names(sets, start, end)?;
        let mut names: BTreeSet<String> = stored.iter().cloned().collect();
        for group in &self.groups {
            let own;
            let there = if sets.is_empty() {
                &stored
            } else {
                let Some(sets) = narrowed(group, sets) else { continue };
                own = self.inner.label_names(&sets, start, end)?;
                if own.is_empty() {
                    continue;
                }
                &own
            };
            names.extend(group.expansion.constants.iter().map(|(name, _)| name.clone()));
            let renamed = group.expansion.rename.iter();
            let renamed = renamed.filter(|(from, _)| there.binary_search(from).is_ok());
            names.extend(renamed.map(|(_, to)| to.clone()));
        }
        Ok(names.into_iter().collect())
    }

    /// Values of one label, other than the metric's name.
    pub(super) fn values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
    ) -> Result<Vec<String>, SelectError> {
        let (start, end) = self.range;
        let stored = self.inner.label_values(name, sets, start, end)?;
        let mut values: BTreeSet<String> = stored.into_iter().collect();
        for group in &self.groups {
            let expansion = &group.expansion;
            let constant = expansion.constants.iter().find(|(label, _)| label == name);
            let pairs = expansion.rename.iter().filter(|(from, to)| to == name && from != to);
            // A constant replaces what is renamed.
            let pairs = pairs.filter(|_| constant.is_none());
            let renamed: Vec<&str> = pairs.map(|(from, _)| from.as_str()).collect();
            let known = constant.is_some_and(|(_, value)| values.contains(value));
            if known || constant.is_none() && renamed.is_empty() && !speaks(group, sets) {
                continue;
            }
            let Some(sets) = narrowed(group, sets) else { continue };
            match constant {
                Some((_, value)) => {
                    if !self.inner.label_values(METRIC_NAME, &sets, start, end)?.is_empty() {
                        values.insert(value.clone());
                    }
                }
                None => {
                    for label in renamed.into_iter().chain([name]) {
                        values.extend(self.inner.label_values(label, &sets, start, end)?);
                    }
                }
            }
        }
        Ok(values.into_iter().collect())
    }
}

/// Whether a condition is on a label that only the mapping gives.
fn speaks(group: &GivenLabels, sets: &[Vec<Matcher>]) -> bool {
    let given = |name: &str| {
        group.expansion.constants.iter().any(|(label, _)| label == name)
            || group.expansion.rename.iter().any(|(_, to)| to == name)
    };
    sets.iter().flatten().any(|matcher| given(&matcher.name))
}

/// The sets in the words of the group's series; `None` when they rule all of them out.
fn narrowed(group: &GivenLabels, sets: &[Vec<Matcher>]) -> Option<Vec<Vec<Matcher>>> {
    let all = [Vec::new()];
    let sets = if sets.is_empty() { &all[..] } else { sets };
    let names: Vec<String> = group.metrics.iter().map(|name| regex::escape(name)).collect();
    let named = Matcher::new(MatchOp::Regex, METRIC_NAME, names.join("|")).ok()?;
    let mut narrowed = Vec::new();
    for set in sets {
        if let Translated::Matchers { mut matchers, .. } = labels::translate(set, &group.expansion)
        {
            let one = |m: &Matcher| m.name == METRIC_NAME && m.value == group.expansion.metric;
            matchers.retain(|matcher| !one(matcher));
            matchers.push(named.clone());
            // The set names no canonical metric: what it says of the name, it says of the stored one.
            matchers.extend(set.iter().filter(|one| one.name == METRIC_NAME).cloned());
            narrowed.push(matchers);
        }
    }
    (!narrowed.is_empty()).then_some(narrowed)
}

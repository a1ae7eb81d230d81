//! Canonical names: a series source that answers for the catalog's names from the series of every
//! engine and exporter that has them.
//!
//! A selector whose name *equals* a canonical name becomes the union of its expansions: selected
//! under the source's name, relabelled, scaled, and merged where two mappings tell of the same
//! thing. Every other selector passes through untouched, so dashboards that use source names work
//! as they are. A regular expression on `__name__` matches stored names only: expanding it as well
//! would count every sample twice.

mod doors;
mod edges;
mod given;
mod labels;
mod learned;
mod memo;
mod merge;
mod stream;
pub mod text;
mod value;

use std::collections::BTreeSet;
use std::sync::Arc;

use strata_model::catalog::{Catalog, Expansion};
use strata_model::{
    Labels, METRIC_NAME, MatchOp, Matcher, Metadata, SelectError, Selection, Series, SeriesSource,
    SeriesTakers,
};

use labels::{Relabel, Translated};

/// A source of series seen through the catalog.
pub struct CanonicalSource {
    inner: Arc<dyn SeriesSource>,
    catalog: &'static Catalog,
    memo: memo::Memo,
}

impl CanonicalSource {
    /// See `inner` through `catalog`.
    pub fn new(inner: Arc<dyn SeriesSource>, catalog: &'static Catalog) -> Self {
        Self { inner, catalog, memo: memo::Memo::default() }
    }

    /// The canonical name these matchers ask for, with its expansions.
    fn canonical<'m>(&self, matchers: &'m [Matcher]) -> Option<(&'m str, Vec<Expansion>)> {
        let named = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
        let name = matchers.iter().find(named)?.value.as_str();
        Some((name, self.catalog.expansions(name)?))
    }

    /// The series one expansion contributes, in canonical terms.
    fn expand(
        &self,
        named: &memo::Named<'_>,
        (number, expansion): (usize, &Expansion),
        selection: &Selection,
    ) -> Result<Vec<Series>, SelectError> {
        let Some((mut source, exact)) = source_of(selection, expansion) else {
            return Ok(Vec::new());
        };
        source.hints.newest_only &=
            value::stands_alone(expansion) && !expansion.asks_model && doors::see_all_of(selection);
        let mut found = self.inner.select(&source)?;
        found = value::apply(&*self.inner, found, expansion, (&source, named.projections))?;
        if expansion.asks_model {
            found = learned::attach(&*self.inner, found, selection)?;
        }
        if value::keeps_labels(expansion) && !expansion.asks_model {
            named.relabel(number, expansion, found.iter_mut().map(|series| &mut series.labels));
        } else {
            // Labels that were made for this question are not met again.
            let relabel = Relabel::new(named.name(), expansion);
            for series in &mut found {
                series.labels = relabel.apply(&series.labels);
            }
            named.intern(found.iter_mut().map(|series| &mut series.labels));
        }
        if !exact {
            found.retain(|series| labels::all_match(&selection.matchers, &series.labels));
        }
        Ok(found)
    }

    /// Label sets of one matcher set.
    fn series_of_set(
        &self,
        set: &[Matcher],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
        into: &mut BTreeSet<Labels>,
    ) -> Result<(), SelectError> {
        let Some((name, expansions)) = self.canonical(set) else {
            into.extend(self.inner.series(&[set.to_vec()], start_ms, end_ms, limit)?);
            return Ok(());
        };
        for expansion in &expansions {
            let Translated::Matchers { matchers, .. } = labels::translate(set, expansion) else {
                continue;
            };
            let relabel = Relabel::new(name, expansion);
            let found = self.inner.series(&[matchers], start_ms, end_ms, limit)?;
            let infos = if expansion.asks_model && !found.is_empty() {
                self.inner.series(&[learned::infos()], start_ms, end_ms, 0)?
            } else {
                Vec::new()
            };
            let mapped = found.iter().map(|labels| relabel.apply(labels));
            let mapped = mapped.flat_map(|labels| learned::possible(&labels, &infos));
            into.extend(mapped.filter(|labels| labels::all_match(set, labels)));
        }
        Ok(())
    }

    /// What mappings give to the labels of the series of this range.
    fn given(&self, start_ms: i64, end_ms: i64) -> Result<given::Given<'_>, SelectError> {
        given::Given::new(&*self.inner, self.catalog, (start_ms, end_ms))
    }

    /// Whether any of `sets` asks for a canonical name.
    fn any_canonical(&self, sets: &[Vec<Matcher>]) -> bool {
        sets.iter().any(|set| self.canonical(set).is_some())
    }

    /// Canonical names, suffixes included, that stored names can answer.
    fn answerable(&self, stored: &BTreeSet<String>) -> Vec<String> {
        let names = self.catalog.metrics().iter().flat_map(|metric| {
            let suffixes: &[&str] = match metric.kind {
                strata_model::MetricKind::Histogram => &["", "_bucket", "_sum", "_count"],
                _ => &[""],
            };
            suffixes.iter().map(move |suffix| format!("{}{suffix}", metric.prometheus))
        });
        let has_data = |name: &String| {
            let expansions = self.catalog.expansions(name).unwrap_or_default();
            expansions.iter().any(|expansion| stored.contains(&expansion.metric))
        };
        names.filter(has_data).collect()
    }
}

/// What is asked of the source for one expansion, and whether it answers no more than that. `None`
/// where it can have nothing of it.
fn source_of(selection: &Selection, expansion: &Expansion) -> Option<(Selection, bool)> {
    let Translated::Matchers { matchers, exact } =
        labels::translate(&selection.matchers, expansion)
    else {
        return None;
    };
    let mut source = Selection { matchers, ..selection.clone() };
    if !value::keeps_order(expansion) {
        // The greatest of a difference is not the difference of the greatest: a store that
        // answers from coarser tiers must not choose its column by the function then.
        source.hints.func = None;
    }
    Some((source, exact))
}

impl SeriesSource for CanonicalSource {
    fn version(&self) -> Option<u64> {
        self.inner.version()
    }

    fn changed_since(&self, version: u64) -> i64 {
        self.inner.changed_since(version)
    }

    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        self.select_noting(selection, &mut Vec::new())
    }

    fn select_noting(
        &self,
        selection: &Selection,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Series>, SelectError> {
        let Some((name, expansions)) = self.canonical(&selection.matchers) else {
            return self.inner.select_noting(selection, notes);
        };
        let named = self.memo.of(name);
        let mut found = Vec::with_capacity(expansions.len());
        for (number, expansion) in expansions.iter().enumerate() {
            let series = self.expand(&named, (number, expansion), selection)?;
            if !series.is_empty() {
                found.push((expansion, series));
            }
        }
        doors::close(&mut found);
        let mut merged = merge::Merged::default();
        for (expansion, series) in found {
            for one in series {
                merged.enter(expansion.priority, one);
            }
        }
        let mut series = merged.finish();
        if name.ends_with("_bucket")
            && edges::reconcile(&mut series, &selection.hints.sums, named.projections)
        {
            notes.push(edges::note(name));
        }
        Ok(series)
    }

    fn streams(&self, selection: &Selection) -> bool {
        let worth = self
            .canonical(&selection.matchers)
            .is_none_or(|(_, expansions)| stream::is_worth(&expansions, selection));
        worth && self.inner.streams(selection)
    }

    fn visit<'a>(
        &self,
        selection: &Selection,
        takers: &'a SeriesTakers<'a>,
        notes: &mut Vec<String>,
    ) -> Result<(), SelectError> {
        let Some((name, expansions)) = self.canonical(&selection.matchers) else {
            return self.inner.visit(selection, takers, notes);
        };
        if stream::is_worth(&expansions, selection)
            && let Some(plan) =
                stream::Plan::new(&*self.inner, &self.memo.of(name), &expansions, selection)?
        {
            return plan.visit(&*self.inner, takers);
        }
        let mut take = takers(0);
        self.select_noting(selection, notes)?.into_iter().all(&mut take);
        Ok(())
    }

    fn series(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        if !self.any_canonical(sets) {
            return self.inner.series(sets, start_ms, end_ms, limit);
        }
        let mut found = BTreeSet::new();
        for set in sets {
            self.series_of_set(set, start_ms, end_ms, limit, &mut found)?;
        }
        let most = if limit == 0 { usize::MAX } else { limit };
        Ok(found.into_iter().take(most).collect())
    }

    fn label_names(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        if !self.any_canonical(sets) {
            return self.given(start_ms, end_ms)?.names(sets);
        }
        let series = self.series(sets, start_ms, end_ms, 0)?;
        let names: BTreeSet<String> = series
            .iter()
            .flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>())
            .collect();
        Ok(names.into_iter().collect())
    }

    fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        if self.any_canonical(sets) {
            let series = self.series(sets, start_ms, end_ms, 0)?;
            let values: BTreeSet<String> =
                series.iter().filter_map(|labels| labels.get(name)).map(str::to_owned).collect();
            return Ok(values.into_iter().collect());
        }
        if name != METRIC_NAME {
            return self.given(start_ms, end_ms)?.values(name, sets);
        }
        let stored = self.inner.label_values(name, sets, start_ms, end_ms)?;
        let mut names: BTreeSet<String> = stored.into_iter().collect();
        let canonical = self.answerable(&names);
        names.extend(canonical);
        Ok(names.into_iter().collect())
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SelectError> {
        let mut known = self.inner.metadata()?;
        let stored: BTreeSet<String> =
            self.inner.label_values(METRIC_NAME, &[], i64::MIN, i64::MAX)?.into_iter().collect();
        let answerable: BTreeSet<String> = self.answerable(&stored).into_iter().collect();
        let has_data = |family: &str| {
            answerable.contains(family) || answerable.contains(&format!("{family}_count"))
        };
        for metric in self.catalog.metrics().iter().filter(|m| has_data(&m.prometheus)) {
            known.retain(|entry| entry.family != metric.prometheus);
            known.push(Metadata {
                family: metric.prometheus.clone(),
                kind: metric.kind,
                unit: metric.unit.clone(),
                help: metric.brief.clone(),
            });
        }
        known.sort_by(|a, b| a.family.cmp(&b.family));
        Ok(known)
    }
}

#[cfg(test)]
mod tests;

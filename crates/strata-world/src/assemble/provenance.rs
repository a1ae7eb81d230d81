//! Where a canonical metric comes from at this moment, and whether it came before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use strata_model::MetricKind;
use strata_model::catalog::{Catalog, Mapping, MetricDef, NATIVE, Quality, Reading, SourceDef};

use super::need::Need;
use crate::ask::Answers;
use crate::signal::InputUsed;

/// What is known of one metric.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    /// (source by the name of its file, its title, family as stored, quality) now.
    pub(crate) now: Vec<(String, String, String, Quality)>,
    /// (source, labels that it sets on all series of a family) of all that is there now.
    kinds: Vec<(String, Vec<(String, String)>)>,
    /// Whether any family of it had samples within the last day.
    pub(crate) before: bool,
}

/// The names of stored metrics seen through the catalog.
pub(crate) struct Provenance {
    names: Option<BTreeSet<String>>,
    before: BTreeSet<String>,
    /// Families of each source that are there, by the name of its file.
    present: BTreeMap<&'static str, usize>,
    /// The list offers canonical names for whatever it can answer, as an engine that sees its
    /// store through the catalog does: then such a name says nothing about who wrote it.
    offered: bool,
    /// What was found out already: a page asks for one metric many times.
    found: RwLock<BTreeMap<String, Arc<Given>>>,
}

impl Provenance {
    pub(crate) fn new(answers: &Answers) -> Self {
        let set = |names: &Vec<String>| names.iter().cloned().collect::<BTreeSet<String>>();
        let names = answers.names.as_ref().map(set);
        let before = answers.names_before.as_ref().map(set).unwrap_or_default();
        let (present, offered) = names.as_ref().map(count_families).unwrap_or_default();
        Self { names, before, present, offered, found: RwLock::default() }
    }

    /// Whether it is known which metrics are there.
    pub(crate) fn knows(&self) -> bool {
        self.names.is_some()
    }

    /// Sources of the catalog that something of is there, by the names of their files.
    pub(crate) fn is_here(&self, source: &str) -> bool {
        self.present.contains_key(source)
    }

    /// Whether a source that is here wrote this up to a release, and writes others of that release.
    pub(crate) fn is_of_release(&self, source: &SourceDef, until: &str) -> bool {
        let has = |family: &str| self.names.as_ref().is_some_and(|names| has(names, family));
        let of_it = source.maps.iter().filter(|mapping| mapping.until.as_deref() == Some(until));
        of_it.flat_map(families).any(has)
    }

    /// Whether what is needed comes from somewhere.
    pub(crate) fn gives(&self, need: &Need) -> bool {
        let given = self.given(need.metric);
        let is_left = |source: &str| given.now.iter().any(|(known, ..)| known == source);
        given.kinds.iter().any(|(source, set)| need.fits(set) && is_left(source))
    }

    /// Where a metric comes from.
    pub(crate) fn given(&self, metric: &MetricDef) -> Arc<Given> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(&metric.name) {
            return Arc::clone(known);
        }
        drop(found);
        let given = Arc::new(self.look_up(metric));
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        found.insert(metric.name.clone(), Arc::clone(&given));
        given
    }

    fn look_up(&self, metric: &MetricDef) -> Given {
        let mut given = Given::default();
        for suffix in suffixes(metric.kind) {
            let name = format!("{}{suffix}", metric.prometheus);
            for expansion in Catalog::builtin().expansions(&name).unwrap_or_default() {
                given.before |= self.before.contains(&expansion.metric);
                if !self.names.as_ref().is_some_and(|names| names.contains(&expansion.metric)) {
                    continue;
                }
                let family = expansion.metric.strip_suffix(suffix).unwrap_or(&expansion.metric);
                let title = Catalog::builtin()
                    .source(&expansion.source)
                    .map_or(NATIVE, |source| source.title.as_str());
                let row = (
                    expansion.source.clone(),
                    title.to_owned(),
                    family.to_owned(),
                    expansion.quality,
                );
                given.kinds.push((expansion.source.clone(), expansion.constants.clone()));
                if !given.now.contains(&row) {
                    given.now.push(row);
                }
            }
        }
        if self.offered && given.now.iter().any(|(source, ..)| source != NATIVE) {
            given.now.retain(|(source, ..)| source != NATIVE);
        }
        self.keep_likely(&mut given.now);
        given
    }

    /// Several exporters may use one name: of those that could have written a family, the one that
    /// most is there of did.
    fn keep_likely(&self, rows: &mut Vec<(String, String, String, Quality)>) {
        let count = |source: &str| match source {
            NATIVE => usize::MAX,
            _ => self.present.get(source).copied().unwrap_or(0),
        };
        let mut best: BTreeMap<String, usize> = BTreeMap::new();
        for (source, _, family, _) in rows.iter() {
            let most = best.entry(family.clone()).or_default();
            *most = (*most).max(count(source));
        }
        rows.retain(|(source, _, family, _)| best.get(family) == Some(&count(source)));
    }

    /// When the newest sample of any family of the metric was, by the times of stored names.
    pub(crate) fn newest(&self, metric: &MetricDef, times: &BTreeMap<String, i64>) -> Option<i64> {
        let given = self.given(metric);
        let names = given.now.iter().flat_map(|(_, _, family, _)| {
            suffixes(metric.kind).iter().map(move |suffix| format!("{family}{suffix}"))
        });
        names.filter_map(|name| times.get(&name)).max().copied()
    }

    /// The metric as an input of a signal.
    pub(crate) fn input(&self, metric: &'static MetricDef) -> InputUsed {
        let given = self.given(metric);
        InputUsed {
            metric: &metric.name,
            quality: given.now.iter().map(|(.., quality)| *quality).max(),
            sources: given
                .now
                .iter()
                .map(|(_, title, family, _)| (title.clone(), family.clone()))
                .collect(),
        }
    }
}

/// Suffixes of the stored names of a metric. A source may give all of a histogram or only sum and
/// count, so the count is looked for first.
fn suffixes(kind: MetricKind) -> &'static [&'static str] {
    match kind {
        MetricKind::Histogram => &["_count", "_bucket", ""],
        _ => &[""],
    }
}

/// How many names of each source are there, and whether each comes with its canonical name. A name
/// that is canonical as it is tells nothing of who wrote it.
fn count_families(names: &BTreeSet<String>) -> (BTreeMap<&'static str, usize>, bool) {
    let mut present = BTreeMap::new();
    let mut offered = true;
    for source in Catalog::builtin().sources() {
        let mut found = BTreeSet::new();
        for mapping in &source.maps {
            let before = found.len();
            let own = families(mapping)
                .filter(|family| Catalog::builtin().by_prometheus_name(family).is_none());
            found.extend(own.filter(|family| has(names, family)));
            if found.len() > before
                && let Some(metric) = Catalog::builtin().metric(&mapping.metric)
            {
                offered &= has(names, &metric.prometheus);
            }
        }
        if !found.is_empty() {
            present.insert(source.name.as_str(), found.len());
        }
    }
    let offered = offered && !present.is_empty();
    (present, offered)
}

/// Whether a family is among stored names.
fn has(names: &BTreeSet<String>, family: &str) -> bool {
    names.contains(family) || names.contains(&format!("{family}_count"))
}

/// The families that a mapping reads.
fn families(mapping: &Mapping) -> impl Iterator<Item = &str> {
    let (families, pair) = match &mapping.reading {
        Reading::Families(families) => (families.as_slice(), None),
        Reading::SumCount { sum, count } => (&[][..], Some([sum, count])),
    };
    families.iter().chain(pair.into_iter().flatten()).map(String::as_str)
}

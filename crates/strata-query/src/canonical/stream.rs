//! The series of a canonical name handed over as they are read, where their labels alone tell that
//! none of them has to wait for another.
//!
//! A day of ten thousand GPUs is a quarter of a gigabyte a metric when it is held whole. Most often
//! that is not needed: the source's series become canonical ones one by one, and no two of them tell
//! of the same thing. Where two do, or a value is made of several families, the selection is read
//! whole.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;
use strata_model::catalog::Expansion;
use strata_model::{Labels, SelectError, Selection, Series, SeriesSource, SeriesTakers};

use super::labels::{self, MODEL, Relabel, Translated};
use super::{doors, edges, value};

/// Ranges below this are read whole: they hold few samples, and looking up labels beforehand costs
/// more than the samples do.
const LONG_MS: i64 = 1_800_000;
/// Lanes of one expansion, to tell them from those of the next; far more than a source has.
const LANES: usize = 1_024;

/// One expansion that has series.
struct Part<'a> {
    expansion: &'a Expansion,
    selection: Selection,
    /// Canonical labels by the source's.
    canonical: FxHashMap<Labels, Labels>,
}

/// What is to be read, each series for itself.
pub(super) struct Plan<'a> {
    parts: Vec<Part<'a>>,
}

/// Whether it is worth a [`Plan`].
pub(super) fn is_worth(expansions: &[Expansion], selection: &Selection) -> bool {
    let long = selection.end_ms.saturating_sub(selection.start_ms) >= LONG_MS;
    long && expansions.iter().all(value::is_by_sample)
}

impl<'a> Plan<'a> {
    /// `None` where series have to be seen together.
    pub(super) fn new(
        inner: &dyn SeriesSource,
        name: &str,
        expansions: &'a [Expansion],
        selection: &Selection,
    ) -> Result<Option<Self>, SelectError> {
        let mut parts = Vec::new();
        for expansion in expansions {
            let Some(part) = Part::new(inner, name, expansion, selection)? else { return Ok(None) };
            if !part.canonical.is_empty() {
                parts.push(part);
            }
        }
        if !are_apart(&parts) {
            return Ok(None);
        }
        if name.ends_with("_bucket") && differ(&parts, &selection.hints.sums) {
            // Which edges are common depends on which series have samples in the range.
            return Ok(None);
        }
        Ok(Some(Self { parts }))
    }

    /// Read and hand over.
    pub(super) fn visit<'b>(
        &self,
        inner: &dyn SeriesSource,
        takers: &'b SeriesTakers<'b>,
    ) -> Result<(), SelectError> {
        let stopped = AtomicBool::new(false);
        for (at, part) in self.parts.iter().enumerate() {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            let stopped = &stopped;
            inner.visit(
                &part.selection,
                &|lane| {
                    let mut take = takers(at * LANES + lane);
                    Box::new(move |series| {
                        let wants_more = part.translate(series).is_none_or(&mut take);
                        if !wants_more {
                            stopped.store(true, Ordering::Relaxed);
                        }
                        wants_more
                    })
                },
                &mut Vec::new(),
            )?;
        }
        Ok(())
    }
}

impl<'a> Part<'a> {
    /// `None` where the model of a series is learned from others.
    fn new(
        inner: &dyn SeriesSource,
        name: &str,
        expansion: &'a Expansion,
        selection: &Selection,
    ) -> Result<Option<Self>, SelectError> {
        let mut canonical = FxHashMap::default();
        let mut source = selection.clone();
        if let Translated::Matchers(matchers) = labels::translate(&selection.matchers, expansion) {
            source.matchers = matchers;
            source.hints.newest_only = false;
            if !value::keeps_order(expansion) {
                // As in a selection that is read whole.
                source.hints.func = None;
            }
            let sets = [source.matchers.clone()];
            let found = inner.series(&sets, selection.start_ms, selection.end_ms, 0)?;
            if expansion.asks_model && found.iter().any(|one| one.get(MODEL).is_none()) {
                return Ok(None);
            }
            let relabel = Relabel::new(name, expansion);
            let pairs = found.into_iter().map(|labels| {
                let given = relabel.apply(&labels);
                (labels, given)
            });
            let fits = |pair: &(Labels, Labels)| labels::all_match(&selection.matchers, &pair.1);
            canonical.extend(pairs.filter(fits));
        }
        Ok(Some(Self { expansion, selection: source, canonical }))
    }

    /// The canonical series; `None` for one that was not there, or not asked for, when the labels
    /// were looked up.
    fn translate(&self, mut series: Series) -> Option<Series> {
        series.labels = self.canonical.get(&series.labels)?.clone();
        value::by_sample(&mut series.points, self.expansion);
        Some(series)
    }
}

/// Whether no two series tell of the same thing.
fn are_apart(parts: &[Part<'_>]) -> bool {
    let total = parts.iter().map(|part| part.canonical.len()).sum();
    let mut seen = HashSet::with_capacity(total);
    if !parts.iter().flat_map(|part| part.canonical.values()).all(|labels| seen.insert(labels)) {
        return false;
    }
    let found: Vec<_> =
        parts.iter().map(|part| (part.expansion, part.canonical.values())).collect();
    doors::are_apart(&found)
}

/// Whether histograms that are added up may have different edges.
fn differ(parts: &[Part<'_>], sums: &[strata_model::Grouping]) -> bool {
    let labels = parts.iter().flat_map(|part| part.canonical.values());
    edges::reconcile(&mut labels.cloned().collect::<Vec<Labels>>(), sums)
}

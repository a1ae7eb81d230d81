//! The series of a canonical name handed over as they are read, where their labels alone tell that
//! none of them has to wait for another.
//!
//! A day of ten thousand GPUs is a quarter of a gigabyte a metric when it is held whole. Most often
//! that is not needed: the source's series become canonical ones one by one, and no two of them tell
//! of the same thing. Where two do, or a value is made of several families, the selection is read
//! whole.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::{FxHashMap, FxHashSet};
use strata_model::catalog::Expansion;
use strata_model::{Labels, SelectError, Selection, Series, SeriesSource, SeriesTakers};

use super::labels::{self, MODEL};
use super::memo::Named;
use super::{doors, edges, source_of, value};
use crate::projected::Projections;

/// Ranges below this are read whole: they hold few samples, and looking up labels beforehand costs
/// more than the samples do.
const LONG_MS: i64 = 1_800_000;
/// Lanes of one expansion, to tell them from those of the next; far more than a source has.
const LANES: usize = 1_024;

/// One expansion that has series.
struct Part<'a> {
    expansion: &'a Expansion,
    selection: Selection,
    /// The source's labels and the canonical ones.
    pairs: Vec<(Labels, Labels)>,
    /// Which pair it is, by the place of the source's labels.
    at: FxHashMap<usize, usize>,
    /// The same by the labels, for a source that does not hand out the same ones every time.
    alike: OnceLock<FxHashMap<Labels, usize>>,
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
        named: &Named<'_>,
        expansions: &'a [Expansion],
        selection: &Selection,
    ) -> Result<Option<Self>, SelectError> {
        let mut parts = Vec::new();
        for expansion in expansions.iter().enumerate() {
            let Some(part) = Part::new(inner, named, expansion, selection)? else {
                return Ok(None);
            };
            parts.extend(Some(part).filter(|part| !part.pairs.is_empty()));
        }
        if !are_apart(&parts) {
            return Ok(None);
        }
        if named.name().ends_with("_bucket")
            && differ(&parts, &selection.hints.sums, named.projections)
        {
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
        named: &Named<'_>,
        (number, expansion): (usize, &'a Expansion),
        selection: &Selection,
    ) -> Result<Option<Self>, SelectError> {
        let mut part = Self {
            expansion,
            selection: selection.clone(),
            pairs: Vec::new(),
            at: FxHashMap::default(),
            alike: OnceLock::new(),
        };
        let Some((source, exact)) = source_of(selection, expansion) else { return Ok(Some(part)) };
        let sets = [source.matchers.clone()];
        let found = inner.series(&sets, selection.start_ms, selection.end_ms, 0)?;
        if expansion.asks_model && found.iter().any(|one| one.get(MODEL).is_none()) {
            return Ok(None);
        }
        let mut canonical = found.clone();
        named.relabel(number, expansion, canonical.iter_mut());
        let fits = |labels: &Labels| exact || labels::all_match(&selection.matchers, labels);
        let pairs = found.into_iter().zip(canonical).filter(|(_, given)| fits(given));
        part.pairs = pairs.collect();
        let places = part.pairs.iter().enumerate().map(|(at, (source, _))| (source.place(), at));
        part.at = places.collect();
        part.selection = source;
        part.selection.hints.newest_only = false;
        Ok(Some(part))
    }

    fn canonical(&self) -> impl Iterator<Item = &Labels> + Clone {
        self.pairs.iter().map(|(_, canonical)| canonical)
    }

    /// The canonical series; `None` for one that was not there, or not asked for, when the labels
    /// were looked up.
    fn translate(&self, mut series: Series) -> Option<Series> {
        let at = self.at.get(&series.labels.place()).or_else(|| {
            let pairs = || self.pairs.iter().enumerate();
            let alike = || pairs().map(|(at, (source, _))| (source.clone(), at)).collect();
            self.alike.get_or_init(alike).get(&series.labels)
        })?;
        series.labels = self.pairs.get(*at)?.1.clone();
        value::by_sample(&mut series.points, self.expansion);
        Some(series)
    }
}

/// Whether no two series tell of the same thing: equal canonical labels have one place.
fn are_apart(parts: &[Part<'_>]) -> bool {
    let total = parts.iter().map(|part| part.pairs.len()).sum();
    let mut seen = FxHashSet::with_capacity_and_hasher(total, rustc_hash::FxBuildHasher);
    if !parts.iter().flat_map(Part::canonical).all(|labels| seen.insert(labels.place())) {
        return false;
    }
    let found: Vec<_> = parts.iter().map(|part| (part.expansion, part.canonical())).collect();
    doors::are_apart(&found)
}

/// Whether histograms that are added up may have different edges.
fn differ(parts: &[Part<'_>], sums: &[strata_model::Grouping], memo: &Projections) -> bool {
    let labels = parts.iter().flat_map(Part::canonical);
    edges::reconcile(&mut labels.cloned().collect::<Vec<Labels>>(), sums, memo)
}

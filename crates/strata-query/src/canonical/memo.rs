//! Canonical labels that were made before: a store hands out the same labels for a series every time,
//! so that they are found again by where they lie, without looking at a byte of them.
//!
//! A page of ten thousand GPUs asks a hundred questions, and making labels was a third of the answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustc_hash::{FxHashMap, FxHashSet};
use strata_model::Labels;
use strata_model::catalog::Expansion;

use super::labels::Relabel;
use crate::projected::Projections;

/// Label sets kept of one name; with more, all of them are forgotten and made anew.
const SETS_MAX: usize = 200_000;
/// Label sets kept of all names together: about 300 MB where all are in use.
const ALL_SETS_MAX: usize = 1_000_000;

/// Canonical labels of one name.
#[derive(Default)]
struct Sets {
    /// By the place of the source's labels and the number of the mapping. The source's are kept with
    /// them, so that their place is not given to others.
    made: FxHashMap<(usize, usize), (Labels, Labels)>,
    /// Each once, so that equal ones have one place.
    each: FxHashSet<Labels>,
}

impl Sets {
    fn intern(&mut self, labels: Labels) -> Labels {
        if let Some(known) = self.each.get(&labels) {
            return known.clone();
        }
        self.each.insert(labels.clone());
        labels
    }
}

/// What was made.
#[derive(Default)]
pub(super) struct Memo {
    projections: Projections,
    names: Mutex<HashMap<String, Arc<RwLock<Sets>>>>,
    /// Label sets entered since all was forgotten: never fewer than there are.
    entered: AtomicUsize,
}

/// The canonical labels of one name for one question: those that are equal have one place.
pub(super) struct Named<'a> {
    name: &'a str,
    sets: Arc<RwLock<Sets>>,
    entered: &'a AtomicUsize,
    /// What counts of label sets.
    pub(super) projections: &'a Projections,
}

impl Memo {
    /// What is forgotten is not taken from those who are using it: each question sees one place for
    /// equal labels from its beginning to its end.
    pub(super) fn of<'a>(&'a self, name: &'a str) -> Named<'a> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if self.entered.load(Ordering::Relaxed) > ALL_SETS_MAX {
            // Those of series that are gone go with the others.
            names.clear();
            self.entered.store(0, Ordering::Relaxed);
        }
        let sets = names.entry(name.to_owned()).or_default();
        // Not waited for: whoever is entering labels holds up this name only.
        let full = sets.try_read().is_ok_and(|known| {
            // More than this in one question are made anew for each, which is slow and still right.
            known.made.len().max(known.each.len()) > SETS_MAX
        });
        if full {
            *sets = Arc::default();
        }
        let (sets, entered, projections) = (Arc::clone(sets), &self.entered, &self.projections);
        Named { name, sets, entered, projections }
    }
}

impl Named<'_> {
    /// The canonical name, its suffix included.
    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// Turn labels of the source into canonical ones, those of the mapping with this number.
    pub(super) fn relabel<'l>(
        &self,
        number: usize,
        expansion: &Expansion,
        labels: impl Iterator<Item = &'l mut Labels>,
    ) {
        let mut missing = Vec::new();
        {
            let known = self.sets.read().unwrap_or_else(PoisonError::into_inner);
            for one in labels {
                match known.made.get(&(one.place(), number)) {
                    Some((_, canonical)) => *one = canonical.clone(),
                    None => missing.push(one),
                }
            }
        }
        if missing.is_empty() {
            return;
        }
        self.entered.fetch_add(missing.len(), Ordering::Relaxed);
        let relabel = Relabel::new(self.name, expansion);
        let made: Vec<Labels> = missing.iter().map(|one| relabel.apply(one)).collect();
        let mut known = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        for (one, made) in missing.into_iter().zip(made) {
            let canonical = known.intern(made);
            let source = std::mem::replace(one, canonical.clone());
            known.made.insert((source.place(), number), (source, canonical));
        }
    }

    /// Give canonical labels that were made for this question the place of their equals.
    pub(super) fn intern<'l>(&self, labels: impl Iterator<Item = &'l mut Labels>) {
        let mut known = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.each.len();
        for one in labels {
            *one = known.intern(one.clone());
        }
        self.entered.fetch_add(known.each.len() - before, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use strata_model::catalog::Catalog;

    use super::*;

    const POWER: &str = "hw_power_watts";

    fn expansion(metric: &str) -> (usize, Expansion) {
        let expansions = Catalog::builtin().expansions(POWER).unwrap_or_default();
        expansions.into_iter().enumerate().find(|(_, one)| one.metric == metric).unwrap()
    }

    fn relabelled(
        named: &Named<'_>,
        (number, expansion): &(usize, Expansion),
        l: &Labels,
    ) -> Labels {
        let mut labels = l.clone();
        named.relabel(*number, expansion, std::iter::once(&mut labels));
        labels
    }

    #[test]
    fn labels_are_made_once_and_never_mistaken() {
        let dcgm = expansion("DCGM_FI_DEV_POWER_USAGE");
        let memo = Memo::default();
        for round in 0..200 {
            // Dropped and made again: places are used again, by other labels.
            let uuid = format!("GPU-{round}");
            let source =
                Labels::from_pairs([("__name__", dcgm.1.metric.as_str()), ("UUID", &uuid)]);
            let first = relabelled(&memo.of(POWER), &dcgm, &source);
            assert_eq!(first.get("gpu_uuid"), Some(uuid.as_str()));
            assert_eq!(relabelled(&memo.of(POWER), &dcgm, &source).place(), first.place());
        }
    }

    #[test]
    fn equal_labels_have_one_place_within_a_question() {
        let (dcgm, own) = (expansion("DCGM_FI_DEV_POWER_USAGE"), expansion(POWER));
        let memo = Memo::default();
        let named = memo.of(POWER);
        // Another question forgets everything meanwhile.
        memo.entered.store(ALL_SETS_MAX + 1, Ordering::Relaxed);
        let made = |named: &Named<'_>| {
            let source = Labels::from_pairs([("__name__", dcgm.1.metric.as_str()), ("UUID", "a")]);
            relabelled(named, &dcgm, &source)
        };
        let first = made(&named);
        assert_ne!(made(&memo.of(POWER)).place(), first.place(), "forgotten");
        assert_eq!(made(&named).place(), first.place());
        let mut alike = Labels::from_pairs(first.iter());
        named.intern(std::iter::once(&mut alike));
        assert_eq!(alike.place(), first.place());
        let native = Labels::from_pairs(first.iter());
        assert_eq!(relabelled(&named, &own, &native).place(), first.place());
    }
}

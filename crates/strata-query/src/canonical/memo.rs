//! Canonical labels that were made before: a store hands out the same labels for a series every time,
//! so that they are found again by where they lie, without looking at a byte of them.
//!
//! A page of ten thousand GPUs asks a hundred questions, and making labels was a third of the answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use strata_model::catalog::Expansion;
use strata_model::{Labels, Series};

use super::labels::Relabel;

/// Label sets kept of one mapping; with more, all of it is forgotten and made anew.
const SETS_MAX: usize = 200_000;
/// Label sets kept of all mappings together: about 300 MB where all are in use.
const ALL_SETS_MAX: usize = 1_000_000;

/// Canonical labels by the place of the source's. The source's are kept with them, so that their
/// place is not given to others.
type Sets = FxHashMap<usize, (Labels, Labels)>;

/// Canonical name, and the number of its mapping.
type Key = (String, usize);

/// What was made.
#[derive(Default)]
pub(super) struct Memo {
    all: Mutex<HashMap<Key, Arc<RwLock<Sets>>>>,
    /// Label sets entered since all was forgotten: never fewer than there are.
    entered: AtomicUsize,
}

impl Memo {
    fn sets(&self, name: &str, number: usize) -> Arc<RwLock<Sets>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if self.entered.load(Ordering::Relaxed) > ALL_SETS_MAX {
            // Those of series that are gone go with the others.
            all.clear();
            self.entered.store(0, Ordering::Relaxed);
        }
        Arc::clone(all.entry((name.to_owned(), number)).or_default())
    }

    /// Give the series of one mapping their canonical labels.
    pub(super) fn relabel(
        &self,
        (name, number): (&str, usize),
        expansion: &Expansion,
        series: &mut [Series],
    ) {
        let sets = self.sets(name, number);
        let mut missing = Vec::new();
        {
            let known = sets.read().unwrap_or_else(PoisonError::into_inner);
            for (at, one) in series.iter_mut().enumerate() {
                match known.get(&one.labels.place()) {
                    Some((_, canonical)) => one.labels = canonical.clone(),
                    None => missing.push(at),
                }
            }
        }
        if missing.is_empty() {
            return;
        }
        self.entered.fetch_add(missing.len(), Ordering::Relaxed);
        let relabel = Relabel::new(name, expansion);
        let mut known = sets.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() + missing.len() > SETS_MAX {
            known.clear();
        }
        for at in missing {
            let Some(one) = series.get_mut(at) else { continue };
            let canonical = relabel.apply(&one.labels);
            let source = std::mem::replace(&mut one.labels, canonical.clone());
            known.insert(source.place(), (source, canonical));
        }
    }
}

#[cfg(test)]
mod tests {
    use strata_model::Points;
    use strata_model::catalog::Catalog;

    use super::*;

    #[test]
    fn labels_are_made_once_and_never_mistaken() {
        let expansions = Catalog::builtin().expansions("hw_power_watts").unwrap_or_default();
        let (number, expansion) = expansions
            .iter()
            .enumerate()
            .find(|(_, one)| one.metric == "DCGM_FI_DEV_POWER_USAGE")
            .unwrap();
        let memo = Memo::default();
        let relabelled = |labels: &Labels| {
            let mut series = [Series { labels: labels.clone(), points: Points::default() }];
            memo.relabel(("hw_power_watts", number), expansion, &mut series);
            let [one] = series;
            one.labels
        };
        for round in 0..200 {
            // Dropped and made again: places are used again, by other labels.
            let uuid = format!("GPU-{round}");
            let source =
                Labels::from_pairs([("__name__", expansion.metric.as_str()), ("UUID", &uuid)]);
            let first = relabelled(&source);
            assert_eq!(first.get("gpu_uuid"), Some(uuid.as_str()));
            assert_eq!(relabelled(&source).place(), first.place(), "made once");
        }
    }
}

//! What is left of label sets where only some labels count: the keys of groups and the signatures of
//! vector matching, as small numbers.
//!
//! Pages ask a hundred questions of the same series, a few groupings of each. A source hands out the
//! same labels every time, so what was made of them is found again by where they lie
//! ([`Labels::place`]), without looking at their bytes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use strata_model::{Labels, METRIC_NAME};

/// Label sets kept at most, over all ways to look at them: about 50 MB beside the labels themselves, which
/// the store and the canonical names hold anyway.
const KEPT_MAX: usize = 1_000_000;
/// Fewer rows are looked at one by one.
const WORTH: usize = 64;

/// Which labels count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counting<'a> {
    pub(super) labels: &'a [String],
    /// Only these count, else all but these and the metric's name.
    pub(super) only: bool,
}

impl Counting<'_> {
    pub(super) fn of(self, labels: &Labels) -> Labels {
        let named = |name: &str| self.labels.iter().any(|label| label == name);
        match (self.only, self.labels) {
            (true, []) => Labels::empty(),
            (true, _) => labels.filtered(named),
            (false, _) => labels.filtered(|name| name != METRIC_NAME && !named(name)),
        }
    }
}

/// Rows by what counts of their labels.
pub(super) struct Projected {
    /// The number of each row's.
    pub(super) of_row: Vec<usize>,
    /// By number, in the order in which they were met.
    pub(super) labels: Vec<Labels>,
}

/// One way to look at label sets.
#[derive(Default)]
struct Table {
    /// By the place of the whole labels, which are kept so that their place is not given to others.
    by_place: FxHashMap<usize, (Labels, u32)>,
    numbers: FxHashMap<Labels, u32>,
    labels: Vec<Labels>,
}

impl Table {
    fn number(&mut self, labels: &Labels, counting: Counting<'_>) -> u32 {
        if let Some((_, number)) = self.by_place.get(&labels.place()) {
            return *number;
        }
        let next = self.labels.len() as u32;
        let number = *self.numbers.entry(counting.of(labels)).or_insert_with_key(|counted| {
            self.labels.push(counted.clone());
            next
        });
        // Labels that nobody else holds were made for this question and are not met again.
        if labels.is_shared() {
            self.by_place.insert(labels.place(), (labels.clone(), number));
        }
        number
    }
}

type Tables = HashMap<(Vec<String>, bool), Arc<RwLock<Table>>>;

/// What was made of label sets, for many questions.
#[derive(Default)]
pub struct Projections {
    tables: Mutex<Tables>,
    /// Label sets entered since all was forgotten: never fewer than there are.
    entered: AtomicUsize,
}

impl std::fmt::Debug for Projections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Projections").field("entered", &self.entered).finish_non_exhaustive()
    }
}

impl Projections {
    fn table(&self, counting: Counting<'_>) -> Arc<RwLock<Table>> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if self.entered.load(Ordering::Relaxed) > KEPT_MAX {
            // Those of series that are gone go with the others; who uses a table still has it.
            tables.clear();
            self.entered.store(0, Ordering::Relaxed);
        }
        Arc::clone(tables.entry((counting.labels.to_vec(), counting.only)).or_default())
    }

    fn project<'r>(
        &self,
        rows: impl Iterator<Item = &'r Labels> + Clone,
        counting: Counting<'_>,
    ) -> Projected {
        let table = self.table(counting);
        let mut numbers: Vec<u32> = Vec::new();
        let all_known = {
            let table = table.read().unwrap_or_else(PoisonError::into_inner);
            let known = rows.clone().map_while(|row| table.by_place.get(&row.place()));
            numbers.extend(known.map(|(_, number)| *number));
            let all = rows.clone().nth(numbers.len()).is_none();
            all.then(|| dense(&numbers, &table.labels))
        };
        if let Some(projected) = all_known {
            return projected;
        }
        let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
        let before = table.by_place.len() + table.labels.len();
        for row in rows.skip(numbers.len()) {
            numbers.push(table.number(row, counting));
        }
        let entered = table.by_place.len() + table.labels.len() - before;
        self.entered.fetch_add(entered, Ordering::Relaxed);
        dense(&numbers, &table.labels)
    }
}

/// From the numbers of a table to those of one question.
fn dense(numbers: &[u32], known: &[Labels]) -> Projected {
    let mut own = vec![usize::MAX; known.len()];
    let mut labels = Vec::new();
    let of_row = numbers.iter().map(|number| {
        let slot = &mut own[*number as usize];
        if *slot == usize::MAX {
            *slot = labels.len();
            labels.push(known[*number as usize].clone());
        }
        *slot
    });
    Projected { of_row: of_row.collect(), labels }
}

/// What counts of the labels of `rows`, of which there are `count`.
pub(super) fn project<'r>(
    memo: Option<&Projections>,
    (rows, count): (impl Iterator<Item = &'r Labels> + Clone, usize),
    counting: Counting<'_>,
) -> Projected {
    if let Some(memo) = memo.filter(|_| count >= WORTH) {
        return memo.project(rows, counting);
    }
    let mut known: FxHashMap<Labels, usize> = FxHashMap::default();
    let mut labels = Vec::new();
    let of_row = rows.map(|row| {
        *known.entry(counting.of(row)).or_insert_with_key(|counted| {
            labels.push(counted.clone());
            labels.len() - 1
        })
    });
    Projected { of_row: of_row.collect(), labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Labels> {
        let row = |at: usize| {
            let (node, gpu) = ((at / 8 % 20).to_string(), at.to_string());
            Labels::from_pairs([("__name__", "m"), ("node", node.as_str()), ("gpu", gpu.as_str())])
        };
        (0..200).map(row).collect()
    }

    #[test]
    fn what_is_remembered_is_what_would_be_made() {
        let memo = Projections::default();
        let labels = ["node".to_owned(), "absent".to_owned()];
        let mut rows = rows();
        for round in 0..4 {
            for (only, labels) in [(true, &labels[..]), (false, &labels[..]), (true, &[][..])] {
                let counting = Counting { labels, only };
                // Half of the rows are held by somebody else, and some come twice.
                let held: Vec<Labels> = rows.iter().step_by(2).cloned().collect();
                let all = || rows.iter().chain(&held);
                let count = rows.len() + held.len();
                let wanted = project(None, (all(), count), counting);
                let found = project(Some(&memo), (all(), count), counting);
                assert_eq!(found.of_row, wanted.of_row, "round {round}, {counting:?}");
                assert_eq!(found.labels, wanted.labels, "round {round}, {counting:?}");
            }
            // Some go and others come, perhaps to where those were.
            rows.rotate_left(30);
            rows.truncate(150);
            rows.extend((0..50).map(|at| {
                let gpu = format!("{round}-{at}");
                Labels::from_pairs([("__name__", "m"), ("node", "new"), ("gpu", &gpu)])
            }));
        }
    }

    #[test]
    fn too_many_are_forgotten() {
        let memo = Projections::default();
        let counting = Counting { labels: &[], only: false };
        let rows = rows();
        memo.project(rows.iter(), counting);
        memo.entered.store(KEPT_MAX + 1, Ordering::Relaxed);
        let table = memo.table(counting);
        assert!(table.read().unwrap().labels.is_empty());
        assert_eq!(memo.entered.load(Ordering::Relaxed), 0);
    }
}

//! What is left of label sets where only some labels count: the keys of groups, the signatures of
//! vector matching, the histogram that a bucket belongs to, as small numbers.
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
/// the store and the canonical names hold anyway. Queries keep as many, and canonical names as many.
const KEPT_MAX: usize = 1_000_000;
/// Fewer rows are looked at one by one.
const WORTH: usize = 64;

/// Which labels count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counting<'a> {
    pub(crate) labels: &'a [String],
    /// Only these count, else all but these and the metric's name.
    pub(crate) only: bool,
}

impl Counting<'_> {
    pub(crate) fn of(self, labels: &Labels) -> Labels {
        let named = |name: &str| self.labels.iter().any(|label| label == name);
        match (self.only, self.labels) {
            (true, []) => Labels::empty(),
            (true, _) => labels.filtered(named),
            (false, _) => labels.filtered(|name| name != METRIC_NAME && !named(name)),
        }
    }
}

/// How what counts is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As it is met.
    Met,
    /// As the labels are ordered.
    Labels,
}

/// Rows by what counts of their labels.
pub(crate) struct Projected {
    /// The number of each row's.
    pub(crate) of_row: Vec<usize>,
    /// By number.
    pub(crate) labels: Vec<Labels>,
}

/// One way to look at label sets.
#[derive(Default)]
struct Table {
    /// By the place of the whole labels, which are kept so that their place is not given to others.
    by_place: FxHashMap<usize, (Labels, u32)>,
    numbers: FxHashMap<Labels, u32>,
    labels: Vec<Labels>,
    /// By number, which place it has among all in order: to put ten thousand labels in order costs
    /// as much as to add up what they stand for.
    ranks: Vec<u32>,
}

impl Table {
    fn rank(&mut self) {
        if self.ranks.len() == self.labels.len() {
            return;
        }
        let mut numbers: Vec<u32> = (0..self.labels.len() as u32).collect();
        numbers.sort_unstable_by(|a, b| self.labels[*a as usize].cmp(&self.labels[*b as usize]));
        self.ranks = vec![0; numbers.len()];
        for (rank, number) in numbers.into_iter().enumerate() {
            self.ranks[number as usize] = rank as u32;
        }
    }

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
        order: Order,
    ) -> Projected {
        let table = self.table(counting);
        let mut numbers: Vec<u32> = Vec::new();
        let all_known = {
            let table = table.read().unwrap_or_else(PoisonError::into_inner);
            let known = rows.clone().map_while(|row| table.by_place.get(&row.place()));
            numbers.extend(known.map(|(_, number)| *number));
            let all = rows.clone().nth(numbers.len()).is_none();
            let in_order = order == Order::Met || table.ranks.len() == table.labels.len();
            (all && in_order).then(|| dense(&numbers, &table, order))
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
        if order == Order::Labels {
            table.rank();
        }
        dense(&numbers, &table, order)
    }
}

/// From the numbers of a table to those of one question.
fn dense(numbers: &[u32], table: &Table, order: Order) -> Projected {
    let mut own = vec![usize::MAX; table.labels.len()];
    let mut met: Vec<u32> = Vec::new();
    for number in numbers {
        let slot = &mut own[*number as usize];
        if *slot == usize::MAX {
            *slot = met.len();
            met.push(*number);
        }
    }
    if order == Order::Labels {
        met.sort_unstable_by_key(|number| table.ranks[*number as usize]);
        for (at, number) in met.iter().enumerate() {
            own[*number as usize] = at;
        }
    }
    let of_row = numbers.iter().map(|number| own[*number as usize]).collect();
    let labels = met.iter().map(|number| table.labels[*number as usize].clone()).collect();
    Projected { of_row, labels }
}

/// What counts of the labels of `rows`, of which there are `count`.
pub(crate) fn project<'r>(
    memo: Option<&Projections>,
    (rows, count): (impl Iterator<Item = &'r Labels> + Clone, usize),
    counting: Counting<'_>,
    order: Order,
) -> Projected {
    if let Some(memo) = memo.filter(|_| count >= WORTH) {
        return memo.project(rows, counting, order);
    }
    let mut known: FxHashMap<Labels, usize> = FxHashMap::default();
    let mut labels = Vec::new();
    let of_row = rows.map(|row| {
        *known.entry(counting.of(row)).or_insert_with_key(|counted| {
            labels.push(counted.clone());
            labels.len() - 1
        })
    });
    let of_row: Vec<usize> = of_row.collect();
    if order == Order::Met {
        return Projected { of_row, labels };
    }
    let mut sorted: Vec<usize> = (0..labels.len()).collect();
    sorted.sort_unstable_by(|a, b| labels[*a].cmp(&labels[*b]));
    let mut places = vec![0; sorted.len()];
    for (place, number) in sorted.iter().enumerate() {
        places[*number] = place;
    }
    let labels = sorted.iter().map(|number| labels[*number].clone()).collect();
    Projected { of_row: of_row.into_iter().map(|number| places[number]).collect(), labels }
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
                for order in [Order::Met, Order::Labels] {
                    let wanted = project(None, (all(), count), counting, order);
                    let found = project(Some(&memo), (all(), count), counting, order);
                    assert_eq!(found.of_row, wanted.of_row, "round {round}, {counting:?}");
                    assert_eq!(found.labels, wanted.labels, "round {round}, {counting:?}");
                    assert!(order == Order::Met || found.labels.is_sorted());
                    for (row, number) in all().zip(&found.of_row) {
                        assert_eq!(counting.of(row), found.labels[*number]);
                    }
                }
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
        memo.project(rows.iter(), counting, Order::Met);
        memo.entered.store(KEPT_MAX + 1, Ordering::Relaxed);
        let table = memo.table(counting);
        assert!(table.read().unwrap().labels.is_empty());
        assert_eq!(memo.entered.load(Ordering::Relaxed), 0);
    }
}

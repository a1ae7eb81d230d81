//! From label values to the sorted ids of the series that have them.

use rustc_hash::FxHashMap;
use strata_model::{MatchOp, Matcher};

/// The values of one label name.
#[derive(Default)]
struct NameIndex {
    by_value: FxHashMap<Box<str>, u32>,
    /// Sorted ids, by value number.
    lists: Vec<Vec<u32>>,
    values: Vec<Box<str>>,
}

impl NameIndex {
    fn list(&self, value: &str) -> &[u32] {
        self.by_value.get(value).map_or(&[], |&number| &self.lists[number as usize])
    }

    /// Ids whose value passes `keep`, sorted. A series has one value, so lists are disjoint.
    fn union(&self, keep: impl Fn(&str) -> bool) -> Vec<u32> {
        let passing = self.values.iter().zip(&self.lists).filter(|(value, _)| keep(value));
        let mut ids: Vec<u32> = passing.flat_map(|(_, list)| list.iter().copied()).collect();
        ids.sort_unstable();
        ids
    }
}

/// Postings of all names.
#[derive(Default)]
pub(super) struct Postings(FxHashMap<Box<str>, NameIndex>);

impl Postings {
    /// Note that series `id`, the newest so far, has this label.
    pub(super) fn add(&mut self, name: &str, value: &str, id: u32) {
        if !self.0.contains_key(name) {
            self.0.insert(Box::from(name), NameIndex::default());
        }
        let Some(index) = self.0.get_mut(name) else { return };
        if let Some(&number) = index.by_value.get(value) {
            index.lists[number as usize].push(id);
        } else {
            index.by_value.insert(Box::from(value), index.lists.len() as u32);
            index.values.push(Box::from(value));
            index.lists.push(vec![id]);
        }
    }

    /// The values of a label name with the ids of the series that have them.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = (&str, &[u32])> {
        let index = self.0.get(name).into_iter();
        let values = index.flat_map(|index| index.values.iter().zip(&index.lists));
        values.map(|(value, ids)| (&**value, ids.as_slice()))
    }

    /// Ids below `count` that satisfy all matchers, ascending.
    pub(super) fn select(&self, matchers: &[Matcher], count: u32) -> Vec<u32> {
        // Matchers that the absence of the label fails narrow the most: they start the set.
        let (wide, narrow): (Vec<_>, Vec<_>) =
            matchers.iter().partition(|matcher| matcher.matches_absent());
        let mut sets: Vec<Vec<u32>> = narrow.iter().map(|matcher| self.having(matcher)).collect();
        sets.sort_by_key(Vec::len);
        let mut sets = sets.into_iter();
        let mut ids = sets.next().unwrap_or_else(|| (0..count).collect());
        for set in sets {
            ids = intersect(&ids, &set);
        }
        for matcher in wide {
            if ids.is_empty() {
                break;
            }
            if let Some(index) = self.0.get(matcher.name.as_str()) {
                let failing = index.union(|value| !matcher.matches(value));
                ids = subtract(&ids, &failing);
            }
        }
        ids
    }

    /// Ids of series that have the label with a value that passes.
    fn having(&self, matcher: &Matcher) -> Vec<u32> {
        let Some(index) = self.0.get(matcher.name.as_str()) else { return Vec::new() };
        match matcher.op {
            MatchOp::Equal => index.list(&matcher.value).to_vec(),
            MatchOp::Regex if is_alternation(&matcher.value) => {
                let mut values: Vec<&str> = matcher.value.split('|').collect();
                values.sort_unstable();
                values.dedup();
                let mut ids: Vec<u32> = values
                    .into_iter()
                    .flat_map(|value| index.list(value).iter().copied())
                    .collect();
                ids.sort_unstable();
                ids
            }
            _ => index.union(|value| matcher.matches(value)),
        }
    }
}

/// Whether a pattern is only words with `|` between them, as dashboards write for a variable with
/// several values: then it is a list of look-ups and needs no regular expression.
fn is_alternation(pattern: &str) -> bool {
    pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-:/| ".contains(&byte))
}

fn intersect(left: &[u32], right: &[u32]) -> Vec<u32> {
    // The left set is the smaller one; search when the right one is much larger.
    if right.len() / 16 > left.len() {
        return left.iter().copied().filter(|id| right.binary_search(id).is_ok()).collect();
    }
    let mut rest = right;
    let mut both = Vec::with_capacity(left.len());
    for &id in left {
        while let Some((&first, tail)) = rest.split_first()
            && first < id
        {
            rest = tail;
        }
        if rest.first() == Some(&id) {
            both.push(id);
        }
    }
    both
}

fn subtract(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut rest = right;
    let mut kept = Vec::with_capacity(left.len());
    for &id in left {
        while let Some((&first, tail)) = rest.split_first()
            && first < id
        {
            rest = tail;
        }
        if rest.first() != Some(&id) {
            kept.push(id);
        }
    }
    kept
}

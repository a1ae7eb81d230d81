//! The series index in memory: label bytes, the way from them to a number, and postings.
//!
//! A series is a `u32` in this process; numbers are given anew at every start, from the label sets
//! in the day files and the log. Label bytes lie once, and every reader is handed the same ones: what
//! was made of a series' labels can be found again by where they lie ([`Labels::place`]). With
//! postings and hash map that is about 150 bytes a series beside its label bytes.

mod postings;

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;
use strata_model::labels::iter_encoded;
use strata_model::{Labels, METRIC_NAME, Matcher};

use self::postings::Postings;

/// The largest label set taken; Prometheus's own remote-write receivers refuse far smaller ones.
pub(crate) const MAX_LABEL_BYTES: usize = 64 << 10;

/// All series this process knows.
#[derive(Default)]
pub(crate) struct Index {
    by_hash: FxHashMap<u64, u32>,
    /// Series whose hash was already taken by another: practically empty.
    collisions: FxHashMap<u64, Vec<u32>>,
    /// By id.
    sets: Vec<Labels>,
    postings: Postings,
}

impl Index {
    /// The series with these canonical label bytes.
    pub(crate) fn find(&self, encoded: &[u8], hash: u64) -> Option<u32> {
        let &id = self.by_hash.get(&hash)?;
        if self.encoded(id) == encoded {
            return Some(id);
        }
        self.collisions.get(&hash)?.iter().copied().find(|&id| self.encoded(id) == encoded)
    }

    /// [`Index::find`], trying `guess` first. A source sends its series in the same order every
    /// time, so the one after the last found is nearly always right, and its bytes lie next in
    /// memory where the hash map is a cache miss away.
    pub(crate) fn find_near(&self, guess: u32, encoded: &[u8], hash: u64) -> Option<u32> {
        if (guess as usize) < self.sets.len() && self.encoded(guess) == encoded {
            return Some(guess);
        }
        self.find(encoded, hash)
    }

    /// Enter a series that [`Index::find`] does not know. The bytes must be canonical.
    pub(crate) fn insert(&mut self, encoded: &[u8], hash: u64) -> u32 {
        self.enter(Labels::from_canonical(encoded), hash)
    }

    /// Enter labels that [`Index::find`] does not know.
    fn enter(&mut self, labels: Labels, hash: u64) -> u32 {
        let id = self.sets.len() as u32;
        match self.by_hash.entry(hash) {
            Entry::Occupied(_) => self.collisions.entry(hash).or_default().push(id),
            Entry::Vacant(free) => {
                free.insert(id);
            }
        }
        for (name, value) in labels.iter() {
            self.postings.add(name, value, id);
        }
        self.sets.push(labels);
        id
    }

    /// The index of only the series marked in `keep`, and the new id of each old one.
    pub(crate) fn retain(&self, keep: &[bool]) -> (Self, Vec<Option<u32>>) {
        let mut index = Self::default();
        let renamed = keep.iter().enumerate().map(|(id, &kept)| {
            // The same labels: what readers made of them stays good.
            kept.then(|| {
                let labels = self.labels(id as u32);
                let hash = labels.hash64();
                index.enter(labels, hash)
            })
        });
        let renamed = renamed.collect();
        (index, renamed)
    }

    /// Canonical label bytes of a series.
    pub(crate) fn encoded(&self, id: u32) -> &[u8] {
        self.sets[id as usize].encoded()
    }

    pub(crate) fn labels(&self, id: u32) -> Labels {
        self.sets[id as usize].clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The values of a label, each with the ids of the series that have it, in no order of values.
    pub(crate) fn values(&self, label: &str) -> impl Iterator<Item = (&str, &[u32])> {
        self.postings.values(label)
    }

    /// Ids that satisfy all matchers, ascending.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        self.postings.select(matchers, self.sets.len() as u32)
    }
}

/// The metric name in canonical label bytes; empty when there is none.
pub(crate) fn metric_name(encoded: &[u8]) -> &str {
    iter_encoded(encoded).find(|(name, _)| *name == METRIC_NAME).map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strata_model::MatchOp;

    fn index_of(sets: &[Labels]) -> Index {
        let mut index = Index::default();
        for labels in sets {
            if index.find(labels.encoded(), labels.hash64()).is_none() {
                index.insert(labels.encoded(), labels.hash64());
            }
        }
        index
    }

    #[test]
    fn two_series_with_one_hash_stay_two() {
        let mut index = Index::default();
        let one = Labels::from_pairs([("__name__", "a")]);
        let two = Labels::from_pairs([("__name__", "b")]);
        let first = index.insert(one.encoded(), 7);
        assert_eq!(index.find(two.encoded(), 7), None);
        let second = index.insert(two.encoded(), 7);
        assert_eq!(index.find(one.encoded(), 7), Some(first));
        assert_eq!(index.find(two.encoded(), 7), Some(second));
    }

    #[test]
    fn a_label_that_is_absent_is_empty() {
        let sets = ["", "x", "y"].map(|a| Labels::from_pairs([("__name__", "m"), ("a", a)]));
        let index = index_of(&sets);
        let check = |op, value: &str, expected: &[u32]| {
            let matcher = Matcher::new(op, "a", value).unwrap();
            assert_eq!(index.select(std::slice::from_ref(&matcher)), expected, "{matcher}");
        };
        check(MatchOp::Equal, "", &[0]);
        check(MatchOp::NotEqual, "", &[1, 2]);
        check(MatchOp::NotEqual, "x", &[0, 2]);
        check(MatchOp::Regex, ".*", &[0, 1, 2]);
        check(MatchOp::Regex, "x|", &[0, 1]);
        check(MatchOp::Regex, "x|y", &[1, 2]);
        check(MatchOp::NotRegex, ".+", &[0]);
        check(MatchOp::NotRegex, "y", &[0, 1]);
    }

    proptest! {
        #[test]
        fn selection_equals_testing_every_series(
            sets in proptest::collection::vec(proptest::collection::btree_map("[ab]", "[xyz]{0,1}", 0..3), 1..12),
            conditions in proptest::collection::vec(
                (prop_oneof![Just(MatchOp::Equal), Just(MatchOp::NotEqual), Just(MatchOp::Regex), Just(MatchOp::NotRegex)],
                 "[abc]", "(x|y|z|[xy]|x\\|z|\\.\\*|)"), 1..4),
        ) {
            let mut sets: Vec<_> = sets.into_iter().map(Labels::from_pairs).collect();
            sets.sort();
            sets.dedup();
            let index = index_of(&sets);
            let matchers: Vec<_> = conditions.iter()
                .map(|(op, name, value)| Matcher::new(*op, name, value).unwrap()).collect();
            let expected: Vec<u32> = (0..sets.len() as u32).filter(|&id| {
                let labels = &sets[id as usize];
                matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or("")))
            }).collect();
            prop_assert_eq!(index.select(&matchers), expected);
        }
    }
}

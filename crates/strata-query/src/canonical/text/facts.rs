//! What must be known of a distant engine's data before a canonical name can be written as PromQL
//! text: which families exist, which labels they have, and some label values.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// One thing to look up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// The label names of a family.
    Labels { family: String },
    /// The upper edges (`le`) of a classic histogram's buckets.
    Edges { family: String },
    /// The combinations of values these labels have on a family.
    Tuples { family: String, labels: Vec<String> },
}

/// What is known so far of one span of time. Questions that cannot be answered are noted, so that a
/// caller can look them up and try again.
#[derive(Debug, Default)]
pub struct Facts {
    families: BTreeSet<String>,
    labels: BTreeMap<String, BTreeSet<String>>,
    edges: BTreeMap<String, Vec<String>>,
    tuples: BTreeMap<(String, Vec<String>), Vec<Vec<String>>>,
    wanted: RefCell<BTreeSet<Want>>,
}

/// What a [`Want`] turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Labels(BTreeSet<String>),
    Edges(Vec<String>),
    Tuples(Vec<Vec<String>>),
}

impl Facts {
    /// Only these families exist.
    pub fn new(families: BTreeSet<String>) -> Self {
        Self { families, ..Self::default() }
    }

    /// Enter what was found. An answer of another kind than the question is not kept, so the
    /// question stays open.
    pub fn learn(&mut self, want: Want, found: Found) {
        match (want, found) {
            (Want::Labels { family }, Found::Labels(names)) => {
                self.labels.insert(family, names);
            }
            (Want::Edges { family }, Found::Edges(edges)) => {
                self.edges.insert(family, edges);
            }
            (Want::Tuples { family, labels }, Found::Tuples(tuples)) => {
                self.tuples.insert((family, labels), tuples);
            }
            _ => {}
        }
    }

    /// The open questions since the last call.
    pub fn take_wanted(&self) -> BTreeSet<Want> {
        self.wanted.take()
    }

    /// Whether there are series of this name.
    pub(crate) fn exists(&self, family: &str) -> bool {
        self.families.contains(family)
    }

    /// Whether `family` has a label. Unknown reads as yes, and is noted as an open question.
    pub(super) fn has_label(&self, family: &str, label: &str) -> bool {
        let known = self.labels.get(family);
        if known.is_none() {
            self.want(Want::Labels { family: family.to_owned() });
        }
        known.is_none_or(|names| names.contains(label))
    }

    /// The bucket edges of a family as it writes them; none while they are an open question.
    pub(super) fn edges(&self, family: &str) -> &[String] {
        let known = self.edges.get(family);
        if known.is_none() {
            self.want(Want::Edges { family: family.to_owned() });
        }
        known.map_or(&[], Vec::as_slice)
    }

    /// The combinations of values of these labels; none while they are an open question.
    pub(super) fn tuples(&self, family: &str, labels: &[String]) -> &[Vec<String>] {
        let known = self.tuples.get(&(family.to_owned(), labels.to_vec()));
        if known.is_none() {
            self.want(Want::Tuples { family: family.to_owned(), labels: labels.to_vec() });
        }
        known.map_or(&[], Vec::as_slice)
    }

    fn want(&self, want: Want) {
        self.wanted.borrow_mut().insert(want);
    }
}

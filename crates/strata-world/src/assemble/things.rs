//! The things of a World by identity, for answers that name each of ten thousand.

use std::collections::HashMap;

use crate::entity::{Entity, EntityKind};

/// All things, in order of id, found by kind and key.
pub(crate) struct Things<'a> {
    pub(crate) all: &'a [Entity],
    places: HashMap<(EntityKind, &'a str), usize>,
}

impl<'a> Things<'a> {
    pub(crate) fn new(all: &'a [Entity]) -> Self {
        let places = all.iter().enumerate();
        let places = places.map(|(place, thing)| ((thing.id.kind, &*thing.id.key), place));
        Self { all, places: places.collect() }
    }

    /// Those of a kind, in order of key, and the place of the first.
    pub(crate) fn of_kind(&self, kind: EntityKind) -> (usize, &'a [Entity]) {
        let first = self.all.partition_point(|thing| thing.id.kind < kind);
        let rest = self.all.get(first..).unwrap_or_default();
        let end = rest.partition_point(|thing| thing.id.kind == kind);
        (first, rest.get(..end).unwrap_or_default())
    }

    /// The place of a thing in [`Self::all`].
    pub(crate) fn place(&self, kind: EntityKind, key: &str) -> Option<usize> {
        self.places.get(&(kind, key)).copied()
    }
}

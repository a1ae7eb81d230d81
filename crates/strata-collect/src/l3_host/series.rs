//! Label sets that are encoded once per thing and reused every round.

use std::collections::BTreeMap;

use strata_model::Labels;

use super::names::NODE;
use crate::table::series_name;

/// A series of one kind of thing: its metric's dotted name, and the labels that tell it from its
/// siblings.
pub(crate) struct Shape {
    pub(crate) metric: &'static str,
    pub(crate) labels: &'static [(&'static str, &'static str)],
}

/// A [`Shape`] without labels of its own.
pub(crate) const fn plain(metric: &'static str) -> Shape {
    Shape { metric, labels: &[] }
}

/// A [`Shape`] with labels of its own.
pub(crate) const fn shape(
    metric: &'static str,
    labels: &'static [(&'static str, &'static str)],
) -> Shape {
    Shape { metric, labels }
}

/// The encoded label sets of one thing (a disk, a processor), one per shape, in one allocation.
#[derive(Debug, Default, Clone)]
pub(crate) struct SeriesSet {
    bytes: Box<[u8]>,
    ends: Box<[u32]>,
}

impl SeriesSet {
    /// One label set per shape; `identity` holds the labels all of them carry besides the node.
    pub(crate) fn new<'a>(
        shapes: impl IntoIterator<Item = &'a Shape>,
        node: &str,
        identity: &[(&str, &str)],
    ) -> Self {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for shape in shapes {
            let own = shape.labels.iter().copied();
            let pairs = own.chain(identity.iter().copied());
            let fixed = [(strata_model::METRIC_NAME, series_name(shape.metric)), (NODE, node)];
            bytes.extend_from_slice(Labels::from_pairs(fixed.into_iter().chain(pairs)).encoded());
            ends.push(bytes.len() as u32);
        }
        Self { bytes: bytes.into(), ends: ends.into() }
    }

    /// Label sets of one metric that differ in labels known only at run time, or too many to write.
    pub(crate) fn with_labels<const N: usize>(
        metric: &'static str,
        node: &str,
        identity: &[(&str, &str)],
        each: &[[(&str, &str); N]],
    ) -> Self {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        let fixed = [(strata_model::METRIC_NAME, series_name(metric)), (NODE, node)];
        for own in each {
            let pairs = fixed.iter().chain(own).chain(identity).copied();
            bytes.extend_from_slice(Labels::from_pairs(pairs).encoded());
            ends.push(bytes.len() as u32);
        }
        Self { bytes: bytes.into(), ends: ends.into() }
    }

    /// Several sets as one, in order.
    pub(crate) fn joined(sets: impl IntoIterator<Item = Self>) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for set in sets {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(&set.bytes);
            ends.extend(set.ends.iter().map(|end| start + end));
        }
        Self { bytes: bytes.into(), ends: ends.into() }
    }

    /// The canonical label bytes of the shape with this index.
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[start..self.ends[index] as usize]
    }
}

/// What is kept about each thing seen, by its key; what is no longer seen is forgotten.
#[derive(Debug)]
pub(crate) struct Seen<T> {
    things: BTreeMap<Box<[u8]>, (u64, T)>,
    round: u64,
    limit: usize,
    refused: u64,
}

impl<T> Seen<T> {
    /// Keeps at most `limit` things at a time.
    pub(crate) fn new(limit: usize) -> Self {
        Self { things: BTreeMap::new(), round: 0, limit, refused: 0 }
    }

    /// What is kept under `key`, made when it is new. `None`, and counted, beyond the limit.
    pub(crate) fn entry(&mut self, key: &[u8], make: impl FnOnce() -> T) -> Option<&mut T> {
        if !self.things.contains_key(key) {
            if self.things.len() >= self.limit {
                self.refused += 1;
                return None;
            }
            self.things.insert(key.into(), (self.round, make()));
        }
        let (round, thing) = self.things.get_mut(key)?;
        *round = self.round;
        Some(thing)
    }

    /// Forget what was not asked for since the last call; returns how many were refused.
    pub(crate) fn end_round(&mut self) -> u64 {
        let current = self.round;
        self.things.retain(|_, (round, _)| *round == current);
        self.round += 1;
        std::mem::take(&mut self.refused)
    }

    /// Everything kept, in order of key.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&[u8], &mut T)> {
        self.things.iter_mut().map(|(key, (_, thing))| (&**key, thing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_one_canonical_label_set_per_shape() {
        let shapes =
            [plain("system.disk.io_time"), shape("system.disk.io", &[("direction", "read")])];
        let set = SeriesSet::new(&shapes, "n1", &[("device", "sda"), ("pod_uid", "")]);
        let check = |index: usize, expected: &str| {
            assert_eq!(Labels::from_encoded(set.get(index)).unwrap().to_string(), expected);
        };
        check(0, r#"system_disk_io_time_seconds_total{device="sda",node="n1"}"#);
        check(1, r#"system_disk_io_bytes_total{device="sda",direction="read",node="n1"}"#);
    }

    #[test]
    fn things_beyond_the_limit_are_refused_and_old_ones_make_room() {
        let mut seen = Seen::new(1);
        assert!(seen.entry(b"a", || 1).is_some());
        assert!(seen.entry(b"b", || 2).is_none());
        assert_eq!(seen.end_round(), 1);
        assert!(seen.entry(b"b", || 2).is_none(), "a was seen in the round before");
        assert_eq!(seen.end_round(), 1);
        assert_eq!(seen.entry(b"b", || 2), Some(&mut 2));
    }
}

//! Label sets in one compact, canonical, hashable encoding.
//!
//! A label set is a byte string: for each pair, sorted by name, a LEB128 length and the name, then
//! a LEB128 length and the value. Two equal label sets are equal byte strings, so a receiver can
//! hash what it copied from the wire and the store can look a series up without decoding it.

use std::fmt;
use std::sync::Arc;

/// The label that carries the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// An immutable, sorted label set without empty values or repeated names. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[u8]>);

impl Labels {
    /// The empty label set.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// Build from pairs in any order. Empty values are dropped; of a repeated name the last wins.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// As [`Self::from_pairs`] of pairs without an empty value, without copying texts on the way. Of a
    /// repeated name the least value stays.
    pub fn from_few(mut pairs: Vec<(&str, &str)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup_by_key(|pair| pair.0);
        let size = pairs.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut bytes = Vec::with_capacity(size);
        for (name, value) in pairs {
            push_pair(&mut bytes, name, value);
        }
        Self(Arc::from(bytes))
    }

    /// Take bytes that are already in the canonical encoding.
    /// Returns `None` when they are not (order, emptiness, UTF-8 or framing).
    pub fn from_encoded(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut previous: Option<&str> = None;
        while !rest.is_empty() {
            let (name, value) = take_pair(&mut rest)?;
            if name.is_empty() || value.is_empty() || previous.is_some_and(|p| p >= name) {
                return None;
            }
            previous = Some(name);
        }
        Some(Self(Arc::from(bytes)))
    }

    /// Take bytes of which it is known that they are in the canonical encoding, because they were
    /// taken out of a [`Labels`]. Others end the set where they stop making sense.
    pub fn from_canonical(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }

    /// Where the set lies in memory. Clones share it: of two sets that are alive at one time, those with
    /// one place are equal; the reverse does not hold.
    pub fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether somebody else holds the set too, so that its place is likely to be met again.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The canonical bytes.
    pub fn encoded(&self) -> &[u8] {
        &self.0
    }

    /// A 64-bit hash of the canonical bytes (XXH3), the same in every process and release.
    pub fn hash64(&self) -> u64 {
        hash_encoded(&self.0)
    }

    /// The pairs in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        iter_encoded(&self.0)
    }

    /// The value of `name`, or `None` when the set has no such label.
    pub fn get(&self, name: &str) -> Option<&str> {
        // By bytes: only the value that is wanted is worth a look at its characters.
        let mut rest = &*self.0;
        while !rest.is_empty() {
            let (found, value) = (take_bytes(&mut rest)?, take_bytes(&mut rest)?);
            if found == name.as_bytes() {
                return std::str::from_utf8(value).ok();
            }
        }
        None
    }

    /// The metric's name, or the empty string when there is none.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or("")
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A builder that starts with these pairs.
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder { pairs: self.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect() }
    }

    /// The set without its metric name.
    pub fn without_name(&self) -> Self {
        self.filtered(|name| name != METRIC_NAME)
    }

    /// The set with only the pairs whose name passes `keep`.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len());
        let mut rest = &*self.0;
        while let Some((pair, name)) = take_raw_pair(&mut rest) {
            if keep(name) {
                bytes.extend_from_slice(pair);
            }
        }
        Self(Arc::from(bytes))
    }
}

/// Hash canonical label bytes without making a [`Labels`] of them.
pub fn hash_encoded(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// Walk canonical label bytes; stops early at bytes that are not well formed.
pub fn iter_encoded(mut bytes: &[u8]) -> impl Iterator<Item = (&str, &str)> + '_ {
    std::iter::from_fn(move || if bytes.is_empty() { None } else { take_pair(&mut bytes) })
}

/// Append one pair in the canonical encoding. The caller keeps names sorted and values non-empty.
pub fn push_pair(bytes: &mut Vec<u8>, name: &str, value: &str) {
    push_text(bytes, name);
    push_text(bytes, value);
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    while length >= 0x80 {
        bytes.push((length as u8) | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(text.as_bytes());
}

fn take_pair<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a str)> {
    Some((take_text(rest)?, take_text(rest)?))
}

/// The next pair as it stands, and its name.
fn take_raw_pair<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a str)> {
    let before = *rest;
    let name = take_text(rest)?;
    take_bytes(rest)?;
    Some((before.get(..before.len() - rest.len())?, name))
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(rest)?).ok()
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0_usize;
    // Four groups of seven bits: a label of up to 256 MiB, far above every limit in the house.
    for shift in [0, 7, 14, 21] {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (text, tail) = rest.split_at_checked(length)?;
            *rest = tail;
            return Some(text);
        }
    }
    None
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Prometheus's order: pair by pair, names before values, the shorter set first.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // The order of UTF-8 bytes is that of the characters.
        let (mut ours, mut theirs) = (&*self.0, &*other.0);
        loop {
            match (take_bytes(&mut ours), take_bytes(&mut theirs)) {
                (Some(a), Some(b)) if a == b => {}
                (a, b) => return a.cmp(&b),
            }
            if ours.is_empty() && theirs.is_empty() {
                return std::cmp::Ordering::Equal;
            }
        }
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

/// Prometheus notation: `name{a="x",b="y"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        f.write_str("{")?;
        let mut first = true;
        for (name, value) in self.iter().filter(|(name, _)| *name != METRIC_NAME) {
            let comma = if first { "" } else { "," };
            first = false;
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Collects pairs in any order and makes canonical [`Labels`] of them.
#[derive(Debug, Default, Clone)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Set `name` to `value`; an empty value removes the label, as in Prometheus.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.pairs.iter_mut().find(|(n, _)| n == name) {
            Some(pair) => value.clone_into(&mut pair.1),
            None => self.pairs.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Remove `name` if it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.pairs.retain(|(n, _)| n != name);
        self
    }

    /// The current value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The canonical label set.
    pub fn build(&self) -> Labels {
        let mut sorted: Vec<_> = self.pairs.iter().filter(|(_, v)| !v.is_empty()).collect();
        sorted.sort_unstable();
        let mut bytes = Vec::with_capacity(sorted.iter().map(|(n, v)| n.len() + v.len() + 4).sum());
        for (name, value) in sorted {
            push_pair(&mut bytes, name, value);
        }
        Labels(Arc::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_of_setting_does_not_matter() {
        let one = Labels::from_pairs([("b", "2"), ("a", "1"), ("c", "")]);
        let two = Labels::from_pairs([("a", "0"), ("b", "2"), ("a", "1")]);
        assert_eq!(one, two);
        assert_eq!(one.to_string(), "{a=\"1\",b=\"2\"}");
    }

    #[test]
    fn bytes_out_of_order_are_refused() {
        let mut bytes = Vec::new();
        push_pair(&mut bytes, "b", "1");
        push_pair(&mut bytes, "a", "1");
        assert_eq!(Labels::from_encoded(&bytes), None);
    }

    proptest! {
        #[test]
        fn encoding_round_trips(pairs in proptest::collection::btree_map("[a-z_]{1,9}", ".{1,200}", 0..9)) {
            let labels = Labels::from_pairs(&pairs);
            let back: Vec<_> = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(back, pairs.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(Labels::from_canonical(labels.encoded()), labels.clone());
            for (name, value) in labels.iter() {
                prop_assert_eq!(labels.get(name), Some(value));
                let rest = labels.iter().filter(|(other, _)| *other != name);
                prop_assert_eq!(labels.filtered(|other| other != name), Labels::from_pairs(rest));
            }
            prop_assert_eq!(labels.get("~"), None);
            prop_assert_eq!(Labels::from_encoded(labels.encoded()), Some(labels));
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(labels) = Labels::from_encoded(&bytes) {
                prop_assert_eq!(Labels::from_pairs(labels.iter()), labels);
            }
        }
    }
}

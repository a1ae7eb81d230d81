//! What a target's earlier pages taught: the finished labels of each series text.
//!
//! A steady page is mostly the same series in the same order, so each entry remembers which one
//! followed it last time; when that guess is right, no label is looked at. Series texts are kept as
//! 64-bit hashes: a collision can only confuse two series of one and the same page.

use rustc_hash::{FxHashMap, FxHashSet};
use strata_model::Labels;
use xxhash_rust::xxh3::xxh3_64;

/// Series texts that may pile up beyond twice the size of the last page before unseen ones are
/// dropped. Texts can outnumber series: some programs write labels in an order of the moment.
const SLACK: usize = 1_000;

/// What becomes of the samples of a series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    /// Stored under these labels.
    Kept(Labels),
    /// Left out by a rule of the configuration.
    Dropped,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) fate: Fate,
    /// Hash and length of the series text on the page.
    key: u64,
    length: u32,
    /// The entry that came after this one on the last page.
    next: u32,
    /// The page on which the series was last seen.
    pub(crate) page: u64,
}

/// The series and comments of one target.
#[derive(Debug, Default)]
pub(crate) struct SeriesCache {
    entries: Vec<Entry>,
    by_key: FxHashMap<u64, u32>,
    /// One text per label set: a second spelling of the same labels meets the same entry.
    by_labels: FxHashMap<u64, u32>,
    comments: FxHashSet<u64>,
    /// The entry seen last on this page; the guess is what followed it.
    cursor: Option<u32>,
    pub(crate) page: u64,
}

impl SeriesCache {
    /// Begin the next page.
    pub(crate) fn begin(&mut self) {
        self.page += 1;
        self.cursor = None;
    }

    #[cfg(test)]
    pub(crate) fn texts(&self) -> usize {
        self.by_key.len()
    }

    /// End a page that had `seen` series, and forget series that are gone for good.
    pub(crate) fn finish(&mut self, seen: usize) {
        if self.by_key.len() <= 2 * seen + SLACK {
            return;
        }
        let page = self.page;
        let old = std::mem::take(&mut self.entries);
        self.by_key.clear();
        self.by_labels.clear();
        self.comments.clear();
        for entry in old {
            if entry.page == page {
                self.enter(entry);
            }
        }
    }

    fn guess(&self) -> u32 {
        self.cursor.map_or(0, |cursor| self.entries.get(cursor as usize).map_or(0, |e| e.next))
    }

    /// Whether `line` begins with the series that is due next.
    pub(crate) fn expects(&self, line: &[u8]) -> Option<(usize, u32)> {
        let guess = self.guess();
        let entry = self.entries.get(guess as usize)?;
        let length = entry.length as usize;
        let (text, rest) = line.split_at_checked(length)?;
        let fits = matches!(rest.first(), Some(b' ' | b'\t')) && xxh3_64(text) == entry.key;
        fits.then_some((length, guess))
    }

    /// The number of the series with this key.
    pub(crate) fn find(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// Remember that series `index` came next on this page, so that it is guessed next time.
    pub(crate) fn follow(&mut self, index: u32) {
        if let Some(cursor) = self.cursor {
            self.entries[cursor as usize].next = index;
        }
        self.cursor = Some(index);
    }

    pub(crate) fn entry(&mut self, index: u32) -> &mut Entry {
        &mut self.entries[index as usize]
    }

    /// Enter a series that was not known by its key. Returns its number, which is an older entry's
    /// when the labels were known under another text.
    pub(crate) fn insert(&mut self, key: u64, length: usize, fate: Fate) -> u32 {
        if let Fate::Kept(labels) = &fate
            && let Some(&index) = self.by_labels.get(&labels.hash64())
        {
            self.by_key.insert(key, index);
            return index;
        }
        // Page 0 is never current: the series has not been seen on this page yet.
        self.enter(Entry { fate, key, length: length as u32, next: 0, page: 0 })
    }

    fn enter(&mut self, mut entry: Entry) -> u32 {
        let index = self.entries.len() as u32;
        // A page in the order of first sight is the best first guess.
        entry.next = index + 1;
        self.by_key.insert(entry.key, index);
        if let Fate::Kept(labels) = &entry.fate {
            self.by_labels.insert(labels.hash64(), index);
        }
        self.entries.push(entry);
        index
    }

    /// Whether this comment line was learned before.
    pub(crate) fn knows_comment(&self, line: &[u8]) -> bool {
        self.comments.contains(&xxh3_64(line))
    }

    /// Remember a comment line.
    pub(crate) fn learn_comment(&mut self, line: &[u8]) {
        // A page whose comments change all the time must not grow the set without end.
        if self.comments.len() > 4 * SLACK + self.entries.len() {
            self.comments.clear();
        }
        self.comments.insert(xxh3_64(line));
    }
}

//! Blocks and time columns that were unpacked lately: the queries of one page, and the page a moment later, read the
//! same ones again and again.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::metrics::codec::block::Block;

/// Bytes of opened blocks kept: the last window of 30,000 series, or a day of a thousand.
const BLOCK_BYTES: usize = 40 << 20;
/// Bytes of time columns kept: series scraped together share theirs.
const TIMES_BYTES: usize = 8 << 20;

/// About what an entry takes of its own: map, counts, and the allocator's share.
const PLACE_BYTES: usize = 128;

/// Number of the [`super::Day`] in this process, and row in its table.
pub(crate) type RowKey = (u64, i64);

/// What was unpacked lately.
pub(crate) struct Kept {
    pub(crate) blocks: Shelf<Arc<Block>>,
    pub(crate) times: Shelf<Arc<[i64]>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { blocks: Shelf::holding(BLOCK_BYTES), times: Shelf::holding(TIMES_BYTES) }
    }
}

/// Things by row, those that were not asked for longest going first.
pub(crate) struct Shelf<V> {
    most: usize,
    inside: Mutex<Inside<V>>,
}

struct Inside<V> {
    entries: FxHashMap<RowKey, Entry<V>>,
    bytes: usize,
    /// Counts look-ups.
    clock: u64,
}

struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<V: Clone> Shelf<V> {
    fn holding(most: usize) -> Self {
        let inside = Inside { entries: FxHashMap::default(), bytes: 0, clock: 0 };
        Self { most, inside: Mutex::new(inside) }
    }

    /// What is kept of the row.
    pub(crate) fn get(&self, key: RowKey) -> Option<V> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.clock += 1;
        let now = inside.clock;
        let entry = inside.entries.get_mut(&key)?;
        entry.used = now;
        Some(entry.value.clone())
    }

    /// Keep what was unpacked of a row, which takes so many bytes of memory beside its place here.
    pub(crate) fn put(&self, key: RowKey, value: &V, bytes: usize) {
        let bytes = bytes + PLACE_BYTES;
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry { value: value.clone(), bytes, used: inside.clock };
        inside.bytes += bytes;
        if let Some(old) = inside.entries.insert(key, entry) {
            inside.bytes -= old.bytes;
        }
        if inside.bytes > self.most {
            inside.shrink(self.most / 4 * 3);
        }
    }
}

impl<V> Inside<V> {
    /// Forget the oldest down to so many bytes, a quarter at a time, so that it is seldom done.
    fn shrink(&mut self, wanted: usize) {
        let mut ages: Vec<(u64, RowKey)> =
            self.entries.iter().map(|(key, entry)| (entry.used, *key)).collect();
        ages.sort_unstable();
        for (_, key) in ages {
            if self.bytes <= wanted {
                return;
            }
            if let Some(old) = self.entries.remove(&key) {
                self.bytes -= old.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_bound_holds() {
        let shelf = Shelf::<Arc<[i64]>>::holding(2_000);
        let times: Arc<[i64]> = Arc::from([1, 2]);
        for id in 0..200 {
            shelf.put((1, id), &times, 16);
            assert!(shelf.get((1, 0)).is_some(), "asked for all the time");
            let bytes = shelf.inside.lock().unwrap().bytes;
            assert!(bytes <= 2_000, "{bytes}");
        }
        assert!(shelf.get((1, 1)).is_none());
        assert!(shelf.get((1, 199)).is_some());
        assert!(shelf.get((2, 0)).is_none(), "of another day");
        shelf.put((1, 199), &times, 1_800);
        assert!(shelf.inside.lock().unwrap().bytes <= 2_000, "put anew, counted anew");
    }
}

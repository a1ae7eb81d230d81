//! From when on the store has changed: what was answered about earlier times still holds.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Entries kept: one for each second of sample time at most, so more than an hour of writing.
const ENTRIES_MAX: usize = 4_096;
/// Times are rounded down to this, so that the batches of one second are one entry.
const GRAIN_MS: i64 = 1_000;

/// Which times were written to, by number of the write.
#[derive(Debug, Default)]
pub(super) struct Changes(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    /// Number of the last write.
    last: u64,
    /// The newest write that is no longer among the entries.
    dropped: u64,
    /// (number, earliest time written by it or by an earlier one since the entry before): both rise,
    /// since a later write that reaches further back speaks for those before it.
    entries: VecDeque<(u64, i64)>,
}

impl Changes {
    /// Samples were written, the earliest of them with this time. Call when they can be read.
    pub(super) fn note(&self, earliest_ms: i64) {
        let earliest_ms = earliest_ms.div_euclid(GRAIN_MS).saturating_mul(GRAIN_MS);
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.last += 1;
        while inside.entries.pop_back_if(|(_, other)| *other >= earliest_ms).is_some() {}
        let last = inside.last;
        inside.entries.push_back((last, earliest_ms));
        if inside.entries.len() > ENTRIES_MAX
            && let Some((number, _)) = inside.entries.pop_front()
        {
            inside.dropped = number;
        }
    }

    /// Number of the last write.
    pub(super) fn version(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// The earliest time written since write `version`, in milliseconds; `i64::MAX` when nothing
    /// was, `i64::MIN` when it is not known any more.
    pub(super) fn since(&self, version: u64) -> i64 {
        let inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if version < inside.dropped {
            return i64::MIN;
        }
        let at = inside.entries.partition_point(|(number, _)| *number <= version);
        inside.entries.get(at).map_or(i64::MAX, |(_, earliest_ms)| *earliest_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_says_the_earliest_second_written_since(
            writes in proptest::collection::vec(-50_i64..50, 0..60),
            since in 0_usize..60,
        ) {
            let changes = Changes::default();
            for second in &writes {
                changes.note(second * GRAIN_MS + 17);
            }
            prop_assert_eq!(changes.version(), writes.len() as u64);
            let later = writes.get(since.min(writes.len())..).unwrap_or_default();
            let wanted = later.iter().min().map_or(i64::MAX, |second| second * GRAIN_MS);
            prop_assert_eq!(changes.since(since.min(writes.len()) as u64), wanted);
        }
    }

    #[test]
    fn what_was_forgotten_is_unknown() {
        let changes = Changes::default();
        for second in 0..ENTRIES_MAX as i64 + 10 {
            changes.note(second * GRAIN_MS);
        }
        assert_eq!(changes.since(3), i64::MIN);
        assert_eq!(changes.since(10), 10 * GRAIN_MS);
        assert_eq!(changes.since(changes.version()), i64::MAX);
    }
}

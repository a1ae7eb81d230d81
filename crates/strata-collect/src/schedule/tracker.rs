//! Which series a source had in its last round, so that those that are gone can be ended.

use rustc_hash::FxHashSet;
use strata_model::{Batch, STALE_NAN, Sample};

/// The series of the last round, in the order of its samples. Labels lie in one arena.
#[derive(Debug, Default)]
pub struct Tracker {
    hashes: Vec<u64>,
    /// Where each series' labels end in the arena.
    ends: Vec<u32>,
    arena: Vec<u8>,
}

impl Tracker {
    /// Compare with the last round and add a staleness marker at `at_ms` for every series that is
    /// not in `batch` any more. Samples with a time of their own are not followed, as in Prometheus:
    /// their source says itself when they ended.
    pub fn settle(&mut self, batch: &mut Batch, at_ms: i64) {
        let floats = batch.samples.iter().map(|sample| (sample.series, sample.at_ms));
        let natives = batch.histograms.iter().map(|sample| (sample.series, sample.at_ms));
        let present = || {
            floats.clone().chain(natives.clone()).filter(|(_, time)| *time == at_ms).map(|(s, _)| s)
        };
        // A steady source has the same series in the same order: nothing to do.
        if present().map(|series| batch.series(series).1).eq(self.hashes.iter().copied()) {
            return;
        }
        let now: FxHashSet<u64> = present().map(|series| batch.series(series).1).collect();
        let mut next = Self::default();
        for series in present() {
            let (labels, hash) = batch.series(series);
            next.hashes.push(hash);
            next.arena.extend_from_slice(labels);
            next.ends.push(next.arena.len() as u32);
        }
        let last = std::mem::replace(self, next);
        last.end(batch, at_ms, |hash| !now.contains(&hash));
    }

    /// End all series: the round failed or the source is gone.
    pub(crate) fn end_all(&mut self, batch: &mut Batch, at_ms: i64) {
        std::mem::take(self).end(batch, at_ms, |_| true);
    }

    fn end(self, batch: &mut Batch, at_ms: i64, gone: impl Fn(u64) -> bool) {
        let mut start = 0;
        for (hash, end) in self.hashes.into_iter().zip(self.ends) {
            let end = end as usize;
            if gone(hash) {
                let series = batch.series_of_encoded(&self.arena[start..end]);
                batch.samples.push(Sample { series, at_ms, value: STALE_NAN });
            }
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use strata_model::{Labels, is_stale};

    use super::*;

    fn round(tracker: &mut Tracker, at_ms: i64, names: &[&str]) -> Vec<String> {
        let mut batch = Batch::default();
        for name in names {
            batch.push(&Labels::from_pairs([("__name__", *name)]), at_ms, 1.0);
        }
        tracker.settle(&mut batch, at_ms);
        let stale = batch.samples.iter().filter(|sample| is_stale(sample.value));
        stale.map(|s| batch.labels(s.series).metric_name().to_owned()).collect()
    }

    #[test]
    fn series_that_are_gone_end_once() {
        let mut tracker = Tracker::default();
        let check = |tracker: &mut Tracker, at_ms, names: &[&str], expected: &[&str]| {
            assert_eq!(round(tracker, at_ms, names), expected, "at {at_ms}");
        };
        check(&mut tracker, 1, &["a", "b", "c"], &[]);
        check(&mut tracker, 2, &["a", "b", "c"], &[]);
        check(&mut tracker, 3, &["c", "a", "d"], &["b"]);
        check(&mut tracker, 4, &["c", "a"], &["d"]);
        check(&mut tracker, 5, &[], &["c", "a"]);
        check(&mut tracker, 6, &["a"], &[]);
    }

    #[test]
    fn samples_with_a_time_of_their_own_are_not_followed() {
        let mut tracker = Tracker::default();
        let mut batch = Batch::default();
        batch.push(&Labels::from_pairs([("__name__", "a")]), 7, 1.0);
        tracker.settle(&mut batch, 10);
        assert_eq!(round(&mut tracker, 20, &[]), Vec::<String>::new());
    }
}

//! The ledger's counters: what all minutes so far came to.

use std::collections::BTreeMap;

use strata_model::{Batch, Labels};

use super::STEP_MS;

/// A counter that stands still for so long is no longer told: a model or namespace that is gone.
const STANDING_MS: i64 = 86_400_000;

/// One counter.
#[derive(Debug, Clone, Copy)]
struct Total {
    value: f64,
    changed_ms: i64,
    /// Whether it was written at least once.
    is_told: bool,
}

/// Counters by their labels.
#[derive(Debug, Default)]
pub(super) struct Totals {
    known: BTreeMap<Labels, Total>,
    /// Whether minutes were counted before: what is new then began with nothing.
    has_begun: bool,
}

impl Totals {
    /// Add what the minutes up to `at_ms` came to.
    pub(super) fn add(
        &mut self,
        increases: impl IntoIterator<Item = (Labels, f64)>,
        at_ms: i64,
        batch: &mut Batch,
    ) {
        for (labels, increase) in increases {
            let known = self.known.get(&labels);
            // Without a sample before its first value, `increase()` would not see that value. In the
            // first round there is no such sample to be had: what went before, nobody counted.
            if known.is_none() && self.has_begun {
                batch.push(&labels, at_ms - STEP_MS, 0.0);
            }
            let new = Total { value: 0.0, changed_ms: at_ms, is_told: false };
            let total = self.known.entry(labels).or_insert(new);
            if increase != 0.0 {
                total.value += increase;
                total.changed_ms = at_ms;
            }
        }
        self.has_begun = true;
    }

    /// Write every counter at `at_ms`, and forget those that stood still for a day.
    pub(super) fn tell(&mut self, at_ms: i64, batch: &mut Batch) {
        self.known.retain(|_, total| at_ms - total.changed_ms < STANDING_MS || !total.is_told);
        for (labels, total) in &mut self.known {
            batch.push(labels, at_ms, total.value);
            total.is_told = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn series(namespace: &str) -> Labels {
        Labels::from_pairs([("__name__", "cost_amount_total"), ("namespace", namespace)])
    }

    /// One round; what was written of a namespace, in order.
    fn round(
        totals: &mut Totals,
        at_ms: i64,
        increases: &[(&str, f64)],
    ) -> Vec<(String, i64, f64)> {
        let mut batch = Batch::new(Arc::from("test"));
        let increases = increases.iter().map(|(name, value)| (series(name), *value));
        totals.add(increases, at_ms, &mut batch);
        totals.tell(at_ms, &mut batch);
        let samples = batch.samples.iter().map(|sample| {
            let labels = batch.labels(sample.series);
            let name = labels.get("namespace").unwrap_or_default().to_owned();
            (name, sample.at_ms, sample.value)
        });
        samples.collect()
    }

    #[test]
    fn what_comes_later_begins_with_nothing() {
        let mut totals = Totals::default();
        let told = |name: &str, at_ms, value| (name.to_owned(), at_ms, value);
        let first = round(&mut totals, 60_000, &[("a", 2.0)]);
        assert_eq!(first, [told("a", 60_000, 2.0)], "before the first round nobody counted");
        let second = round(&mut totals, 120_000, &[("a", 1.0), ("b", 5.0)]);
        let expected = [told("b", 60_000, 0.0), told("a", 120_000, 3.0), told("b", 120_000, 5.0)];
        assert_eq!(second, expected, "increase() sees the first minute of b");
        let third = round(&mut totals, 180_000, &[("b", 5.0)]);
        assert_eq!(third, [told("a", 180_000, 3.0), told("b", 180_000, 10.0)]);
    }

    #[test]
    fn what_stood_still_for_a_day_is_forgotten() {
        let mut totals = Totals::default();
        round(&mut totals, 0, &[("a", 2.0), ("b", 1.0)]);
        let day = STANDING_MS;
        assert_eq!(round(&mut totals, day - 1, &[("b", 1.0)]).len(), 2);
        assert_eq!(round(&mut totals, day, &[]), [("b".to_owned(), day, 2.0)]);
        let again = round(&mut totals, 2 * day - 2, &[("a", 4.0)]);
        let begun = ("a".to_owned(), 2 * day - 2 - STEP_MS, 0.0);
        assert_eq!(again.first(), Some(&begun), "it begins again");
    }
}

//! How much time the samples of the head are about.
//!
//! History that is sent at once, after an outage or from another store, comes a day in a minute. It
//! must not become one seal: a reader of fifteen minutes would unpack all of it.

use std::collections::BTreeMap;

const HOUR_MS: i64 = 3_600_000;
/// An hour counts from this many samples on, and from this part of the fullest one: a few late
/// samples, or the program's own, are no history.
const MANY: u64 = 1 << 16;
const PART: u64 = 4;

/// Samples by hour.
#[derive(Debug, Default)]
pub(super) struct Spread {
    counts: BTreeMap<i64, u64>,
    /// The hour that came last and its samples that are not in `counts` yet.
    last: (i64, u64),
}

impl Spread {
    pub(super) fn note(&mut self, at_ms: i64) {
        let hour = at_ms.div_euclid(HOUR_MS);
        if hour != self.last.0 {
            if self.last.1 > 0 {
                *self.counts.entry(self.last.0).or_default() += self.last.1;
            }
            self.last = (hour, 0);
        }
        self.last.1 += 1;
    }

    /// Hours with many samples.
    pub(super) fn hours(&self) -> u64 {
        let last = self.counts.get(&self.last.0).copied().unwrap_or_default() + self.last.1;
        let others = self.counts.iter().filter(|(hour, _)| **hour != self.last.0);
        let all = || others.clone().map(|(_, count)| *count).chain([last]);
        let fullest = all().max().unwrap_or_default();
        all().filter(|&count| count >= MANY.max(fullest / PART)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hours_with_many_samples_count() {
        let mut spread = Spread::default();
        assert_eq!(spread.hours(), 0);
        for second in 0..400_000 {
            // Most of a day, five samples a second, and some of now in between.
            spread.note(second * 200);
            if second % 8 == 0 {
                spread.note(100 * HOUR_MS);
            }
        }
        // 18,000 an hour: too few to be worth a seal each; those of now come together.
        assert_eq!(spread.hours(), 0);
        for hour in [3, 7, 9] {
            for _ in 0..MANY {
                spread.note(hour * HOUR_MS);
            }
        }
        assert_eq!(spread.hours(), 3);
        for _ in 0..10 * MANY {
            spread.note(11 * HOUR_MS);
        }
        assert_eq!(spread.hours(), 1, "a quarter of the fullest at least");
    }
}

//! Start times of samples: since when a counter counts, where its source says so.
//!
//! Behaves as Prometheus with `use-start-timestamps`; zero is unknown. Sources without start times
//! (the store keeps none) give columns of no length, and nothing here applies.

use super::range::Window;
use super::windows::Context;

/// A sample's time and its start, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) time: i64,
    pub(super) start: i64,
}

impl Stamp {
    /// That of the sample at `index`.
    pub(super) fn of(time: i64, starts: &[i64], index: usize) -> Self {
        Self { time, start: starts.get(index).copied().unwrap_or(0) }
    }

    /// Whether the counter began anew after `before`, the sample before this one.
    /// Source: Prometheus `promql/functions.go`, `isStartTimestampReset`.
    pub(super) fn begins_anew_after(self, before: Self) -> bool {
        // A start at the sample itself is OpenTelemetry's way to say unknown; later is wrong.
        if self.start == 0 || self.start >= self.time || self.start < before.time {
            return false;
        }
        if self.start > before.time {
            return true;
        }
        // Either deltas, each from the sample before, or a total since nobody knows when: in those
        // the start of the sample before is not known.
        before.start != 0 && before.start < before.time
    }

    /// Whether this sample counts what the one before it has counted, without being its successor.
    /// Source: Prometheus `promql/functions.go`, `checkStartTimeOverlap`.
    pub(super) fn overlaps(self, before: Self) -> bool {
        self.start != 0 && self.start < before.time && self.start != before.start
    }
}

impl Window<'_> {
    /// The stamps of the samples of the kind the window holds, if any starts are known.
    fn stamps(&self) -> impl Iterator<Item = Stamp> + Clone + '_ {
        let floats = self.times.iter().zip(self.starts);
        let histograms = self.histograms.iter().map(|(time, _)| time).zip(self.histogram_starts);
        floats.chain(histograms).map(|(&time, &start)| Stamp { time, start })
    }

    /// When the first sample began to count, if that is known and inside the window: it was zero
    /// then, and nothing need be guessed about what came before it.
    pub(super) fn begun(&self) -> Option<i64> {
        let first = self.stamps().next()?;
        let inside = first.start != 0 && first.start > self.start && first.start < first.time;
        inside.then_some(first.start)
    }

    /// Say so where samples count the same twice.
    pub(super) fn note_overlaps(&self, context: &mut Context<'_>) {
        let pairs = self.stamps().zip(self.stamps().skip(1));
        if pairs.into_iter().any(|(before, next)| next.overlaps(before)) {
            context.notes.overlapping_starts(context.metric, context.span);
        }
    }

    /// Whether the histogram at `index` of the window, not the first, began anew.
    pub(super) fn histogram_begins_anew(&self, index: usize) -> bool {
        let stamp = |at: usize| Stamp::of(self.histograms[at].0, self.histogram_starts, at);
        stamp(index).begins_anew_after(stamp(index - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_after_the_sample_before_is_a_new_beginning() {
        let check = |before: (i64, i64), next: (i64, i64), anew: bool, overlaps: bool| {
            let stamp = |(time, start)| Stamp { time, start };
            let (before, next) = (stamp(before), stamp(next));
            assert_eq!(next.begins_anew_after(before), anew, "{before:?} {next:?}");
            assert_eq!(next.overlaps(before), overlaps, "{before:?} {next:?}");
        };
        check((100, 50), (200, 50), false, false);
        check((100, 50), (200, 150), true, false);
        check((100, 50), (200, 0), false, false);
        check((100, 50), (200, 200), false, false);
        check((100, 50), (200, 60), false, true);
        // Deltas, and a total whose beginning is not known.
        check((100, 50), (200, 100), true, false);
        check((100, 0), (200, 100), false, false);
        check((100, 100), (200, 100), false, false);
        check((100, 160), (200, 100), false, false);
    }
}

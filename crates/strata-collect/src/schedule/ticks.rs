//! When a source is asked, and which time its samples get.
//!
//! Every source has its own phase on the grid of wall time, so that its samples lie exactly one
//! interval apart (which stores well) and sources do not all ask at once. Waiting is done by
//! monotonic time; only the stamp is wall time.

use std::time::Duration;

/// A stamp is moved onto the grid when it is off by at most this part of the interval...
const TOLERANCE_PART: i64 = 100;
/// ... and at most by this many milliseconds.
const TOLERANCE_MAX_MS: i64 = 100;

/// When the wall clock has gone back by no more than this, rounds wait until it has caught up: a
/// short gap instead of samples out of order. After a longer way back the old time was wrong, and
/// the new one is followed.
const HOLD_MAX_MS: i64 = 5 * 60_000;

/// The phase of one source.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "all three are times, and the unit matters")]
pub(crate) struct Ticks {
    interval_ms: i64,
    phase_ms: i64,
    last_ms: Option<i64>,
}

/// The time of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    At(i64),
    /// The wall clock went back; the last stamp is this far ahead of it.
    Hold {
        behind_ms: i64,
    },
}

impl Ticks {
    /// The grid of a source whose id hashes to `seed`.
    pub(crate) fn new(interval: Duration, seed: u64) -> Self {
        let interval_ms = (interval.as_millis() as i64).max(1);
        Self { interval_ms, phase_ms: (seed % interval_ms as u64) as i64, last_ms: None }
    }

    /// The stamp of the last round.
    pub(crate) fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }

    fn tolerance_ms(&self) -> i64 {
        (self.interval_ms / TOLERANCE_PART).min(TOLERANCE_MAX_MS)
    }

    /// Milliseconds since the last point of the grid.
    fn since_grid(&self, wall_ms: i64) -> i64 {
        wall_ms.wrapping_sub(self.phase_ms).rem_euclid(self.interval_ms)
    }

    /// The stamp of a round that begins when the wall clock says `wall_ms`.
    pub(crate) fn stamp(&mut self, wall_ms: i64) -> Stamp {
        let late = self.since_grid(wall_ms);
        let early = self.interval_ms - late;
        let stamp = if late <= self.tolerance_ms() {
            wall_ms - late
        } else if early <= self.tolerance_ms() {
            wall_ms + early
        } else {
            wall_ms
        };
        if let Some(last) = self.last_ms
            && stamp <= last
            && last - wall_ms <= HOLD_MAX_MS
        {
            return Stamp::Hold { behind_ms: last - wall_ms };
        }
        self.last_ms = Some(stamp);
        Stamp::At(stamp)
    }

    /// How long to wait for the next point of the grid when the wall clock says `wall_ms` and the
    /// last round began `since_last` ago.
    pub(crate) fn wait(&self, wall_ms: i64, since_last: Duration) -> Duration {
        let mut wait = self.interval_ms - self.since_grid(wall_ms);
        if wait <= self.tolerance_ms() {
            wait += self.interval_ms;
        }
        // A clock that jumps must not make rounds follow each other faster than half an interval.
        let since_last = since_last.as_millis() as i64;
        if since_last + wait < self.interval_ms / 2 {
            wait += self.interval_ms;
        }
        Duration::from_millis(wait as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(15);

    #[test]
    fn a_round_near_the_grid_is_stamped_on_it() {
        let check = |wall_ms: i64, expected: i64| {
            // Seed 4000 puts the phase at 4 s.
            let mut ticks = Ticks::new(INTERVAL, 4_000);
            assert_eq!(ticks.stamp(wall_ms), Stamp::At(expected), "{wall_ms}");
        };
        check(1_504_000, 1_504_000);
        check(1_504_099, 1_504_000);
        check(1_503_950, 1_504_000);
        check(1_504_101, 1_504_101);
        check(1_509_000, 1_509_000);
    }

    #[test]
    fn waiting_leads_to_the_next_point_of_the_grid() {
        let check = |wall_ms: i64, since_last_ms: u64, expected_ms: u64| {
            let ticks = Ticks::new(INTERVAL, 4_000);
            let wait = ticks.wait(wall_ms, Duration::from_millis(since_last_ms));
            assert_eq!(wait.as_millis() as u64, expected_ms, "{wall_ms}");
        };
        check(1_504_020, 20, 14_980);
        // Woken a little early: not again at once.
        check(1_503_990, 0, 15_010);
        // A slow round: the next follows soon, on the grid.
        check(1_518_000, 14_000, 1_000);
        // The clock was set forward to just before the grid: the round just ended.
        check(1_518_000, 10, 16_000);
    }

    #[test]
    fn a_clock_set_back_a_little_holds_and_set_back_far_is_followed() {
        let mut ticks = Ticks::new(INTERVAL, 0);
        assert_eq!(ticks.stamp(1_500_000), Stamp::At(1_500_000));
        assert_eq!(ticks.stamp(1_455_000), Stamp::Hold { behind_ms: 45_000 });
        assert_eq!(ticks.stamp(1_500_000), Stamp::Hold { behind_ms: 0 });
        assert_eq!(ticks.stamp(1_515_000), Stamp::At(1_515_000));
        assert_eq!(ticks.stamp(15_000), Stamp::At(15_000));
    }
}

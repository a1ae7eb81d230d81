//! Sums up delta points, because the house stores counters as Prometheus does: cumulative.
//!
//! The state is bounded in bytes and forgets series that went quiet. A series that is forgotten or
//! lost in a restart begins at zero again, which every reader of counters takes for a reset.

use std::time::Duration;

use rustc_hash::FxHashMap;
use strata_model::{FaultCode, NativeHistogram};

use super::exponential;

/// What a series' entry costs besides its value.
const ENTRY_BYTES: usize = 96;

/// A first point whose interval began longer ago than this gets no zero sample at its beginning:
/// the store would refuse it as too old.
const BEGINNING_AGE_MAX_NANOS: u64 = 600 * 1_000_000_000;

/// Counts of a classic histogram.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Classic {
    pub(super) bounds: Vec<f64>,
    /// Per bucket, not cumulative over buckets; empty, or one longer than `bounds`.
    pub(super) counts: Vec<f64>,
    pub(super) count: f64,
    pub(super) sum: Option<f64>,
}

/// What one series has seen, or one point adds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Total {
    Number(f64),
    Classic(Classic),
    Exponential(NativeHistogram),
}

/// When a point's interval began and ended, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    /// 0 when the sender does not say.
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Why a delta point was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeltaFault {
    /// It would be counted twice, or belongs before what has been told already.
    #[error("its interval ends at or before the latest one, {0} ns")]
    Late(u64),
    #[error("{0} bytes of state are in use")]
    Full(usize),
}

impl DeltaFault {
    pub(super) fn code(self) -> FaultCode {
        match self {
            Self::Late(_) => FaultCode::Duplicate,
            Self::Full(_) => FaultCode::OverLimit,
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Late(_) => "delta point out of order",
            Self::Full(_) => "delta point of a new series beyond the bound on state",
        }
    }
}

#[derive(Debug)]
struct Entry {
    total: Total,
    /// End of the latest interval.
    end: u64,
    /// When it came, on the monotonic clock.
    seen: Duration,
}

/// Bounds on the state.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeltaLimits {
    pub(super) bytes: usize,
    pub(super) expiry: Duration,
    pub(super) buckets: usize,
}

/// A point turned cumulative.
#[derive(Debug, PartialEq)]
pub(super) struct Cumulative<'a> {
    pub(super) total: &'a Total,
    /// Nanoseconds at which a new series stood at zero, when that is known and recent.
    pub(super) began: Option<u64>,
}

/// The totals of all delta series, by a 128-bit hash of their labels.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    entries: FxHashMap<u128, Entry>,
    bytes: usize,
}

impl Deltas {
    /// Add a point to its series.
    pub(super) fn add(
        &mut self,
        key: u128,
        interval: Interval,
        point: Total,
        now: Duration,
        limits: DeltaLimits,
    ) -> Result<Cumulative<'_>, DeltaFault> {
        if self.entries.get(&key).is_some_and(|entry| entry.expired(now, limits)) {
            self.forget(key);
        }
        if let Some(entry) = self.entries.get(&key) {
            if interval.end <= entry.end {
                return Err(DeltaFault::Late(entry.end));
            }
        } else if self.bytes + point.bytes() > limits.bytes {
            self.expire(now, limits);
            if self.bytes + point.bytes() > limits.bytes {
                return Err(DeltaFault::Full(self.bytes));
            }
        }
        let known = self.entries.contains_key(&key);
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            total: point.zeroed(),
            end: 0,
            seen: now,
        });
        let before = if known { entry.total.bytes() } else { 0 };
        entry.total.add(point, limits.buckets);
        entry.end = interval.end;
        entry.seen = now;
        self.bytes = self.bytes + entry.total.bytes() - before;
        let age = interval.end.saturating_sub(interval.start);
        let told = interval.start > 0 && interval.start < interval.end;
        let began = (!known && told && age <= BEGINNING_AGE_MAX_NANOS).then_some(interval.start);
        Ok(Cumulative { total: &entry.total, began })
    }

    /// Drop a series whose sender said that it ended.
    pub(super) fn forget(&mut self, key: u128) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.total.bytes();
        }
    }

    fn expire(&mut self, now: Duration, limits: DeltaLimits) {
        self.entries.retain(|_, entry| !entry.expired(now, limits));
        self.bytes = self.entries.values().map(|entry| entry.total.bytes()).sum();
    }
}

impl Entry {
    fn expired(&self, now: Duration, limits: DeltaLimits) -> bool {
        now.saturating_sub(self.seen) > limits.expiry
    }
}

impl Total {
    /// The same layout with nothing seen.
    pub(super) fn zeroed(&self) -> Self {
        match self {
            Self::Number(_) => Self::Number(0.0),
            Self::Classic(classic) => Self::Classic(Classic {
                counts: vec![0.0; classic.counts.len()],
                count: 0.0,
                sum: classic.sum.map(|_| 0.0),
                bounds: classic.bounds.clone(),
            }),
            Self::Exponential(histogram) => Self::Exponential(exponential::zeroed(histogram)),
        }
    }

    /// Add a point; one of another layout begins anew.
    fn add(&mut self, point: Self, buckets_max: usize) {
        match (self, point) {
            (Self::Number(total), Self::Number(point)) => *total += point,
            (Self::Classic(total), Self::Classic(point)) if total.bounds == point.bounds => {
                total.add(point);
            }
            (Self::Exponential(total), Self::Exponential(point)) => {
                exponential::add(total, point, buckets_max);
            }
            (total, point) => *total = point,
        }
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES
            + match self {
                Self::Number(_) => 0,
                Self::Classic(classic) => {
                    (classic.bounds.len() + classic.counts.len()) * size_of::<f64>()
                }
                Self::Exponential(histogram) => histogram.bytes(),
            }
    }
}

impl Classic {
    fn add(&mut self, point: Self) {
        if self.counts.len() != point.counts.len() {
            *self = point;
            return;
        }
        for (total, count) in self.counts.iter_mut().zip(point.counts) {
            *total += count;
        }
        self.count += point.count;
        // A sum that is once unknown stays unknown until the series begins anew.
        self.sum = self.sum.zip(point.sum).map(|(total, sum)| total + sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: DeltaLimits =
        DeltaLimits { bytes: 4 * ENTRY_BYTES, expiry: Duration::from_mins(1), buckets: 10 };

    #[derive(Default)]
    struct Bench(Deltas);

    impl Bench {
        /// Total and beginning after a point of `value` over `start..end` at `now` seconds.
        fn add(
            &mut self,
            key: u128,
            (start, end): (u64, u64),
            value: f64,
            now: u64,
        ) -> Result<(f64, Option<u64>), DeltaFault> {
            let interval = Interval { start, end };
            let now = Duration::from_secs(now);
            self.0.add(key, interval, Total::Number(value), now, LIMITS).map(|got| {
                match got.total {
                    Total::Number(total) => (*total, got.began),
                    other => panic!("{other:?}"),
                }
            })
        }
    }

    #[test]
    fn points_add_up_in_order() {
        let mut bench = Bench::default();
        assert_eq!(bench.add(1, (10, 20), 5.0, 0), Ok((5.0, Some(10))));
        assert_eq!(bench.add(1, (20, 30), 2.0, 1), Ok((7.0, None)));
        assert_eq!(bench.add(1, (20, 30), 2.0, 1), Err(DeltaFault::Late(30)));
        assert_eq!(bench.add(1, (10, 15), 2.0, 1), Err(DeltaFault::Late(30)));
        assert_eq!(bench.add(1, (50, 60), 1.0, 2), Ok((8.0, None)));
        assert_eq!(bench.add(2, (0, 20), 3.0, 2), Ok((3.0, None)));
    }

    #[test]
    fn quiet_series_are_forgotten_and_begin_anew() {
        let mut bench = Bench::default();
        bench.add(1, (10, 20), 5.0, 0).unwrap();
        assert_eq!(bench.add(1, (30, 40), 2.0, 61), Ok((2.0, Some(30))));
    }

    #[test]
    fn state_is_bounded_and_freed() {
        let mut bench = Bench::default();
        for key in 0..4 {
            bench.add(key, (10, 20), 1.0, 0).unwrap();
        }
        assert_eq!(bench.add(9, (10, 20), 1.0, 1), Err(DeltaFault::Full(4 * ENTRY_BYTES)));
        assert_eq!(bench.add(3, (20, 30), 1.0, 50), Ok((2.0, None)));
        assert_eq!(bench.add(9, (10, 20), 1.0, 61), Ok((1.0, Some(10))));
        assert_eq!((bench.0.entries.len(), bench.0.bytes), (2, 2 * ENTRY_BYTES));
        bench.0.forget(9);
        bench.0.forget(3);
        assert_eq!(bench.0.bytes, 0);
    }

    #[test]
    fn other_bounds_begin_anew() {
        let classic = |bounds: &[f64], count: f64| {
            Total::Classic(Classic {
                bounds: bounds.to_vec(),
                counts: vec![count; bounds.len() + 1],
                count,
                sum: Some(count),
            })
        };
        let mut total = classic(&[1.0], 1.0);
        total.add(classic(&[1.0], 2.0), 10);
        assert_eq!(total, classic(&[1.0], 3.0));
        total.add(classic(&[1.0, 2.0], 4.0), 10);
        assert_eq!(total, classic(&[1.0, 2.0], 4.0));
    }
}

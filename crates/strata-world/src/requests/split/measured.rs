//! What requests of one model tell of times and rates.

use std::ops::Range;

use strata_model::record::RequestSample;

const HOUR_US: i64 = 3_600_000_000;

/// What was measured of the requests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// Requests a second: of the busiest hour, or of the whole time where that is shorter.
    pub rate: f64,
    /// When that hour began, microseconds since the Unix epoch.
    pub busiest_from_us: Option<i64>,
    /// Requests there are, and how many of them were read.
    pub matching: u64,
    pub taken: u64,
    /// Mean times in prefill and decode, seconds.
    pub prefill_s: Option<f64>,
    pub decode_s: Option<f64>,
    /// Prompt tokens that are computed in a second of prefill.
    pub prefill_speed: Option<f64>,
    /// Mean gap between output tokens of a request, its median and 99th percentile, seconds.
    pub tpot_s: Option<(f64, f64)>,
}

impl Measured {
    /// Of `matching` requests, of which these are samples, that began within a time.
    pub fn of(samples: &[&RequestSample], matching: u64, range_us: &Range<i64>) -> Self {
        let mean = |of: fn(&RequestSample) -> Option<i64>| {
            let known: Vec<i64> = samples.iter().copied().filter_map(of).collect();
            let sum: f64 = known.iter().map(|us| *us as f64 / 1e6).sum();
            (!known.is_empty()).then(|| sum / known.len() as f64)
        };
        let both = samples.iter().filter_map(|one| Some((one.computed()?, one.prefill_us?)));
        let (mut tokens, mut busy_us) = (0.0, 0.0);
        for (computed, took) in both {
            tokens += computed as f64;
            busy_us += took as f64;
        }
        let mut paces: Vec<f64> = samples.iter().filter_map(|one| one.tpot_s()).collect();
        paces.sort_by(f64::total_cmp);
        let at = |q: f64| paces.get(((q * paces.len() as f64).ceil() as usize).max(1) - 1).copied();
        let (rate, busiest_from_us) = busiest(samples, matching, range_us);
        Self {
            rate,
            busiest_from_us,
            matching,
            taken: samples.len() as u64,
            prefill_s: mean(|one| one.prefill_us),
            decode_s: mean(|one| one.decode_us),
            prefill_speed: (busy_us > 0.0 && tokens > 0.0).then(|| tokens / (busy_us / 1e6)),
            tpot_s: at(0.5).zip(at(0.99)),
        }
    }
}

/// Requests a second of the busiest hour and when it began; of the whole time where that is shorter.
/// Replicas are bought for the peak: a mean over nights and weekends buys too few.
fn busiest(samples: &[&RequestSample], matching: u64, range_us: &Range<i64>) -> (f64, Option<i64>) {
    let whole_us = range_us.end.saturating_sub(range_us.start).max(1);
    if whole_us < HOUR_US {
        return (matching as f64 / (whole_us as f64 / 1e6).max(1.0), None);
    }
    let each = matching as f64 / samples.len().max(1) as f64;
    let (from, count) = busiest_from(samples, range_us, HOUR_US);
    (count as f64 * each / 3_600.0, Some(from))
}

/// The busiest stretch of a length: when it began, and the samples in it; the whole time where that is
/// shorter. Stretches are counted back from the end, and the first begins where the time does, so that
/// each is a whole one.
pub fn busiest_from(
    samples: &[&RequestSample],
    range_us: &Range<i64>,
    length_us: i64,
) -> (i64, usize) {
    let length_us = length_us.max(1);
    let whole_us = range_us.end.saturating_sub(range_us.start);
    let mut stretches = vec![range_us.start];
    stretches.extend((1..=whole_us / length_us).map(|back| range_us.end - back * length_us));
    let mut starts: Vec<i64> = samples.iter().map(|one| one.start_us).collect();
    starts.sort_unstable();
    let count = |from: i64| {
        let before = |at: i64| starts.partition_point(|start| *start < at);
        before(from.saturating_add(length_us)) - before(from)
    };
    // Of stretches that are alike the latest.
    let most = stretches.into_iter().map(|from| (count(from), from)).max();
    most.map_or((range_us.start, 0), |(count, from)| (from, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_busiest_hour() {
        // A request a minute for a day, and one a second from 10:30 to 11:30.
        let sample = |at_s: i64| RequestSample { start_us: at_s * 1_000_000, ..Default::default() };
        let mut all: Vec<_> = (0..1_440).map(|minute| sample(minute * 60)).collect();
        all.extend((37_800..41_400).map(sample));
        let all: Vec<&RequestSample> = all.iter().collect();
        let day = 0..86_400_000_000;
        let found = Measured::of(&all, all.len() as u64, &day);
        // Half of the burst lies in each whole hour: 1800 / 3600 and one a minute.
        assert!((found.rate - (0.5 + 1.0 / 60.0)).abs() < 1e-9, "{}", found.rate);
        assert_eq!(found.busiest_from_us, Some(11 * HOUR_US));
        // The hours end where the time does: here the burst is in one of them.
        let till = 0..41_400_000_000;
        let found = Measured::of(&all[..], all.len() as u64, &till);
        assert!((found.rate - (1.0 + 1.0 / 60.0)).abs() < 1e-9, "{}", found.rate);
        // Of a half that was read, each stands for two.
        let half: Vec<&RequestSample> = all.iter().copied().step_by(2).collect();
        let found = Measured::of(&half, all.len() as u64, &till);
        assert!((found.rate - (1.0 + 1.0 / 60.0)).abs() < 0.01, "{}", found.rate);
        assert_eq!((found.taken, found.matching), (2_520, 5_040));
    }

    #[test]
    fn the_first_hour_of_an_odd_time_is_a_whole_one_too() {
        let sample = |at_s: i64| RequestSample { start_us: at_s * 1_000_000, ..Default::default() };
        let all: Vec<_> = (0..600).map(sample).collect();
        let all: Vec<&RequestSample> = all.iter().collect();
        let found = Measured::of(&all, 600, &(0..5_400_000_000));
        assert_eq!((found.rate, found.busiest_from_us), (600.0 / 3_600.0, Some(0)));
        let short = Measured::of(&all, 600, &(0..600_000_000));
        assert_eq!((short.rate, short.busiest_from_us), (1.0, None));
        assert_eq!(Measured::of(&[], 0, &(0..7_200_000_000)).rate, 0.0);
    }
}

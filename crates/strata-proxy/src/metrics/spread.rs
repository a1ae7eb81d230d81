//! How gaps are spread: exponential buckets 4.4 % apart, so that a percentile is as exact as a client's
//! own. Fixed bounds would put the even gaps of an engine anywhere within a bucket that is half as wide
//! as they are long.

use strata_model::NativeHistogram;
use strata_model::histogram::{ExponentialHistogram, ExponentialSide};

/// OTLP's scale and Prometheus's schema: 2^4 buckets to a power of two.
const SCALE: i32 = 4;
/// The same as a number.
const BUCKETS_A_DOUBLING: f64 = 16.0;
/// Gaps up to 2^-13 s (0.12 ms) are of events that came together; they have one bucket.
const TOGETHER_SECONDS: f64 = 1.0 / 8192.0;
/// Gaps beyond 2^12 s (68 minutes) share the last bucket.
const LONGEST_SECONDS: f64 = 4096.0;

/// Gaps by length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spread {
    together: u64,
    /// Counts by index, ascending: bucket `i` holds `2^(i/16)` (exclusive) to `2^((i+1)/16)` seconds.
    counts: Vec<(i16, u64)>,
    sum: f64,
}

impl Spread {
    /// Count a gap of this many seconds.
    pub(crate) fn add(&mut self, seconds: f64) {
        self.sum += seconds;
        if seconds <= TOGETHER_SECONDS {
            self.together += 1;
        } else {
            let place = (seconds.min(LONGEST_SECONDS).log2() * BUCKETS_A_DOUBLING).ceil() - 1.0;
            self.put(place as i16, 1);
        }
    }

    /// Count the gaps of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.together += other.together;
        for (index, count) in &other.counts {
            self.put(*index, *count);
        }
    }

    fn put(&mut self, index: i16, count: u64) {
        match self.counts.binary_search_by_key(&index, |(at, _)| *at) {
            Ok(place) => {
                if let Some((_, slot)) = self.counts.get_mut(place) {
                    *slot += count;
                }
            }
            Err(place) => self.counts.insert(place, (index, count)),
        }
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.together + self.counts.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// Upper bound of the bucket that the median lies in, seconds.
    pub(crate) fn median(&self) -> Option<f64> {
        let (half, mut below) = (self.count().div_ceil(2), self.together);
        if half == 0 {
            return None;
        }
        if below >= half {
            return Some(TOGETHER_SECONDS);
        }
        let place = self.counts.iter().find(|(_, count)| {
            below += count;
            below >= half
        });
        place.map(|(index, _)| lower_bound(i32::from(*index) + 1))
    }

    /// How many are longer than this many seconds, without those in the bucket that it lies in.
    pub(crate) fn above(&self, seconds: f64) -> u64 {
        let above = self.counts.iter().filter(|(at, _)| lower_bound(i32::from(*at)) >= seconds);
        above.map(|(_, count)| count).sum()
    }

    /// All of it as one native histogram; `None` when nothing was counted.
    pub(crate) fn histogram(&self) -> Option<NativeHistogram> {
        let (first, last) = match (self.counts.first(), self.counts.last()) {
            (Some((first, _)), Some((last, _))) => (*first, *last),
            _ if self.together > 0 => (0, -1),
            _ => return None,
        };
        let mut counts = vec![0; usize::try_from(last - first + 1).unwrap_or_default()];
        for (index, count) in &self.counts {
            let place = usize::try_from(index - first).ok();
            if let Some(slot) = place.and_then(|place| counts.get_mut(place)) {
                *slot = *count;
            }
        }
        let told = ExponentialHistogram {
            scale: SCALE,
            zero_threshold: TOGETHER_SECONDS,
            zero_count: self.together,
            count: self.count(),
            sum: Some(self.sum),
            positive: ExponentialSide { offset: i32::from(first), counts: &counts },
            negative: ExponentialSide::default(),
        };
        // Only counts that do not add up are refused, and these do.
        NativeHistogram::from_exponential(&told).ok()
    }
}

/// Where a bucket begins, seconds.
fn lower_bound(index: i32) -> f64 {
    (f64::from(index) / BUCKETS_A_DOUBLING).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(gaps: &[f64]) -> Spread {
        let mut spread = Spread::default();
        for gap in gaps {
            spread.add(*gap);
        }
        spread
    }

    #[test]
    fn percentiles_are_as_exact_as_the_buckets() {
        // Gaps of 18 to 27 ms, none of which a bound of the fixed buckets knows.
        let gaps: Vec<f64> = (0..1000).map(|n| 0.018 + f64::from(n) * 9e-6).collect();
        let spread = spread(&gaps);
        let histogram = spread.histogram().unwrap();
        assert_eq!((histogram.count, spread.count()), (1000.0, 1000));
        assert!((histogram.sum - gaps.iter().sum::<f64>()).abs() < 1e-9);
        for (fraction, exact) in [(0.5, 0.0225), (0.9, 0.0261), (0.99, 0.02691)] {
            let told = histogram.quantile(fraction).value;
            assert!((told / exact - 1.0).abs() < 0.022, "{fraction}: {told} for {exact}");
        }
        let median = spread.median().unwrap();
        assert!((0.0225..0.0236).contains(&median), "{median}");
    }

    #[test]
    fn what_comes_together_and_what_takes_hours_has_a_place() {
        let one = spread(&[0.0, 1e-5, TOGETHER_SECONDS, 0.02, 1e9]);
        assert_eq!((one.count(), one.together, one.above(0.019), one.above(1.0)), (5, 3, 2, 1));
        assert_eq!(one.median(), Some(TOGETHER_SECONDS));
        let mut both = spread(&[0.02]);
        both.merge(&one);
        assert_eq!((both.count(), both.above(0.019)), (6, 3));
        assert_eq!(both.histogram().unwrap().zero_count, 3.0);
        assert_eq!(spread(&[0.0]).histogram().unwrap().count, 1.0);
        assert_eq!((Spread::default().histogram(), Spread::default().median()), (None, None));
    }
}

//! Many requests by their parts: how long each part takes, and which of them rules.

use strata_model::record::RequestSample;

use super::anatomy::{Anatomy, Segment, Times};

/// One part over all requests that tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentLine {
    pub segment: Segment,
    /// Requests that tell how long it took.
    pub told: u64,
    /// Requests of which it is the longest part.
    pub longest_of: u64,
    /// p50, p95 and p99 by nearest rank, seconds.
    pub quantiles: [f64; 3],
    /// Of all the time that is told, what part.
    pub share: f64,
}

/// The quantiles of a [`SegmentLine`].
pub const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Take requests apart; parts that nobody tells are left out.
pub fn breakdown(samples: &[RequestSample]) -> Vec<SegmentLine> {
    let anatomies: Vec<Anatomy> = samples.iter().map(|one| Anatomy::of(Times::from(one))).collect();
    let known = |segment: Segment| {
        let parts = anatomies.iter().flat_map(|one| &one.parts);
        let of = parts.filter(move |(one, _)| *one == segment);
        let mut rising: Vec<i64> = of.filter_map(|(_, took)| *took).collect();
        rising.sort_unstable();
        rising
    };
    let all: i64 = anatomies.iter().flat_map(|one| &one.parts).filter_map(|(_, took)| *took).sum();
    let line = |segment: Segment| {
        let rising = known(segment);
        let quantiles = QUANTILES.map(|q| {
            let rank = ((q * rising.len() as f64).ceil() as usize).max(1);
            rising.get(rank - 1).map_or(0.0, |us| *us as f64 / 1e6)
        });
        let longest = anatomies.iter().filter(|one| one.dominant() == Some(segment)).count();
        (!rising.is_empty()).then(|| SegmentLine {
            segment,
            told: rising.len() as u64,
            longest_of: longest as u64,
            quantiles,
            share: if all > 0 { rising.iter().sum::<i64>() as f64 / all as f64 } else { 0.0 },
        })
    };
    Segment::ALL.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_where_they_are_told() {
        let engine = |n: i64| RequestSample {
            duration_us: Some(10_000_000),
            ttft_us: Some(n * 1_000_000 + 500_000),
            queue_us: Some(n * 1_000_000),
            prefill_us: Some(400_000),
            decode_us: Some(9_500_000 - n * 1_000_000),
            ..RequestSample::default()
        };
        let mut samples: Vec<RequestSample> = (0..10).map(engine).collect();
        samples.push(RequestSample { duration_us: Some(5_000_000), ..RequestSample::default() });
        let lines = breakdown(&samples);
        let of = |segment| lines.iter().find(|line| line.segment == segment).unwrap();
        assert_eq!(of(Segment::Queue).quantiles, [4.0, 9.0, 9.0]);
        assert_eq!(of(Segment::Prefill).quantiles, [0.4; 3]);
        assert_eq!((of(Segment::Queue).told, of(Segment::Queue).longest_of), (10, 5));
        assert_eq!(of(Segment::Decode).longest_of, 5);
        assert_eq!((of(Segment::Whole).told, of(Segment::Whole).longest_of), (1, 0));
        assert!((lines.iter().map(|line| line.share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(lines.iter().all(|line| line.segment != Segment::FirstToken));
        assert_eq!(breakdown(&[]), []);
    }
}

//! A histogram with fixed bounds.

use std::time::Duration;

/// Counts by bucket, and their sum.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    buckets: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, buckets: vec![0; bounds.len() + 1], sum: 0.0, count: 0 }
    }

    pub(super) fn add(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(slot) = self.buckets.get_mut(bucket) {
            *slot += 1;
            self.count += 1;
        }
        self.sum += value;
    }

    pub(super) fn time(&mut self, value: Option<Duration>) {
        if let Some(value) = value {
            self.add(value.as_secs_f64());
        }
    }

    /// Nothing was counted: then there is no series, and no zero that would look like one.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Upper bound and number of values up to it, ending with infinity.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(&self.buckets).scan(0, |below, (bound, count)| {
            *below += count;
            Some((bound, *below))
        })
    }
}

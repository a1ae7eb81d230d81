//! Native histograms of a protobuf page: from deltas to absolute counts, checked before they count.

use strata_model::histogram::CUSTOM_BUCKETS_SCHEMA;
use strata_model::{CounterResetHint, NativeHistogram, Span};

use super::number;

/// Relative slack when float counts are compared with their sum: sums of floats round.
const COUNT_SLACK: f64 = 1e-9;

/// What a `Histogram` message carries, as it stands on the wire.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) sample_count: u64,
    pub(crate) sample_count_float: f64,
    pub(crate) sum: f64,
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) zero_count: u64,
    pub(crate) zero_count_float: f64,
    pub(crate) positive: Side,
    pub(crate) negative: Side,
}

/// Buckets on one side of zero.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) spans: Vec<Span>,
    pub(crate) deltas: Vec<i64>,
    pub(crate) counts: Vec<f64>,
}

impl Wire {
    /// Whether the message has a native part at all. A histogram without observations says so with
    /// an empty span.
    pub(crate) fn is_native(&self) -> bool {
        !self.positive.spans.is_empty()
            || !self.negative.spans.is_empty()
            || self.zero_threshold > 0.0
            || self.zero_count > 0
            || self.zero_count_float > 0.0
    }

    /// Total count, whichever way it is written.
    pub(crate) fn count(&self) -> f64 {
        if self.sample_count_float > 0.0 {
            self.sample_count_float
        } else {
            self.sample_count as f64
        }
    }

    /// The histogram with absolute float counts, or what contradicts itself in it.
    pub(crate) fn into_histogram(self, gauge: bool) -> Result<NativeHistogram, &'static str> {
        // Custom bounds travel in no field of this message; only exponential schemas do.
        if !(-4..=8).contains(&self.schema) || self.schema == CUSTOM_BUCKETS_SCHEMA {
            return Err("the histogram's schema is not known");
        }
        let float = self.sample_count_float > 0.0 || self.zero_count_float > 0.0;
        let count = self.count();
        let zero_count = if float { self.zero_count_float } else { self.zero_count as f64 };
        let zero_threshold = self.zero_threshold;
        let (positive_spans, positive_buckets) = self.positive.absolute(float)?;
        let (negative_spans, negative_buckets) = self.negative.absolute(float)?;
        let observed: f64 =
            zero_count + positive_buckets.iter().chain(&negative_buckets).sum::<f64>();
        // Observations of NaN are in the count and in no bucket, so only more is a contradiction.
        if observed > count * (1.0 + COUNT_SLACK) {
            return Err("the histogram's buckets hold more than its count");
        }
        if !zero_threshold.is_finite() || zero_threshold < 0.0 || zero_count.is_nan() {
            return Err("the histogram's zero bucket is malformed");
        }
        Ok(NativeHistogram {
            counter_reset_hint: if gauge {
                CounterResetHint::Gauge
            } else {
                CounterResetHint::Unknown
            },
            schema: self.schema,
            zero_threshold,
            zero_count,
            count,
            sum: number::ordinary(self.sum),
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: Vec::new(),
        })
    }
}

impl Side {
    /// Spans without empty ones, and one absolute count per bucket.
    fn absolute(self, float: bool) -> Result<(Vec<Span>, Vec<f64>), &'static str> {
        let counts = if float || self.deltas.is_empty() {
            self.counts
        } else {
            let mut running = 0_i64;
            let mut counts = Vec::with_capacity(self.deltas.len());
            for delta in self.deltas {
                running = running.checked_add(delta).ok_or("a bucket's count overflows")?;
                counts.push(running as f64);
            }
            counts
        };
        if !counts.iter().all(|&count| count >= 0.0 && count.is_finite()) {
            return Err("a bucket's count is negative or not a number");
        }
        let buckets: u64 = self.spans.iter().map(|span| u64::from(span.length)).sum();
        if buckets != counts.len() as u64 {
            return Err("the histogram's spans and buckets do not agree");
        }
        let mut spans: Vec<Span> = Vec::with_capacity(self.spans.len());
        let mut gap = 0_i32;
        for (index, span) in self.spans.into_iter().enumerate() {
            if index > 0 && span.offset < 0 {
                return Err("the histogram's spans overlap");
            }
            gap = gap.checked_add(span.offset).ok_or("a span's offset overflows")?;
            if span.length == 0 {
                continue;
            }
            match spans.last_mut() {
                Some(last) if gap == 0 => last.length += span.length,
                _ => spans.push(Span { offset: gap, length: span.length }),
            }
            gap = 0;
        }
        Ok((spans, counts))
    }
}

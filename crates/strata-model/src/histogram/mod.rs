//! Native (sparse, exponential) histograms, as Prometheus and OTLP carry them.
//!
//! [`NativeHistogram`] is data; everything else here is a pure function of it: buckets with bounds,
//! arithmetic that reconciles layouts, quantiles and fractions, counter resets, the notation of
//! PromQL tests and a compact encoding. The semantics are those of the Prometheus native histogram
//! specification, so that PromQL gives the same answers here as there.

mod arithmetic;
mod bound_table;
mod bounds;
mod buckets;
mod classic;
mod codec;
mod compact;
mod compare;
mod compensated;
mod convert;
mod custom;
mod display;
mod fraction;
mod literal;
mod quantile;
mod reset;
mod statistics;
mod sum;
#[cfg(test)]
mod tests;
mod trim;
mod validate;

pub use arithmetic::{Merged, MixedSchemas};
pub use bounds::upper_bound;
pub use buckets::Bucket;
pub use classic::{
    ClassicBucket, ClassicQuantile, ForcedMonotonicity, bucket_fraction, bucket_quantile,
};
pub use codec::DecodeError;
pub use compare::almost_equal;
pub use compensated::Compensated;
pub use convert::{DeltaHistogram, DeltaSide, ExponentialHistogram, ExponentialSide};
pub use display::format_number;
pub use fraction::FractionAnswer;
pub use literal::{HistogramLiteral, LiteralError, take_literal, take_series};
pub use quantile::{NanObservations, QuantileAnswer};
pub use sum::{HistogramMean, HistogramSum};
pub use trim::Keep;
pub use validate::{HistogramError, Side};

/// Coarsest exponential schema: each bucket 65,536 times as wide as the one before.
pub const MIN_SCHEMA: i32 = -4;
/// Finest exponential schema: 256 buckets to a power of two.
pub const MAX_SCHEMA: i32 = 8;
/// The schema number that means "custom upper bounds" (classic buckets kept as a native histogram).
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// Whether a histogram of a counter is known to follow its predecessor without a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CounterResetHint {
    /// Look at the buckets to find out.
    #[default]
    Unknown,
    Reset,
    NotReset,
    /// Not a counter: resets have no meaning.
    Gauge,
}

/// A run of consecutive populated buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Gap to the end of the previous span; for the first span the index of its first bucket.
    pub offset: i32,
    /// Number of buckets in the span.
    pub length: u32,
}

/// One native histogram with float counts.
///
/// Bucket `i` of schema `s` covers `(base^(i-1), base^i]` with `base = 2^(2^-s)` for `s` in -4..=8.
/// Source: Prometheus `model/histogram/float_histogram.go` and its native-histogram specification.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NativeHistogram {
    pub counter_reset_hint: CounterResetHint,
    pub schema: i32,
    /// Width of the zero bucket: values in `[-zero_threshold, zero_threshold]`.
    pub zero_threshold: f64,
    pub zero_count: f64,
    pub count: f64,
    pub sum: f64,
    pub positive_spans: Vec<Span>,
    pub negative_spans: Vec<Span>,
    /// Absolute (not delta) counts, one per bucket of `positive_spans`.
    pub positive_buckets: Vec<f64>,
    /// Absolute (not delta) counts, one per bucket of `negative_spans`.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds when `schema` is [`CUSTOM_BUCKETS_SCHEMA`], without `+Inf`.
    pub custom_values: Vec<f64>,
}

impl NativeHistogram {
    /// Whether the buckets have custom bounds instead of exponential ones.
    pub fn is_custom(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Approximate bytes held, for bounding queues.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + (self.positive_spans.len() + self.negative_spans.len()) * size_of::<Span>()
            + (self.positive_buckets.len() + self.negative_buckets.len() + self.custom_values.len())
                * size_of::<f64>()
    }
}

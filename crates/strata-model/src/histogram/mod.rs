//! Native (sparse, exponential) histograms, as Prometheus and OTLP carry them.

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

/// The schema number that means "custom upper bounds" (classic buckets kept as a native histogram).
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

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
    /// Approximate bytes held, for bounding queues.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + (self.positive_spans.len() + self.negative_spans.len()) * size_of::<Span>()
            + (self.positive_buckets.len() + self.negative_buckets.len() + self.custom_values.len())
                * size_of::<f64>()
    }
}

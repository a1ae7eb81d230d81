//! What a collector or receiver hands to a [`crate::Sink`]: samples under the names of their source.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::histogram::NativeHistogram;
use crate::labels::{Labels, hash_encoded};

/// One float sample of the series with index `series` in its batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Index returned by [`Batch::series_of`] or [`Batch::series_of_encoded`].
    pub series: u32,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Any float, NaN payloads included; [`crate::STALE_NAN`] ends the series.
    pub value: f64,
}

/// One native-histogram sample of the series with index `series` in its batch.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSample {
    /// Index of the series in its batch.
    pub series: u32,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The histogram; integer histograms arrive converted to floats (exact up to 2^53).
    pub histogram: Arc<NativeHistogram>,
}

/// The type a source declares for a metric family.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
    /// A histogram whose buckets are gauges (OpenMetrics `gaugehistogram`).
    Gaugehistogram,
    Summary,
    Info,
    Stateset,
    #[default]
    Unknown,
}

impl MetricKind {
    /// The word of the exposition formats and of `/api/v1/metadata`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Gaugehistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::Stateset => "stateset",
            Self::Unknown => "unknown",
        }
    }
}

/// What a source says about a metric family.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// Family name as the source writes it.
    pub family: String,
    pub kind: MetricKind,
    /// Unit as declared (OpenMetrics `# UNIT`, OTLP unit); empty when not declared.
    pub unit: String,
    /// Help text; empty when there is none.
    pub help: String,
}

/// Where a series' labels lie in the arena.
#[derive(Debug, Clone, Copy)]
struct SeriesSlot {
    start: u32,
    length: u32,
    hash: u64,
}

/// Samples of one moment of one source, with the series they belong to.
///
/// Labels are kept in the canonical encoding in one arena: no allocation per series.
/// A series may be entered more than once; the store resolves both entries to the same series.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Stable name of the source (`scrape/vllm/127.0.0.1:8000`). Series of one source that are
    /// sampled together share a time column in the store, so keep it the same from tick to tick.
    pub source: Arc<str>,
    arena: Vec<u8>,
    slots: Vec<SeriesSlot>,
    /// Float samples in any order.
    pub samples: Vec<Sample>,
    /// Native-histogram samples in any order.
    pub histograms: Vec<HistogramSample>,
    /// Metadata of families, sent when new or changed.
    pub metadata: Vec<Metadata>,
}

impl Batch {
    /// An empty batch of the source with this stable name.
    pub fn new(source: Arc<str>) -> Self {
        Self { source, ..Self::default() }
    }

    /// An empty batch with room for `series` series of one sample each and `label_bytes` in all.
    pub fn with_capacity(source: Arc<str>, series: usize, label_bytes: usize) -> Self {
        Self {
            source,
            arena: Vec::with_capacity(label_bytes),
            slots: Vec::with_capacity(series),
            samples: Vec::with_capacity(series),
            ..Self::default()
        }
    }

    /// Enter a series by its labels and get its index.
    pub fn series_of(&mut self, labels: &Labels) -> u32 {
        self.series_of_encoded(labels.encoded())
    }

    /// Enter a series by canonical label bytes (see [`crate::labels`]) and get its index.
    ///
    /// The bytes are trusted to be canonical; a receiver that copies from the wire checks them
    /// first (order, emptiness, UTF-8).
    ///
    /// # Panics
    /// When the labels of one batch exceed 4 GiB; bodies are bounded far below that.
    pub fn series_of_encoded(&mut self, encoded: &[u8]) -> u32 {
        let start = u32::try_from(self.arena.len()).expect("bodies are bounded below 4 GiB");
        self.arena.extend_from_slice(encoded);
        self.slots.push(SeriesSlot {
            start,
            length: encoded.len() as u32,
            hash: hash_encoded(encoded),
        });
        (self.slots.len() - 1) as u32
    }

    /// Add a float sample for the series with labels `labels`.
    pub fn push(&mut self, labels: &Labels, at_ms: i64, value: f64) {
        let series = self.series_of(labels);
        self.samples.push(Sample { series, at_ms, value });
    }

    /// How many series entries there are.
    pub fn series_count(&self) -> usize {
        self.slots.len()
    }

    /// Canonical label bytes and their hash of the series with this index.
    pub fn series(&self, index: u32) -> (&[u8], u64) {
        let slot = self.slots[index as usize];
        let start = slot.start as usize;
        (&self.arena[start..start + slot.length as usize], slot.hash)
    }

    /// The labels of the series with this index.
    pub fn labels(&self, index: u32) -> Labels {
        Labels::from_encoded(self.series(index).0).unwrap_or_default()
    }

    /// Float plus histogram samples.
    pub fn sample_count(&self) -> usize {
        self.samples.len() + self.histograms.len()
    }

    /// Whether the batch carries neither samples nor metadata.
    pub fn is_empty(&self) -> bool {
        self.sample_count() == 0 && self.metadata.is_empty()
    }

    /// Approximate bytes held, for bounding queues.
    pub fn bytes(&self) -> usize {
        self.arena.len()
            + self.slots.len() * size_of::<SeriesSlot>()
            + self.samples.len() * size_of::<Sample>()
            + self.histograms.iter().map(|h| h.histogram.bytes()).sum::<usize>()
    }
}

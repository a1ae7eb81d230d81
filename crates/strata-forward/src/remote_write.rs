//! Samples as Prometheus remote write 1.0, not yet packed
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>; native histograms as in Prometheus's
//! `prompb/types.proto`).

use prost::encoding::{WireType, double, encode_key, encode_varint, int64, sint32, string, uint32};
use strata_model::labels::iter_encoded;
use strata_model::{Batch, CounterResetHint, HistogramSample, MetricKind, NativeHistogram, Span};

/// A body is ended at this size: receivers take some thousand samples at a time.
const BODY_BYTES: usize = 256 << 10;

/// A body to be sent, and how many samples are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub(crate) body: Vec<u8>,
    pub(crate) samples: u64,
}

/// The samples of a batch. Those of native histograms are in bodies of their own: a receiver that does
/// not take them refuses them alone.
pub(crate) fn write(batch: &Batch) -> Vec<Written> {
    let mut floats = Bodies::default();
    for one in &batch.metadata {
        let mut message = Vec::new();
        uint32::encode(1, &kind(one.kind), &mut message);
        string::encode(2, &one.family, &mut message);
        string::encode(4, &one.help, &mut message);
        string::encode(5, &one.unit, &mut message);
        put(3, &message, &mut floats.open);
    }
    let mut samples: Vec<_> = batch.samples.iter().collect();
    // A receiver wants the samples of a series in their order.
    samples.sort_by_key(|one| (one.series, one.at_ms));
    for series in samples.chunk_by(|a, b| a.series == b.series) {
        let Some(first) = series.first() else { continue };
        floats.series(batch.series(first.series).0, series.len(), &mut |message| {
            for sample in series {
                let mut one = Vec::with_capacity(20);
                double::encode(1, &sample.value, &mut one);
                int64::encode(2, &sample.at_ms, &mut one);
                put(2, &one, message);
            }
        });
    }
    let mut histograms = Bodies::default();
    let mut samples: Vec<_> = batch.histograms.iter().collect();
    samples.sort_by_key(|one| (one.series, one.at_ms));
    for series in samples.chunk_by(|a, b| a.series == b.series) {
        let Some(first) = series.first() else { continue };
        histograms.series(batch.series(first.series).0, series.len(), &mut |message| {
            for one in series {
                put(4, &histogram(one), message);
            }
        });
    }
    [floats.end(), histograms.end()].concat()
}

/// Bodies in the making.
#[derive(Default)]
struct Bodies {
    ended: Vec<Written>,
    open: Vec<u8>,
    samples: u64,
}

impl Bodies {
    /// One series with its samples.
    fn series(&mut self, labels: &[u8], samples: usize, put_samples: &mut dyn FnMut(&mut Vec<u8>)) {
        let mut message = Vec::with_capacity(labels.len() * 2 + 32 * samples);
        for (name, value) in iter_encoded(labels) {
            let mut label = Vec::with_capacity(name.len() + value.len() + 8);
            string::encode(1, &name.to_owned(), &mut label);
            string::encode(2, &value.to_owned(), &mut label);
            put(1, &label, &mut message);
        }
        put_samples(&mut message);
        put(1, &message, &mut self.open);
        self.samples += samples as u64;
        if self.open.len() >= BODY_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        let (body, samples) = (std::mem::take(&mut self.open), std::mem::take(&mut self.samples));
        self.ended.push(Written { body, samples });
    }

    fn end(mut self) -> Vec<Written> {
        if self.samples > 0 {
            self.close();
        }
        self.ended
    }
}

/// A length-delimited field.
fn put(number: u32, body: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(body.len() as u64, out);
    out.extend_from_slice(body);
}

fn histogram(sample: &HistogramSample) -> Vec<u8> {
    let NativeHistogram {
        counter_reset_hint,
        schema,
        zero_threshold,
        zero_count,
        count,
        sum,
        positive_spans,
        negative_spans,
        positive_buckets,
        negative_buckets,
        custom_values,
    } = sample.histogram.as_ref();
    let mut out = Vec::new();
    double::encode(2, count, &mut out);
    double::encode(3, sum, &mut out);
    sint32::encode(4, schema, &mut out);
    double::encode(5, zero_threshold, &mut out);
    double::encode(7, zero_count, &mut out);
    spans(8, negative_spans, &mut out);
    double::encode_packed(10, negative_buckets, &mut out);
    spans(11, positive_spans, &mut out);
    double::encode_packed(13, positive_buckets, &mut out);
    let hint = match counter_reset_hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    };
    uint32::encode(14, &hint, &mut out);
    int64::encode(15, &sample.at_ms, &mut out);
    double::encode_packed(16, custom_values, &mut out);
    out
}

fn spans(number: u32, spans: &[Span], out: &mut Vec<u8>) {
    for span in spans {
        let mut message = Vec::new();
        sint32::encode(1, &span.offset, &mut message);
        uint32::encode(2, &span.length, &mut message);
        put(number, &message, out);
    }
}

/// The number of a type, see `MetricMetadata` in `prompb/types.proto`.
fn kind(kind: MetricKind) -> u32 {
    match kind {
        MetricKind::Unknown => 0,
        MetricKind::Counter => 1,
        MetricKind::Gauge => 2,
        MetricKind::Histogram => 3,
        MetricKind::Gaugehistogram => 4,
        MetricKind::Summary => 5,
        MetricKind::Info => 6,
        MetricKind::Stateset => 7,
    }
}

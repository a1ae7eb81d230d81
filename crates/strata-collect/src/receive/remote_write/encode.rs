//! A small encoder of both messages, so that tests can say what they send.

use prost::encoding::{
    WireType, double, encode_key, encode_varint, int64, sint32, string, uint32, uint64,
};

/// One series to be sent; the same for both versions.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    pub(super) labels: Vec<(String, String)>,
    pub(super) samples: Vec<(i64, f64)>,
    pub(super) histograms: Vec<SentHistogram>,
    pub(super) exemplars: usize,
    /// Type number and help; only version 2.0 sends them with the series.
    pub(super) metadata: Option<(u32, String)>,
}

/// A native histogram to be sent.
#[derive(Debug, Clone, Default)]
pub(super) struct SentHistogram {
    pub(super) at_ms: i64,
    pub(super) schema: i32,
    pub(super) sum: f64,
    /// Positive spans as offset and length.
    pub(super) spans: Vec<(i32, u32)>,
    /// Absolute counts; sent as deltas when `float` is false.
    pub(super) counts: Vec<u32>,
    pub(super) float: bool,
    pub(super) custom_values: Vec<f64>,
    pub(super) reset_hint: u32,
}

/// A length-delimited field.
pub(super) fn message(number: u32, body: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(body.len() as u64, out);
    out.extend_from_slice(body);
}

fn sample(at_ms: i64, value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    double::encode(1, &value, &mut out);
    int64::encode(2, &at_ms, &mut out);
    out
}

fn histogram(sent: &SentHistogram) -> Vec<u8> {
    let mut out = Vec::new();
    let total: u64 = sent.counts.iter().map(|&count| u64::from(count)).sum();
    double::encode(3, &sent.sum, &mut out);
    sint32::encode(4, &sent.schema, &mut out);
    let threshold = if sent.schema == -53 { 0.0 } else { 1e-128 };
    double::encode(5, &threshold, &mut out);
    for (offset, length) in &sent.spans {
        let mut span = Vec::new();
        sint32::encode(1, offset, &mut span);
        uint32::encode(2, length, &mut span);
        message(11, &span, &mut out);
    }
    if sent.float {
        double::encode(2, &(total as f64), &mut out);
        let counts: Vec<f64> = sent.counts.iter().map(|&count| f64::from(count)).collect();
        double::encode_packed(13, &counts, &mut out);
    } else {
        uint64::encode(1, &total, &mut out);
        let mut previous = 0;
        let deltas: Vec<i64> = sent
            .counts
            .iter()
            .map(|&count| {
                let delta = i64::from(count) - previous;
                previous = i64::from(count);
                delta
            })
            .collect();
        prost::encoding::sint64::encode_packed(12, &deltas, &mut out);
    }
    uint32::encode(14, &sent.reset_hint, &mut out);
    int64::encode(15, &sent.at_ms, &mut out);
    double::encode_packed(16, &sent.custom_values, &mut out);
    out
}

/// An uncompressed `prometheus.WriteRequest`.
pub(super) fn v1(series: &[Sent]) -> Vec<u8> {
    let mut out = Vec::new();
    for sent in series {
        let mut body = Vec::new();
        for (name, value) in &sent.labels {
            let mut label = Vec::new();
            string::encode(1, name, &mut label);
            string::encode(2, value, &mut label);
            message(1, &label, &mut body);
        }
        sent.samples
            .iter()
            .for_each(|&(at_ms, value)| message(2, &sample(at_ms, value), &mut body));
        (0..sent.exemplars).for_each(|_| message(3, &sample(1, 1.0), &mut body));
        sent.histograms.iter().for_each(|one| message(4, &histogram(one), &mut body));
        message(1, &body, &mut out);
    }
    out
}

/// An uncompressed `io.prometheus.write.v2.Request`.
pub(super) fn v2(series: &[Sent]) -> Vec<u8> {
    let mut symbols: Vec<String> = vec![String::new()];
    let mut out = Vec::new();
    for sent in series {
        let mut refer = |text: &str| {
            let known = symbols.iter().position(|symbol| symbol == text);
            known.unwrap_or_else(|| {
                symbols.push(text.to_owned());
                symbols.len() - 1
            }) as u32
        };
        let mut body = Vec::new();
        let references: Vec<u32> =
            sent.labels.iter().flat_map(|(n, v)| [refer(n), refer(v)]).collect();
        uint32::encode_packed(1, &references, &mut body);
        sent.samples
            .iter()
            .for_each(|&(at_ms, value)| message(2, &sample(at_ms, value), &mut body));
        sent.histograms.iter().for_each(|one| message(3, &histogram(one), &mut body));
        (0..sent.exemplars).for_each(|_| message(4, &sample(1, 1.0), &mut body));
        if let Some((kind, help)) = &sent.metadata {
            let mut metadata = Vec::new();
            uint32::encode(1, kind, &mut metadata);
            uint32::encode(3, &refer(help), &mut metadata);
            message(5, &metadata, &mut body);
        }
        message(5, &body, &mut out);
    }
    for symbol in &symbols {
        message(4, symbol.as_bytes(), &mut out);
    }
    out
}

/// Snappy's block format.
pub(super) fn snappy(body: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(body).unwrap()
}

//! Remote write 1.0 bodies, made from the mix by a plain encoder of the four fields it needs.

use super::mix::Mix;

/// Samples in one body, as Prometheus sends them by default.
const SAMPLES_PER_BODY: usize = 2_000;

/// Encodes rounds of a [`Mix`]; labels are encoded once.
pub(crate) struct Encoder {
    labels: Vec<Vec<Vec<u8>>>,
}

impl Encoder {
    pub(crate) fn new(mix: &Mix) -> Self {
        let of_target = |target: &super::mix::Target| {
            target.lines.iter().map(|line| encode_labels(&line.labels)).collect()
        };
        Self { labels: mix.targets.iter().map(of_target).collect() }
    }

    /// One round of scrapes at `at_ms` plus each target's phase, as compressed bodies.
    pub(crate) fn round(&self, mix: &Mix, at_ms: i64) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        let mut body = Vec::new();
        let mut samples = 0;
        for (target, labels) in mix.targets.iter().zip(&self.labels) {
            for (line, labels) in target.lines.iter().zip(labels) {
                let sample = encode_sample(at_ms + target.phase_ms, line.value);
                let mut series = labels.clone();
                field(&mut series, 0x12, &sample);
                field(&mut body, 0x0a, &series);
                samples += 1;
                if samples == SAMPLES_PER_BODY {
                    bodies.push(compress(&body));
                    body.clear();
                    samples = 0;
                }
            }
        }
        if samples > 0 {
            bodies.push(compress(&body));
        }
        bodies
    }
}

/// A series to send: labels sorted by name, samples as (ms, value).
pub(crate) type Row = (Vec<(String, String)>, Vec<(i64, f64)>);

/// One compressed body of any series.
pub(crate) fn body(rows: &[Row]) -> Vec<u8> {
    let mut body = Vec::new();
    for (labels, samples) in rows {
        let mut series = encode_labels(labels);
        for (at_ms, value) in samples {
            field(&mut series, 0x12, &encode_sample(*at_ms, *value));
        }
        field(&mut body, 0x0a, &series);
    }
    compress(&body)
}

fn encode_sample(at_ms: i64, value: f64) -> Vec<u8> {
    let mut sample = Vec::with_capacity(20);
    sample.push(0x09);
    sample.extend_from_slice(&value.to_le_bytes());
    sample.push(0x10);
    varint(&mut sample, at_ms as u64);
    sample
}

fn encode_labels(labels: &[(String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in labels {
        let mut pair = Vec::new();
        field(&mut pair, 0x0a, name.as_bytes());
        field(&mut pair, 0x12, value.as_bytes());
        field(&mut bytes, 0x0a, &pair);
    }
    bytes
}

pub(crate) fn field(into: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    into.push(tag);
    varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

pub(crate) fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value as u8) | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn compress(body: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(body).expect("bodies are far below snappy's limit")
}

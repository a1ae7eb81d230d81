//! Remote write 1.0 bodies made by hand.

use prost::encoding::{WireType, double, encode_key, encode_varint, int64, string};

/// What Prometheus says about a 1.0 body.
pub(crate) const HEADERS: [(&str, &str); 3] = [
    ("Content-Encoding", "snappy"),
    ("Content-Type", "application/x-protobuf"),
    ("X-Prometheus-Remote-Write-Version", "0.1.0"),
];

/// One series: labels in order of name, samples as (ms, value).
pub(crate) struct Row {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) samples: Vec<(i64, f64)>,
}

impl Row {
    /// A series with a name and one more label, which must sort behind `__name__`.
    pub(crate) fn new(
        name: &str,
        label: (&'static str, &str),
        samples: impl IntoIterator<Item = (i64, f64)>,
    ) -> Self {
        let labels = vec![("__name__", name.to_owned()), (label.0, label.1.to_owned())];
        Self { labels, samples: samples.into_iter().collect() }
    }
}

/// The compressed body of a request.
pub(crate) fn body(rows: &[Row]) -> Vec<u8> {
    let mut request = Vec::new();
    for row in rows {
        let mut series = Vec::new();
        for (name, value) in &row.labels {
            let mut label = Vec::new();
            string::encode(1, &(*name).to_owned(), &mut label);
            string::encode(2, value, &mut label);
            message(1, &label, &mut series);
        }
        for (at_ms, value) in &row.samples {
            let mut sample = Vec::new();
            double::encode(1, value, &mut sample);
            int64::encode(2, at_ms, &mut sample);
            message(2, &sample, &mut series);
        }
        message(1, &series, &mut request);
    }
    snap::raw::Encoder::new().compress_vec(&request).unwrap()
}

fn message(number: u32, body: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(body.len() as u64, out);
    out.extend_from_slice(body);
}

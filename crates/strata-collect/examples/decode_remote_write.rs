//! What decoding a remote write body costs: one scrape of a GPU cluster, 21,588 series.
//!
//! `cargo run --release -p strata-collect --example decode_remote_write`

use std::time::Instant;

use prost::encoding::{double, int64, string};
use strata_collect::receive::ReceiveLimits;
use strata_collect::receive::remote_write::{decode_v1, decode_v2};

const ROUNDS: usize = 60;

/// The series of one scrape: DCGM and host metrics of 64 nodes, 100 vLLM replicas.
fn series() -> Vec<Vec<(String, String)>> {
    let mut all = Vec::new();
    let mut add = |name: String, labels: &[(&str, String)]| {
        let mut labels: Vec<_> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        labels.push(("__name__".to_owned(), name));
        labels.sort();
        all.push(labels);
    };
    for node in 0..64 {
        let host = format!("gpu-node-{node:03}");
        for gpu in 0..8 {
            for field in 0..14 {
                let name = format!("DCGM_FI_DEV_FIELD_NUMBER_{field}");
                let labels = [
                    ("Hostname", host.clone()),
                    ("UUID", format!("GPU-6f1d2c3b-0000-4a5b-8c9d-{node:06}{gpu:06}")),
                    ("device", format!("nvidia{gpu}")),
                    ("gpu", gpu.to_string()),
                    ("instance", format!("{host}:9400")),
                    ("job", "dcgm-exporter".to_owned()),
                    ("modelName", "NVIDIA H100 80GB HBM3".to_owned()),
                ];
                add(name, &labels);
            }
        }
        for field in 0..80 {
            let labels = [
                ("device", format!("dev{}", field % 8)),
                ("instance", format!("{host}:9100")),
                ("job", "node-exporter".to_owned()),
            ];
            add(format!("node_some_metric_{}_total", field / 8), &labels);
        }
    }
    for replica in 0..100 {
        for field in 0..93 {
            let labels = [
                ("engine", "0".to_owned()),
                ("instance", format!("10.0.{}.{}:8000", replica / 50, replica % 50)),
                ("job", "vllm".to_owned()),
                ("le", format!("{}.5", field % 23)),
                ("model_name", format!("meta-llama/Llama-3.{}-70B-Instruct", replica % 10)),
                ("namespace", "inference".to_owned()),
                ("pod", format!("vllm-{replica:03}-7d9f8b6c5-x2k4z")),
            ];
            add(format!("vllm:time_to_first_token_seconds_{}_bucket", field / 23), &labels);
        }
    }
    all
}

fn field(number: u32, body: &[u8], out: &mut Vec<u8>) {
    prost::encoding::bytes::encode(number, &body.to_vec(), out);
}

fn sample(index: usize) -> Vec<u8> {
    let mut out = Vec::new();
    double::encode(1, &(index as f64 * 1.25), &mut out);
    int64::encode(2, &1_795_345_453_071, &mut out);
    out
}

fn body_v1(series: &[Vec<(String, String)>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, labels) in series.iter().enumerate() {
        let mut one = Vec::new();
        for (name, value) in labels {
            let mut label = Vec::new();
            string::encode(1, name, &mut label);
            string::encode(2, value, &mut label);
            field(1, &label, &mut one);
        }
        field(2, &sample(index), &mut one);
        field(1, &one, &mut out);
    }
    out
}

fn body_v2(series: &[Vec<(String, String)>]) -> Vec<u8> {
    let mut symbols = std::collections::BTreeMap::from([(String::new(), 0)]);
    let mut out = Vec::new();
    field(4, b"", &mut out);
    for text in series.iter().flatten().flat_map(|(name, value)| [name, value]) {
        if !symbols.contains_key(text) {
            symbols.insert(text.clone(), symbols.len() as u32);
            field(4, text.as_bytes(), &mut out);
        }
    }
    for (index, labels) in series.iter().enumerate() {
        let references: Vec<u32> =
            labels.iter().flat_map(|(name, value)| [symbols[name], symbols[value]]).collect();
        let mut one = Vec::new();
        prost::encoding::uint32::encode_packed(1, &references, &mut one);
        field(2, &sample(index), &mut one);
        field(5, &one, &mut out);
    }
    out
}

/// Nanoseconds per sample of the fastest round.
#[expect(clippy::disallowed_methods, reason = "a measurement needs the real clock")]
fn fastest(samples: usize, mut work: impl FnMut()) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    rounds.fold(f64::INFINITY, f64::min) * 1e9 / samples as f64
}

#[expect(clippy::print_stdout, reason = "an example speaks on standard output")]
fn main() {
    let series = series();
    let limits = ReceiveLimits::default();
    let count = series.len();
    let (one, two) = (body_v1(&series), body_v2(&series));
    let pack = |body: &[u8]| snap::raw::Encoder::new().compress_vec(body).expect("4 MB fit");
    let (packed_one, packed_two) = (pack(&one), pack(&two));
    println!("{count} series, 1.0: {} B, {} B packed", one.len(), packed_one.len());
    println!("{count} series, 2.0: {} B, {} B packed", two.len(), packed_two.len());
    for (name, packed) in [("1.0", &packed_one), ("2.0", &packed_two)] {
        let snappy = fastest(count, || {
            let body = snap::raw::Decoder::new().decompress_vec(packed).expect("just packed");
            std::hint::black_box(body);
        });
        let decode = if name == "1.0" { decode_v1 } else { decode_v2 };
        let whole = fastest(count, || {
            let decoded = decode(packed, &limits).expect("just written");
            assert_eq!(decoded.samples as usize, count);
            std::hint::black_box(decoded);
        });
        println!("{name}: {whole:.1} ns per sample to batches, of which snappy {snappy:.1}");
    }
}

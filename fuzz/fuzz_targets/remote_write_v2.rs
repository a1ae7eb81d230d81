//! Any bytes as a remote write body, as sent and as what snappy would give.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::receive::ReceiveLimits;
use strata_collect::receive::remote_write::decode_v2;

/// Small, so that running over a bound is explored too.
const LIMITS: ReceiveLimits = ReceiveLimits {
    body_bytes: 1 << 20,
    decoded_bytes: 4 << 20,
    series: 1000,
    labels_per_series: 16,
    label_name_bytes: 64,
    label_value_bytes: 256,
    samples: 10_000,
    buckets: 100,
};

fuzz_target!(|body: &[u8]| {
    drop(decode_v2(body, &LIMITS));
    let packed = snap::raw::Encoder::new().compress_vec(body).expect("bodies are small");
    if let Ok(decoded) = decode_v2(&packed, &LIMITS) {
        let samples: usize = decoded.batches.iter().map(|batch| batch.samples.len()).sum();
        assert_eq!(samples as u64, decoded.samples);
        for batch in &decoded.batches {
            for index in 0..batch.series_count() {
                let (encoded, _) = batch.series(index as u32);
                let labels = strata_model::Labels::from_encoded(encoded);
                assert!(labels.is_some_and(|labels| !labels.metric_name().is_empty()));
            }
        }
    }
});

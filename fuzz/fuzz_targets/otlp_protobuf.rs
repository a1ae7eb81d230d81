//! Any bytes as an OTLP request, decoded and translated.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use strata_collect::receive::ReceiveLimits;
use strata_collect::receive::otlp::{OtlpReceiver, OtlpSettings};
use strata_model::clock::FixedClock;

fuzz_target!(|body: &[u8]| {
    let limits = ReceiveLimits { decoded_bytes: 4 << 20, ..ReceiveLimits::default() };
    if let Ok(request) = OtlpReceiver::decode_protobuf(body, &limits) {
        let receiver = OtlpReceiver::new(OtlpSettings::default(), Arc::new(FixedClock::at(0)));
        let decoded = receiver.metrics(request);
        for batch in &decoded.batches {
            for index in 0..batch.series_count() {
                let (encoded, _) = batch.series(index as u32);
                let labels = strata_model::Labels::from_encoded(encoded);
                assert!(labels.is_some_and(|labels| !labels.metric_name().is_empty()));
            }
        }
    }
});

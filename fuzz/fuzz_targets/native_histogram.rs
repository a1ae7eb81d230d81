//! Native histograms as they lie on disk and as text: what decodes encodes to what decodes alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_model::NativeHistogram;
use strata_model::histogram::take_series;

fuzz_target!(|data: &[u8]| {
    if let Ok(histogram) = NativeHistogram::decode(data) {
        let mut packed = Vec::new();
        histogram.encode(&mut packed);
        let again = NativeHistogram::decode(&packed).expect("what we pack we can unpack");
        // By text: NaN is not equal to itself.
        assert_eq!(format!("{histogram:?}"), format!("{again:?}"));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        drop(take_series(text));
    }
});

//! Packed request bodies: never more than the bound, however far they would unpack.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_serve::fuzz::gunzip;

const MAX: usize = 4096;

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = gunzip(data, MAX) {
        assert!(bytes <= MAX);
    }
});

//! Parameters of the HTTP API: no text may panic, and what is read back is what was meant.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_serve::params::{Params, parse_duration, parse_time, unescape_label_name};
use strata_serve::{push_float, push_seconds};

fuzz_target!(|data: &[u8]| {
    if let Ok(bits) = <[u8; 8]>::try_from(data) {
        let value = f64::from_le_bytes(bits);
        let mut written = Vec::new();
        push_float(&mut written, value);
        let again: f64 = String::from_utf8(written).expect("digits are text").parse().expect("a float");
        assert!(again.to_bits() == value.to_bits() || (again.is_nan() && value.is_nan()));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        drop(Params::parse(data, ""));
        return;
    };
    if let Ok(params) = Params::parse(data, text) {
        assert_eq!(params.get("query"), params.all("query").next().unwrap_or_default());
    }
    drop(unescape_label_name(text));
    drop(parse_duration(text));
    if let Ok(at_ms) = parse_time(text) {
        let mut written = Vec::new();
        push_seconds(&mut written, at_ms);
        let written = String::from_utf8(written).expect("digits are text");
        // Beyond 2^48 ms the fraction is no longer exact in the float that clients send.
        if at_ms.unsigned_abs() < 1 << 48 {
            let again = parse_time(&written).expect("what we write we can read");
            assert!(at_ms.abs_diff(again) <= 1, "{text} {written}");
        }
    }
});

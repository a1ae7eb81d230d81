//! Scenario files of the simulation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_sim::Scenario;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        drop(Scenario::parse("fuzz", text));
    }
});

//! The binary table of metrics of AMD's driver, in any of its versions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::amd_metrics_table;

fuzz_target!(|data: &[u8]| {
    assert!(amd_metrics_table(data) <= 4096, "a table has so many fields and no more");
});

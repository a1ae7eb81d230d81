//! Any bytes as a OpenMetrics page: no panic, and a second reading, with what the first one taught, gives
//! the same samples.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::exposition::Format;
use strata_fuzz::read_page_twice;

fuzz_target!(|page: &[u8]| {
    let [first, second] = read_page_twice(Format::OpenMetrics, page);
    assert_eq!(first, second);
});

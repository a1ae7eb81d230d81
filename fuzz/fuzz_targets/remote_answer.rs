//! Answers of a distant engine: whatever it sends is an answer or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_query::engine::remote::fuzz::answer;

fuzz_target!(|data: &[u8]| {
    answer(data);
});

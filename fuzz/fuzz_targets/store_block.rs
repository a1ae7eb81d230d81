//! Arbitrary bytes as a block or time column of a day file: refused or decoded, never a panic or unbounded memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| strata_store::metrics::fuzz::block(bytes));

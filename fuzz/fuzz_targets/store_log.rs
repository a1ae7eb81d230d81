//! Arbitrary bytes as a record of the batch log: refused or decoded, never a panic or unbounded memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| strata_store::metrics::fuzz::log_record(bytes));

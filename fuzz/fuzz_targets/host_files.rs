//! Files of the host: socket tables, records of the kernel log, the files of a process.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::{kernel_record, process_files, socket_table};

fuzz_target!(|data: &[u8]| {
    kernel_record(data);
    process_files(data);
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(socket_table(text) <= text.lines().count());
    }
});

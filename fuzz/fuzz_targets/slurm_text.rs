//! What `scontrol` writes of jobs and nodes, one a line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::slurm_text;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(slurm_text(text) <= text.lines().count(), "one a line");
    }
});

//! What `squeue --json` writes, in any version of its format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::slurm_json;

fuzz_target!(|data: &[u8]| {
    if let Some(jobs) = slurm_json(data) {
        assert!(jobs <= data.len(), "a job takes at least a byte");
    }
});

//! The environment of a process of a Slurm job, of which little is kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::slurm_environment;

fuzz_target!(|data: &[u8]| {
    let strings = data.split(|byte| *byte == 0).count();
    assert!(slurm_environment(data) <= strings, "a variable takes a string");
});

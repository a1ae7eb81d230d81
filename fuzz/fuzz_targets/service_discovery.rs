//! Service discovery documents of files and HTTP: lists of targets with labels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::{service_discovery, targets_in_yaml};

fuzz_target!(|data: &[u8]| {
    targets_in_yaml(data);
    if let Some(groups) = service_discovery(data) {
        assert!(groups <= data.len(), "a group takes at least a byte");
    }
});

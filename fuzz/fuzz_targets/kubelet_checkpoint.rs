//! The device plugins' checkpoint, an internal file of the kubelet: JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::device_checkpoint;

fuzz_target!(|data: &[u8]| {
    if let Some(devices) = device_checkpoint(data) {
        assert!(devices <= data.len(), "a device takes at least a byte");
    }
});

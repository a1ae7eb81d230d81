//! An answer of the kubelet about who has which device: protobuf from a socket.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::pod_resources;

fuzz_target!(|data: &[u8]| {
    if let Some(devices) = pod_resources(data) {
        assert!(devices <= data.len(), "a device takes at least a byte");
    }
});

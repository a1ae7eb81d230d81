//! Objects of the Kubernetes API server: pods, nodes, claims, slices, events.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::kubernetes_object;

fuzz_target!(|data: &[u8]| {
    kubernetes_object(data);
});

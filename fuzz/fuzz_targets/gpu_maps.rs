//! What is read of GPUs besides the driver's table: AMD's map of links, places on the bus, and fields as
//! NVIDIA's library writes them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_collect::fuzz::{amd_map, nvidia_field, pcie_way};

fuzz_target!(|data: &[u8]| {
    let (_, place) = amd_map(data);
    if let Some(place) = place {
        assert!(place.len() >= "0000:00:00.0".len(), "{place}");
    }
    if let Some((head, rest)) = data.split_first_chunk::<16>() {
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let bytes = std::array::from_fn(|at| head[8 + at]);
        let value = nvidia_field(word(0) % 3, word(4) % 9, bytes);
        assert!(value.is_none_or(f64::is_finite));
        if let Ok(text) = std::str::from_utf8(rest) {
            let (one, other) = text.split_once('\n').unwrap_or((text, text));
            assert_eq!(pcie_way(one, other), pcie_way(other, one), "as far there as back");
        }
    }
});

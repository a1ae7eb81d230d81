//! Parameters of the pages: a request that is read is written as parameters that read alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata_view::{PageId, PageRequest};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pairs: Vec<(&str, &str)> =
        text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    for page in [PageId::Overview, PageId::Gpus, PageId::Explore] {
        if let Ok(request) = PageRequest::from_params(page, pairs.iter().copied()) {
            let written = request.params();
            let written = written.iter().map(|(name, value)| (*name, value.as_str()));
            let again = PageRequest::from_params(page, written).expect("what we write we can read");
            assert_eq!(request, again);
        }
    }
});

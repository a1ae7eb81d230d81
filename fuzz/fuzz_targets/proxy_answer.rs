//! Answers and requests of GenAI calls, as an upstream and a client may send them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (kind, step, bytes) = input;
    let kinds = ["text/event-stream", "application/json", "application/x-ndjson"];
    let encoding = [None, Some("gzip"), Some("deflate")][usize::from(kind / 3 % 3)];
    let step = usize::from(step);
    let kind = kinds[usize::from(kind % 3)];
    // However it is cut, the same is read.
    let whole = strata_proxy::fuzz::answer(kind, encoding, bytes, bytes.len());
    assert_eq!(strata_proxy::fuzz::answer(kind, encoding, bytes, step), whole);
    let stripped = strata_proxy::fuzz::strip(bytes, bytes.len());
    assert_eq!(strata_proxy::fuzz::strip(bytes, step), stripped);
    strata_proxy::fuzz::inject(bytes);
});

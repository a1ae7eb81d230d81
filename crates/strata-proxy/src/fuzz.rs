//! Doors for the fuzzers: parsers of outside bytes that have no other way in from outside.

use std::time::Duration;

use bytes::Bytes;

use crate::api::Api;
use crate::observe::Observer;
use crate::observe::request::RequestSeen;
use crate::rewrite::{self, Strip};

/// Read an answer of this kind in pieces of `step` bytes; how many of its events bore a token.
pub fn answer(content_type: &str, encoding: Option<&str>, bytes: &[u8], step: usize) -> u64 {
    let mut observer = Observer::new(Api::OpenAiChat, Some(content_type), encoding, false);
    for piece in bytes.chunks(step.max(1)) {
        observer.frame(piece, Duration::ZERO);
    }
    observer.finish().token_events
}

/// Ask for usage in a request; the changed body, where it is to be changed.
pub fn inject(bytes: &[u8]) -> Option<Bytes> {
    let mut seen = RequestSeen::default();
    seen.feed(bytes);
    rewrite::inject(bytes, &seen)
}

/// Take the usage record out of a stream that comes in pieces of `step` bytes.
pub fn strip(bytes: &[u8], step: usize) -> Vec<u8> {
    let mut strip = Strip::default();
    let pieces = bytes.chunks(step.max(1));
    let mut out: Vec<u8> =
        pieces.flat_map(|piece| strip.feed(Bytes::copy_from_slice(piece))).collect();
    out.extend_from_slice(&strip.finish());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn however_it_is_cut_the_same_is_read(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just(&b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"[..]),
                    Just(&b"data: {\"choices\":[],\"usage\":{\"completion_tokens\":2}}\r\n\r\n"[..]),
                    Just(&b": keep-alive\r\r"[..]),
                    Just(&b"data: [DONE]\n\n"[..]),
                    Just(&b"\xff\xc3{\"a\n"[..]),
                ],
                0..8,
            ),
            step in 1_usize..40,
        ) {
            let bytes = parts.concat();
            for kind in ["text/event-stream", "application/json", "application/x-ndjson"] {
                let whole = answer(kind, None, &bytes, bytes.len());
                prop_assert_eq!(answer(kind, None, &bytes, step), whole);
            }
            prop_assert_eq!(strip(&bytes, step), strip(&bytes, bytes.len()));
            inject(&bytes);
        }
    }
}

//! A time column: strictly increasing milliseconds as deltas of deltas.

use std::sync::Arc;

use super::varint::{Reader, put_i64, put_u64};

/// Encode strictly increasing times.
pub(crate) fn encode(times: &[i64], out: &mut Vec<u8>) {
    put_u64(out, times.len() as u64);
    let mut previous = 0_i64;
    let mut delta = 0_i64;
    for &time in times {
        let next_delta = time.wrapping_sub(previous);
        put_i64(out, next_delta.wrapping_sub(delta));
        previous = time;
        delta = next_delta;
    }
}

/// Decode what [`encode`] wrote; `None` when damaged or not strictly increasing.
pub(crate) fn decode(bytes: &[u8]) -> Option<Arc<[i64]>> {
    let mut reader = Reader::new(bytes);
    let count = reader.count(1)?;
    let (mut time, mut delta) = (0_i64, 0_i64);
    let mut whole = true;
    // An iterator of known length is written where the shared slice stays, without a copy.
    let times = (0..count).map(|at| {
        match reader.i64() {
            Some(change) => delta = delta.wrapping_add(change),
            None => whole = false,
        }
        let next = time.wrapping_add(delta);
        whole &= at == 0 || next > time;
        time = next;
        time
    });
    let times: Arc<[i64]> = times.collect();
    (whole && reader.is_empty()).then_some(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn times_round_trip(times in proptest::collection::btree_set(any::<i64>(), 0..100)) {
            let times: Vec<_> = times.into_iter().collect();
            let mut bytes = Vec::new();
            encode(&times, &mut bytes);
            prop_assert_eq!(decode(&bytes), Some(times.into()));
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }
}

//! A time column: strictly increasing milliseconds as deltas of deltas.
//!
//! A column begins with its count and lists every change of the distance, or, where the distance
//! mostly stays, with a zero, the count, and runs of equal changes: a target that answers on time
//! takes a dozen bytes, too few to compress, and is unpacked as fast as memory is written.

use std::sync::Arc;

use super::varint::{Reader, put_i64, put_u64};

/// Instead of a count, which is never zero: the column is in runs.
const IN_RUNS: u8 = 0;

/// A column in runs holds at most as many times as a block holds samples of one series; more is
/// damage, which must not ask for memory.
const RUN_TIMES_MAX: u64 = super::block::MAX_SAMPLES as u64;

/// Encode strictly increasing times.
pub(crate) fn encode(times: &[i64], out: &mut Vec<u8>) {
    let mut previous = 0_i64;
    let mut delta = 0_i64;
    let changes = times.iter().map(|&time| {
        let next_delta = time.wrapping_sub(previous);
        let change = next_delta.wrapping_sub(delta);
        previous = time;
        delta = next_delta;
        change
    });
    let changes: Vec<i64> = changes.collect();
    let runs = changes.chunk_by(|a, b| a == b).count();
    // A run takes at least two bytes, a change at least one.
    if runs * 2 < changes.len() && changes.len() as u64 <= RUN_TIMES_MAX {
        out.push(IN_RUNS);
        put_u64(out, changes.len() as u64);
        for run in changes.chunk_by(|a, b| a == b) {
            put_u64(out, run.len() as u64);
            put_i64(out, run.first().copied().unwrap_or_default());
        }
        return;
    }
    put_u64(out, times.len() as u64);
    for &change in &changes {
        put_i64(out, change);
    }
}

/// Decode what [`encode`] wrote; `None` when damaged or not strictly increasing.
pub(crate) fn decode(bytes: &[u8]) -> Option<Arc<[i64]>> {
    let mut reader = Reader::new(bytes);
    if bytes.first() == Some(&IN_RUNS) && bytes.len() > 1 {
        reader.u8()?;
        return decode_runs(&mut reader);
    }
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

fn decode_runs(reader: &mut Reader<'_>) -> Option<Arc<[i64]>> {
    let count = reader.u64().filter(|&count| count <= RUN_TIMES_MAX)?;
    let (mut time, mut delta) = (0_i64, 0_i64);
    let (mut left, mut change) = (0_u64, 0_i64);
    let mut whole = true;
    let times = (0..count as usize).map(|at| {
        if left == 0 {
            match (reader.u64(), reader.i64()) {
                (Some(run), Some(of)) if run > 0 => (left, change) = (run, of),
                _ => (whole, left, change) = (false, u64::MAX, 0),
            }
        }
        left -= 1;
        delta = delta.wrapping_add(change);
        let next = time.wrapping_add(delta);
        whole &= at == 0 || next > time;
        time = next;
        time
    });
    let times: Arc<[i64]> = times.collect();
    (whole && left == 0 && reader.is_empty()).then_some(times)
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
        fn steady_times_round_trip(
            start in -1_000_000_i64..2_000_000_000_000, steps in proptest::collection::vec((1_i64..40_000, 1..300_usize), 1..5),
        ) {
            let steps = steps.iter().flat_map(|&(step, count)| std::iter::repeat_n(step, count));
            let times: Vec<i64> = steps.scan(start, |time, step| { *time += step; Some(*time) }).collect();
            let mut bytes = Vec::new();
            encode(&times, &mut bytes);
            prop_assert!(bytes.len() < 60);
            prop_assert_eq!(decode(&bytes), Some(times.into()));
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn what_was_written_before_there_were_runs_is_still_read() {
        let mut bytes = Vec::new();
        put_u64(&mut bytes, 3);
        for change in [1_000, -985, 0] {
            put_i64(&mut bytes, change);
        }
        assert_eq!(decode(&bytes), Some([1_000, 1_015, 1_030].into()));
    }

    #[test]
    fn a_run_past_the_end_or_of_nothing_is_damage() {
        for runs in [&[(5, 10), (0, 0)][..], &[(4, 10)], &[(9, 10)], &[(0, 10), (5, 0)]] {
            let mut bytes = Vec::new();
            bytes.push(IN_RUNS);
            put_u64(&mut bytes, 5);
            for &(length, change) in runs {
                put_u64(&mut bytes, length);
                put_i64(&mut bytes, change);
            }
            assert_eq!(decode(&bytes), None, "{runs:?}");
        }
    }
}

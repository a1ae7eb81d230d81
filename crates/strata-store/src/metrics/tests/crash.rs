//! The log cut or damaged at every place: all that was acknowledged before it is there again.

use std::fs;
use std::path::Path;

use super::super::log;
use super::{NOW, batch, open, read};

const BATCHES: i64 = 12;

/// A log with one record a batch; returns where each record ends.
fn write_log(dir: &Path) -> Vec<u64> {
    let store = open(dir);
    let path = log::segment_path(dir, 1);
    let ends = (0..BATCHES).map(|i| {
        let samples: Vec<_> = (0..5).map(|n| (n, NOW + i, i as f64 / 8.0)).collect();
        assert_eq!(store.append_blocking(batch(&samples)).unwrap().appended, 5);
        fs::metadata(&path).unwrap().len()
    });
    ends.collect()
}

/// How many batches a store sees that opens on this log.
fn batches_in(bytes: &[u8]) -> usize {
    let dir = tempfile::tempdir().unwrap();
    fs::write(log::segment_path(dir.path(), 1), bytes).unwrap();
    let store = open(dir.path());
    let series = read(&store, NOW, NOW + BATCHES);
    assert!(series.iter().all(|(_, samples)| samples.len() == series[0].1.len()));
    // The store takes new samples behind the cut, and they survive as well.
    assert_eq!(store.append_blocking(batch(&[(9, NOW + 100, 1.0)])).unwrap().appended, 1);
    drop(store);
    let store = open(dir.path());
    assert_eq!(read(&store, NOW + 100, NOW + 100).len(), 1);
    assert_eq!(read(&store, NOW, NOW + BATCHES), series);
    series.first().map_or(0, |(_, samples)| samples.len())
}

#[test]
fn a_log_cut_anywhere_gives_back_every_whole_record() {
    let dir = tempfile::tempdir().unwrap();
    let ends = write_log(dir.path());
    let bytes = fs::read(log::segment_path(dir.path(), 1)).unwrap();
    assert_eq!(bytes.len() as u64, *ends.last().unwrap());
    let around_ends = ends.iter().flat_map(|&end| [end - 1, end, end + 1, end + 13]);
    for cut in around_ends.chain((0..ends[0]).step_by(29)) {
        let cut = cut.min(bytes.len() as u64);
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        assert_eq!(batches_in(&bytes[..cut as usize]), whole, "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_costs_only_what_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let ends = write_log(dir.path());
    let bytes = fs::read(log::segment_path(dir.path(), 1)).unwrap();
    for at in (0..bytes.len()).step_by(41) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let before = ends.iter().filter(|&&end| end <= at as u64).count();
        assert_eq!(batches_in(&damaged), before, "flipped at {at}");
    }
}

#[test]
fn a_crash_between_sealing_and_dropping_the_log_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path());
    let path = log::segment_path(dir.path(), 1);
    let kept = fs::read(&path).unwrap();
    let store = open(dir.path());
    let expected = read(&store, NOW, NOW + BATCHES);
    store.close().unwrap();
    drop(store);
    fs::write(&path, kept).unwrap();
    let store = open(dir.path());
    assert_eq!(store.stats().head_samples, 0);
    assert_eq!(read(&store, NOW, NOW + BATCHES), expected);
}

//! Disks that fill, files that go bad or away, second processes, floods.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strata_model::clock::FixedClock;
use strata_model::meter::Meter;
use strata_model::{Sink, SinkError};

use super::super::{StoreError, day, log};
use super::{MetricStore, NOW, StoreOptions, batch, open, open_with, read};

const DAY: i64 = 86_400_000;

#[test]
fn a_full_disk_stops_writes_not_reads_and_heals_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let store = open_with(dir.path(), &clock).unwrap();
    store.append_blocking(batch(&[(1, NOW, 1.0)])).unwrap();
    // Writing to /dev/full fails as on a full disk.
    let next = log::segment_path(dir.path(), 2);
    symlink("/dev/full", &next).unwrap();
    assert!(store.seal().is_err());
    let reason = store.stats().read_only.unwrap();
    assert!(reason.contains("No space left"), "{reason}");
    let refused = store.append_blocking(batch(&[(1, NOW + 1, 1.0)]));
    assert!(matches!(refused, Err(SinkError::Storage { .. })), "{refused:?}");
    assert_eq!(read(&store, NOW, NOW).len(), 1);
    fs::remove_file(next).unwrap();
    clock.set(NOW + 6_000);
    let waiting = std::sync::Condvar::new();
    let lock = std::sync::Mutex::new(());
    for _ in 0..40 {
        if store.stats().read_only.is_none() {
            break;
        }
        drop(waiting.wait_timeout(lock.lock().unwrap(), Duration::from_millis(50)).unwrap());
    }
    assert_eq!(store.stats().read_only, None);
    assert_eq!(store.append_blocking(batch(&[(1, NOW + 2, 1.0)])).unwrap().appended, 1);
    drop(store);
    assert_eq!(read(&open(dir.path()), NOW, NOW + 2)[0].1.len(), 2);
}

#[test]
fn repeated_seals_keep_one_log_segment_and_labels_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for i in 0..5 {
        store.append_blocking(batch(&[(1, NOW + i, 1.0)])).unwrap();
        store.seal().unwrap();
        store.seal().unwrap();
        assert_eq!(log::segments(dir.path()).unwrap().len(), 1);
    }
    store.append_blocking(batch(&[(1, NOW + 9, 1.0), (2, NOW + 9, 1.0)])).unwrap();
    drop(store);
    let series = read(&open(dir.path()), NOW, NOW + 9);
    assert_eq!(series.iter().map(|(_, samples)| samples.len()).collect::<Vec<_>>(), [6, 1]);
}

#[test]
fn a_damaged_day_is_set_aside_and_the_rest_opens() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW - DAY, 1.0), (2, NOW, 2.0)])).unwrap();
    store.close().unwrap();
    drop(store);
    let yesterday = day::path(dir.path(), (NOW - DAY).div_euclid(DAY));
    fs::write(&yesterday, b"not a database at all, and long enough to be read as one....").unwrap();
    assert_eq!(MetricStore::verify(dir.path()).unwrap().damage.len(), 1);
    let store = open(dir.path());
    assert_eq!(store.stats().damaged, 1);
    assert_eq!(read(&store, NOW - 2 * DAY, NOW).len(), 1);
    assert!(!yesterday.exists());
    let aside = MetricStore::verify(dir.path()).unwrap().damage;
    assert!(aside[0].0.to_string_lossy().ends_with(".damaged"), "{aside:?}");
}

/// Damage every block of the day of `NOW`.
fn damage_blocks(dir: &Path) {
    let path = day::path(dir, NOW.div_euclid(DAY));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("UPDATE block SET data = zeroblob(30)", []).unwrap();
}

#[test]
fn a_flipped_bit_in_a_block_is_named_and_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW, 1.0)])).unwrap();
    store.close().unwrap();
    drop(store);
    damage_blocks(dir.path());
    let damage = MetricStore::verify(dir.path()).unwrap().damage;
    assert!(damage[0].1.starts_with("block"), "{damage:?}");
    let store = open(dir.path());
    assert!(read(&store, NOW, NOW).is_empty());
    assert_eq!(store.stats().damaged, 1);
}

#[test]
fn days_before_a_damaged_one_are_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW - DAY, 1.0)])).unwrap();
    store.append_blocking(batch(&[(1, NOW, 2.0)])).unwrap();
    store.close().unwrap();
    drop(store);
    damage_blocks(dir.path());
    let store = open(dir.path());
    // Older than what the day says of its samples: the disk is asked how far the series goes.
    store.append_blocking(batch(&[(1, NOW - 1_000, 3.0)])).unwrap();
    let times = |from: i64| {
        let series = read(&store, from, NOW);
        series.iter().flat_map(|(_, samples)| samples.iter().map(|(at, _)| *at)).collect::<Vec<_>>()
    };
    assert_eq!(times(NOW - 2 * DAY), [NOW - DAY, NOW - 1_000]);
    assert_eq!(times(NOW - DAY), [NOW - DAY, NOW - 1_000]);
    assert_eq!(times(NOW - DAY + 1), [NOW - 1_000]);
}

#[test]
fn a_day_file_lost_while_running_is_counted_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW, 1.0)])).unwrap();
    store.seal().unwrap();
    fs::remove_file(day::path(dir.path(), NOW.div_euclid(DAY))).unwrap();
    store.append_blocking(batch(&[(1, NOW + 1, 2.0)])).unwrap();
    store.seal().unwrap();
    assert_eq!(store.stats().damaged, 1);
    let expected = [("1".to_owned(), vec![(NOW + 1, 2.0_f64.to_bits())])];
    assert_eq!(read(&store, NOW, NOW + 1), expected);
    store.close().unwrap();
    drop(store);
    assert_eq!(read(&open(dir.path()), NOW, NOW + 1), expected);
}

#[test]
fn a_second_process_is_told_who_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let store = open(dir.path());
    let second = open_with(dir.path(), &clock);
    assert!(matches!(second, Err(StoreError::Locked { .. })));
    drop(store);
    assert!(open_with(dir.path(), &clock).is_ok());
}

#[test]
fn days_past_retention_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW - 14 * DAY, 1.0), (1, NOW, 1.0)])).unwrap();
    store.seal().unwrap();
    // What a raw day leaves behind goes first, or the day would stay.
    store.downsample();
    store.close().unwrap();
    drop(store);
    let files = || {
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter_map(|name| day::number_of(name.to_str()?)).count()
    };
    assert_eq!(files(), 2);
    let clock = Arc::new(FixedClock::at(NOW + 3 * DAY));
    let store = open_with(dir.path(), &clock).unwrap();
    store.seal().unwrap();
    store.close().unwrap();
    assert_eq!(files(), 1);
}

#[test]
fn a_clock_years_ahead_at_start_removes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW - DAY, 1.0), (1, NOW, 2.0)])).unwrap();
    store.close().unwrap();
    drop(store);
    let clock = Arc::new(FixedClock::at(NOW + 1200 * DAY));
    let store = open_with(dir.path(), &clock).unwrap();
    store.seal().unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(dir.path());
    let kept: usize = read(&store, 0, NOW + DAY).iter().map(|(_, points)| points.len()).sum();
    assert_eq!(kept, 2);
}

#[test]
fn samples_of_a_clock_that_ran_ahead_do_not_shut_out_those_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let ahead = Arc::new(FixedClock::at(NOW + DAY));
    let store = open_with(dir.path(), &ahead).unwrap();
    store.append_blocking(batch(&[(1, NOW + DAY, 1.0)])).unwrap();
    ahead.set(NOW);
    let receipt = store.append_blocking(batch(&[(1, NOW, 2.0)])).unwrap();
    assert_eq!((receipt.appended, receipt.too_old), (1, 0));
    store.close().unwrap();
    drop(store);
    let store = open(dir.path());
    let receipt = store.append_blocking(batch(&[(1, NOW + 1, 3.0)])).unwrap();
    assert_eq!((receipt.appended, receipt.too_old), (1, 0));
    let kept: usize = read(&store, 0, NOW + 2 * DAY).iter().map(|(_, points)| points.len()).sum();
    assert_eq!(kept, 3);
}

#[test]
fn a_flood_drops_the_oldest_offers_and_refuses_appends() {
    let dir = tempfile::tempdir().unwrap();
    let settings = StoreOptions { queue: "1MiB".to_owned(), ..StoreOptions::default() };
    let settings = settings.validate(dir.path()).unwrap();
    let meter = Meter::default();
    let clock = Arc::new(FixedClock::at(NOW));
    let store = MetricStore::open(settings, clock, &meter).unwrap();
    // The head is held, so the writer cannot take anything and the queue fills.
    let held = store.shared.head.write().unwrap();
    let samples: Vec<_> = (0..1_000).map(|n| (n, NOW, 1.0)).collect();
    for _ in 0..100 {
        store.offer(batch(&samples));
    }
    let dropped = meter.counter("strata.store.samples", &[("outcome", "dropped")]).get();
    assert!(dropped >= 60_000, "{dropped}");
    assert!(store.shared.queue.bytes() <= 1 << 20);
    let refused = store.append_blocking(batch(&samples));
    assert!(matches!(refused, Err(SinkError::Overloaded { .. })), "{refused:?}");
    drop(held);
    store.close().unwrap();
}

#[test]
fn a_backup_taken_while_running_opens_as_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW - DAY, 1.0), (2, NOW, 2.0)])).unwrap();
    let to = tempfile::tempdir().unwrap();
    let to = to.path().join("copy");
    store.backup(&to).unwrap();
    store.append_blocking(batch(&[(3, NOW, 3.0)])).unwrap();
    assert_eq!(read(&open(&to), NOW - DAY, NOW).len(), 2);
}

#[test]
fn what_is_refused_is_known_by_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW, 1.0), (1, NOW + DAY, 1.0)])).unwrap();
    store.append_blocking(batch(&[(1, NOW, 2.0), (1, NOW - DAY, 1.0), (2, NOW, 1.0)])).unwrap();
    let refusals = store.refusals();
    let [one] = refusals.as_slice() else { panic!("{refusals:?}") };
    let refused = one.refused;
    assert_eq!((&*one.source, one.last_ms, one.shed), ("test", NOW, 0));
    assert_eq!((refused.too_new, refused.conflicting, refused.too_old), (1, 1, 1));
    assert_eq!((refused.appended, refused.duplicate), (0, 0));
}

#[test]
fn a_backup_from_outside_has_all_that_was_acknowledged_and_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW - DAY, 1.0), (2, NOW, 2.0)])).unwrap();
    store.seal().unwrap();
    store.append_blocking(batch(&[(3, NOW, 3.0)])).unwrap();
    let to = tempfile::tempdir().unwrap();
    let copy = to.path().join("copy");
    MetricStore::backup_of(dir.path(), &copy).unwrap();
    // The rest of a record that was being written is no part of the copy.
    let segment = log::segment_path(dir.path(), 2);
    let mut torn = fs::read(&segment).unwrap();
    let half = torn.len() / 2;
    torn.extend_from_within(half..);
    fs::write(&segment, torn).unwrap();
    let second = to.path().join("second");
    MetricStore::backup_of(dir.path(), &second).unwrap();
    for copy in [&copy, &second] {
        assert_eq!(MetricStore::verify(copy).unwrap().damage, []);
        assert_eq!(read(&open(copy), NOW - DAY, NOW).len(), 3);
    }
    assert!(MetricStore::backup_of(dir.path(), &copy).is_err(), "nothing is written over");
    assert!(!to.path().join("copy.unfinished").exists());
}

#[test]
fn a_clock_that_jumps_by_hours_costs_no_stored_sample() {
    const HOUR: i64 = 3_600_000;
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let store = open_with(dir.path(), &clock).unwrap();
    let write = |n: u32, at: i64| store.append_blocking(batch(&[(n, at, at as f64)])).unwrap();
    assert_eq!(write(1, NOW).appended, 1);
    // Ahead: what such a clock dates is taken, and seals at windows it enters.
    clock.set(NOW + 5 * HOUR);
    assert_eq!(write(1, NOW + 5 * HOUR).appended, 1);
    store.seal().unwrap();
    // Back: the same series is behind its own future, and is told so only beyond the tolerance.
    clock.set(NOW + 60_000);
    assert_eq!(write(1, NOW + 60_000).refused(), 0);
    assert_eq!(write(2, NOW + 60_000).appended, 1, "others go on");
    // And back before anything that is stored.
    clock.set(NOW - 5 * HOUR);
    assert_eq!(write(3, NOW - 5 * HOUR).appended, 1);
    assert_eq!(write(3, NOW).too_new, 1);
    clock.set(NOW + 120_000);
    assert_eq!(write(1, NOW + 120_000).refused(), 0);
    store.close().unwrap();
    drop(store);
    let store = open_with(dir.path(), &clock).unwrap();
    let kept = read(&store, NOW - 6 * HOUR, NOW + 6 * HOUR);
    let counts: Vec<_> = kept.iter().map(|(n, points)| (n.as_str(), points.len())).collect();
    assert_eq!(counts, [("1", 4), ("2", 1), ("3", 1)]);
    assert_eq!(MetricStore::verify(dir.path()).unwrap().damage, []);
}

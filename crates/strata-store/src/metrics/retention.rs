//! Forgetting: day files past their time, and then the series nobody has samples of any more.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Duration;

use super::Shared;
use super::day::Day;
use super::day::calendar::day_of;
use super::tiers::{self, Tier};

/// Ids are given anew only when this many series are dead, and at least a quarter of all: it costs
/// a second per million and holds reads up for that long.
const WORTH_RENAMING: usize = 1_000;

/// Remove what is wholly older than its retention, `now_ms` being a time that can be trusted. A raw
/// day stays until the tiers that outlive it are written.
pub(super) fn apply(shared: &Shared, now_ms: i64) {
    let first_kept = |kept: Duration| day_of(now_ms.saturating_sub(kept.as_millis() as i64));
    let mut gone: Vec<Arc<Day>> = {
        let mut days = shared.days.write().unwrap_or_else(PoisonError::into_inner);
        let kept = days.split_off(&first_kept(shared.settings.retention));
        let old = std::mem::replace(&mut *days, kept);
        let (waiting, gone): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|(number, _)| tiers::awaits(shared, *number, now_ms));
        days.extend(waiting);
        gone.into_iter().map(|(_, day)| day).collect()
    };
    if !gone.is_empty() {
        // Tiers stand in for these days now, and would tell the same samples a second time.
        shared.head.write().unwrap_or_else(PoisonError::into_inner).forget_sealed();
    }
    for tier in Tier::ALL {
        let first = first_kept(tier.retention(&shared.settings));
        gone.extend(shared.tiers.remove_before(tier, first).into_values());
    }
    if gone.is_empty() && !shared.forgetting_waits.load(Ordering::Relaxed) {
        return;
    }
    for day in gone {
        day.close_readers();
        match remove_database(&day.path) {
            Ok(()) => tracing::info!(path = %day.path.display(), "day is past retention, removed"),
            Err(error) => {
                tracing::warn!(path = %day.path.display(), %error, "cannot remove day");
            }
        }
    }
    forget_series(shared, WORTH_RENAMING);
    count_idle(shared);
}

/// Count the series that live in tiers only. One that comes back counts as idle until the next
/// count, which the end of any file brings.
pub(super) fn count_idle(shared: &Shared) {
    let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
    let head = shared.head.read().unwrap_or_else(PoisonError::into_inner);
    let days = shared.days_between(i64::MIN, i64::MAX);
    let states: Vec<_> = days.iter().map(|day| day.state()).collect();
    let in_raw = |id: &u32| head.holds(*id) || states.iter().any(|state| state.has(*id));
    let active = (0..index.len() as u32).filter(in_raw).count();
    shared.idle.store(index.len() - active, Ordering::Relaxed);
}

/// Drop series without samples from the index, giving the others new ids. While somebody reads it is
/// put off: a query may take minutes, and the writer must not wait for it.
pub(super) fn forget_series(shared: &Shared, at_least: usize) {
    // Only the writer adds series or samples, and this is the writer: nothing changes under us.
    let keep: Vec<bool> = {
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let head = shared.head.read().unwrap_or_else(PoisonError::into_inner);
        let mut days = shared.days_between(i64::MIN, i64::MAX);
        days.extend(shared.tiers.all());
        let states: Vec<_> = days.iter().map(|day| day.state()).collect();
        let alive = |id| head.holds(id) || states.iter().any(|state| state.has(id));
        (0..index.len() as u32).map(alive).collect()
    };
    let dead = keep.iter().filter(|&&kept| !kept).count();
    if dead < at_least.max(keep.len() / 4) {
        return;
    }
    let nobody_reads = match shared.renaming.try_write() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    shared.forgetting_waits.store(nobody_reads.is_none(), Ordering::Relaxed);
    if nobody_reads.is_none() {
        return;
    }
    let mut index = shared.index.write().unwrap_or_else(PoisonError::into_inner);
    let (kept, renamed) = index.retain(&keep);
    *index = kept;
    drop(index);
    shared.head.write().unwrap_or_else(PoisonError::into_inner).rename(&renamed);
    for day in shared.days_between(i64::MIN, i64::MAX) {
        day.rename(&renamed);
    }
    shared.tiers.rename(&renamed);
    tracing::debug!(dead, alive = keep.len() - dead, "series without samples forgotten");
}

/// Remove an SQLite database with the files beside it.
fn remove_database(path: &Path) -> std::io::Result<()> {
    fs::remove_file(path)?;
    for suffix in ["-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strata_model::clock::FixedClock;
    use strata_model::meter::Meter;
    use strata_model::{Batch, Labels, SeriesSource};

    use super::*;
    use crate::{MetricStore, StoreOptions};

    const NOW: i64 = 1_795_305_720_000;
    const DAY: i64 = 86_400_000;

    #[test]
    fn series_that_live_in_tiers_only_leave_room_for_new_ones_up_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let options =
            StoreOptions { series_limit: 2, retention: "2d".to_owned(), ..StoreOptions::default() };
        let settings = options.validate(dir.path()).unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let open = || {
            let clock = Arc::<FixedClock>::clone(&clock);
            MetricStore::open(settings.clone(), clock, &Meter::default()).unwrap()
        };
        let mut store = open();
        let taken = |store: &MetricStore, n: u32, at_ms: i64| {
            let mut batch = Batch::new(Arc::from("test"));
            let labels = Labels::from_pairs([("__name__", "m"), ("n", &n.to_string())]);
            batch.push(&labels, at_ms, 1.0);
            store.append_blocking(batch).unwrap().appended == 1
        };
        for round in 0..IDLE_ROUNDS {
            let now = NOW + i64::from(round) * 5 * DAY;
            clock.set(now);
            let (a, b) = (round * 3, round * 3 + 1);
            assert!(taken(&store, a, now) && taken(&store, b, now), "round {round}");
            assert!(!taken(&store, b + 1, now), "round {round}");
            store.seal().unwrap();
            clock.set(now + 2 * DAY);
            assert!(store.downsample() > 0);
            drop(store);
            store = open();
            apply(&store.shared, now + 4 * DAY);
        }
        clock.set(NOW + 100 * DAY);
        assert!(!taken(&store, 1_000, NOW + 100 * DAY));
    }

    /// Two series a round fill an index of four times the limit of two.
    const IDLE_ROUNDS: u32 = 4;

    #[test]
    fn series_without_samples_are_forgotten_and_the_others_keep_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let none = || "0s".to_owned();
        let options =
            StoreOptions { retention_5m: none(), retention_1h: none(), ..StoreOptions::default() };
        let settings = options.validate(dir.path()).unwrap();
        let open = |at| {
            let clock = Arc::new(FixedClock::at(at));
            MetricStore::open(settings.clone(), clock, &Meter::default()).unwrap()
        };
        let push = |store: &MetricStore, n: u32, at_ms: i64| {
            let mut batch = Batch::new(Arc::from("test"));
            let labels = Labels::from_pairs([("__name__", "m"), ("n", &n.to_string())]);
            batch.push(&labels, at_ms, f64::from(n));
            assert_eq!(store.append_blocking(batch).unwrap().appended, 1);
        };
        let store = open(NOW);
        for n in 0..10 {
            push(&store, n, NOW - i64::from(n % 2) * 14 * DAY);
        }
        store.seal().unwrap();
        push(&store, 8, NOW + 1);
        apply(&store.shared, NOW + 3 * DAY);
        {
            let _somebody_reads = store.shared.renaming.read().unwrap();
            forget_series(&store.shared, 1);
            assert_eq!(store.stats().series, 10, "put off, not waited for");
            assert!(store.shared.forgetting_waits.load(Ordering::Relaxed));
        }
        forget_series(&store.shared, 1);
        assert!(!store.shared.forgetting_waits.load(Ordering::Relaxed));
        assert_eq!(store.stats().series, 5);
        assert_eq!(store.label_values("n", &[], NOW, NOW).unwrap(), ["0", "2", "4", "6", "8"]);
        push(&store, 8, NOW + 2);
        push(&store, 11, NOW + 2);
        drop(store);
        let store = open(NOW);
        let selection = strata_model::Selection {
            matchers: vec![strata_model::Matcher::equal("n", "8")],
            start_ms: NOW,
            end_ms: NOW + 2,
            hints: strata_model::SelectHints::default(),
        };
        let series = store.select(&selection).unwrap();
        assert_eq!(series[0].points.times.as_ref(), [NOW, NOW + 1, NOW + 2]);
        assert_eq!(series[0].points.values, [8.0, 8.0, 8.0]);
    }
}

//! Tiers against raw samples and against a naive model.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use strata_model::clock::FixedClock;
use strata_model::meter::Meter;
use strata_model::sample::is_stale;
use strata_model::{
    Batch, CounterResetHint, HistogramSample, Labels, Matcher, NativeHistogram, Points, STALE_NAN,
    SelectHints, Selection, SeriesSource,
};

use super::window::step_of;
use super::{Tier, build_due, is_unfinished};
use crate::metrics::{day, retention};
use crate::{MetricStore, StoreOptions};

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
/// Midnight that begins the first day of the tests.
const START: i64 = 1_795_305_600_000;

struct Bench {
    store: MetricStore,
    clock: Arc<FixedClock>,
}

fn open(dir: &Path, now: i64) -> Bench {
    let clock = Arc::new(FixedClock::at(now));
    let options = StoreOptions {
        retention: "4d".to_owned(),
        retention_5m: "10d".to_owned(),
        retention_1h: "30d".to_owned(),
        ..StoreOptions::default()
    };
    let settings = options.validate(dir).unwrap();
    let store =
        MetricStore::open(settings, Arc::<FixedClock>::clone(&clock), &Meter::default()).unwrap();
    Bench { store, clock }
}

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name), ("node", "a")])
}

impl Bench {
    fn push(&self, name: &str, samples: &[(i64, f64)]) {
        let mut batch = Batch::new(Arc::from("test"));
        for &(at, value) in samples {
            batch.push(&labels(name), at, value);
        }
        let receipt = self.store.append_blocking(batch).unwrap();
        assert_eq!(receipt.appended, samples.len() as u64, "{receipt:?}");
    }

    /// Seal, let the clock pass, write tiers, and apply the retention.
    fn pass(&self, now: i64) {
        self.store.seal().unwrap();
        self.clock.set(now);
        self.store.downsample();
        retention::apply(&self.store.shared, now);
    }

    fn select(&self, name: &str, range: (i64, i64), func: &str, range_ms: i64) -> Points {
        let selection = Selection {
            matchers: vec![Matcher::equal("__name__", name)],
            start_ms: range.0,
            end_ms: range.1,
            hints: SelectHints {
                range_ms,
                func: (!func.is_empty()).then(|| func.to_owned()),
                ..SelectHints::default()
            },
        };
        self.store.select(&selection).unwrap().pop().map_or_else(Points::default, |s| s.points)
    }
}

fn pairs(points: &Points) -> Vec<(i64, f64)> {
    points.times.iter().copied().zip(points.values.iter().copied()).collect()
}

/// Every 15 s from `from` until `to`, the value a function of the time.
fn steady(from: i64, to: i64, value: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
    (0..(to - from) / 15_000).map(|i| from + i * 15_000).map(|at| (at, value(at))).collect()
}

fn total_increase(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.windows(2).map(|pair| step_of(pair[0], pair[1])).sum()
}

#[test]
fn tiers_answer_when_raw_days_are_gone_without_gap_or_double_at_the_seam() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + 3 * DAY);
    let value = |at: i64| ((at - START) / 15_000 % 7_000) as f64;
    let samples = steady(START, START + 3 * DAY, value);
    for day in samples.chunks(5_760) {
        bench.push("jobs_total", day);
    }
    bench.pass(START + 3 * DAY + HOUR);
    assert!(!Tier::Hour.path(dir.path(), START / DAY + 3).exists());
    let raw = total_increase(samples.iter().map(|sample| sample.1));
    // Two raw days are past 4 days; all tiers stay.
    bench.pass(START + 6 * DAY);
    assert_eq!(bench.store.shared.days_between(i64::MIN, i64::MAX).len(), 1);
    let all = (START, START + 3 * DAY);
    for range_ms in [5 * MINUTE, HOUR, 6 * HOUR] {
        let points = bench.select("jobs_total", all, "increase", range_ms);
        assert!(points.times.is_sorted_by(|a, b| a < b));
        let increase = total_increase(points.values.iter().copied());
        assert!((increase - raw).abs() < 20.0, "{range_ms}: {increase} and {raw}");
    }
    let points = bench.select("jobs_total", all, "", 0);
    let widest = points.times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert_eq!(widest, 5 * MINUTE);
    drop(bench);
    // Days with the same series share what is known of them from the start on.
    let bench = open(dir.path(), START + 6 * DAY);
    assert_eq!(pairs(&bench.select("jobs_total", all, "", 0)), pairs(&points));
    let counted = bench.select("jobs_total", all, "count_over_time", HOUR);
    assert_eq!(counted.times.len(), samples.len());
    // Only the hours are left of the first two days.
    bench.pass(START + 12 * DAY);
    let points = bench.select("jobs_total", (START, START + 2 * DAY - 1), "", 0);
    assert_eq!(points.times.len(), 2 * 24 * 12);
    assert_eq!(bench.store.stats().sealed_samples, 0);
    let points = bench.select("jobs_total", (START, START + 2 * DAY - 1), "max_over_time", DAY);
    assert_eq!(points.values.iter().copied().fold(0.0, f64::max), 6_999.0);
    bench.pass(START + 40 * DAY);
    assert_eq!(bench.store.stats().oldest_ms, None);
    assert!(bench.select("jobs_total", all, "", 0).times.is_empty());
}

#[test]
fn increases_go_on_over_midnight_and_over_the_seam_to_raw() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + 2 * DAY);
    let at = [START + DAY - 10_000, START + DAY + 20_000, START + 2 * DAY - 5_000];
    bench.push("c_total", &[(at[0], 100.0), (at[1], 130.0), (at[2], 7.0)]);
    bench.push("c_total", &[(START + 2 * DAY + 5_000, 9.0)]);
    bench.pass(START + 5 * DAY);
    bench.pass(START + 6 * DAY);
    let points = bench.select("c_total", (START, START + 3 * DAY), "rate", HOUR);
    // The reset is somewhere in the last window of the day.
    let reset = START + 2 * DAY - 5 * MINUTE;
    let expected = [
        (at[0], 100.0),
        (at[1], 130.0),
        (reset, 0.0),
        (at[2], 7.0),
        (START + 2 * DAY + 5_000, 9.0),
    ];
    assert_eq!(pairs(&points), expected);
}

#[test]
fn an_increase_goes_on_over_a_change_of_name() {
    for (days, restarts) in [(6, true), (6, false), (13, true), (13, false)] {
        let dir = tempfile::tempdir().unwrap();
        let bench = open(dir.path(), START + DAY);
        // Renamed within a window: at 02:43:45.
        let change = START + 2 * HOUR + 43 * MINUTE + 45_000;
        let old = steady(START, change, |at| 1_000.0 + ((at - START) / 15_000) as f64);
        let base = if restarts { 0.0 } else { 1_000.0 + old.len() as f64 };
        let new = steady(change, change + 5 * HOUR, |at| base + ((at - change) / 15_000) as f64);
        bench.push("old_total", &old);
        bench.push("new_total", &new);
        bench.pass(START + days * DAY);
        assert_eq!(bench.store.stats().sealed_samples, 0);
        let raw = total_increase(old.iter().chain(&new).map(|sample| sample.1));
        for range_ms in [5 * MINUTE, HOUR, 6 * HOUR] {
            let all = (START, START + DAY);
            let old = pairs(&bench.select("old_total", all, "increase", range_ms));
            let new = pairs(&bench.select("new_total", all, "increase", range_ms));
            assert!(old.last().unwrap().0 < new.first().unwrap().0, "{days} {range_ms}");
            let joined = old.iter().chain(&new).map(|sample| sample.1);
            let found = total_increase(joined);
            assert!((found - raw).abs() < 2.0, "{days} {restarts} {range_ms}: {found}, {raw}");
        }
    }
}

#[test]
fn a_series_ends_at_its_marker_and_an_hour_is_held_until_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + DAY);
    let end = START + 2 * HOUR + 20 * MINUTE;
    bench.push("g", &steady(START, end, |_| 4.0));
    bench.push("g", &[(end, STALE_NAN)]);
    bench.push("silent", &[(START + 10 * MINUTE, 1.0)]);
    bench.pass(START + 13 * DAY);
    assert_eq!(bench.store.stats().sealed_samples, 0);
    let points = bench.select("g", (START, START + DAY), "", 0);
    let (times, last) = (&points.times, points.values.last().copied().unwrap());
    assert!(is_stale(last));
    assert_eq!(times[times.len() - 1], end);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 5 * MINUTE));
    let points = bench.select("silent", (START, START + DAY), "", 0);
    let last = points.times.last().copied();
    assert_eq!(last, Some(START + 10 * MINUTE));
}

#[test]
fn slopes_need_no_more_than_the_range_they_ask_for() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + DAY);
    bench.push("g", &steady(START, START + DAY, |at| 100.0 - (at - START) as f64 / 1e4));
    bench.pass(START + 13 * DAY);
    let points = bench.select("g", (START + 2 * HOUR, START + 3 * HOUR - 1), "deriv", HOUR);
    assert!(points.times.len() >= 3, "{points:?}");
    for (at, value) in pairs(&points) {
        assert!((value - (100.0 - (at - START) as f64 / 1e4)).abs() < 1e-6, "{at} {value}");
    }
}

#[test]
fn of_native_histograms_the_last_of_each_window_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + DAY);
    let histogram = |count: f64, counter_reset_hint| {
        Arc::new(NativeHistogram { schema: 3, count, counter_reset_hint, ..Default::default() })
    };
    let mut batch = Batch::new(Arc::from("test"));
    let series = batch.series_of(&labels("h"));
    let at = [0, 2 * MINUTE, 6 * MINUTE].map(|after| START + after);
    for (&at_ms, count) in at.iter().zip([1.0, 2.0, 3.0]) {
        let histogram = histogram(count, CounterResetHint::NotReset);
        batch.histograms.push(HistogramSample { series, at_ms, histogram });
    }
    assert_eq!(bench.store.append_blocking(batch).unwrap().appended, 3);
    bench.pass(START + 6 * DAY);
    let select = |func| bench.select("h", (START, START + HOUR), func, HOUR).histograms;
    let last = |count| histogram(count, CounterResetHint::Unknown);
    assert_eq!(select("rate"), [(at[1], last(2.0)), (at[2], last(3.0))]);
    let held = START + 5 * MINUTE - 1;
    assert_eq!(select("last_over_time"), [(held, last(2.0)), (at[2], last(3.0))]);
    assert!(select("max_over_time").is_empty());
}

#[test]
fn a_build_cut_short_is_made_up_for_and_late_samples_are_taken_in() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + DAY);
    bench.push("g", &steady(START, START + HOUR, |_| 1.0));
    bench.store.seal().unwrap();
    drop(bench);
    let path = Tier::FiveMinutes.path(dir.path(), START / DAY);
    let mut unfinished = path.clone().into_os_string();
    unfinished.push(super::write::UNFINISHED);
    fs::write(&unfinished, b"half a database").unwrap();
    assert!(is_unfinished(Path::new(&unfinished).file_name().unwrap().to_str().unwrap()));
    let bench = open(dir.path(), START + DAY + 5 * MINUTE);
    assert!(!Path::new(&unfinished).exists());
    assert_eq!(build_due(&bench.store.shared), 0, "late samples may still come");
    bench.clock.set(START + DAY + HOUR);
    bench.store.downsample();
    assert!(path.exists());
    assert_eq!(bench.store.downsample(), 0);
    bench.push("late", &[(START + 5, 3.0)]);
    bench.store.seal().unwrap();
    bench.store.downsample();
    assert_eq!(bench.store.downsample(), 0);
    bench.pass(START + 6 * DAY);
    assert_eq!(pairs(&bench.select("late", (START, START + DAY), "", 0)), [(START + 5, 3.0)]);
}

#[test]
fn a_damaged_tier_is_made_again_and_backup_and_check_know_tiers() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + DAY);
    bench.push("g", &steady(START, START + HOUR, |at| at as f64));
    bench.pass(START + 2 * DAY);
    drop(bench);
    let path = Tier::Hour.path(dir.path(), START / DAY);
    fs::write(&path, b"not a database").unwrap();
    let bench = open(dir.path(), START + 2 * DAY);
    assert_eq!(bench.store.stats().damaged, 1);
    bench.pass(START + 2 * DAY);
    assert!(path.exists());
    fs::remove_file(dir.path().join("tier1h-20261122.db.damaged")).unwrap();
    let copy = dir.path().join("copy");
    bench.store.backup(&copy).unwrap();
    let report = MetricStore::verify(&copy).unwrap();
    // The day, its two tiers, and the segment of the log that is being written.
    assert_eq!((report.files, report.samples, report.damage.len()), (4, 240, 0));
    // Five columns of twelve windows and of one; a gauge has no increase.
    assert_eq!(report.tier_points, 5 * 13);
    drop(bench);
    let copied = open(&copy, START + 6 * DAY);
    copied.pass(START + 6 * DAY);
    let points = copied.select("g", (START, START + DAY), "last_over_time", HOUR);
    assert_eq!(points.values.last().copied(), Some((START + HOUR - 15_000) as f64));
}

#[test]
fn a_tier_stands_in_for_a_raw_day_that_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + DAY);
    for hour in 0..3 {
        bench.push("g", &steady(START + hour * HOUR, START + (hour + 1) * HOUR, |_| 2.0));
        bench.store.seal().unwrap();
    }
    bench.pass(START + 2 * DAY);
    drop(bench);
    fs::write(day::path(dir.path(), START / DAY), b"not a database").unwrap();
    let bench = open(dir.path(), START + 2 * DAY);
    bench.push("late", &[(START + 5, 3.0)]);
    bench.pass(START + 2 * DAY);
    assert_eq!(pairs(&bench.select("late", (START, START + DAY), "", 0)), [(START + 5, 3.0)]);
    assert_eq!(bench.select("g", (START, START + DAY), "", 0).times.len(), 36);
}

#[test]
fn a_tier_that_cannot_be_written_holds_the_raw_day_for_three_tries() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path(), START + DAY);
    bench.push("g", &[(START, 1.0)]);
    bench.store.seal().unwrap();
    // A directory is in the way of the file.
    let mut unfinished = Tier::Hour.path(dir.path(), START / DAY).into_os_string();
    unfinished.push(super::write::UNFINISHED);
    fs::create_dir(&unfinished).unwrap();
    let days = || bench.store.shared.days_between(i64::MIN, i64::MAX).len();
    bench.pass(START + 6 * DAY);
    assert_eq!(days(), 1);
    bench.store.downsample();
    bench.pass(START + 6 * DAY);
    assert_eq!(days(), 0);
}

/// Samples of a day as gaps and values, resets and markers among them.
fn series() -> impl Strategy<Value = Vec<(i64, f64)>> {
    // Half of the series have values that are no numbers.
    any::<bool>().prop_flat_map(|odd| series_of(if odd { f64::NAN } else { 7.0 }))
}

fn series_of(odd: f64) -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        8 => (0..1_000_u32).prop_map(f64::from),
        1 => Just(odd),
        1 => Just(STALE_NAN),
    ];
    let gap = prop_oneof![6 => 1_000..90_000_i64, 1 => MINUTE..5 * HOUR];
    proptest::collection::vec((gap, value), 1..120).prop_map(|steps| {
        let mut at = START;
        let mut samples = Vec::new();
        for (gap, value) in steps {
            at += gap;
            if at < START + DAY {
                samples.push((at, value));
            }
        }
        samples
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn windows_equal_a_naive_count_of_the_samples(samples in series(), coarse in any::<bool>()) {
        prop_assume!(!samples.is_empty());
        let dir = tempfile::tempdir().unwrap();
        let bench = open(dir.path(), START + DAY);
        bench.push("c_total", &samples);
        bench.pass(START + if coarse { 12 } else { 6 } * DAY);
        prop_assert_eq!(bench.store.stats().sealed_samples, 0);
        let step = if coarse { HOUR } else { 5 * MINUTE };
        let numbers: Vec<_> = samples.iter().copied().filter(|s| !is_stale(s.1)).collect();
        let select = |func| pairs(&bench.select("c_total", (START, START + DAY - 1), func, step));
        let mut expected: Vec<(i64, Vec<f64>)> = Vec::new();
        for (at, value) in &numbers {
            let end = at.div_euclid(step) * step + step - 1;
            match expected.last_mut() {
                Some(last) if last.0 == end => last.1.push(*value),
                _ => expected.push((end, vec![*value])),
            }
        }
        let bits = |pairs: Vec<(i64, f64)>| -> Vec<(i64, u64)> {
            pairs.into_iter().map(|(at, v)| (at, if v.is_nan() { 0 } else { v.to_bits() })).collect()
        };
        let model = |fold: &dyn Fn(&[f64]) -> f64| {
            bits(expected.iter().map(|(end, values)| (*end, fold(values))).collect())
        };
        prop_assert_eq!(bits(select("sum_over_time")), model(&|v| v.iter().sum()));
        prop_assert_eq!(
            bits(select("min_over_time")),
            model(&|v| v.iter().copied().fold(f64::NAN, f64::min))
        );
        prop_assert_eq!(
            bits(select("max_over_time")),
            model(&|v| v.iter().copied().fold(f64::NAN, f64::max))
        );
        let counted = select("count_over_time");
        prop_assert_eq!(counted.len(), numbers.len());
        for (end, values) in &expected {
            let inside = counted.iter().filter(|(at, _)| *at > end - step && at <= end).count();
            prop_assert_eq!(inside, values.len());
        }
        // A counter that is no number says nothing of what rose meanwhile.
        if numbers.iter().any(|sample| sample.1.is_nan()) {
            return Ok(());
        }
        let whole = &numbers;
        let raw = total_increase(whole.iter().map(|sample| sample.1));
        let risen = bench.select("c_total", (START, START + DAY - 1), "increase", 6 * HOUR);
        // When the series began is known from the window after the first. Else what rose before the
        // last sample of the first window may lie before the first point.
        let first = expected.first().map_or(0, |window| window.0);
        let known = expected.get(1).is_some_and(|window| window.0 == first + step);
        let before = whole.iter().take_while(|sample| sample.0 <= first && !known);
        let hidden = total_increase(before.map(|sample| sample.1));
        let found = total_increase(risen.values.iter().copied());
        prop_assert!(found < raw + 1e-6 && found > raw - hidden - 1e-6, "{} of {}", found, raw);
        prop_assert!(risen.times.is_sorted_by(|a, b| a < b));
    }
}

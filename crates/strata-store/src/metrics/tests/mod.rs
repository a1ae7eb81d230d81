//! The store as a whole: what goes in comes out, also after a restart or a crash.

mod crash;
mod faults;
mod model;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use strata_model::clock::FixedClock;
use strata_model::meter::Meter;
use strata_model::{
    Batch, HistogramSample, Labels, Matcher, NativeHistogram, Receipt, Sample, SelectHints,
    Selection, SeriesSource, Span, TakeSeries,
};

use super::{MetricStore, StoreError, StoreOptions};

/// Two minutes past midnight, so that windows span two day files.
const NOW: i64 = 1_795_305_720_000;

fn open_with(dir: &Path, clock: &Arc<FixedClock>) -> Result<MetricStore, StoreError> {
    let settings = StoreOptions::default().validate(dir).unwrap();
    MetricStore::open(settings, Arc::<FixedClock>::clone(clock), &Meter::default())
}

fn open(dir: &Path) -> MetricStore {
    open_with(dir, &Arc::new(FixedClock::at(NOW))).unwrap()
}

fn labels(name: &str, n: u32) -> Labels {
    Labels::from_pairs([("__name__", name), ("n", &n.to_string())])
}

fn batch(samples: &[(u32, i64, f64)]) -> Batch {
    let mut batch = Batch::new(Arc::from("test"));
    for &(n, at, value) in samples {
        batch.push(&labels("m", n), at, value);
    }
    batch
}

fn read(store: &MetricStore, start_ms: i64, end_ms: i64) -> Vec<(String, Vec<(i64, u64)>)> {
    let selection = Selection {
        matchers: vec![Matcher::equal("__name__", "m")],
        start_ms,
        end_ms,
        hints: SelectHints::default(),
    };
    let series = store.select(&selection).unwrap();
    let mut all: Vec<_> = series
        .into_iter()
        .map(|s| {
            let values = s.points.values.iter().map(|value| value.to_bits());
            let n = s.labels.get("n").unwrap().to_owned();
            (n, s.points.times.iter().copied().zip(values).collect::<Vec<_>>())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn samples_survive_seal_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let receipt = store.append_blocking(batch(&[(1, NOW, 1.5), (2, NOW, 2.5)])).unwrap();
    assert_eq!(receipt, Receipt { appended: 2, ..Receipt::default() });
    store.seal().unwrap();
    store.append_blocking(batch(&[(1, NOW + 1, 1.75)])).unwrap();
    let expected = vec![
        ("1".to_owned(), vec![(NOW, 1.5_f64.to_bits()), (NOW + 1, 1.75_f64.to_bits())]),
        ("2".to_owned(), vec![(NOW, 2.5_f64.to_bits())]),
    ];
    assert_eq!(read(&store, NOW, NOW + 1), expected);
    store.close().unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(read(&store, NOW, NOW + 1), expected);
}

#[test]
fn native_histograms_survive_seal_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let histogram = |count: f64| {
        Arc::new(NativeHistogram {
            schema: 3,
            count,
            sum: 0.1 + 0.2,
            positive_spans: vec![Span { offset: -4, length: 2 }],
            positive_buckets: vec![count, 0.5],
            ..NativeHistogram::default()
        })
    };
    let batch = |at_ms: i64, histogram: Arc<NativeHistogram>| {
        let mut batch = Batch::new(Arc::from("test"));
        let series = batch.series_of(&labels("m", 1));
        batch.histograms.push(HistogramSample { series, at_ms, histogram });
        batch
    };
    let selected = |store: &MetricStore| {
        let matchers = vec![Matcher::equal("n", "1")];
        let (start_ms, end_ms) = (NOW - 1_000, NOW);
        let hints = SelectHints::default();
        let selection = Selection { matchers, start_ms, end_ms, hints };
        store.select(&selection).unwrap().remove(0).points.histograms
    };
    let store = open(dir.path());
    assert_eq!(store.append_blocking(batch(NOW - 500, histogram(1.0))).unwrap().appended, 1);
    store.seal().unwrap();
    assert_eq!(store.append_blocking(batch(NOW, histogram(2.0))).unwrap().appended, 1);
    assert_eq!(store.append_blocking(batch(NOW - 500, histogram(1.0))).unwrap().duplicate, 1);
    assert_eq!(store.append_blocking(batch(NOW - 500, histogram(3.0))).unwrap().conflicting, 1);
    let mut odd = NativeHistogram::clone(&histogram(1.0));
    odd.positive_buckets.pop();
    assert_eq!(store.append_blocking(batch(NOW, Arc::new(odd))).unwrap().invalid, 1);
    let expected = vec![(NOW - 500, histogram(1.0)), (NOW, histogram(2.0))];
    assert_eq!(selected(&store), expected);
    drop(store);
    let store = open(dir.path());
    assert_eq!(selected(&store), expected);
    store.close().unwrap();
    let report = MetricStore::verify(dir.path()).unwrap();
    assert_eq!((report.samples, report.damage.len()), (2, 0));
}

#[test]
fn what_cannot_be_stored_is_counted_in_one_field_each() {
    let dir = tempfile::tempdir().unwrap();
    let settings = StoreOptions { series_limit: 2, ..StoreOptions::default() };
    let settings = settings.validate(dir.path()).unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let store = MetricStore::open(settings, clock, &Meter::default()).unwrap();
    let day = 86_400_000;
    let mut all = batch(&[
        (1, NOW, 1.0),
        (1, NOW, 1.0),
        (1, NOW, 2.0),
        (1, NOW - day, 1.0),
        (2, NOW - 16 * day, 1.0),
        (2, NOW + day, 1.0),
        (2, NOW, 1.0),
        (3, NOW, 1.0),
    ]);
    let nameless = all.series_of(&Labels::from_pairs([("a", "b")]));
    let garbage = all.series_of_encoded(&[200, 1, 2]);
    for series in [nameless, garbage, 99] {
        all.samples.push(Sample { series, at_ms: NOW, value: 1.0 });
    }
    let receipt = store.append_blocking(all).unwrap();
    let expected = Receipt {
        appended: 2,
        duplicate: 1,
        conflicting: 1,
        too_old: 2,
        too_new: 1,
        over_series_limit: 1,
        invalid: 3,
    };
    assert_eq!(receipt, expected);
}

#[test]
fn label_lookups_know_series_of_head_and_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append_blocking(batch(&[(1, NOW, 1.0)])).unwrap();
    store.seal().unwrap();
    store.append_blocking(batch(&[(2, NOW, 1.0)])).unwrap();
    assert_eq!(store.label_values("n", &[], NOW, NOW).unwrap(), ["1", "2"]);
    assert_eq!(store.label_names(&[], NOW, NOW).unwrap(), ["__name__", "n"]);
    let one = vec![vec![Matcher::equal("n", "2")]];
    assert_eq!(store.series(&one, NOW, NOW, 0).unwrap(), [labels("m", 2)]);
    assert!(store.series(&[], NOW - 3 * 86_400_000, NOW - 2 * 86_400_000, 0).unwrap().is_empty());
}

#[test]
fn series_sampled_together_share_their_times() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for i in 0..4 {
        store.append_blocking(batch(&[(1, NOW + i, 1.0), (2, NOW + i, 2.0)])).unwrap();
        if i == 1 {
            store.seal().unwrap();
        }
    }
    let selection = Selection {
        matchers: vec![Matcher::equal("__name__", "m")],
        start_ms: NOW,
        end_ms: NOW + 2,
        hints: SelectHints::default(),
    };
    let series = store.select(&selection).unwrap();
    assert_eq!(series[0].points.times.as_ref(), [NOW, NOW + 1, NOW + 2]);
    assert!(Arc::ptr_eq(&series[0].points.times, &series[1].points.times));
}

#[test]
fn many_series_are_read_whole_and_within_the_limit() {
    const SERIES: u32 = 700;
    let dir = tempfile::tempdir().unwrap();
    let settings = StoreOptions { select_samples_limit: 3 * 700, ..StoreOptions::default() };
    let settings = settings.validate(dir.path()).unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let store = MetricStore::open(settings, clock, &Meter::default()).unwrap();
    // Two day files and the head.
    for at in [NOW - 180_000, NOW - 1, NOW, NOW + 1] {
        let samples: Vec<_> = (0..SERIES).map(|n| (n, at, f64::from(n) + 0.5)).collect();
        store.append_blocking(batch(&samples)).unwrap();
        if at < NOW {
            store.seal().unwrap();
        }
    }
    let three = [NOW - 180_000, NOW - 1, NOW];
    let mut expected: Vec<_> = (0..SERIES)
        .map(|n| (n.to_string(), three.map(|at| (at, (f64::from(n) + 0.5).to_bits())).to_vec()))
        .collect();
    expected.sort();
    assert_eq!(read(&store, NOW - 180_000, NOW), expected);
    let selection = Selection {
        matchers: vec![Matcher::equal("__name__", "m")],
        start_ms: NOW - 180_000,
        end_ms: NOW + 1,
        hints: SelectHints::default(),
    };
    let error = store.select(&selection).unwrap_err();
    assert!(error.to_string().contains("select_samples_limit"), "{error}");
    // Handed over as they are read, they are not held together.
    let seen = AtomicUsize::new(0);
    let takers = |_: usize| -> TakeSeries<'_> {
        Box::new(|series| {
            seen.fetch_add(series.points.times.len(), Ordering::Relaxed);
            true
        })
    };
    store.visit(&selection, &takers, &mut Vec::new()).unwrap();
    assert_eq!(seen.into_inner(), 4 * SERIES as usize);
}

#[test]
fn many_series_come_whole_whatever_their_order_on_each_day() {
    const SERIES: u32 = 500;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let yesterday = NOW - 600_000;
    // Yesterday's file knows them in one order and today's in another, some in one file only.
    let first: Vec<u32> = (0..SERIES).filter(|n| n % 7 != 0).collect();
    let second: Vec<u32> = (0..SERIES).map(|n| n * 171 % SERIES).filter(|n| n % 5 != 0).collect();
    for (order, start) in [(&first, yesterday), (&second, NOW)] {
        for at in [start, start + 15_000] {
            let samples: Vec<_> = order.iter().map(|&n| (n, at, f64::from(n) + 0.5)).collect();
            store.append_blocking(batch(&samples)).unwrap();
        }
        store.seal().unwrap();
    }
    store.append_blocking(batch(&[(1, NOW + 30_000, 1.5)])).unwrap();
    let mut expected: Vec<(String, Vec<(i64, u64)>)> = Vec::new();
    for n in 0..SERIES {
        let starts = [(n % 7 != 0, yesterday), (n % 5 != 0, NOW)];
        let starts = starts.iter().filter(|(there, _)| *there);
        let mut times: Vec<i64> = starts.flat_map(|&(_, start)| [start, start + 15_000]).collect();
        times.extend((n == 1).then_some(NOW + 30_000));
        if !times.is_empty() {
            let bits = (f64::from(n) + 0.5).to_bits();
            expected.push((n.to_string(), times.into_iter().map(|time| (time, bits)).collect()));
        }
    }
    expected.sort();
    assert_eq!(read(&store, yesterday, NOW + 30_000), expected);
}

#[test]
fn the_newest_sample_is_that_of_the_whole_range() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Series end at different times; some are sealed, some have late samples.
    for at in 0..6_i64 {
        let there = (0..200_u32).filter(|n| at < 3 || n % 3 != 0);
        let samples = there.map(|n| (n, NOW + at * 1_000, f64::from(n)));
        store.append_blocking(batch(&samples.collect::<Vec<_>>())).unwrap();
        if at == 3 {
            store.seal().unwrap();
        }
    }
    store.append_blocking(batch(&[(5, NOW + 4_500, 7.0)])).unwrap();
    for end_ms in [NOW + 9_000, NOW + 5_000, NOW + 4_700, NOW + 3_000, NOW + 2_500] {
        let newest = |newest_only: bool| {
            let hints = SelectHints { newest_only, ..SelectHints::default() };
            let matchers = vec![Matcher::equal("__name__", "m")];
            let selection = Selection { matchers, start_ms: NOW, end_ms, hints };
            let series = store.select(&selection).unwrap().into_iter().map(|one| {
                let newest =
                    one.points.times.last().copied().zip(one.points.values.last().copied());
                (one.labels.to_string(), newest.unwrap())
            });
            let mut series: Vec<_> = series.collect();
            series.sort_by(|a, b| a.0.cmp(&b.0));
            series
        };
        assert_eq!(newest(true), newest(false), "{end_ms}");
        assert_eq!(newest(true).len(), 200);
    }
}

//! The store as a whole: what goes in comes out, also after a restart or a crash.

use std::path::Path;
use std::sync::Arc;

use strata_model::clock::FixedClock;
use strata_model::meter::Meter;
use strata_model::{Batch, Labels, Matcher, Receipt, SelectHints, Selection, SeriesSource};

use super::{MetricStore, StoreOptions};

const NOW: i64 = 1_795_312_800_000;

fn open(dir: &Path) -> MetricStore {
    let settings = StoreOptions::default().validate(dir).unwrap();
    MetricStore::open(settings, Arc::new(FixedClock::at(NOW)), &Meter::default()).unwrap()
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

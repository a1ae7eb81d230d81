//! Random writes, seals, restarts and crashes against a map in memory that says what must hold.

use std::collections::BTreeMap;

use proptest::prelude::*;
use strata_model::Receipt;
use strata_model::sample::STALE_NAN_BITS;

use super::{NOW, batch, open, read};

const MINUTE: i64 = 60_000;
/// The defaults of the options.
const WINDOW: i64 = 10 * MINUTE;
const TOLERANCE: i64 = 10 * MINUTE;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u32, i64, u64)>),
    Seal,
    Restart,
    /// End without sealing: the log must bring everything back.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    // Few distinct times and values, so that duplicates and conflicts are common.
    let time = (-30..13_i64).prop_map(|minutes| NOW + minutes * MINUTE);
    let value = prop_oneof![
        3 => (0..3_i32).prop_map(|v| (f64::from(v) / 10.0).to_bits()),
        1 => Just(STALE_NAN_BITS),
        1 => Just(f64::NAN.to_bits() ^ 1),
        1 => any::<u64>(),
    ];
    let samples = proptest::collection::vec((0..3_u32, time, value), 1..12);
    prop_oneof![
        6 => samples.prop_map(Step::Append),
        2 => Just(Step::Seal),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

type Model = BTreeMap<u32, BTreeMap<i64, u64>>;

fn expect(model: &mut Model, samples: &[(u32, i64, u64)]) -> Receipt {
    let mut receipt = Receipt::default();
    for &(series, time, bits) in samples {
        if time > NOW + TOLERANCE {
            receipt.too_new += 1;
            continue;
        }
        let stored = model.entry(series).or_default();
        let newest = stored.last_key_value().map_or(i64::MIN, |(&newest, _)| newest);
        match stored.get(&time) {
            _ if time < newest.saturating_sub(WINDOW) => receipt.too_old += 1,
            Some(&same) if same == bits => receipt.duplicate += 1,
            Some(_) => receipt.conflicting += 1,
            None => {
                stored.insert(time, bits);
                receipt.appended += 1;
            }
        }
    }
    receipt
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn the_store_holds_what_a_map_would(steps in proptest::collection::vec(step(), 1..20)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Append(samples) => {
                    let floats: Vec<_> =
                        samples.iter().map(|&(n, at, bits)| (n, at, f64::from_bits(bits))).collect();
                    let receipt = store.append_blocking(batch(&floats)).unwrap();
                    prop_assert_eq!(receipt, expect(&mut model, &samples));
                }
                Step::Seal => store.seal().unwrap(),
                Step::Restart => {
                    store.close().unwrap();
                    drop(store);
                    store = open(dir.path());
                }
                Step::Crash => {
                    drop(store);
                    store = open(dir.path());
                }
            }
            // Ranges that begin before, at and after what is sealed of each series.
            let from = [-30, -10, -5, -1, 0, 1, 5, 12].map(|at| (NOW + at * MINUTE, i64::MAX));
            let ranges = [(i64::MIN, i64::MAX), (NOW - 5 * MINUTE, NOW + MINUTE)];
            for range in ranges.into_iter().chain(from) {
                let expected: Vec<_> = model.iter().map(|(n, samples)| {
                    let inside = samples.range(range.0..=range.1);
                    (n.to_string(), inside.map(|(&at, &bits)| (at, bits)).collect::<Vec<_>>())
                }).filter(|(_, samples)| !samples.is_empty()).collect();
                prop_assert_eq!(read(&store, range.0, range.1), expected);
            }
        }
    }
}

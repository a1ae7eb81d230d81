//! Laws that hold for every histogram.

use proptest::prelude::*;

use super::{
    CUSTOM_BUCKETS_SCHEMA, CounterResetHint, HistogramSum, Keep, NativeHistogram, Span,
    take_literal,
};

/// Whole counts, so that sums are exact in any order.
fn side() -> impl Strategy<Value = (Vec<Span>, Vec<f64>)> {
    let spans = prop::collection::vec((0_i32..5, 1_u32..4), 0..4);
    (spans, -40_i32..40).prop_flat_map(|(mut spans, first)| {
        if let Some(span) = spans.first_mut() {
            span.0 = first;
        }
        let buckets: u32 = spans.iter().map(|span| span.1).sum();
        let spans: Vec<Span> =
            spans.into_iter().map(|(offset, length)| Span { offset, length }).collect();
        let count = (0_u32..1000).prop_map(f64::from);
        (Just(spans), prop::collection::vec(count, buckets as usize))
    })
}

fn exponential() -> impl Strategy<Value = NativeHistogram> {
    let threshold = prop::sample::select(vec![0.0, 1e-9, 0.25, 1.0, 3.0]);
    (-4_i32..=8, threshold, 0_u32..50, side(), side(), -1000_i32..1000).prop_map(
        |(schema, zero_threshold, zero_count, positive, negative, sum)| {
            let mut histogram = NativeHistogram {
                schema,
                zero_threshold,
                zero_count: f64::from(zero_count),
                sum: f64::from(sum),
                positive_spans: positive.0,
                positive_buckets: positive.1,
                negative_spans: negative.0,
                negative_buckets: negative.1,
                ..NativeHistogram::default()
            };
            histogram.count = in_buckets(&histogram);
            // What lies in the zero bucket is counted there and nowhere else.
            let mut settled = HistogramSum::new(&histogram);
            settled.widen_zero(zero_threshold);
            settled.total()
        },
    )
}

fn custom() -> impl Strategy<Value = NativeHistogram> {
    (prop::collection::btree_set(-9_i32..9, 1..6), prop::collection::vec(0_u32..99, 7)).prop_map(
        |(bounds, counts)| {
            let buckets: Vec<f64> =
                counts.into_iter().take(bounds.len() + 1).map(f64::from).collect();
            NativeHistogram {
                schema: CUSTOM_BUCKETS_SCHEMA,
                count: buckets.iter().sum(),
                sum: 1.5,
                positive_spans: vec![Span { offset: 0, length: buckets.len() as u32 }],
                positive_buckets: buckets,
                custom_values: bounds.into_iter().map(f64::from).collect(),
                ..NativeHistogram::default()
            }
        },
    )
}

fn histogram() -> impl Strategy<Value = NativeHistogram> {
    prop_oneof![3 => exponential(), 1 => custom()]
}

fn pair() -> impl Strategy<Value = (NativeHistogram, NativeHistogram)> {
    prop_oneof![3 => (exponential(), exponential()), 1 => (custom(), custom())]
}

fn in_buckets(histogram: &NativeHistogram) -> f64 {
    histogram.positive_buckets.iter().chain(&histogram.negative_buckets).sum::<f64>()
        + histogram.zero_count
}

fn sum(a: &NativeHistogram, b: &NativeHistogram) -> NativeHistogram {
    a.add(b).unwrap().0.compact(0)
}

/// A histogram whatever it says: also broken spans, strange numbers and unknown schemas.
fn anything() -> impl Strategy<Value = NativeHistogram> {
    let spans = || prop::collection::vec((any::<i32>(), any::<u32>()), 0..4);
    let numbers = || prop::collection::vec(any::<f64>(), 0..6);
    let scalars = (any::<f64>(), any::<f64>(), any::<f64>(), any::<f64>());
    let schema = prop_oneof![-10_i32..10, Just(CUSTOM_BUCKETS_SCHEMA), any::<i32>()];
    (schema, scalars, spans(), spans(), numbers(), numbers(), numbers()).prop_map(
        |(schema, scalars, positive, negative, p, n, bounds)| {
            let spans = |raw: Vec<(i32, u32)>| {
                raw.into_iter().map(|(offset, length)| Span { offset, length }).collect()
            };
            NativeHistogram {
                counter_reset_hint: CounterResetHint::Unknown,
                schema,
                zero_threshold: scalars.0,
                zero_count: scalars.1,
                count: scalars.2,
                sum: scalars.3,
                positive_spans: spans(positive),
                negative_spans: spans(negative),
                positive_buckets: p,
                negative_buckets: n,
                custom_values: bounds,
            }
        },
    )
}

proptest! {
    #[test]
    fn generated_histograms_are_valid(h in histogram()) {
        prop_assert_eq!(h.validate(), Ok(()));
    }

    #[test]
    fn addition_is_commutative((a, b) in pair()) {
        prop_assert_eq!(sum(&a, &b), sum(&b, &a));
    }

    #[test]
    fn addition_is_associative(
        a in exponential(), b in exponential(), c in exponential(), one_schema in any::<bool>(),
    ) {
        // With several schemas and thresholds at once the order decides how far zero widens.
        let alike = |h: NativeHistogram| if one_schema {
            NativeHistogram { schema: a.schema, zero_threshold: 0.0, ..h }
        } else {
            NativeHistogram { zero_threshold: 0.0, ..h }
        };
        let (b, c) = (alike(b), alike(c));
        let a = alike(a.clone());
        prop_assert_eq!(sum(&sum(&a, &b), &c), sum(&a, &sum(&b, &c)));
    }

    #[test]
    fn addition_loses_no_observation((a, b) in pair()) {
        let sum = sum(&a, &b);
        prop_assert_eq!(in_buckets(&sum), in_buckets(&a) + in_buckets(&b));
        prop_assert_eq!(sum.count, a.count + b.count);
        prop_assert_eq!(sum.validate(), Ok(()));
    }

    #[test]
    fn subtraction_undoes_addition_at_the_resolution_of_the_sum((a, b) in pair()) {
        let sum = sum(&a, &b);
        let back = sum.sub(&b).unwrap().0;
        // Nothing and `a` differ by the layout `sum` was brought to.
        let nothing = sum.sub(&sum).unwrap().0;
        prop_assert!(back.almost_equals(&nothing.add(&a).unwrap().0, 1e-9));
    }

    #[test]
    fn resolution_may_be_reduced_before_or_after_adding(
        (a, b) in (exponential(), exponential()), by in 1_i32..4,
    ) {
        let b = NativeHistogram { schema: a.schema, zero_threshold: a.zero_threshold, ..b };
        let target = (a.schema - by).max(-4);
        let before = sum(&a.reduce_resolution(target), &b.reduce_resolution(target));
        prop_assert_eq!(before, sum(&a, &b).reduce_resolution(target).compact(0));
    }

    #[test]
    fn compacting_keeps_every_populated_bucket(h in histogram(), max_empty in 0_u32..4) {
        let compacted = h.compact(max_empty);
        prop_assert_eq!(compacted.api_buckets(), h.api_buckets());
        prop_assert!(compacted.almost_equals(&h, 0.0));
        prop_assert_eq!(compacted.compact(max_empty), compacted);
    }

    #[test]
    fn buckets_ascend_without_overlap(h in exponential()) {
        let buckets: Vec<_> = h.ascending().collect();
        for pair in buckets.windows(2) {
            prop_assert!(pair[0].lower <= pair[0].upper && pair[0].upper <= pair[1].lower);
        }
    }

    #[test]
    fn quantiles_grow_with_rank(h in histogram(), a in 0.0..1.0_f64, b in 0.0..1.0_f64) {
        let (low, high) = (h.quantile(a.min(b)).value, h.quantile(a.max(b)).value);
        if h.count > 0.0 {
            prop_assert!(low <= high + 1e-9 * high.abs(), "{} {}", low, high);
        }
    }

    #[test]
    fn fractions_stay_within_bounds_and_grow(h in histogram(), at in -9.0..9.0_f64) {
        let below = |value| h.fraction(f64::NEG_INFINITY, value).value;
        if h.count > 0.0 {
            prop_assert!((-1e-9..=1.0 + 1e-9).contains(&below(at)));
            prop_assert!(below(at) <= below(at + 1.0) + 1e-9 || h.is_custom());
        }
    }

    #[test]
    fn trims_keep_no_more_than_there_was(h in histogram(), at in -9.0..9.0_f64) {
        for keep in [Keep::Below, Keep::Above] {
            let trimmed = h.trim(at, keep);
            prop_assert!(trimmed.count <= h.count + 1e-9);
            prop_assert_eq!(trimmed.validate(), Ok(()));
        }
    }

    #[test]
    fn a_growing_histogram_shows_no_reset((a, b) in pair()) {
        prop_assert!(!a.detect_reset(&a));
        prop_assert!(a.is_custom() || !sum(&a, &b).detect_reset(&a));
    }

    #[test]
    fn literals_read_back(h in histogram()) {
        let (literal, rest) = take_literal(&h.to_literal()).map(|(l, r)| (l, r.to_owned())).unwrap();
        prop_assert!(literal.histogram.almost_equals(&h, 0.0), "{}", h.to_literal());
        prop_assert_eq!(rest, "");
    }

    #[test]
    fn the_codec_keeps_every_bit(h in prop_oneof![histogram(), anything()], tail in any::<[u8; 3]>()) {
        let mut bytes = Vec::new();
        h.encode(&mut bytes);
        let decoded = NativeHistogram::decode(&bytes).unwrap();
        let mut again = Vec::new();
        decoded.encode(&mut again);
        prop_assert_eq!(&bytes, &again);
        prop_assert_eq!(format!("{decoded:?}"), format!("{h:?}"));
        bytes.extend(tail);
        prop_assert_eq!(NativeHistogram::decode_prefix(&bytes).unwrap().1, tail);
    }

    #[test]
    fn decoding_any_bytes_is_safe(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok((h, _)) = NativeHistogram::decode_prefix(&bytes) {
            prop_assert!(h.positive_buckets.len() <= bytes.len());
        }
    }

    #[test]
    fn nonsense_never_panics(a in anything(), b in anything(), value in any::<f64>()) {
        // What they answer has no meaning; that they answer is the point.
        std::hint::black_box((a.quantile(value), a.fraction(value, value + 1.0), a.stddev()));
        std::hint::black_box((a.detect_reset(&b), a.same_data(&b), a.almost_equals(&b, 1e-9)));
        std::hint::black_box((a.trim(value, Keep::Below), a.trim(value, Keep::Above)));
        std::hint::black_box((a.to_literal(), a.to_string(), a.validate().is_ok(), a.clone().accepted().is_ok()));
        std::hint::black_box((a.reduce_resolution(0), a.compact(u32::MAX), a.div(value)));
        prop_assert_eq!(a.add(&b).is_ok(), a.is_custom() == b.is_custom());
        prop_assert_eq!(a.sub(&b).is_ok(), a.is_custom() == b.is_custom());
    }
}

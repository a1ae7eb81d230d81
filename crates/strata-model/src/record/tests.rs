//! Buckets add up, merging does not depend on the order, conditions are read.

use proptest::prelude::*;

use super::*;

#[test]
fn buckets_are_disjoint() {
    let check = |usage: Usage, expected: [Option<u64>; 7], contradicts: bool| {
        let (buckets, found) = usage.buckets();
        assert_eq!((buckets.values(), found), (expected, contradicts), "{usage:?}");
    };
    let plain = Usage { input: Some(100), output: Some(40), ..Usage::default() };
    check(plain, [Some(100), None, None, Some(40), None, None, None], false);
    let cached = Usage { cache_read: Some(60), reasoning: Some(30), ..plain };
    check(cached, [Some(40), Some(60), None, Some(10), Some(30), None, None], false);
    let apart = Usage { cache_read: Some(600), cache_is_apart: true, ..plain };
    check(apart, [Some(100), Some(600), None, Some(40), None, None, None], false);
    let wrong = Usage { cache_read: Some(101), ..plain };
    check(wrong, [Some(0), Some(101), None, Some(40), None, None, None], true);
    let sound = Usage { audio_input: Some(10), audio_output: Some(5), ..plain };
    check(sound, [Some(90), None, None, Some(35), None, Some(15), None], false);
    check(Usage::default(), [None; 7], false);
}

fn seen(door: Door, span: &str) -> RequestRecord {
    let mut record = RequestRecord::new(door, 1_000_000);
    record.trace_id = Some("t".to_owned());
    record.span_id = Some(span.to_owned());
    record
}

#[test]
fn the_engine_adds_what_only_it_knows() {
    let mut client = seen(Door::Client, "a");
    client.end_us = Some(3_000_000);
    client.team = Some("search".to_owned());
    client.tokens.fresh_input = Some(31);
    client.count_source = CountSource::Usage;
    let mut engine = seen(Door::Engine, "b");
    engine.start_us = 1_100_000;
    engine.end_us = Some(2_900_000);
    engine.queue_us = Some(34);
    engine.replica = Some("engine-0".to_owned());
    engine.tokens.fresh_input = Some(30);
    engine.count_source = CountSource::EngineMetrics;
    let merged = merge(&[engine.clone(), client.clone()]).unwrap();
    assert_eq!(merged.duration_us(), Some(2_000_000));
    assert_eq!(merged.queue_us, Some(34));
    assert_eq!(merged.replica.as_deref(), Some("engine-0"));
    assert_eq!(merged.tokens.fresh_input, Some(31));
    assert_eq!(merge(&[client, engine]), Some(merged));
    assert_eq!(merge(&[]), None);
}

#[test]
fn calls_below_one_span_stay_apart() {
    let check = |a: &RequestRecord, b: &RequestRecord, expected: bool| {
        assert_eq!((joins(a, b), joins(b, a)), (expected, expected));
    };
    check(&seen(Door::Engine, "a"), &seen(Door::Engine, "b"), false);
    check(&seen(Door::Engine, "a"), &seen(Door::Engine, "a"), true);
    check(&seen(Door::Engine, "a"), &seen(Door::Client, "b"), true);
}

#[test]
fn conditions_are_read() {
    let check = |text: &str, field: Field, compare: Compare, value: SqlValue| {
        assert_eq!(Filter::parse(text), Ok(Filter { field, compare, value }), "{text}");
    };
    let text = |text: &str| SqlValue::Text(text.to_owned());
    check("team=search", Field::Team, Compare::Equal, text("search"));
    check("model = a=b", Field::Model, Compare::Equal, text("a=b"));
    check("outcome!=ok", Field::Outcome, Compare::NotEqual, text("ok"));
    check("duration>=1500ms", Field::Duration, Compare::AtLeast, SqlValue::Integer(1_500_000));
    check("ttft_us<=20", Field::Ttft, Compare::AtMost, SqlValue::Integer(20));
    check("output_text>=7", Field::OutputText, Compare::AtLeast, SqlValue::Integer(7));
    for bad in ["team", "teem=x", "duration>=soon", "output_text=1.5", ""] {
        assert!(Filter::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn quantiles_are_bounded_from_above() {
    let mut histogram = DurationHistogram::default();
    assert_eq!(histogram.quantile_at_most_us(0.5), None);
    for ms in 1..=100 {
        histogram.add(ms * 1_000, 1);
    }
    let median = histogram.quantile_at_most_us(0.5).unwrap();
    assert!((50e3..50e3 * 1.42).contains(&median), "{median}");
    histogram.add(i64::MAX, 1);
    assert_eq!(histogram.quantile_at_most_us(1.0), Some(f64::INFINITY));
}

prop_compose! {
    fn sighting()(
        door in prop::sample::select(vec![Door::Proxy, Door::Client, Door::Engine]),
        start in 0..5_i64,
        end in prop::option::of(5..9_i64),
        team in prop::option::of("[ab]"),
        input in prop::option::of(0..3_u64),
        read in prop::option::of(0..3_u64),
        source in prop::sample::select(vec![CountSource::Usage, CountSource::Estimate]),
    ) -> RequestRecord {
        let mut record = RequestRecord::new(door, start);
        record.end_us = end;
        record.team = team;
        record.tokens.fresh_input = input;
        record.tokens.cache_read = read;
        record.count_source = source;
        record
    }
}

proptest! {
    #[test]
    fn any_order_of_arrival_merges_alike(
        mut sightings in prop::collection::vec(sighting(), 1..5),
        turn in 0..4_usize,
    ) {
        let merged = merge(&sightings);
        let by = turn % sightings.len();
        sightings.rotate_left(by);
        prop_assert_eq!(&merge(&sightings), &merged);
        sightings.reverse();
        prop_assert_eq!(&merge(&sightings), &merged);
    }

    #[test]
    fn taking_out_what_was_added_leaves_nothing(records in prop::collection::vec(sighting(), 0..6)) {
        let mut totals = Totals::default();
        for record in &records {
            totals.add(record, 1);
        }
        for record in &records {
            totals.add(record, -1);
        }
        prop_assert_eq!(totals, Totals::default());
    }
}

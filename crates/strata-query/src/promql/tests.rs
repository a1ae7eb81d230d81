//! Whole queries: windows against a naive reading of their definition, bounds, and bad input.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use strata_model::Labels;

use super::syntax::{MAX_DEPTH, MAX_NESTING, parse, pretty};
use super::{EvalOptions, Interrupted, Query, SharedResults, evaluate, evaluate_shared};
use crate::engine::{QueryErrorKind, QueryValue, Value};
use crate::promqltest::{Embedded, MemorySource, Subject, random};

fn source(samples: &[(i64, f64)]) -> MemorySource {
    let mut source = MemorySource::new();
    let labels = Labels::from_pairs([("__name__", "m_total")]);
    for (time, value) in samples {
        source.push_float(&labels, *time, *value);
    }
    source
}

/// The points of the only series of a range query.
fn range(
    source: &MemorySource,
    text: &str,
    (start, end, step): (i64, i64, i64),
) -> Vec<(i64, f64)> {
    let answer = Embedded::default().range(source, text, start, end, step).unwrap();
    let QueryValue::Matrix(mut series) = answer.value else { panic!("{text}: no matrix") };
    let points = series.pop().map_or(Vec::new(), |one| one.points);
    let float = |value| match value {
        Value::Float(value) => value,
        Value::Histogram(_) => panic!("{text}: a histogram"),
    };
    points.into_iter().map(|(time, value)| (time, float(value))).collect()
}

/// `increase` as the documentation defines it: the change, resets added, extrapolated to the range
/// where a sample is within 1.1 mean distances of an edge, else by half a distance; never below 0.
fn naive_increase(samples: &[(i64, f64)], end: i64, length: i64) -> Option<f64> {
    let window: Vec<_> =
        samples.iter().filter(|(time, _)| *time > end - length && *time <= end).collect();
    let (first, last) = (window.first()?, window.last()?);
    if window.len() < 2 {
        return None;
    }
    let mut change = last.1 - first.1;
    for pair in window.windows(2) {
        if pair[1].1 < pair[0].1 {
            change += pair[0].1;
        }
    }
    let sampled = (last.0 - first.0) as f64;
    let distance = sampled / (window.len() - 1) as f64;
    let edge = |gap: i64| if gap as f64 >= distance * 1.1 { distance / 2.0 } else { gap as f64 };
    let mut before = edge(first.0 - (end - length));
    if change > 0.0 && first.1 >= 0.0 {
        before = before.min(sampled * (first.1 / change));
    }
    Some(change * (sampled + before + edge(end - last.0)) / sampled)
}

fn naive_quantile(samples: &[(i64, f64)], end: i64, length: i64, q: f64) -> Option<f64> {
    let window = samples.iter().filter(|(time, _)| *time > end - length && *time <= end);
    let mut values: Vec<f64> = window.map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let rank = q * last as f64;
    let below = rank.floor() as usize;
    let part = rank - rank.floor();
    Some(values[below] * (1.0 - part) + values[(below + 1).min(last)] * part)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

prop_compose! {
    /// Samples at irregular times, values that sometimes fall.
    fn samples()(steps in proptest::collection::vec((1_i64..40_000, -50_i32..200), 0..60)) -> Vec<(i64, f64)> {
        let (mut time, mut value) = (0, 100.0_f64);
        steps
            .into_iter()
            .map(|(gap, change)| {
                time += gap;
                value = (value + f64::from(change)).max(0.0);
                (time, value)
            })
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn windows_agree_with_their_definition(
        samples in samples(),
        length in 1_i64..400_000,
        step in 1_000_i64..200_000,
        q in 0.0..=1.0,
    ) {
        let times = (0, 1_000_000, step);
        let source = source(&samples);
        let check = |text: &str, naive: &dyn Fn(i64) -> Option<f64>| {
            let got = range(&source, text, times);
            let expected: Vec<(i64, f64)> = (0..=1_000_000 / step)
                .filter_map(|at| Some((at * step, naive(at * step)?)))
                .collect();
            let same = got.len() == expected.len()
                && got.iter().zip(&expected).all(|(a, b)| a.0 == b.0 && near(a.1, b.1));
            assert!(same, "{text}: {got:?} and {expected:?}");
        };
        let increase = |end| naive_increase(&samples, end, length);
        check(&format!("increase(m_total[{length}ms])"), &increase);
        let rate = |end| Some(increase(end)? / (length as f64 / 1000.0));
        check(&format!("rate(m_total[{length}ms])"), &rate);
        let quantile = |end| naive_quantile(&samples, end, length, q);
        check(&format!("quantile_over_time({q}, m_total[{length}ms])"), &quantile);
    }

    #[test]
    fn any_text_is_answered_or_refused(seed in 0_u64..1000, cuts in proptest::collection::vec((any::<u16>(), 0_usize..14), 0..6)) {
        const INSERTS: [&str; 14] =
            ["(", ")", "[5m]", "{", "\"", " offset -1d", " @ -1", "::", "by", "[1s:1ms]", "-", "^", "1e9", "\u{e9}"];
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut text = random::expression(&mut rng);
        for (at, insert) in cuts {
            let at = usize::from(at) % (text.len() + 1);
            if text.is_char_boundary(at) {
                text.insert_str(at, INSERTS[insert]);
            }
        }
        let options = EvalOptions { max_samples: 20_000, ..EvalOptions::default() };
        let source = source(&[(0, 1.0), (15_000, 2.0)]);
        for step_ms in [None, Some(15_000)] {
            let query = Query { text: &text, start_ms: 15_000, end_ms: 60_000, step_ms };
            if let Err(error) = evaluate(&source, &query, &options, &|| None) {
                prop_assert!(!error.message.is_empty());
            }
        }
    }
}

#[test]
fn deep_queries_are_refused_before_they_exhaust_the_stack() {
    let check = |text: String, fits: bool| {
        // A worker thread of the runtime has 2 MiB.
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
            let source = source(&[(0, 1.0)]);
            let query = Query { text: &text, start_ms: 0, end_ms: 0, step_ms: None };
            let outcome = evaluate(&source, &query, &EvalOptions::default(), &|| None);
            assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
        });
        thread.unwrap().join().unwrap();
    };
    let nested = |depth: usize| "abs(".repeat(depth) + "m_total" + &")".repeat(depth);
    check(nested(MAX_NESTING - 1), true);
    check(nested(MAX_NESTING + 1), false);
    check(nested(50_000), false);
    check("-(".repeat(40) + "1" + &")".repeat(40), true);
    check("-".repeat(20_000) + "m_total", false);
    check("m_total".to_owned() + &" + m_total".repeat(MAX_DEPTH - 4), true);
    check("m_total".to_owned() + &" + m_total".repeat(20_000), false);
    check("m_total ^ ".repeat(20_000) + "m_total", false);
    check(format!("m_total[{}5m]", "(".repeat(20_000)), false);
    check(format!("m_total[5m{}]", " + 5m".repeat(20_000)), false);
}

#[test]
fn bounds_hold() {
    let check = |text: &str, options: EvalOptions, wanted: &str| {
        let data = random::source(&random::data(3), 0);
        let query = Query { text, start_ms: 0, end_ms: 3_600_000, step_ms: Some(60_000) };
        let error = evaluate(&data, &query, &options, &|| None).unwrap_err();
        assert!(error.message.contains(wanted), "{text}: {error}");
    };
    let few = EvalOptions { max_samples: 100, ..EvalOptions::default() };
    check("usage", few, "too many samples");
    check("vector(1)[1y:1ms]", few, "invalid expression type");
    check("sum_over_time(vector(1)[1y:1ms])", EvalOptions::default(), "too many samples");
    let narrow = EvalOptions { max_series: 3, ..EvalOptions::default() };
    check("usage", narrow, "more than 3 series");
}

#[test]
fn an_evaluation_stops_when_told() {
    let data = random::source(&random::data(3), 0);
    let text = "sum(rate(requests_total[5m]))";
    let query = Query { text, start_ms: 0, end_ms: 3_600_000, step_ms: Some(60_000) };
    for (cause, kind) in [
        (Interrupted::Canceled, QueryErrorKind::Canceled),
        (Interrupted::TimedOut, QueryErrorKind::Timeout),
    ] {
        let polls = AtomicUsize::new(0);
        let interrupt = || (polls.fetch_add(1, Ordering::Relaxed) >= 4).then_some(cause);
        let error = evaluate(&data, &query, &EvalOptions::default(), &interrupt).unwrap_err();
        assert_eq!(error.kind, kind);
    }
}

#[test]
fn many_series_are_answered_as_each_by_itself() {
    // Enough samples for several threads; a name that is not a counter's leaves a note.
    const SERIES: usize = 40;
    let name = |n: usize| if n < SERIES / 2 { "m_total" } else { "usage" };
    let labels = |n: usize| Labels::from_pairs([("__name__", name(n)), ("n", &n.to_string())]);
    let source = |wanted: std::ops::Range<usize>| {
        let mut source = MemorySource::new();
        for n in wanted {
            for at in 0..4_000_usize {
                source.push_float(&labels(n), at as i64 * 1_000, (at * (n + 1) % 977) as f64);
            }
        }
        source
    };
    let (together, apart) = (source(0..SERIES), (0..SERIES).map(|n| source(n..n + 1)));
    let apart: Vec<_> = apart.collect();
    let check = |text: &str| {
        let ask = |source: &MemorySource| {
            let answer = Embedded::default().range(source, text, 0, 4_000_000, 60_000).unwrap();
            let QueryValue::Matrix(series) = answer.value else { panic!("{text}: no matrix") };
            (series, answer.annotations)
        };
        let (mut all, notes) = ask(&together.in_one_piece());
        let mut alone: Vec<_> = apart.iter().flat_map(|one| ask(one).0).collect();
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        alone.sort_by(|a, b| a.labels.cmp(&b.labels));
        assert_eq!(all.len(), SERIES, "{text}");
        assert_eq!(format!("{all:?}"), format!("{alone:?}"), "{text}");
        assert_eq!(notes, ask(&apart[SERIES - 1]).1, "{text}");
    };
    check("rate({n!=\"\"}[5m])");
    check("max_over_time({n!=\"\"}[5m])");
}

#[test]
fn series_given_one_by_one_answer_as_all_at_once() {
    let mut rng = fastrand::Rng::with_seed(5);
    let streamed = random::source(&random::data(5), 0);
    let whole = streamed.in_one_piece();
    let few = EvalOptions { max_samples: 3_000, ..EvalOptions::default() };
    let narrow = EvalOptions { max_series: 8, ..EvalOptions::default() };
    let mut answered = 0;
    for _ in 0..400 {
        let text = random::expression(&mut rng);
        for options in [EvalOptions::default(), few, narrow] {
            let query =
                Query { text: &text, start_ms: 0, end_ms: 3_600_000, step_ms: Some(90_000) };
            let ask = |source: &MemorySource| {
                let answer = evaluate(source, &query, &options, &|| None);
                answer.map(|answer| format!("{answer:?}")).map_err(|error| error.message)
            };
            let one_by_one = ask(&streamed);
            let all_at_once = ask(&whole);
            // Series that are let go of one by one need less room.
            let held = |error: &String| error.contains("too many samples");
            if !(one_by_one.is_ok() && all_at_once.as_ref().is_err_and(held)) {
                assert_eq!(one_by_one, all_at_once, "{text}");
            }
            answered += usize::from(one_by_one.is_ok());
        }
    }
    assert!((400..1_150).contains(&answered), "{answered} of 1200 had an answer");
}

#[test]
fn what_queries_share_changes_no_answer() {
    let mut rng = fastrand::Rng::with_seed(9);
    let source = random::source(&random::data(9), 0);
    let options = EvalOptions::default();
    let shared = SharedResults::default();
    let end_ms = 3_600_000;
    let mut alike = 0;
    for _ in 0..400 {
        let text = random::expression(&mut rng);
        // As a part of several queries, over a range and at its end: the second time from the first.
        let queries = [
            format!("max(sum by (job) ({text}))"),
            format!("1 + sum by (job) ({text})"),
            format!("topk(2, {text})"),
            format!("abs({text})"),
        ];
        for text in queries {
            for (start_ms, step_ms) in [(600_000, Some(60_000)), (end_ms, None)] {
                let query = Query { text: &text, start_ms, end_ms, step_ms };
                let ask = |shared: Option<&SharedResults>| {
                    let answer = evaluate_shared(&source, &query, &options, &|| None, shared);
                    let rows = answer.map(|answer| match answer.value {
                        QueryValue::Vector(rows) | QueryValue::Matrix(rows) => rows,
                        other => panic!("{other:?}"),
                    });
                    // Of an instant vector the order is nobody's business.
                    let rows = rows.map(|rows| rows.iter().map(|row| format!("{row:?}")).collect());
                    rows.map(|mut rows: Vec<String>| {
                        rows.sort_unstable();
                        rows
                    })
                    .map_err(|error| error.message)
                };
                let (plain, from_shared) = (ask(None), ask(Some(&shared)));
                assert_eq!(from_shared, plain, "{text} from {start_ms}");
                alike += usize::from(plain.is_ok());
            }
        }
    }
    assert!(alike > 1_600, "{alike} of 3200 had an answer");
}

#[test]
fn queries_print_in_the_canonical_layout() {
    let check = |text: &str, expected: &str| {
        assert_eq!(pretty(&parse(text).unwrap()), expected);
    };
    check("sum(rate(a{b='c'}[5m]))by(x)", "sum by (x) (rate(a{b=\"c\"}[5m]))");
    check("a+on(x)group_left(y)b", "a + on (x) group_left (y) b");
    check("-a offset -5m@start()", "-a @ start() offset -5m");
    check("topk(3,a)  # best", "topk(3, a)");
    check("a[1h:]", "a[1h:]");
    check("{\"a.b\",c=\"d\"}", "{__name__=\"a.b\",c=\"d\"}");
    let long = "histogram_quantile(0.99, sum by (le, model_name, namespace) \
                (rate(vllm:time_to_first_token_seconds_bucket{namespace=\"prod\"}[5m])))";
    check(
        long,
        "histogram_quantile(\n  0.99,\n  sum by (le, model_name, namespace) (\n    \
         rate(vllm:time_to_first_token_seconds_bucket{namespace=\"prod\"}[5m])\n  )\n)",
    );
}

//! One question over engines that name, label and scale things differently.

mod joint;
mod streamed;

use std::sync::Arc;

use strata_model::catalog::Catalog;
use strata_model::{
    Labels, MatchOp, Matcher, Metadata, STALE_NAN, SelectError, SelectHints, Selection, Series,
    SeriesSource,
};

use super::CanonicalSource;
use crate::promqltest::MemorySource;

const METRICS: &str = r#"
layer = "l6_inference"

[[metric]]
name = "inference.generation_tokens"
kind = "counter"
unit = "{token}"
brief = "Tokens generated."
definition = "Counted by the engine."
attributes = ["model"]

[[metric]]
name = "inference.request.duration"
kind = "histogram"
unit = "s"
brief = "Duration of a request."
definition = "Received to finished."
attributes = ["model"]

[[metric]]
name = "inference.kv_cache.utilization"
kind = "gauge"
unit = "1"
brief = "Share of the KV cache that is pinned."
definition = "Used by total blocks."
attributes = ["model"]
"#;

const RED: &str = r#"
title = "Red"
layers = ["l6_inference"]
rename = { model_name = "model" }
set = { inference_engine = "red" }
[identify]
any = ["red:*"]
[[map]]
metric = "inference.generation_tokens"
families = ["red:tokens_total", "red:old_tokens_total"]
[[map]]
metric = "inference.request.duration"
family = "red:duration_ms"
scale = 0.001
"#;

const BLUE: &str = r#"
title = "Blue"
layers = ["l6_inference"]
set = { inference_engine = "blue" }
[identify]
any = ["blue_*"]
[[map]]
metric = "inference.generation_tokens"
family = "blue_kilotokens_total"
scale = 1000.0
[[map]]
metric = "inference.kv_cache.utilization"
family = "blue_used_blocks"
value = [{ divide = "blue_max_blocks" }]
"#;

/// Series given as (name, label pairs, samples of (ms, value)).
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [(i64, f64)]);

fn catalog() -> &'static Catalog {
    let files = [
        ("metrics/l6_inference.toml", METRICS),
        ("sources/red.toml", RED),
        ("sources/blue.toml", BLUE),
    ];
    Box::leak(Box::new(Catalog::load(&files).unwrap()))
}

fn source(rows: &[Row<'_>]) -> CanonicalSource {
    let mut stored = MemorySource::new();
    for (name, labels, samples) in rows {
        let labels = Labels::from_pairs(labels.iter().copied().chain([("__name__", *name)]));
        for (at, value) in *samples {
            stored.push_float(&labels, *at, *value);
        }
    }
    CanonicalSource::new(Arc::new(stored), catalog())
}

fn select(source: &CanonicalSource, matchers: Vec<Matcher>) -> Vec<String> {
    let selection =
        Selection { matchers, start_ms: 0, end_ms: 100_000, hints: SelectHints::default() };
    let found = source.select(&selection).unwrap();
    let mut rows: Vec<String> = found
        .iter()
        .map(|series| {
            let pairs = series.points.times.iter().zip(&series.points.values);
            let points: Vec<_> = pairs.map(|(at, value)| format!("{at}:{value}")).collect();
            format!("{} {}", series.labels, points.join(" "))
        })
        .collect();
    rows.sort();
    rows
}

fn named(name: &str) -> Vec<Matcher> {
    vec![Matcher::equal("__name__", name)]
}

#[test]
fn one_name_unites_engines_with_their_scales_and_labels() {
    let source = source(&[
        ("red:tokens_total", &[("model_name", "m1"), ("instance", "a")], &[(1000, 7.0)]),
        ("blue_kilotokens_total", &[("model", "m2"), ("instance", "b")], &[(1000, 2.5)]),
        ("other_total", &[], &[(1000, 1.0)]),
    ]);
    let expected = [
        "inference_generation_tokens_total{inference_engine=\"blue\",instance=\"b\",model=\"m2\"} 1000:2500",
        "inference_generation_tokens_total{inference_engine=\"red\",instance=\"a\",model=\"m1\"} 1000:7",
    ];
    assert_eq!(select(&source, named("inference_generation_tokens_total")), expected);
}

#[test]
fn canonical_matchers_reach_renamed_and_constant_labels() {
    let source = source(&[
        ("red:tokens_total", &[("model_name", "m1")], &[(1000, 7.0)]),
        ("red:tokens_total", &[("model_name", "m2")], &[(1000, 8.0)]),
        ("blue_kilotokens_total", &[("model", "m1")], &[(1000, 1.0)]),
    ]);
    let check = |name: &str, op: MatchOp, value: &str, expected: usize| {
        let mut matchers = named("inference_generation_tokens_total");
        matchers.push(Matcher::new(op, name, value).unwrap());
        assert_eq!(select(&source, matchers).len(), expected, "{name} {op:?} {value}");
    };
    check("model", MatchOp::Equal, "m1", 2);
    check("model", MatchOp::NotEqual, "m1", 1);
    check("model", MatchOp::Regex, "m.", 3);
    check("inference_engine", MatchOp::Equal, "red", 2);
    check("inference_engine", MatchOp::Equal, "green", 0);
    check("model_name", MatchOp::Equal, "m1", 0);
}

#[test]
fn a_renamed_metric_is_one_series_across_the_upgrade() {
    let source = source(&[
        ("red:old_tokens_total", &[("model_name", "m")], &[(1000, 1.0), (2000, STALE_NAN)]),
        ("red:tokens_total", &[("model_name", "m")], &[(2000, 2.0), (3000, 3.0)]),
    ]);
    let expected = [
        "inference_generation_tokens_total{inference_engine=\"red\",model=\"m\"} 1000:1 2000:2 3000:3",
    ];
    assert_eq!(select(&source, named("inference_generation_tokens_total")), expected);
}

#[test]
fn where_the_first_spelling_is_there_the_other_is_silent() {
    let source = source(&[
        (
            "red:old_tokens_total",
            &[("model_name", "m")],
            &[(1000, 1.0), (2500, 900.0), (400_000, 950.0)],
        ),
        ("red:tokens_total", &[("model_name", "m")], &[(2000, 2.0), (3000, 3.0), (700_000, 4.0)]),
    ]);
    let expected = ["inference_generation_tokens_total{inference_engine=\"red\",model=\"m\"} \
         1000:1 2000:2 3000:3 400000:950 700000:4"];
    let matchers = named("inference_generation_tokens_total");
    let selection =
        Selection { matchers, start_ms: 0, end_ms: 800_000, hints: SelectHints::default() };
    let found = source.select(&selection).unwrap();
    let pairs = found[0].points.times.iter().zip(&found[0].points.values);
    let points: Vec<_> = pairs.map(|(at, value)| format!("{at}:{value}")).collect();
    assert_eq!([format!("{} {}", found[0].labels, points.join(" "))], expected);
}

#[test]
fn a_change_of_unit_moves_edges_and_sums_but_never_counts() {
    let labels: &[(&str, &str)] = &[("model_name", "m"), ("le", "250")];
    let source = source(&[
        ("red:duration_ms_bucket", labels, &[(1000, 5.0)]),
        ("red:duration_ms_sum", &[("model_name", "m")], &[(1000, 600.0)]),
        ("red:duration_ms_count", &[("model_name", "m")], &[(1000, 5.0)]),
    ]);
    let tail = "inference_engine=\"red\"";
    let check = |suffix: &str, expected: &str| {
        let name = format!("inference_request_duration_seconds{suffix}");
        assert_eq!(select(&source, named(&name)), [expected.replace("NAME", &name)]);
    };
    check("_bucket", &format!("NAME{{{tail},le=\"0.25\",model=\"m\"}} 1000:5"));
    check("_sum", &format!("NAME{{{tail},model=\"m\"}} 1000:0.6"));
    check("_count", &format!("NAME{{{tail},model=\"m\"}} 1000:5"));
    let mut matchers = named("inference_request_duration_seconds_bucket");
    matchers.push(Matcher::equal("le", "0.25"));
    assert_eq!(select(&source, matchers).len(), 1);
}

#[test]
fn a_ratio_of_two_families_is_unknown_where_the_other_is_missing() {
    let source = source(&[
        ("blue_used_blocks", &[("model", "m")], &[(1000, 3.0), (2000, 4.0), (3000, 5.0)]),
        ("blue_max_blocks", &[("model", "m")], &[(1000, 6.0), (3000, 0.0)]),
        ("blue_used_blocks", &[("model", "n")], &[(1000, 1.0)]),
    ]);
    let expected =
        ["inference_kv_cache_utilization_ratio{inference_engine=\"blue\",model=\"m\"} 1000:0.5"];
    assert_eq!(select(&source, named("inference_kv_cache_utilization_ratio")), expected);
}

#[test]
fn source_names_pass_through_untouched() {
    let source = source(&[("red:tokens_total", &[("model_name", "m")], &[(1000, 7.0)])]);
    assert_eq!(
        select(&source, named("red:tokens_total")),
        ["red:tokens_total{model_name=\"m\"} 1000:7"]
    );
}

#[test]
fn look_ups_offer_canonical_names_that_have_data() {
    let source = source(&[
        ("red:duration_ms_bucket", &[("model_name", "m"), ("le", "250")], &[(1000, 5.0)]),
        ("red:duration_ms_count", &[("model_name", "m")], &[(1000, 5.0)]),
    ]);
    let names = source.label_values("__name__", &[], 0, 100_000).unwrap();
    assert_eq!(
        names,
        [
            "inference_request_duration_seconds_bucket",
            "inference_request_duration_seconds_count",
            "red:duration_ms_bucket",
            "red:duration_ms_count",
        ]
    );
    let set = vec![named("inference_request_duration_seconds_count")];
    assert_eq!(source.label_values("model", &set, 0, 100_000).unwrap(), ["m"]);
    assert_eq!(
        source.label_names(&set, 0, 100_000).unwrap(),
        ["__name__", "inference_engine", "model"]
    );
    let families: Vec<_> = source.metadata().unwrap().into_iter().map(|m| m.family).collect();
    assert_eq!(families, ["inference_request_duration_seconds"]);
}

/// Remembers the function it was told, and has no series.
#[derive(Default)]
struct Listening(std::sync::Mutex<Vec<Option<String>>>);

impl SeriesSource for Listening {
    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        self.0.lock().unwrap().push(selection.hints.func.clone());
        Ok(Vec::new())
    }

    fn series(
        &self,
        _: &[Vec<Matcher>],
        _: i64,
        _: i64,
        _: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        Ok(Vec::new())
    }

    fn label_names(&self, _: &[Vec<Matcher>], _: i64, _: i64) -> Result<Vec<String>, SelectError> {
        Ok(Vec::new())
    }

    fn label_values(
        &self,
        _: &str,
        _: &[Vec<Matcher>],
        _: i64,
        _: i64,
    ) -> Result<Vec<String>, SelectError> {
        Ok(Vec::new())
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SelectError> {
        Ok(Vec::new())
    }
}

#[test]
fn a_store_is_not_told_the_function_of_a_value_it_does_not_hold() {
    let check = |name: &str, expected: &[Option<&str>]| {
        let inner = Arc::new(Listening::default());
        let source = CanonicalSource::new(Arc::<Listening>::clone(&inner), catalog());
        let hints =
            SelectHints { func: Some("max_over_time".to_owned()), ..SelectHints::default() };
        let selection = Selection { matchers: named(name), start_ms: 0, end_ms: 1, hints };
        source.select(&selection).unwrap();
        let told = inner.0.lock().unwrap();
        let told: Vec<Option<&str>> = told.iter().map(Option::as_deref).collect();
        assert_eq!(told, expected, "{name}");
    };
    let max = Some("max_over_time");
    // Stored under its own name, two spellings of one engine, and a scaled one.
    check("inference_generation_tokens_total", &[max, max, max, max]);
    // Under its own name; then the quotient's two families.
    check("inference_kv_cache_utilization_ratio", &[max, None, None]);
}

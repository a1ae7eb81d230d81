//! One question over several engines, hosts and doors, with the catalog that is built in.

use std::sync::Arc;

use strata_model::catalog::Catalog;
use strata_model::{Labels, Matcher, STALE_NAN, SeriesSource};

use super::super::CanonicalSource;
use crate::engine::{Answer, QueryValue, Value};
use crate::promql::{EvalOptions, Query, evaluate};
use crate::promqltest::MemorySource;

/// A series in the exposition's spelling with its samples, (seconds, value).
type Row<'a> = (&'a str, &'a [(i64, f64)]);

pub(super) fn labels(text: &str) -> Labels {
    let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
    let pairs = rest.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap());
    Labels::from_pairs(pairs.chain([("__name__", name)]))
}

fn source(rows: &[Row<'_>]) -> CanonicalSource {
    let mut stored = MemorySource::new();
    for (series, samples) in rows {
        for (at, value) in *samples {
            stored.push_float(&labels(series), at * 1000, *value);
        }
    }
    CanonicalSource::new(Arc::new(stored), Catalog::builtin())
}

fn ask(source: &CanonicalSource, text: &str, at_s: i64) -> Answer {
    let query = Query { text, start_ms: at_s * 1000, end_ms: at_s * 1000, step_ms: None };
    evaluate(source, &query, &EvalOptions::default(), &|| None).unwrap()
}

/// The answer as `{labels} value`, in order.
fn told(source: &CanonicalSource, text: &str, at_s: i64) -> Vec<String> {
    let QueryValue::Vector(series) = ask(source, text, at_s).value else { panic!("no vector") };
    let mut rows: Vec<String> = series
        .iter()
        .map(|one| match &one.points[0].1 {
            Value::Float(value) => format!("{} {value}", one.labels),
            Value::Histogram(_) => format!("{} histogram", one.labels),
        })
        .collect();
    rows.sort();
    rows
}

/// Buckets of one histogram at 60 s, all counts from 0 at 0 s.
fn histogram(rows: &mut Vec<(String, Vec<(i64, f64)>)>, head: &str, buckets: &[(&str, f64)]) {
    for (edge, count) in buckets {
        let samples = vec![(0, 0.0), (60, *count)];
        rows.push((format!("{head},le={edge}}}"), samples));
    }
}

fn two_engines() -> CanonicalSource {
    let mut rows = Vec::new();
    // vLLM: 100 requests, 90 up to 250 ms, all up to 500 ms. SGLang has no edge at 250 ms.
    let vllm = [("0.1", 0.0), ("0.25", 90.0), ("0.5", 100.0), ("1.0", 100.0), ("+Inf", 100.0)];
    let sglang = [("0.1", 40.0), ("0.2", 60.0), ("0.4", 80.0), ("1.0", 100.0), ("+Inf", 100.0)];
    histogram(&mut rows, "vllm:time_to_first_token_seconds_bucket{model_name=m,instance=a", &vllm);
    let head = "sglang:time_to_first_token_seconds_bucket{model_name=m,instance=b,tp_rank=0";
    histogram(&mut rows, head, &sglang);
    let rows: Vec<Row<'_>> = rows.iter().map(|(name, s)| (name.as_str(), s.as_slice())).collect();
    source(&rows)
}

#[test]
fn a_quantile_over_engines_uses_the_edges_that_all_have() {
    let source = two_engines();
    let sum = "sum by (le) (inference_ttft_seconds_bucket)";
    let expected = ["{le=\"+Inf\"} 200", "{le=\"0.1\"} 40", "{le=\"1.0\"} 200"];
    assert_eq!(told(&source, sum, 60), expected);
    // By hand: rank 0.95 * 200 = 190 of 200, in the bucket 0.1..1 that holds 40..200:
    // 0.1 + 0.9 * (190 - 40) / 160 = 0.94375.
    let quantile = format!("histogram_quantile(0.95, {sum})");
    assert_eq!(told(&source, &quantile, 60), ["{} 0.94375"]);
    let notes = ask(&source, &quantile, 60).annotations;
    assert!(notes.infos[0].contains("common edges"), "{notes:?}");
    assert!(notes.warnings.is_empty(), "{notes:?}");
    // Below the first common edge: within 0..0.1, which is all that both say.
    let rated = "histogram_quantile(0.1, sum by (le) (rate(inference_ttft_seconds_bucket[61s])))";
    assert_eq!(told(&source, rated, 60), ["{} 0.05"]);
}

#[test]
fn engines_that_are_kept_apart_keep_their_edges() {
    let source = two_engines();
    let check = |text: &str, edges: usize| {
        assert_eq!(told(&source, text, 60).len(), edges, "{text}");
        let notes = ask(&source, text, 60).annotations;
        assert!(notes.infos.is_empty(), "{text}: {notes:?}");
    };
    check("inference_ttft_seconds_bucket", 10);
    check("sum by (le, inference_engine) (inference_ttft_seconds_bucket)", 10);
    check("sum without (instance, tp_rank) (inference_ttft_seconds_bucket)", 10);
    check("topk by (le) (9, inference_ttft_seconds_bucket)", 10);
    check("sum by (le) (inference_ttft_seconds_bucket{inference_engine=\"vllm\"})", 5);
    check("sum(inference_ttft_seconds_bucket)", 1);
    // Both aggregations decide: the outer one adds the engines up.
    let nested = "sum by (le) (sum by (le, inference_engine) (inference_ttft_seconds_bucket))";
    assert_eq!(told(&source, nested, 60).len(), 3);
}

#[test]
fn an_edge_has_one_spelling_and_is_found_by_any() {
    let source = source(&[
        ("vllm:time_to_first_token_seconds_bucket{instance=a,le=1}", &[(60, 3.0)]),
        ("vllm:time_to_first_token_seconds_bucket{instance=b,le=1.0}", &[(60, 4.0)]),
    ]);
    let check = |condition: &str, expected: &[&str]| {
        let text = format!("sum by (le) (inference_ttft_seconds_bucket{{{condition}}})");
        assert_eq!(told(&source, &text, 60), expected, "{condition}");
    };
    check("", &["{le=\"1.0\"} 7"]);
    check("le=\"1\"", &["{le=\"1.0\"} 7"]);
    check("le=\"1.0\"", &["{le=\"1.0\"} 7"]);
    check("le!=\"1\"", &[]);
    check("le=~\"1.*\"", &["{le=\"1.0\"} 7"]);
    check("le=\"2\"", &[]);
}

#[test]
fn labels_without_a_metric_are_offered_in_canonical_terms() {
    let source = source(&[
        ("vllm:generation_tokens_total{model_name=m1,instance=a}", &[(1, 1.0)]),
        ("sglang:generation_tokens_total{model_name=m2,instance=b,tp_rank=0}", &[(1, 1.0)]),
        ("other_total{model_name=not_ours,model=own}", &[(1, 1.0)]),
    ]);
    let values = |name: &str, sets: &[Vec<Matcher>]| {
        source.label_values(name, sets, 0, 10_000).unwrap().join(" ")
    };
    assert_eq!(values("model", &[]), "m1 m2 own");
    assert_eq!(values("model_name", &[]), "m1 m2 not_ours");
    assert_eq!(values("inference_engine", &[]), "sglang vllm");
    let only = |name: &str, value: &str| vec![vec![Matcher::equal(name, value)]];
    assert_eq!(values("model", &only("instance", "a")), "m1");
    assert_eq!(values("model", &only("inference_engine", "sglang")), "m2");
    assert_eq!(values("instance", &only("inference_engine", "sglang")), "b");
    assert_eq!(values("inference_engine", &only("model", "m1")), "vllm");
    assert_eq!(values("model", &only("instance", "none")), "");
    let names = source.label_names(&[], 0, 10_000).unwrap();
    for name in ["model", "model_name", "inference_engine", "instance"] {
        assert!(names.iter().any(|one| one == name), "{name}: {names:?}");
    }
    let names = source.label_names(&only("instance", "b"), 0, 10_000).unwrap();
    assert!(names.contains(&"model".to_owned()) && names.contains(&"tp_rank".to_owned()));
    let names = source.label_names(&only("instance", "none"), 0, 10_000).unwrap();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn the_native_host_hides_an_exporter_on_the_same_host_only() {
    let source = source(&[
        ("system_memory_limit_bytes{node=h1}", &[(600, 64.0), (660, 64.0)]),
        // The exporter was there before the native collector.
        (
            "node_memory_MemTotal_bytes{node=h1,job=node_exporter}",
            &[(60, 63.0), (600, 63.0), (660, 63.0)],
        ),
        ("node_memory_MemTotal_bytes{node=h2,job=node_exporter}", &[(60, 32.0), (660, 32.0)]),
        ("node_memory_MemTotal_bytes{job=elsewhere}", &[(660, 16.0)]),
    ]);
    let check = |text: &str, at: i64, expected: &[&str]| {
        assert_eq!(told(&source, text, at), expected, "{text} at {at}");
    };
    check("sum(system_memory_limit_bytes)", 660, &["{} 112"]);
    check(
        "sum by (node) (system_memory_limit_bytes)",
        60,
        &["{node=\"h1\"} 63", "{node=\"h2\"} 32"],
    );
    check(
        "system_memory_limit_bytes{job=\"node_exporter\",node=\"h1\"} * 1",
        660,
        &["{job=\"node_exporter\",node=\"h1\"} 63"],
    );
}

#[test]
fn a_gpu_behind_two_exporters_is_one_gpu() {
    let source = source(&[
        ("DCGM_FI_DEV_GPU_UTIL{UUID=GPU-Ab1,instance=a}", &[(60, 50.0)]),
        ("nvidia_smi_utilization_gpu_ratio{uuid=ab1,instance=b}", &[(60, 0.5)]),
        ("nvidia_smi_utilization_gpu_ratio{uuid=cd2,instance=b}", &[(60, 0.25)]),
        // DCGM's default fields have no encoder: the other door shows it.
        ("nvidia_smi_utilization_encoder_ratio{uuid=ab1,instance=b}", &[(60, 0.125)]),
    ]);
    let text = "sum by (task) (hw_gpu_utilization_ratio)";
    assert_eq!(told(&source, text, 60), ["{task=\"encoder\"} 0.125", "{task=\"general\"} 0.75"]);
}

#[test]
fn an_engine_without_the_model_on_its_page_has_the_one_it_told() {
    let info = "inference_engine_model_info{job=llamacpp,instance=i,node=n,model=";
    let (first, second) = (format!("{info}m1}}"), format!("{info}m2}}"));
    let tokens = "llamacpp:tokens_predicted_total{job=llamacpp,instance=i,node=n}";
    let source = source(&[
        (&first, &[(0, 1.0), (60, 1.0), (120, STALE_NAN)]),
        (&second, &[(120, 1.0), (180, 1.0)]),
        (tokens, &[(0, 0.0), (60, 60.0), (120, 0.0), (180, 30.0)]),
        (
            "llamacpp:tokens_predicted_total{job=llamacpp,instance=quiet,node=n}",
            &[(0, 1.0), (180, 2.0)],
        ),
    ]);
    let text = "sum by (model) (increase(inference_generation_tokens_total[61s]))";
    assert_eq!(told(&source, text, 60), ["{model=\"m1\"} 60"]);
    assert_eq!(told(&source, text, 180), ["{model=\"m2\"} 30"]);
    let count = "count by (model) (inference_generation_tokens_total)";
    assert_eq!(told(&source, count, 180), ["{model=\"m1\"} 1", "{model=\"m2\"} 1", "{} 1"]);
    let one = "inference_generation_tokens_total{model=\"m2\"} * 1";
    assert_eq!(told(&source, one, 180).len(), 1);
    let set = vec![vec![Matcher::equal("__name__", "inference_generation_tokens_total")]];
    let values = source.label_values("model", &set, 0, 200_000).unwrap();
    assert_eq!(values, ["m1", "m2"]);
    assert_eq!(source.label_values("model", &[], 0, 200_000).unwrap(), ["m1", "m2"]);
}

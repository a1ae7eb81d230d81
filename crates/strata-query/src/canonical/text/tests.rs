//! The text over stored names must mean what the canonical query means: both are evaluated over the
//! same samples and compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use strata_model::catalog::Catalog;
use strata_model::{Labels, Matcher, SeriesSource};

use super::{Facts, Found, Want, rewrite};
use crate::canonical::CanonicalSource;
use crate::engine::{QueryValue, Value};
use crate::promql::syntax::parse;
use crate::promql::{EvalOptions, Query, evaluate};
use crate::promqltest::MemorySource;

/// Look up everything `facts` asks for, as an engine would.
fn look_up(source: &MemorySource, want: &Want) -> Found {
    let (start, end) = (i64::MIN, i64::MAX);
    let set = |family: &str| vec![vec![Matcher::equal("__name__", family)]];
    match want {
        Want::Labels { family } => {
            let names = source.label_names(&set(family), start, end).unwrap();
            Found::Labels(names.into_iter().collect())
        }
        Want::Edges { family } => {
            Found::Edges(source.label_values("le", &set(family), start, end).unwrap())
        }
        Want::Tuples { family, labels } => {
            let series = source.series(&set(family), start, end, 0).unwrap();
            let tuple = |one: &Labels| {
                labels.iter().map(|name| one.get(name).unwrap_or("").to_owned()).collect()
            };
            let tuples: BTreeSet<Vec<String>> = series.iter().map(tuple).collect();
            Found::Tuples(tuples.into_iter().collect())
        }
    }
}

fn text_of(query: &str, source: &MemorySource) -> Result<String, String> {
    let catalog = Catalog::builtin();
    let names = source.label_values("__name__", &[], i64::MIN, i64::MAX).unwrap();
    let mut facts = Facts::new(names.into_iter().collect());
    let expr = parse(query).unwrap();
    loop {
        let text = rewrite(&expr, catalog, &facts);
        let wanted = facts.take_wanted();
        if wanted.is_empty() {
            let text = text.map_err(|error| error.message)?.to_string();
            // What is written must read as the same tree.
            assert_eq!(parse(&text).unwrap().to_string(), text);
            return Ok(text);
        }
        for want in wanted {
            let found = look_up(source, &want);
            facts.learn(want, found);
        }
    }
}

/// Rows of an answer that compare as text, values with 12 digits.
fn rows(source: &dyn SeriesSource, query: &str) -> Result<Vec<String>, String> {
    let query = Query { text: query, start_ms: 300_000, end_ms: 600_000, step_ms: Some(60_000) };
    let answer = evaluate(source, &query, &EvalOptions::default(), &|| None);
    let answer = answer.map_err(|error| error.message)?;
    let QueryValue::Matrix(series) = answer.value else { return Err("no matrix".to_owned()) };
    let mut rows: Vec<String> = series
        .iter()
        .map(|one| {
            let points = one.points.iter().map(|(at, value)| match value {
                Value::Float(value) => format!("{at}:{value:.12e}"),
                Value::Histogram(histogram) => format!("{at}:{histogram:?}"),
            });
            format!("{} {}", one.labels, points.collect::<Vec<_>>().join(" "))
        })
        .collect();
    rows.sort();
    Ok(rows)
}

/// Series of engines and exporters that differ in names, labels, scales and ways to say a thing.
fn stored() -> MemorySource {
    let mut source = MemorySource::new();
    let mut push = |name: &str, labels: &[(&str, &str)], first: f64, growth: f64| {
        let pairs = labels.iter().copied().chain([("__name__", name)]);
        let labels = Labels::from_pairs(pairs);
        for step in 0..=40_i64 {
            source.push_float(&labels, step * 15_000, first + growth * step as f64);
        }
    };
    for (replica, model, growth) in [("a", "llama", 30.0), ("b", "qwen", 45.0)] {
        let own = [("instance", replica), ("model_name", model), ("engine", "0")];
        push("vllm:generation_tokens_total", &own, 100.0, growth);
        push("vllm:num_requests_running", &own, 3.0, 0.25);
        push("vllm:kv_cache_usage_perc", &own, 0.25, 0.01);
        for (edge, share) in [("0.1", 0.25), ("0.5", 0.5), ("1.0", 0.75), ("+Inf", 1.0)] {
            let own = [("instance", replica), ("model_name", model), ("engine", "0"), ("le", edge)];
            push("vllm:time_to_first_token_seconds_bucket", &own, 10.0, growth * share);
        }
        let info = [
            ("instance", replica),
            ("engine", "0"),
            ("block_size", "16"),
            ("num_gpu_blocks", if replica == "a" { "1000" } else { "2000" }),
            ("kv_cache_size_tokens", "None"),
        ];
        push("vllm:cache_config_info", &info, 1.0, 0.0);
    }
    let sglang = [("instance", "c"), ("model_name", "llama"), ("tp_rank", "0"), ("pp_rank", "0")];
    push("sglang:generation_tokens_total", &sglang, 7.0, 11.0);
    push("sglang:num_running_reqs", &sglang, 5.0, 0.5);
    push("sglang:weight_memory_usage_gb", &sglang, -0.5, 0.0);
    push("llamacpp:tokens_predicted_total", &[("instance", "d")], 3.0, 5.0);
    push("llamacpp:prompt_tokens_total", &[("instance", "d")], 30.0, 50.0);
    push("llamacpp:prompt_tokens_cached_total", &[("instance", "d")], 3.0, 10.0);
    push("llamacpp:predicted_tokens_seconds", &[("instance", "d")], 20.0, 1.0);
    for (gpu, uuid) in [("0", "GPU-1"), ("1", "GPU-2")] {
        let own = [
            ("gpu", gpu),
            ("UUID", uuid),
            ("modelName", "H100"),
            ("Hostname", "n1"),
            ("exported_pod", "worker"),
            ("pod", "dcgm-exporter"),
            ("instance", "n1:9400"),
        ];
        push("DCGM_FI_DEV_FB_USED", &own, 1000.0, 10.0);
        push("DCGM_FI_DEV_FB_FREE", &own, 80_000.0, -10.0);
        push("DCGM_FI_DEV_FB_RESERVED", &own, 600.0, 0.0);
        push("DCGM_FI_DEV_GPU_UTIL", &own, 40.0, 1.0);
        push("DCGM_FI_DEV_POWER_USAGE", &own, 300.0, 2.0);
        push("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", &own, 1e6, 4500.0);
    }
    let node = [("instance", "n1:9100"), ("job", "node")];
    for (name, first) in [
        ("node_memory_MemTotal_bytes", 64e9),
        ("node_memory_MemFree_bytes", 10e9),
        ("node_memory_Buffers_bytes", 1e9),
        ("node_memory_Cached_bytes", 20e9),
        ("node_memory_SReclaimable_bytes", 2e9),
    ] {
        push(name, &node, first, 1e6);
    }
    push("inference_generation_tokens_total", &[("instance", "own"), ("model", "m")], 1.0, 2.0);
    source
}

/// Each has an answer over [`stored`].
const QUERIES: &[&str] = &[
    "inference_generation_tokens_total",
    "inference_generation_tokens_total{model=\"llama\"}",
    "inference_generation_tokens_total{model!=\"llama\"}",
    "inference_generation_tokens_total{inference_engine=~\"vllm|llamacpp\"}",
    "inference_generation_tokens_total{inference_engine=\"\"}",
    "inference_generation_tokens_total{model=\"\"}",
    "{__name__=\"inference_generation_tokens_total\",instance=~\"a|c\"}",
    "rate(inference_generation_tokens_total[2m])",
    "sum(rate(inference_generation_tokens_total[2m]))",
    "sum by (model) (rate(inference_generation_tokens_total[2m]))",
    "sum by (inference_engine, model) (increase(inference_generation_tokens_total[2m] offset 1m))",
    "sum without (instance) (rate(inference_generation_tokens_total[2m] @ 400))",
    "sum by (__name__) (inference_requests_running)",
    "sum by (engine) (inference_requests_running)",
    "topk(1, inference_requests_running)",
    "topk by (model) (1, inference_requests_running)",
    "inference_requests_running > 4",
    "-inference_requests_running",
    "inference_requests_running * on (instance) group_left (model) inference_kv_cache_utilization_ratio",
    "inference_requests_running / on (instance, dp_rank) inference_kv_cache_utilization_ratio",
    "max_over_time(inference_requests_running[3m])",
    "last_over_time(inference_requests_running[3m])",
    "quantile_over_time(0.5, hw_gpu_utilization_ratio[3m])",
    "timestamp(inference_requests_running)",
    "timestamp(hw_gpu_memory_usage_bytes)",
    "count_over_time(hw_gpu_utilization_ratio[2m])",
    "stdvar_over_time(hw_gpu_utilization_ratio[2m])",
    "histogram_quantile(0.5, sum by (le) (rate(inference_ttft_seconds_bucket[2m])))",
    "histogram_quantile(0.9, rate(inference_ttft_seconds_bucket{model=\"qwen\"}[2m]))",
    "sum by (le, model) (rate(inference_ttft_seconds_bucket{le=~\"0.5|.Inf\"}[2m]))",
    "max_over_time(sum by (model) (rate(inference_generation_tokens_total[1m]))[3m:1m])",
    "inference_kv_cache_capacity",
    "sum by (instance) (inference_kv_cache_capacity)",
    "avg_over_time(inference_kv_cache_capacity[2m])",
    "inference_prompt_tokens_total",
    "rate(inference_prompt_tokens_total[2m])",
    "inference_tpot_mean_seconds",
    "hw_gpu_memory_usage_bytes",
    "hw_gpu_memory_usage_bytes{pod=\"worker\"}",
    "hw_gpu_memory_usage_bytes{gpu_uuid=~\"GPU-.\",Hostname=\"\"}",
    "sum by (node, pod) (hw_gpu_memory_usage_bytes)",
    "min by (Hostname) (hw_gpu_memory_usage_bytes)",
    "max by (inference_engine, model, instance) (inference_requests_running)",
    "group by (state, node) (system_memory_usage_bytes)",
    "hw_gpu_memory_limit_bytes",
    "delta(hw_gpu_memory_limit_bytes[2m])",
    "hw_gpu_memory_usage_bytes / hw_gpu_memory_limit_bytes",
    "system_memory_usage_bytes",
    "sum(avg_over_time(system_memory_usage_bytes{state=~\"used|free\"}[2m]))",
    "sum by (pod, node) (rate(hw_energy_joules_total[2m]))",
    "avg by (gpu_model) (hw_gpu_utilization_ratio)",
    "absent(inference_requests_running{model=\"none\"})",
    "absent_over_time(inference_requests_running{model=\"none\"}[2m])",
    "label_replace(inference_requests_running, \"x\", \"$1\", \"model\", \"(.*)\")",
    "sum(inference_requests_running) / sum(rate(inference_generation_tokens_total[2m]))",
    "inference_requests_running and on (instance) inference_kv_cache_utilization_ratio",
    "inference_requests_running unless on (instance) inference_kv_cache_utilization_ratio",
    "vector(scalar(sum(inference_requests_running)))",
    "vllm:num_requests_running",
    "sort_desc(inference_requests_running)",
    "count_values(\"n\", inference_requests_running)",
];

#[test]
fn text_means_what_the_canonical_query_means() {
    let raw = stored();
    let canonical = CanonicalSource::new(Arc::new(stored()), Catalog::builtin());
    let check = |query: &str| {
        let text = text_of(query, &raw).unwrap_or_else(|error| panic!("{query}: {error}"));
        let expected = rows(&canonical, query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let got = rows(&raw, &text).unwrap_or_else(|error| panic!("{query} -> {text}: {error}"));
        assert_eq!(got, expected, "{query} -> {text}");
        assert!(!expected.is_empty(), "{query} has no answer, which shows nothing");
    };
    for query in QUERIES {
        check(query);
    }
}

#[test]
fn what_nobody_has_is_an_empty_answer() {
    let raw = stored();
    for query in [
        "inference_preemptions_total",
        "rate(inference_preemptions_total[5m])",
        "inference_requests_running{inference_engine=\"triton\"}",
        "inference_requests_running{model_name=\"llama\"}",
    ] {
        let text = text_of(query, &raw).unwrap();
        assert_eq!(rows(&raw, &text).unwrap(), Vec::<String>::new(), "{query} -> {text}");
    }
}

#[test]
fn text_is_as_small_as_the_question_allows() {
    let raw = stored();
    let check = |query: &str, expected: &str| assert_eq!(text_of(query, &raw).unwrap(), expected);
    check("sum(hw_power_watts)", "sum(DCGM_FI_DEV_POWER_USAGE)");
    check(
        "sum by (node) (hw_power_watts)",
        "sum by (node) (label_replace(sum by (Hostname) (DCGM_FI_DEV_POWER_USAGE), \"node\", \"$1\", \"Hostname\", \"(?s)(.*)\"))",
    );
    check("up", "up");
    // Where the memory of the weights could not be measured the page has a negative number.
    check(
        "sum(inference_memory_usage_bytes)",
        "sum(((sglang:weight_memory_usage_gb{pp_rank=~\"|0\",tp_rank=~\"|0\"} >= 0) * 1073741824))",
    );
    check("inference_preemptions_total", "inference_preemptions_total");
}

#[test]
fn what_text_cannot_say_is_an_error_that_names_it() {
    let raw = stored();
    let check = |query: &str, part: &str| {
        let error = text_of(query, &raw).unwrap_err();
        assert!(error.contains(part), "{query}: {error}");
    };
    check("max_over_time(system_memory_usage_bytes[5m])", "node_memory_SReclaimable_bytes");
    check("avg_over_time(inference_memory_usage_bytes[5m])", "values mean that there is none");
    check("sum(rate(inference_tpot_mean_seconds[5m]))", "one over each value");
}

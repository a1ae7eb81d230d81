//! Pitfalls of inference engines.

use super::*;

#[test]
fn perc_and_percent_gauges_of_engines_are_ratios_already() {
    let name = "inference_kv_cache_utilization_ratio";
    for family in [
        "vllm:kv_cache_usage_perc",
        "vllm:gpu_cache_usage_perc",
        "gpu_cache_usage_perc",
        "lmdeploy:gpu_cache_usage_perc",
        "dynamo_component_gpu_cache_usage_percent",
        "dynamo_component_kvstats_gpu_cache_usage_percent",
        "sglang:token_usage",
        "trtllm_kv_cache_utilization",
    ] {
        check(&format!("{family} 0.75"), name, 0.75);
    }
}

#[test]
fn iteration_tokens_total_is_a_histogram() {
    let buckets = from_source("inference_step_tokens_bucket", "vllm");
    assert_eq!(buckets[0].metric, "vllm:iteration_tokens_total_bucket");
    let metric = Catalog::builtin().metric("inference.step.tokens").unwrap();
    assert_eq!(metric.kind, MetricKind::Histogram);
}

#[test]
fn the_high_water_mark_of_llamacpp_is_no_counter() {
    for metric in Catalog::builtin().metrics() {
        for (_, mapping) in Catalog::builtin().mappings_of(&metric.name) {
            assert!(!Catalog::families_of(&mapping.reading).contains(&"llamacpp:n_tokens_max"));
        }
    }
}

#[test]
fn triton_counts_microseconds_and_its_histograms_milliseconds() {
    let page = "nv_inference_request_duration_us{model=\"m\",version=\"1\"} 2500000\n\
                nv_inference_request_success{model=\"m\",version=\"1\"} 5\n\
                nv_inference_first_response_histogram_ms_bucket{model=\"m\",le=\"250\"} 3\n\
                nv_inference_first_response_histogram_ms_sum{model=\"m\"} 400\n";
    let sum = check(page, "inference_request_duration_seconds_sum", 2.5);
    assert_eq!(sum.quality, Quality::MeanOnly);
    check(page, "inference_request_duration_seconds_count", 5.0);
    assert!(read(page, "inference_request_duration_seconds_bucket").is_empty());
    check(page, "inference_ttft_seconds_sum", 0.4);
    let bucket = check(page, "inference_ttft_seconds_bucket", 3.0);
    assert_eq!(bucket.labels["le"], "0.25");
}

#[test]
fn sglang_transfers_are_milliseconds_and_mib() {
    check(
        "sglang:kv_transfer_latency_ms_sum 1500",
        "inference_kv_cache_transfer_duration_seconds_sum",
        1.5,
    );
    check(
        "sglang:kv_transfer_total_mb_sum 2",
        "inference_kv_cache_transfer_size_bytes_sum",
        2_097_152.0,
    );
    let page = "sglang:kv_cache_memory_usage_gb{tp_rank=\"0\"} 0.5";
    check(page, "inference_memory_usage_bytes", 536_870_912.0);
}

#[test]
fn kv_gauges_that_count_reusable_prefixes_are_flagged() {
    let quality = |source| from_source("inference_kv_cache_utilization_ratio", source)[0].quality;
    assert_eq!(quality("lmdeploy"), Quality::ResidentSemantics);
    assert_eq!(quality("vllm"), Quality::Exact);
    assert_eq!(quality("sglang"), Quality::Exact);
}

#[test]
fn the_reservation_of_tgi_is_not_taken_for_pinned() {
    let page = "tgi_batch_current_max_tokens 800\ntgi_batch_max_total_tokens 3200\n";
    check(page, "inference_kv_cache_reservation_ratio", 0.25);
    assert!(from_source("inference_kv_cache_utilization_ratio", "tgi").is_empty());
}

#[test]
fn kv_capacity_is_read_from_tokens_and_only_else_from_blocks() {
    let both = "vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"100\",\
                kv_cache_size_tokens=\"1500\"} 1";
    let reading = check(both, "inference_kv_cache_capacity", 1500.0);
    assert_eq!(reading.quality, Quality::Exact);
    for old in [
        "vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"100\"} 1",
        "vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"100\",\
         kv_cache_size_tokens=\"None\"} 1",
    ] {
        assert_eq!(check(old, "inference_kv_cache_capacity", 1600.0).quality, Quality::Derived);
    }
    let none = "vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"None\"} 1";
    assert!(read(none, "inference_kv_cache_capacity").is_empty(), "None is not zero");
}

#[test]
fn prefix_hits_come_from_cached_prompt_tokens() {
    let cached = from_source("inference_prompt_tokens_cached_total", "vllm");
    assert_eq!(cached[0].metric, "vllm:prompt_tokens_cached_total");
    assert!(cached.iter().all(|expansion| !expansion.metric.contains("prefix_cache_hits")));
    let page = include_str!("../../../../../../fixtures/metrics/vllm-0.32.0.prom");
    let value = |name| read(page, name)[0].value;
    let parts = value("inference_prompt_tokens_computed_total")
        + value("inference_prompt_tokens_cached_total");
    assert_eq!(parts, value("inference_prompt_tokens_total"));
}

#[test]
fn copies_by_process_stay_apart() {
    let page = "vllm:kv_cache_usage_perc{engine=\"0\",pid=\"7\"} 0.2\n\
                vllm:kv_cache_usage_perc{engine=\"0\",pid=\"8\"} 0.9\n";
    assert_eq!(read(page, "inference_kv_cache_utilization_ratio").len(), 2, "so that max() works");
}

#[test]
fn data_parallel_ranks_stay_apart_and_tensor_ranks_count_once() {
    let vllm =
        "vllm:num_requests_running{engine=\"0\"} 1\nvllm:num_requests_running{engine=\"1\"} 9\n";
    let ranks = read(vllm, "inference_requests_running");
    let ranks: Vec<&str> = ranks.iter().map(|r| r.labels["dp_rank"].as_str()).collect();
    assert_eq!(ranks, ["0", "1"]);
    let sglang =
        "sglang:num_running_reqs{tp_rank=\"0\"} 4\nsglang:num_running_reqs{tp_rank=\"1\"} 4\n";
    check(sglang, "inference_requests_running", 4.0);
}

#[test]
fn priorities_of_sglang_are_not_added_to_their_total() {
    let page = "sglang:num_queue_reqs{priority=\"\"} 5\nsglang:num_queue_reqs{priority=\"1\"} 3\n";
    check(page, "inference_requests_waiting", 5.0);
}

#[test]
fn coarse_first_buckets_are_flagged() {
    let quality = |name, source| from_source(name, source)[0].quality;
    assert_eq!(quality("inference_queue_wait_seconds_bucket", "vllm"), Quality::BucketFloor);
    assert_eq!(quality("inference_ttft_seconds_bucket", "sglang"), Quality::BucketFloor);
    assert_eq!(quality("inference_ttft_seconds_bucket", "vllm"), Quality::Exact);
}

#[test]
fn token_gap_and_time_per_token_are_two_metrics() {
    let itl = from_source("inference_itl_seconds_sum", "vllm");
    let names: Vec<&str> = itl.iter().map(|e| e.metric.as_str()).collect();
    let renamed = "vllm:time_per_output_token_seconds_sum";
    assert_eq!(names, ["vllm:inter_token_latency_seconds_sum", renamed]);
    let tpot = from_source("inference_tpot_seconds_sum", "vllm");
    assert_eq!(tpot.len(), 1);
    assert_eq!(tpot[0].metric, "vllm:request_time_per_output_token_seconds_sum");
}

#[test]
fn the_value_of_lora_requests_info_is_no_count() {
    let metric = Catalog::builtin().metric("inference.lora").unwrap();
    assert_eq!(
        (metric.kind, metric.prometheus.as_str()),
        (MetricKind::Info, "inference_lora_info")
    );
}

#[test]
fn the_model_has_one_label_whatever_the_engine_calls_it() {
    for page in [
        "vllm:generation_tokens_total{model_name=\"m\"} 1",
        "sglang:generation_tokens_total{model_name=\"m\"} 1",
        "trtllm_generation_tokens_total{model_name=\"m\"} 1",
        "ray_vllm_generation_tokens_total{model_name=\"m\"} 1",
        "generation_tokens_total{model_name=\"m\"} 1",
    ] {
        let reading = check(page, "inference_generation_tokens_total", 1.0);
        assert_eq!(reading.labels["model"], "m", "{page}");
    }
}

#[test]
fn an_engine_whose_page_names_no_model_is_asked_for_it() {
    let catalog = Catalog::builtin();
    let (info, _) = catalog.by_prometheus_name(MODEL_INFO).unwrap();
    assert_eq!(info.name, "inference.engine.model");
    for (source, asked) in [("llamacpp", true), ("tgi", true), ("vllm", false), ("sglang", false)] {
        assert_eq!(!catalog.source(source).unwrap().model.is_empty(), asked, "{source}");
    }
}

#[test]
fn one_thing_behind_several_exporters_is_told_by_its_identity() {
    let rank = |source: &str| {
        let door = Catalog::builtin().source(source).unwrap().door.clone().unwrap();
        (door.identity, door.rank)
    };
    assert_eq!(rank("node_exporter").0, "node");
    let doors = ["dcgm", "nvidia_gpu_exporter", "nvitop", "all_smi"].map(rank);
    assert!(doors.iter().all(|door| door.0 == "gpu_uuid"));
    assert!(doors.is_sorted_by(|a, b| a.1 < b.1), "{doors:?}");
}

#[test]
fn counters_are_read_with_and_without_total() {
    check("vllm:generation_tokens 3", "inference_generation_tokens_total", 3.0);
    check("vllm:generation_tokens_total 3", "inference_generation_tokens_total", 3.0);
    identifies(&["scheduler_schedule_attempts"], "kube_scheduler");
}

#[test]
fn the_duplicate_counters_of_ray_are_used_once() {
    let page = "ray_vllm_generation_tokens_total{model_name=\"m\"} 7\n\
                ray_vllm_generation_tokens{model_name=\"m\"} 7\n";
    check(page, "inference_generation_tokens_total", 7.0);
}

#[test]
fn copies_of_a_router_are_not_added_to_its_engines() {
    let page = "vllm:num_requests_running{model_name=\"m\"} 4\n\
                vllm:num_requests_running{server=\"http://engine:8000\"} 4\n";
    check(page, "inference_requests_running", 4.0);
    for (copied, canonical) in [
        ("vllm:num_requests_running", "inference_requests_running"),
        ("vllm:num_requests_waiting", "inference_requests_waiting"),
        ("vllm:num_requests_swapped", "inference_requests_swapped"),
        ("vllm:gpu_cache_usage_perc", "inference_kv_cache_utilization_ratio"),
        ("vllm:gpu_prefix_cache_hit_rate", "inference_prefix_cache_hit_ratio"),
        ("vllm:gpu_prefix_cache_hits_total", "inference_prefix_cache_hits_total"),
        ("vllm:gpu_prefix_cache_queries_total", "inference_prefix_cache_queries_total"),
    ] {
        assert_eq!(read(&format!("{copied} 4\n"), canonical).len(), 1, "{copied}");
        let copy = format!("{copied}{{server=\"http://engine:8000\"}} 4\n");
        assert!(read(&copy, canonical).is_empty(), "{copied} of a router is a copy");
    }
    let frontend = "dynamo_frontend_output_tokens_total{model=\"m\"} 9";
    assert!(read(frontend, "inference_generation_tokens_total").is_empty());
    check(frontend, "inference_router_generation_tokens_total", 9.0);
}

#[test]
fn old_and_new_names_of_the_endpoint_picker_are_used_once() {
    let page = "llm_d_epp_request_total{model_name=\"m\"} 5\n\
                inference_objective_request_total{model_name=\"m\"} 5\n\
                inference_model_request_total{model_name=\"m\"} 5\n";
    check(page, "inference_router_requests_total", 5.0);
    for old in ["inference_objective_request_total 2", "llm_d_inference_scheduler_request_total 2"]
    {
        check(old, "inference_router_requests_total", 2.0);
    }
}

#[test]
fn counters_updated_per_log_interval_are_flagged_stale() {
    let expansions = from_source("inference_prompt_tokens_computed_total", "sglang");
    let live = expansions.iter().find(|e| e.metric == "sglang:realtime_tokens_total").unwrap();
    assert_eq!(live.quality, Quality::Stale);
    let both = "sglang:prefill_effective_tokens_total{mode=\"input\"} 10\n\
                sglang:realtime_tokens_total{mode=\"prefill_compute\"} 9\n";
    assert!(read(both, "inference_prompt_tokens_computed_total").iter().any(|r| r.value == 10.0));
}

#[test]
fn the_thousand_buckets_of_tgi_are_not_stored() {
    let tgi = Catalog::builtin().source("tgi").unwrap();
    let check = |sample: &str, expected: bool| assert_eq!(tgi.drops(sample), expected, "{sample}");
    for suffix in ["", "_bucket", "_sum", "_count"] {
        check(&format!("tgi_batch_next_size{suffix}"), true);
        check(&format!("tgi_batch_current_size{suffix}"), false);
    }
    check("tgi_batch_next_size_of_something", false);
}

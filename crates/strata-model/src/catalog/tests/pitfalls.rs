//! The pitfalls of the field, one test each: units, names, and what a number means.

use super::*;

/// Expansions of a canonical Prometheus name from one source.
fn from_source(prometheus_name: &str, source: &str) -> Vec<Expansion> {
    let expansions = Catalog::builtin().expansions(prometheus_name).expect("a canonical name");
    expansions.into_iter().filter(|expansion| expansion.source == source).collect()
}

// --- L6: inference engines ----------------------------------------------------------------------

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
    let page = include_str!("../../../../../fixtures/metrics/vllm-0.32.0.prom");
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

// --- L1: devices --------------------------------------------------------------------------------

#[test]
fn dcgm_generations_differ_in_unit_and_mean_the_same() {
    for (old, new, name, expected) in [
        ("GPU_UTIL 37", "GPU_UTIL_RATIO 0.37", "hw_gpu_utilization_ratio", 0.37),
        (
            "MEM_COPY_UTIL 12",
            "MEMORY_UTIL_RATIO 0.12",
            "gpu_memory_controller_utilization_ratio",
            0.12,
        ),
        ("FB_USED 3", "FB_USED_BYTES 3145728", "hw_gpu_memory_usage_bytes", 3_145_728.0),
        ("FB_FREE 2", "FB_FREE_BYTES 2097152", "gpu_memory_free_bytes", 2_097_152.0),
        ("SM_CLOCK 1980", "SM_CLOCK_HERTZ 1980000000", "gpu_clock_frequency_hertz", 1.98e9),
        ("MEM_CLOCK 2619", "MEMORY_CLOCK_HERTZ 2619000000", "gpu_clock_frequency_hertz", 2.619e9),
        (
            "TOTAL_ENERGY_CONSUMPTION 5000",
            "GPU_ENERGY_JOULES_TOTAL 5",
            "hw_energy_joules_total",
            5.0,
        ),
        ("POWER_USAGE 310", "BOARD_POWER_WATTS 310", "hw_power_watts", 310.0),
        ("GPU_TEMP 61", "GPU_TEMP_CELSIUS 61", "hw_temperature_celsius", 61.0),
        (
            "POWER_VIOLATION 3000000000",
            "GPU_POWER_THROTTLE_SECONDS_TOTAL 3",
            "gpu_throttle_time_seconds_total",
            3.0,
        ),
        ("XID_ERRORS 79", "XID_ERROR 79", "gpu_xid_last", 79.0),
    ] {
        let old = check(&format!("DCGM_FI_DEV_{old}"), name, expected);
        let new = check(&format!("DCGM_FI_DEV_{new}"), name, expected);
        assert_eq!(old.labels, new.labels);
    }
}

#[test]
fn dcgm_profiling_is_a_ratio_in_both_generations() {
    check("DCGM_FI_PROF_SM_ACTIVE 0.8", "gpu_sm_active_ratio", 0.8);
    check("DCGM_FI_PROF_SM_UTIL_RATIO 0.8", "gpu_sm_active_ratio", 0.8);
    check("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE 0.4", "gpu_tensor_active_ratio", 0.4);
    check("DCGM_FI_PROF_PCIE_TX_BYTES 1e9", "gpu_pcie_throughput_bytes_per_second", 1e9);
}

#[test]
fn dcgm_has_no_total_memory_by_default() {
    let page = "DCGM_FI_DEV_FB_USED 10\nDCGM_FI_DEV_FB_FREE 80\nDCGM_FI_DEV_FB_RESERVED 6\n";
    let reading = check(page, "hw_gpu_memory_limit_bytes", 96.0 * 1_048_576.0);
    assert_eq!(reading.quality, Quality::Derived);
    let page = format!("{page}DCGM_FI_DEV_FB_CAPACITY_BYTES 100663296\n");
    assert_eq!(check(&page, "hw_gpu_memory_limit_bytes", 100_663_296.0).quality, Quality::Exact);
}

#[test]
fn dcgm_blanks_are_no_values() {
    let blank = |value| Catalog::builtin().sentinel("dcgm", "DCGM_FI_DEV_MEMORY_TEMP", value);
    for text in ["2147483632", "2147483634", "9223372036854775794", "140737488355330.0"] {
        assert!(blank(text.parse().unwrap()), "{text}");
    }
    assert!(!blank(0.0) && !blank(61.0));
    assert!(!Catalog::builtin().sentinel("vllm", "vllm:x", 2_147_483_632.0));
}

#[test]
fn the_owner_of_a_gpu_is_found_behind_relabelling_too() {
    let page = "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\",pod=\"exporter\",exported_pod=\"p\",exported_namespace=\"n\",\
                Hostname=\"h\",modelName=\"H100\"} 50";
    let labels = check(page, "hw_gpu_utilization_ratio", 0.5).labels;
    let expected = [
        ("gpu_model", "H100"),
        ("gpu_uuid", "GPU-1"),
        ("namespace", "n"),
        ("node", "h"),
        ("pod", "p"),
    ];
    for (name, value) in expected {
        assert_eq!(labels[name], value);
    }
}

#[test]
fn labels_that_are_canonical_already_are_kept() {
    for (page, name, label) in [
        ("DCGM_FI_DEV_GPU_UTIL{pod=\"x\"} 100", "hw_gpu_utilization_ratio", "pod"),
        ("DCGM_FI_DEV_GPU_UTIL{node=\"x\"} 100", "hw_gpu_utilization_ratio", "node"),
        ("DCGM_FI_DEV_GPU_UTIL{gpu_uuid=\"x\"} 100", "hw_gpu_utilization_ratio", "gpu_uuid"),
        ("gpu_gfx_activity{namespace=\"x\"} 100", "hw_gpu_utilization_ratio", "namespace"),
        ("all_smi_gpu_utilization{gpu_uuid=\"x\"} 100", "hw_gpu_utilization_ratio", "gpu_uuid"),
        ("hami_vgpu_memory_used_bytes{pod=\"x\"} 1", "gpu_vgpu_memory_usage_bytes", "pod"),
        ("kube_pod_info{pod=\"x\"} 1", "k8s_pod_info", "pod"),
        ("kube_node_info{node=\"x\"} 1", "k8s_node_info", "node"),
        ("pod_cpu_usage_seconds_total{pod=\"x\"} 1", "k8s_pod_cpu_time_seconds_total", "pod"),
        ("nccl_collectives_total{collective=\"x\"} 1", "nccl_collective_count_total", "collective"),
        ("vllm:prompt_tokens_total{model=\"x\"} 1", "inference_prompt_tokens_total", "model"),
    ] {
        assert_eq!(check(page, name, 1.0).labels[label], "x", "{page}");
    }
}

#[test]
fn labels_that_swap_their_names_do_not_run_into_each_other() {
    let page = "all_smi_gpu_utilization{gpu=\"H100\",gpu_index=\"3\",gpu_uuid=\"GPU-1\"} 50";
    let labels = check(page, "hw_gpu_utilization_ratio", 0.5).labels;
    assert_eq!((labels["gpu"].as_str(), labels["gpu_model"].as_str()), ("3", "H100"));
}

#[test]
fn power_is_milliwatts_on_gaudi_and_in_slurm() {
    check("habanalabs_power_mW 450000", "hw_power_watts", 450.0);
    check("slurm_job_power_gpu 300000", "slurm_job_gpu_power_watts", 300.0);
    check("gpu_power_usage_W 300", "hw_power_watts", 300.0);
}

#[test]
fn amd_energy_is_microjoules_and_memory_mib() {
    check("gpu_energy_consumed 7000000", "hw_energy_joules_total", 7.0);
    check("amd_gpu_used_vram 2", "hw_gpu_memory_usage_bytes", 2_097_152.0);
    check("pcie_bandwidth 8", "gpu_pcie_throughput_bytes_per_second", 1e6);
    check("pcie_bidirectional_bandwidth 8", "gpu_pcie_throughput_bytes_per_second", 8e9);
}

#[test]
fn idle_partitions_of_amd_are_missing_and_not_zero() {
    let page =
        "gpu_gfx_activity{gpu_partition_id=\"0\"} 80\ngpu_gfx_activity{gpu_partition_id=\"1\"} 0\n";
    check(page, "hw_gpu_utilization_ratio", 0.8);
}

#[test]
fn ascend_has_mb_for_hbm_kb_for_vnpu_and_minus_one_for_nothing() {
    check("npu_chip_info_hbm_used_memory 3", "hw_gpu_memory_usage_bytes", 3_145_728.0);
    check("vnpu_pod_used_memory 3", "gpu_vgpu_memory_usage_bytes", 3072.0);
    let ascend = Catalog::builtin().source("ascend").unwrap();
    assert!(ascend.sentinel("npu_chip_info_temperature", -1.0));
    assert!(!ascend.sentinel("npu_chip_info_temperature", 0.0));
}

#[test]
fn a_ratio_is_a_hundredth_only_for_hami() {
    check("hami_host_gpu_utilization_ratio 40", "hw_gpu_utilization_ratio", 0.4);
    check("HostCoreUtilization 40", "hw_gpu_utilization_ratio", 0.4);
    check("xpum_engine_ratio 0.4", "hw_gpu_utilization_ratio", 0.4);
    check("nvidia_smi_utilization_gpu_ratio 0.4", "hw_gpu_utilization_ratio", 0.4);
    check("habanalabs_utilization 40", "hw_gpu_utilization_ratio", 0.4);
}

#[test]
fn both_generations_of_hami_are_used_once() {
    let page = "hami_vgpu_memory_used_bytes{device_uuid=\"g\",pod=\"p\",namespace=\"n\"} 8\n\
                vGPU_device_memory_usage_in_bytes{deviceuuid=\"g\",podname=\"p\",podnamespace=\"n\"} 8\n";
    check(page, "gpu_vgpu_memory_usage_bytes", 8.0);
}

#[test]
fn throttle_reasons_are_named_as_the_driver_counts_its_bits() {
    let bits = &Catalog::builtin().metric("gpu.throttle.active").unwrap().definition;
    for bit in ["0x8 hw_slowdown", "0x10 sync_boost", "0x20 sw_thermal", "0x80 hw_power_brake"] {
        assert!(bits.contains(bit), "{bit}");
    }
    for prefix in ["clocks_event_reasons", "clocks_throttle_reasons"] {
        let page = format!("nvidia_smi_{prefix}_hw_power_brake_slowdown 1");
        let reading = check(&page, "gpu_throttle_active", 1.0);
        assert_eq!(reading.labels["reason"], "hw_power_brake");
    }
}

#[test]
fn the_last_xid_is_no_counter() {
    let counter = from_source("gpu_fault_events_total", "dcgm");
    assert_eq!(counter.len(), 1);
    assert_eq!(counter[0].metric, "DCGM_EXP_XID_ERRORS_TOTAL");
    assert_eq!(Catalog::builtin().metric("gpu.xid.last").unwrap().kind, MetricKind::Gauge);
}

#[test]
fn nvlink_bandwidth_of_dcgm_is_a_rate_made_of_kib() {
    let page = "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL 2";
    check(page, "gpu_interconnect_throughput_bytes_per_second", 2_048_000.0);
    assert!(read(page, "gpu_interconnect_io_bytes_total").is_empty());
}

#[test]
fn nvitop_is_read_under_its_spelled_out_units() {
    check("gpu_utilization_Percentage 50", "hw_gpu_utilization_ratio", 0.5);
    check("gpu_memory_used_MiB 1", "hw_gpu_memory_usage_bytes", 1_048_576.0);
    check("gpu_utilization{devicename=\"H100\"} 50", "hw_gpu_utilization_ratio", 0.5);
    check("gpu_power_usage{devicename=\"H100\"} 300", "hw_power_watts", 300.0);
    check("gpu_power_usage{gpu_id=\"0\"} 300", "hw_power_watts", 300.0);
}

#[test]
fn command_lines_of_processes_are_not_exported() {
    for metric in Catalog::builtin().metrics() {
        let leaks = |label: &String| label.contains("command") || label.contains("cmdline");
        assert!(!metric.attributes.iter().any(leaks), "{}", metric.name);
    }
    assert!(from_source("gpu_process_info", "nvitop").is_empty());
}

// --- L2, L3, L7, L8 -----------------------------------------------------------------------------

#[test]
fn nccl_inspector_means_are_flagged_and_converted() {
    let bandwidth = check("nccl_bus_bandwidth_gbs 3", "nccl_bus_bandwidth_bytes_per_second", 3e9);
    assert_eq!(bandwidth.quality, Quality::MeanOnly);
    let page = "nccl_collective_exec_time_microseconds 250";
    check(page, "nccl_collective_mean_duration_seconds", 0.00025);
    assert!(from_source("nccl_collective_duration_seconds_sum", "nccl_inspector").is_empty());
}

#[test]
fn infiniband_words_are_multiplied_once() {
    let page = "node_infiniband_port_data_received_bytes_total 400";
    check(page, "host_infiniband_io_bytes_total", 400.0);
}

#[test]
fn an_unknown_network_speed_is_no_value() {
    let node = Catalog::builtin().source("node_exporter").unwrap();
    assert!(node.sentinel("node_network_speed_bytes", -125_000.0));
}

#[test]
fn totals_of_pods_are_not_added_to_their_containers() {
    let page = "container_memory_rss{id=\"/pod\",pod=\"p\"} 9\n\
                container_memory_rss{id=\"/pod/c\",pod=\"p\",container=\"c\"} 9\n";
    check(page, "container_memory_rss_bytes", 9.0);
}

#[test]
fn the_states_of_a_cpu_have_one_label() {
    let otel = check(
        "system_cpu_time_seconds_total{cpu=\"0\",state=\"user\"} 1",
        "system_cpu_time_seconds_total",
        1.0,
    );
    let ours = check(
        "system_cpu_time_seconds_total{cpu=\"0\",mode=\"user\"} 1",
        "system_cpu_time_seconds_total",
        1.0,
    );
    assert_eq!((otel.labels, ours.source.as_str()), (ours.labels.clone(), NATIVE));
}

#[test]
fn parts_of_tokens_are_their_own_metrics() {
    let catalog = Catalog::builtin();
    for part in ["cache_read.input_tokens", "cache_write.input_tokens", "reasoning.output_tokens"] {
        let metric = catalog.metric(&format!("gen_ai.client.inference.usage.{part}")).unwrap();
        assert!(metric.brief.contains("a part of"), "{}", metric.name);
    }
}

#[test]
fn costs_of_other_tools_are_never_mixed_with_the_ledgers() {
    let catalog = Catalog::builtin();
    for ours in ["cost.per_token", "cost.amount", "cost.per_useful_token", "cost.rate"] {
        assert_eq!(catalog.mappings_of(ours).count(), 0, "{ours}");
    }
}

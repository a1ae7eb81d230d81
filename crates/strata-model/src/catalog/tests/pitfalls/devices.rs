//! Pitfalls of GPU exporters and of what shares GPUs.

use super::*;

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
    // That of a window goes down again: no counter either.
    let page = "DCGM_EXP_XID_ERRORS_COUNT{xid=\"31\",window_size_in_ms=\"300000\"} 3";
    let recent = check(page, "gpu_fault_recent", 3.0);
    assert_eq!(recent.labels["code"], "31");
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

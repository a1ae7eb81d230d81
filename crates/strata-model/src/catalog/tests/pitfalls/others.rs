//! Pitfalls of hosts, communication, clients and cost.

use super::*;

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

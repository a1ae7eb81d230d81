//! Captured pages are identified, and what they hold resolves to canonical metrics.

use super::*;

const VLLM: &str = include_str!("../../../../../fixtures/metrics/vllm-0.32.0.prom");
const VLLM_LOAD: &str =
    include_str!("../../../../../fixtures/metrics/vllm-0.32.0-kv-pressure-midload.prom");
const SGLANG: &str = include_str!("../../../../../fixtures/metrics/sglang-0.5.23.prom");
const LLAMA: &str = include_str!("../../../../../fixtures/metrics/llama-server-0.7.0-b11669.prom");
const NODE: &str = include_str!("../../../../../fixtures/metrics/node_exporter-1.5.0.prom");
const SCHEDULER: &str = include_str!("../../../../../fixtures/metrics/kube-scheduler-1.20.2.prom");
const CADVISOR: &str = include_str!("../../../../../fixtures/metrics/kubelet-cadvisor-1.20.2.prom");
const RESOURCE: &str = include_str!("../../../../../fixtures/metrics/kubelet-resource-1.20.2.prom");

/// The page is of this source, and each of these dotted metrics has a value on it.
#[track_caller]
fn page(text: &str, source: &str, metrics: &str) {
    identifies(&families(text), source);
    for dotted in metrics.split_whitespace() {
        let metric = Catalog::builtin().metric(dotted);
        let metric = metric.unwrap_or_else(|| panic!("{dotted} is no metric"));
        let suffix = if metric.kind == MetricKind::Histogram { "_bucket" } else { "" };
        let found = read(text, &format!("{}{suffix}", metric.prometheus));
        assert!(!found.is_empty(), "{dotted} has no value on the page of {source}");
    }
}

#[test]
fn vllm() {
    page(
        VLLM,
        "vllm",
        "inference.ttft inference.itl inference.tpot inference.request.duration
         inference.queue_wait inference.prefill_time inference.decode_time
         inference.execution_time inference.requests.running inference.requests.waiting
         inference.requests.waiting_by_reason inference.requests.finished
         inference.requests.rejected inference.preemptions inference.prompt_tokens
         inference.prompt_tokens.computed inference.prompt_tokens.cached
         inference.generation_tokens inference.request.prompt_tokens
         inference.request.generation_tokens inference.request.uncached_prompt_tokens
         inference.request.max_tokens inference.request.choices inference.requests.limit
         inference.kv_cache.utilization inference.kv_cache.capacity inference.kv_cache.block_size
         inference.kv_cache.block.lifetime inference.prefix_cache.queries
         inference.prefix_cache.hits inference.multimodal_cache.queries inference.step.tokens
         inference.model.flops inference.model.io inference.engine.state inference.engine.config
         process.memory.usage process.cpu.time",
    );
    page(VLLM_LOAD, "vllm", "inference.requests.running inference.kv_cache.utilization");
    let tokens = check(VLLM, "inference_generation_tokens_total", 5175.0);
    let expected = [("dp_rank", "0"), ("inference_engine", "vllm"), ("model", "tiny-llama")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(tokens.labels, LabelMap::from(expected));
}

#[test]
fn sglang() {
    page(
        SGLANG,
        "sglang",
        "inference.ttft inference.itl inference.tpot inference.request.duration
         inference.queue_wait inference.prefill_time inference.requests.running
         inference.requests.waiting inference.requests.paused inference.requests.finished
         inference.requests.aborted inference.prompt_tokens inference.prompt_tokens.computed
         inference.prompt_tokens.cached inference.generation_tokens
         inference.request.prompt_tokens inference.request.generation_tokens
         inference.request.uncached_prompt_tokens inference.kv_cache.utilization
         inference.kv_cache.pool.utilization inference.kv_cache.capacity
         inference.kv_cache.pinned inference.kv_cache.resident inference.kv_cache.reusable
         inference.kv_cache.available inference.kv_cache.block_size
         inference.kv_cache.evicted_tokens inference.kv_cache.eviction_time
         inference.prefix_cache.hit_ratio inference.decode.sequence_tokens
         inference.spec_decode.accepted_length inference.memory.usage inference.context.limit
         inference.startup_time inference.scheduler.idle_time inference.pd.queue
         inference.generation_throughput",
    );
    check(SGLANG, "inference_kv_cache_capacity", 4096.0);
    check(SGLANG, "inference_kv_cache_resident", 4013.0);
}

#[test]
fn llamacpp() {
    page(
        LLAMA,
        "llamacpp",
        "inference.requests.running inference.requests.waiting inference.prompt_tokens
         inference.prompt_tokens.computed inference.prompt_tokens.cached
         inference.generation_tokens inference.prefill.busy_time inference.decode.busy_time
         inference.steps inference.step.mean_requests inference.spec_decode.drafts
         inference.generation_throughput",
    );
    check(LLAMA, "inference_prompt_tokens_total", 7358.0 + 9521.0);
    check(LLAMA, "inference_prompt_tokens_computed_total", 7358.0);
    assert!(
        read(LLAMA, "inference_tpot_mean_seconds").is_empty(),
        "idle: one over zero is nothing"
    );
}

#[test]
fn node_exporter() {
    page(
        NODE,
        "node_exporter",
        "system.cpu.time system.cpu.load_average.1m system.process.count system.process.created
         system.context_switches system.interrupts system.uptime host.info system.memory.usage
         system.memory.limit system.memory.linux.available system.memory.linux.shared
         system.memory.linux.slab.usage system.memory.linux.dirty system.paging.usage
         system.paging.faults system.paging.operations host.memory.oom_kills system.disk.io
         system.disk.operations system.disk.operation_time system.disk.io_time
         system.disk.weighted_io_time system.disk.pending_operations system.disk.merged
         system.filesystem.usage system.filesystem.limit system.filesystem.inodes
         system.network.io system.network.packet.count system.network.packet.dropped
         system.network.errors hw.network.up hw.network.bandwidth.limit
         system.network.connection.count system.network.tcp.segments
         system.network.tcp.retransmits system.network.tcp.timeouts
         system.network.tcp.listen_drops host.pressure.stall_time",
    );
    let memory: f64 = read(NODE, "system_memory_usage_bytes").iter().map(|r| r.value).sum();
    check(NODE, "system_memory_limit_bytes", memory);
    let space: f64 = read(NODE, "system_filesystem_usage_bytes").iter().map(|r| r.value).sum();
    check(NODE, "system_filesystem_limit_bytes", space);
}

#[test]
fn kubernetes() {
    page(
        SCHEDULER,
        "kube_scheduler",
        "sched.queue.pending sched.attempts sched.attempt.duration sched.wait.duration
         sched.preemption_attempts sched.preemption_victims",
    );
    identifies(&families(CADVISOR), "cadvisor");
    page(RESOURCE, "kubelet_resource", "k8s.node.cpu.time k8s.node.memory.working_set");
}

#[test]
fn only_the_page_decides_and_the_most_specific_match_wins() {
    identifies(&["vllm:num_requests_running", "vllm:kv_cache_usage_perc"], "vllm");
    identifies(&["vllm:num_requests_running", "vllm:current_qps"], "vllm_router");
    identifies(&["vllm:num_requests_running", "dynamo_component_total_blocks"], "dynamo");
    identifies(&["sglang:num_running_reqs", "dynamo_component_inflight_requests"], "dynamo");
    identifies(&["dynamo_frontend_inflight_requests"], "dynamo");
    identifies(&["vllm:num_requests_running", "nv_inference_count"], "triton");
    identifies(&["ray_vllm_num_requests_running", "ray_serve_num_http_requests"], "ray_serve");
    identifies(&["num_request_max", "gpu_cache_usage_perc", "num_requests_running"], "nim");
    identifies(&["trtllm_request_success_total"], "tensorrt_llm");
    identifies(&["tgi_queue_size"], "tgi");
    identifies(&["lmdeploy:num_requests_running"], "lmdeploy");
    identifies(&["inference_pool_average_queue_size"], "llm_d_epp");
    identifies(&["llm_d_epp_request"], "llm_d_epp");
    identifies(&["DCGM_FI_DEV_GPU_UTIL"], "dcgm");
    identifies(&["gpu_utilization_Percentage", "gpu_memory_used_MiB"], "nvitop");
    identifies(&["gpu_gfx_activity", "gpu_used_vram"], "amd");
    identifies(&["HostGPUMemoryUsage"], "hami");
    identifies(&["litellm_proxy_total_requests_metric"], "litellm");
    identifies(&["kueue_pending_workloads"], "kueue");
    let nobody = Catalog::builtin().identify(["num_requests_running", "up"].into_iter());
    assert!(nobody.is_none(), "an unprefixed name alone is nobody's");
    assert!(Catalog::builtin().identify(std::iter::empty()).is_none());
}

#[test]
fn sources_say_where_their_page_is() {
    let paths = |name: &str| Catalog::builtin().source(name).unwrap().paths.clone();
    assert_eq!(paths("tensorrt_llm"), ["/prometheus/metrics"]);
    assert_eq!(paths("nim")[0], "/v1/metrics");
    assert_eq!(paths("vllm"), ["/metrics"]);
    assert_eq!(paths("cadvisor")[0], "/metrics/cadvisor");
}

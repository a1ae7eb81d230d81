//! The part of vLLM's page that is about requests: how they ended, how long they took, how long
//! they were.

use super::engine::with;
use super::text::{Pairs, Writer};
use crate::engine::Stats;
use crate::histogram::Histogram;

pub(super) fn write(writer: &mut Writer, labels: Pairs<'_>, model: &str, stats: &Stats) {
    let name = "vllm:request_success_total";
    writer.family(name, "counter", "Count of successfully processed requests.");
    let [stop, length, abort, error] = stats.ended;
    let reasons = [("stop", stop), ("length", length), ("abort", abort), ("error", error)];
    for (reason, count) in reasons.into_iter().chain([("repetition", 0)]) {
        writer.sample(name, &with(labels, ("finished_reason", reason)), count as f64);
    }
    let name = "vllm:admission_rejections_total";
    let about = "Number of admission attempts rejected by a queue limit, by reason.";
    writer.family(name, "counter", about);
    for reason in ["max_num_queued_reqs", "max_num_queued_tokens"] {
        writer.sample(name, &[("model_name", model), ("reason", reason)], 0.0);
    }
    for (name, about, histogram) in histograms(stats) {
        let name = format!("vllm:{name}");
        writer.family(&name, "histogram", about);
        writer.histogram(&name, labels, histogram);
    }
    http(writer, stats);
}

/// Name, help and values, in the order of the page.
fn histograms(stats: &Stats) -> [(&'static str, &'static str, &Histogram); 19] {
    [
        ("request_prompt_tokens", "Number of prefill tokens processed.", &stats.length_prompt),
        (
            "request_generation_tokens",
            "Number of generation tokens processed.",
            &stats.length_output,
        ),
        (
            "iteration_tokens_total",
            "Histogram of number of tokens per engine_step.",
            &stats.step_tokens,
        ),
        (
            "request_max_num_generation_tokens",
            "Histogram of maximum number of requested generation tokens.",
            &stats.most_tokens,
        ),
        ("request_params_n", "Histogram of the n request parameter.", &stats.choices),
        (
            "request_params_max_tokens",
            "Histogram of the max_tokens request parameter.",
            &stats.max_tokens,
        ),
        (
            "time_to_first_token_seconds",
            "Histogram of time to first token in seconds.",
            &stats.ttft,
        ),
        ("inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", &stats.itl),
        (
            "request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.",
            &stats.tpot,
        ),
        ("e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", &stats.e2e),
        (
            "request_queue_time_seconds",
            "Histogram of time spent in WAITING phase for request.",
            &stats.queue,
        ),
        (
            "request_inference_time_seconds",
            "Histogram of time spent in RUNNING phase for request.",
            &stats.inference,
        ),
        (
            "request_prefill_time_seconds",
            "Histogram of time spent in PREFILL phase for request.",
            &stats.prefill,
        ),
        (
            "request_decode_time_seconds",
            "Histogram of time spent in DECODE phase for request.",
            &stats.decode,
        ),
        (
            "request_num_preemptions",
            "Histogram of the number of times a request was preempted.",
            &stats.request_preemptions,
        ),
        (
            "request_prefill_kv_computed_tokens",
            "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
            &stats.length_computed,
        ),
        ("kv_block_lifetime_seconds", LIFETIME, &stats.block_lifetime),
        ("kv_block_idle_before_evict_seconds", IDLE, &stats.block_idle),
        ("kv_block_reuse_gap_seconds", GAP, &stats.block_gap),
    ]
}

const LIFETIME: &str = "Histogram of KV cache block lifetime from allocation to eviction. Sampled \
                        metrics (controlled by --kv-cache-metrics-sample).";
const IDLE: &str = "Histogram of idle time before KV cache block eviction. Sampled metrics \
                    (controlled by --kv-cache-metrics-sample).";
const GAP: &str = "Histogram of time gaps between consecutive KV cache block accesses. Only the \
                   most recent accesses are recorded (ring buffer). Sampled metrics (controlled by \
                   --kv-cache-metrics-sample).";

/// What the HTTP server in front of the engine counts.
fn http(writer: &mut Writer, stats: &Stats) {
    const HANDLER: &str = "/v1/chat/completions";
    let name = "http_requests_total";
    writer.family(name, "counter", "Total number of requests by method, status and handler.");
    let [stop, length, abort, error] = stats.ended;
    for (status, count) in [("2xx", stop + length + abort), ("5xx", error)] {
        let labels = [("handler", HANDLER), ("method", "POST"), ("status", status)];
        writer.sample(name, &labels, count as f64);
    }
    let name = "http_request_duration_seconds";
    let about = "Latency with only few buckets by handler. Made to be only used if aggregation by \
                 handler is important. ";
    writer.family(name, "histogram", about);
    writer.histogram(name, &[("handler", HANDLER), ("method", "POST")], &stats.http);
}

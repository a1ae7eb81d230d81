//! vLLM's own span of a request (`vllm/v1/engine/output_processor.py`, `do_tracing`): written when
//! an answer is complete, so there is none of a request that was aborted or refused.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::attributes::List;
use super::story::Story;
use super::{Seen, Witness};
use crate::engine::Reason;
use crate::layout::{ReplicaPlace, SERVED};

pub(super) const SCOPE: &str = "vllm.llm_engine";

/// The engine: its pod and node.
pub(super) fn resource(place: &ReplicaPlace, node: &str, share: f64) -> List {
    List::default()
        .text("telemetry.sdk.language", "python")
        .text("telemetry.sdk.name", "opentelemetry")
        .text("service.name", "vllm")
        .text("vllm.instrumenting_module_name", SCOPE)
        .text("k8s.pod.name", place.name.as_str())
        .text("k8s.namespace.name", SERVED[place.served].namespace)
        .text("k8s.node.name", node)
        .sampled(share)
}

pub(super) fn span(witness: &Witness, seen: &Seen, story: &Story) -> Option<Span> {
    let (ask, ended) = (&seen.ended.ask, &seen.ended);
    if !matches!(ended.reason, Reason::Stop | Reason::Length) {
        return None;
    }
    let (scheduled, first) = (ended.scheduled?, ended.first_token?);
    let about = List::default()
        .number("gen_ai.latency.time_to_first_token", first - ask.arrival)
        .number("gen_ai.latency.e2e", ended.end - ask.arrival)
        .number("gen_ai.latency.time_in_queue", scheduled - ask.arrival)
        .count("gen_ai.usage.prompt_tokens", ask.prompt)
        .count("gen_ai.usage.completion_tokens", ended.delivered)
        .number("gen_ai.latency.time_in_model_prefill", first - scheduled)
        .number("gen_ai.latency.time_in_model_decode", ended.last_token - first)
        .number("gen_ai.latency.time_in_model_inference", ended.last_token - scheduled)
        .text("gen_ai.request.id", story.response_id.as_str())
        .number("gen_ai.request.top_p", 1.0)
        .count("gen_ai.request.max_tokens", ask.max_tokens)
        .number("gen_ai.request.temperature", 1.0)
        .count("gen_ai.request.n", 1);
    Some(Span {
        trace_id: story.trace_id.clone(),
        span_id: story.engine_span.clone(),
        parent_span_id: story.client_span.clone(),
        name: "llm_request".to_owned(),
        kind: SpanKind::Server as i32,
        start_time_unix_nano: witness.nanos(ask.arrival),
        end_time_unix_nano: witness.nanos(ended.end),
        attributes: about.0,
        ..Span::default()
    })
}

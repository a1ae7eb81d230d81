//! From a span to a request: the dialects of OpenTelemetry's GenAI conventions old and new,
//! `OpenInference`, `OpenLLMetry`, Langfuse, the Vercel AI SDK, and vLLM's own spans.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde::Deserialize;
use strata_model::record::{CountSource, Door, Outcome, RequestRecord, Usage};

use super::attributes::{Attributes, TEXT_BYTES_MAX, usage_json};

/// Larger answers are not searched for their id.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Operations that run a model. Agents, tools and workflows only repeat what these count.
const OPERATIONS: [&str; 8] = [
    "chat",
    "text_completion",
    "generate_content",
    "embeddings",
    "completion",
    "embedding",
    "rerank",
    "generate",
];

/// The request that this span is; `None` for any other span. Spans that enclose others of the same
/// request are told apart by the caller, who sees them all.
pub(super) fn genai(span: &Span, resource: &[KeyValue]) -> Option<RequestRecord> {
    let own = Attributes(&span.attributes);
    let door = door(span, own)?;
    let start_us = us(span.start_time_unix_nano)?;
    let mut record = RequestRecord::new(door, start_us);
    record.trace_id = hex(&span.trace_id, 16);
    record.span_id = hex(&span.span_id, 8);
    record.parent_span_id = hex(&span.parent_span_id, 8);
    record.end_us = us(span.end_time_unix_nano).filter(|end| *end >= start_us);
    describe(&mut record, own, resource);
    record.ttft_us = record.ttft_us.or_else(|| first_token_us(span, own, start_us));
    record.outcome = Some(outcome(span, own));
    Some(record)
}

/// Who saw it, when the span is a request at all.
fn door(span: &Span, own: Attributes<'_>) -> Option<Door> {
    if own.has_prefix("gen_ai.latency.") {
        return Some(Door::Engine);
    }
    let seen = if span.kind == SpanKind::Server as i32 { Door::Proxy } else { Door::Client };
    is_inference(own).then_some(seen)
}

/// Whether these attributes are of a call to a model. The most exact dialect decides.
fn is_inference(own: Attributes<'_>) -> bool {
    if let Some(operation) = own.text(&["ai.operationId"]) {
        return operation.contains(".do");
    }
    if let Some(kind) = own.text(&["openinference.span.kind"]) {
        return matches!(kind.as_str(), "LLM" | "EMBEDDING" | "RERANKER");
    }
    if let Some(kind) = own.text(&["langfuse.observation.type"]) {
        return matches!(kind.as_str(), "generation" | "embedding");
    }
    if own.value("traceloop.span.kind").is_some() {
        return false;
    }
    let operation = own.text(&["gen_ai.operation.name", "llm.request.type"]);
    operation.is_some_and(|operation| OPERATIONS.contains(&operation.as_str()))
}

/// Fill in all that attributes say.
pub(super) fn describe(record: &mut RequestRecord, own: Attributes<'_>, resource: &[KeyValue]) {
    let engine = record.door == Door::Engine;
    record.operation = operation(own);
    let request_id = own.text(&["gen_ai.request.id"]).map(without_index);
    record.response_id = own
        .text(&["gen_ai.response.id", "ai.response.id", "llm.response.id"])
        .or(request_id)
        .or_else(|| answer(own).and_then(|answer| answer.id));
    record.request_id = own.text(&["http.request.header.x-request-id", "x-request-id"]);
    record.conversation_id = own.text(&["gen_ai.conversation.id"]);
    belongs_to(record, own);
    belongs_to(record, Attributes(resource));
    record.model_requested = own
        .text(&[
            "gen_ai.request.model",
            "llm.request.model_name",
            "llm.request.model",
            "ai.model.id",
            "langfuse.observation.model.name",
        ])
        .or_else(|| invocation_model(own))
        .or_else(|| own.text(&["llm.model_name"]));
    record.model_served = own.text(&[
        "gen_ai.response.model",
        "llm.response.model_name",
        "llm.response.model",
        "ai.response.model",
        "llm.model_name",
    ]);
    record.provider = own
        .text(&[
            "gen_ai.provider.name",
            "gen_ai.system",
            "llm.provider",
            "llm.system",
            "ai.model.provider",
        ])
        .or_else(|| engine.then(|| "vllm".to_owned()));
    record.route = own.text(&["http.route"]);
    let resource = Attributes(resource);
    if engine {
        let names = ["k8s.pod.name", "service.instance.id", "host.name"];
        record.replica = resource.text(&names);
    } else if record.app.is_none() {
        record.app = resource.text(&["service.name"]);
    }
    let seconds = |name: &str| seconds_us(own.number(&[name])?);
    record.ttft_us = seconds("gen_ai.response.time_to_first_chunk")
        .or_else(|| seconds("gen_ai.latency.time_to_first_token"))
        .or_else(|| seconds("agw.ai.time_to_first_token"))
        .or_else(|| seconds_us(own.number(&["ai.response.msToFirstChunk"])? / 1e3));
    record.queue_us = seconds("gen_ai.latency.time_in_queue");
    record.prefill_us = seconds("gen_ai.latency.time_in_model_prefill");
    record.decode_us = seconds("gen_ai.latency.time_in_model_decode");
    record.finish_reason = own.text(&[
        "gen_ai.response.finish_reasons",
        "llm.finish_reason",
        "ai.response.finishReason",
        "llm.response.finish_reason",
    ]);
    record.streamed =
        own.flag(&["gen_ai.request.stream", "llm.is_streaming", "gen_ai.is_streaming"]);
    count(record, own);
}

fn operation(own: Attributes<'_>) -> Option<String> {
    let name = own.text(&["gen_ai.operation.name", "llm.request.type"]);
    let kind = own.text(&["openinference.span.kind", "langfuse.observation.type"]);
    let word = match (name.as_deref(), kind.as_deref()) {
        (Some("completion"), _) => "text_completion",
        (Some("embedding"), _) | (None, Some("EMBEDDING" | "embedding")) => "embeddings",
        (None, Some("RERANKER")) => "rerank",
        _ => return name,
    };
    Some(word.to_owned())
}

/// Whose request it is.
pub(super) fn belongs_to(record: &mut RequestRecord, from: Attributes<'_>) {
    let association = "traceloop.association.properties";
    let fill = |mine: &mut Option<String>, names: &[&str], property: &str| {
        if mine.is_none() {
            *mine = from.text(names).or_else(|| from.text(&[&format!("{association}.{property}")]));
        }
    };
    fill(&mut record.tenant, &["tenant.id", "tenant", "langfuse.trace.metadata.tenant"], "tenant");
    fill(
        &mut record.team,
        &["team.id", "team", "team.name", "langfuse.trace.metadata.team"],
        "team",
    );
    fill(&mut record.app, &["app.id", "app.name"], "app");
    fill(&mut record.session, &["session.id", "langfuse.session.id"], "session_id");
}

/// Token counts under all their names, made disjoint.
fn count(record: &mut RequestRecord, own: Attributes<'_>) {
    let details = "llm.token_count.prompt_details";
    let parts = "llm.token_count.completion_details";
    let usage = Usage {
        input: own.count(&[
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.usage.prompt_tokens",
            "llm.token_count.prompt",
            "gen_ai.usage.prompt",
            "ai.usage.promptTokens",
            "ai.usage.inputTokens",
            "ai.usage.tokens",
        ]),
        output: own.count(&[
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.completion_tokens",
            "llm.token_count.completion",
            "gen_ai.usage.completion",
            "ai.usage.completionTokens",
            "ai.usage.outputTokens",
        ]),
        cache_read: own.count(&[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            &format!("{details}.cache_read"),
            "ai.usage.cachedInputTokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.input_cached_tokens",
        ]),
        cache_write: own.count(&[
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            &format!("{details}.cache_write"),
            "gen_ai.usage.details.cache_write_tokens",
        ]),
        reasoning: own.count(&[
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            &format!("{parts}.reasoning"),
            "ai.usage.reasoningTokens",
        ]),
        audio_input: own.count(&[&format!("{details}.audio")]),
        audio_output: own.count(&[&format!("{parts}.audio")]),
        image_input: own.count(&[&format!("{details}.image")]),
        cache_is_apart: false,
    };
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    // Anthropic's own count of input leaves the cache out, and some libraries pass it on as it is.
    let apart = record.provider.as_deref().is_some_and(|name| name.contains("anthropic"))
        && usage.input.is_some_and(|input| input < cached);
    let (tokens, _contradicts) = Usage { cache_is_apart: apart, ..usage }.buckets();
    record.tokens = tokens;
    if !tokens.is_empty() {
        let engine = record.door == Door::Engine;
        record.count_source = if engine { CountSource::EngineMetrics } else { CountSource::Usage };
        record.usage_raw = usage_json(own);
    }
}

/// When the first token came, from an event or a time.
fn first_token_us(span: &Span, own: Attributes<'_>, start_us: i64) -> Option<i64> {
    let names =
        ["First Token Stream Event", "ai.stream.firstChunk", "llm.content.completion.chunk"];
    let events = span.events.iter().filter(|event| names.contains(&event.name.as_str()));
    let event = events.filter_map(|event| us(event.time_unix_nano)).min();
    let said = || {
        let text = own.text(&["langfuse.observation.completion_start_time"])?;
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(at.as_microsecond())
    };
    event.or_else(said).map(|at| at - start_us).filter(|took| *took >= 0)
}

fn outcome(span: &Span, own: Attributes<'_>) -> Outcome {
    let failed = span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32);
    let named = own.text(&["error.type"]);
    if !failed && named.is_none() {
        return Outcome::Ok;
    }
    let thrown = || {
        let event = span.events.iter().find(|event| event.name == "exception")?;
        Attributes(&event.attributes).text(&["exception.type"])
    };
    let status = || own.text(&["http.response.status_code", "http.status_code"]);
    let code = named.or_else(thrown).or_else(status);
    let gone = |code: &String| {
        code.contains("Cancel") || code.contains("ClientDisconnect") || code == "client_cancel"
    };
    if code.as_ref().is_some_and(gone) {
        return Outcome::ClientCancel;
    }
    Outcome::Error { code }
}

/// The little that is read of an answer which a span carries; nothing else of it is kept.
#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
}

/// `OpenInference` has no attribute for the id of the answer, only the answer.
fn answer(own: Attributes<'_>) -> Option<Answer> {
    let text = long_text(own, "output.value")?;
    let answer: Answer = serde_json::from_str(text).ok()?;
    Some(answer).filter(|one| one.id.as_ref().is_some_and(|id| id.len() <= TEXT_BYTES_MAX))
}

#[derive(Deserialize)]
struct Invocation {
    model: Option<String>,
}

fn invocation_model(own: Attributes<'_>) -> Option<String> {
    let names = ["llm.invocation_parameters", "embedding.invocation_parameters"];
    let text = names.iter().find_map(|name| long_text(own, name))?;
    let parameters: Invocation = serde_json::from_str(text).ok()?;
    parameters.model.filter(|model| model.len() <= TEXT_BYTES_MAX)
}

fn long_text<'a>(own: Attributes<'a>, name: &str) -> Option<&'a str> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    match own.value(name)? {
        Value::StringValue(text) if text.len() <= ANSWER_BYTES_MAX => Some(text),
        _ => None,
    }
}

/// vLLM numbers the prompts of a request: `cmpl-1f-0` is the first of `cmpl-1f`.
fn without_index(id: String) -> String {
    match id.rsplit_once('-') {
        Some((head, tail))
            if head.starts_with("cmpl-")
                && tail.len() <= 4
                && tail.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            head.to_owned()
        }
        _ => id,
    }
}

/// Nanoseconds since the epoch as microseconds; `None` for zero, which is "not set".
pub(super) fn us(nanos: u64) -> Option<i64> {
    i64::try_from(nanos / 1_000).ok().filter(|us| *us > 0)
}

fn seconds_us(seconds: f64) -> Option<i64> {
    (0.0..1e9).contains(&seconds).then_some((seconds * 1e6).round() as i64)
}

/// An id of `bytes` bytes as hexadecimal digits; `None` for another length or all zeros.
pub(super) fn hex(id: &[u8], bytes: usize) -> Option<String> {
    if id.len() != bytes || id.iter().all(|byte| *byte == 0) {
        return None;
    }
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    Some(id.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

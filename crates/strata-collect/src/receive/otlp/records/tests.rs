//! What real clients and engines sent, and every dialect in small.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use strata_model::record::{CountSource, Door, FeedbackSource, Outcome, RequestRecord};

use super::*;

const RULES: RecordRules = RecordRules { spans: true, comments: false };

fn traces_of(body: &[u8]) -> DecodedRecords {
    let request = decode_traces(body, false, &ReceiveLimits::default()).unwrap();
    traces(&request, RULES)
}

/// Everything that is kept, as text: no content may be in it.
fn kept(decoded: &DecodedRecords) -> String {
    format!("{:?}", decoded.batch)
}

/// Response id, model served or requested, input, output, tenant, outcome.
fn row(one: &RequestRecord) -> String {
    let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let count = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
    format!(
        "{} {} {} {} {} {}",
        text(one.response_id.as_deref()),
        text(one.model()),
        count(one.tokens.fresh_input),
        count(one.tokens.output_text),
        text(one.tenant.as_deref()),
        text(
            one.outcome
                .as_ref()
                .and_then(Outcome::code)
                .or(one.outcome.as_ref().map(Outcome::kind))
        ),
    )
}

#[test]
fn real_clients_are_understood() {
    let check = |body: &[u8], expected: &[&str]| {
        let decoded = traces_of(body);
        let rows: Vec<String> = decoded.batch.requests.iter().map(row).collect();
        assert_eq!(rows, expected);
        let kept = kept(&decoded);
        for content in ["terse", "count to ten", "sasg", "def f(", "Traceback", "Valid aliases"] {
            assert!(!kept.contains(content), "{content:?} was kept");
        }
        assert_eq!(decoded.rejected, 0);
    };
    check(
        include_bytes!("../../../../../../fixtures/otlp/genai/openai-v2-old.traces.bin"),
        &[
            "chatcmpl-8afd042e50d9031b tiny-llama 31 12 t1 ok",
            "chatcmpl-a48fe495eccfba36 tiny-llama 16 24 t2 ok",
            "- no-such-model - - - NotFoundError",
        ],
    );
    check(
        include_bytes!("../../../../../../fixtures/otlp/genai/openai-v2-new.traces.bin"),
        &[
            "chatcmpl-b7a32851329c75b1 tiny-llama 31 12 t1 ok",
            "chatcmpl-919af4e621ff21f6 tiny-llama 16 24 t2 ok",
            "- no-such-model - - - NotFoundError",
            "- tiny-llama - - - NotFoundError",
        ],
    );
    check(
        include_bytes!("../../../../../../fixtures/otlp/genai/openinference.traces.bin"),
        &[
            "chatcmpl-90ba3f16fc997c72 tiny-llama 31 12 t1 ok",
            "chatcmpl-bffad71cc298ce87 tiny-llama 16 24 t2 ok",
            "- no-such-model - - - openai.NotFoundError",
            "cmpl-a929e84df1a0c392 tiny-llama 3 8 - ok",
            "resp_8b1b73be42015016 tiny-llama 15 8 - ok",
            "- tiny-llama - - - openai.NotFoundError",
        ],
    );
}

#[test]
fn the_owner_and_the_first_token_are_found() {
    let decoded =
        traces_of(include_bytes!("../../../../../../fixtures/otlp/genai/openinference.traces.bin"));
    let streamed = &decoded.batch.requests[1];
    assert_eq!(streamed.ttft_us, Some(1_795_343_711_899_506 - 1_795_343_711_794_917));
    assert_eq!(streamed.team.as_deref(), Some("search"));
    assert_eq!(streamed.app.as_deref(), Some("chat-frontend"));
    assert_eq!(streamed.count_source, CountSource::Usage);
    assert_eq!(streamed.operation, None);
    assert!(streamed.usage_raw.as_ref().unwrap().contains("\"llm.token_count.total\":40"));
    assert_eq!(decoded.batch.spans.len(), 8);
    assert!(decoded.content_dropped > 20);
}

#[test]
fn the_engine_s_spans_are_of_the_engine() {
    let decoded =
        traces_of(include_bytes!("../../../../../../fixtures/otlp/genai/vllm.traces.bin"));
    let one = &decoded.batch.requests[1];
    assert_eq!(row(one), "cmpl-9e350b965ef21759 - 3 8 - ok");
    assert_eq!(one.door, Door::Engine);
    assert_eq!((one.queue_us, one.ttft_us), (Some(48), Some(16_900)));
    assert_eq!((one.prefill_us, one.decode_us), (Some(13_419), Some(49_651)));
    assert_eq!(one.replica.as_deref(), Some("e4d29de3-6938-4638-9f34-9f370aba2aa6"));
    assert_eq!(one.count_source, CountSource::EngineMetrics);
}

#[test]
fn client_and_engine_have_keys_in_common() {
    let client =
        traces_of(include_bytes!("../../../../../../fixtures/otlp/genai/linked-client.traces.bin"));
    let engine =
        traces_of(include_bytes!("../../../../../../fixtures/otlp/genai/linked-vllm.traces.bin"));
    let of_client: Vec<_> = client.batch.requests.iter().flat_map(RequestRecord::keys).collect();
    let linked = engine.batch.requests.iter();
    let linked: Vec<_> =
        linked.map(|one| one.keys().iter().any(|key| of_client.contains(key))).collect();
    // The client library makes no span of its third call, a text completion.
    assert_eq!(linked, [true, true, false]);
}

#[test]
fn what_was_said_in_events_is_left_out() {
    let body = include_bytes!("../../../../../../fixtures/otlp/genai/openai-v2-old.logs.bin");
    let request = decode_logs(body, false, &ReceiveLimits::default()).unwrap();
    let decoded = logs(&request, RULES);
    assert!(decoded.batch.is_empty());
    assert_eq!((decoded.rejected, decoded.content_dropped), (0, 4));
}

fn pair(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// A span of text and number attributes.
fn span(attributes: &[(&str, &str)]) -> Span {
    let value = |text: &str| match text.parse() {
        Ok(n) => Value::IntValue(n),
        Err(_) => Value::StringValue(text.to_owned()),
    };
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        start_time_unix_nano: 1_000_000_000_000,
        end_time_unix_nano: 1_002_000_000_000,
        attributes: attributes.iter().map(|(key, text)| pair(key, value(text))).collect(),
        ..Span::default()
    }
}

#[test]
fn every_dialect_counts_into_disjoint_buckets() {
    let check = |attributes: &[(&str, &str)], expected: [Option<u64>; 5]| {
        let one = genai::genai(&span(attributes), &[]).unwrap();
        let values = one.tokens.values();
        assert_eq!(values[..5], expected, "{attributes:?}");
        assert_eq!(one.model(), Some("m"), "{attributes:?}");
        assert_eq!(one.duration_us(), Some(2_000_000));
    };
    let five = |a: u64, b: u64, c: u64, d: u64, e: u64| [a, b, c, d, e].map(Some);
    let operation = ("gen_ai.operation.name", "chat");
    let model = ("gen_ai.request.model", "m");
    check(
        &[
            operation,
            model,
            ("gen_ai.usage.input_tokens", "100"),
            ("gen_ai.usage.output_tokens", "50"),
            ("gen_ai.usage.cache_read.input_tokens", "30"),
            ("gen_ai.usage.cache_creation.input_tokens", "20"),
            ("gen_ai.usage.reasoning.output_tokens", "40"),
        ],
        five(50, 30, 20, 10, 40),
    );
    // Anthropic's own count, passed on by a library.
    check(
        &[
            operation,
            model,
            ("gen_ai.system", "anthropic"),
            ("gen_ai.usage.input_tokens", "5"),
            ("gen_ai.usage.output_tokens", "50"),
            ("gen_ai.usage.cache_read_input_tokens", "300"),
        ],
        [Some(5), Some(300), None, Some(50), None],
    );
    check(
        &[
            ("llm.request.type", "chat"),
            model,
            ("gen_ai.usage.prompt_tokens", "10"),
            ("gen_ai.usage.completion_tokens", "4"),
            ("llm.usage.total_tokens", "14"),
        ],
        [Some(10), None, None, Some(4), None],
    );
    check(
        &[
            ("langfuse.observation.type", "generation"),
            ("langfuse.observation.model.name", "\"m\""),
            ("gen_ai.usage.prompt", "10"),
            ("gen_ai.usage.completion", "4"),
        ],
        [Some(10), None, None, Some(4), None],
    );
    check(
        &[
            ("ai.operationId", "ai.streamText.doStream"),
            ("ai.model.id", "m"),
            ("ai.usage.inputTokens", "10"),
            ("ai.usage.cachedInputTokens", "6"),
            ("ai.usage.outputTokens", "9"),
            ("ai.usage.reasoningTokens", "2"),
        ],
        [Some(4), Some(6), None, Some(7), Some(2)],
    );
}

#[test]
fn spans_that_repeat_counts_are_no_requests() {
    for (key, value) in [
        ("gen_ai.operation.name", "invoke_agent"),
        ("gen_ai.operation.name", "execute_tool"),
        ("openinference.span.kind", "CHAIN"),
        ("langfuse.observation.type", "span"),
        ("ai.operationId", "ai.streamText"),
        ("traceloop.span.kind", "workflow"),
        ("http.route", "/v1/chat/completions"),
    ] {
        let usage = ("gen_ai.usage.input_tokens", "100");
        assert_eq!(genai::genai(&span(&[(key, value), usage]), &[]), None, "{key}={value}");
    }
}

#[test]
fn tokens_are_counted_on_leaves() {
    let usage = ("gen_ai.usage.input_tokens", "100");
    let chat = ("gen_ai.operation.name", "chat");
    let outer =
        Span { attributes: span(&[chat, usage, ("tenant.id", "t9")]).attributes, ..span(&[]) };
    let middle = Span { span_id: vec![3; 8], parent_span_id: vec![2; 8], ..span(&[]) };
    let inner = Span { span_id: vec![4; 8], parent_span_id: vec![3; 8], ..span(&[chat, usage]) };
    let scope = opentelemetry_proto::tonic::trace::v1::ScopeSpans {
        spans: vec![inner, middle, outer],
        ..Default::default()
    };
    let resource = opentelemetry_proto::tonic::trace::v1::ResourceSpans {
        scope_spans: vec![scope],
        ..Default::default()
    };
    let decoded = traces(&ExportTraceServiceRequest { resource_spans: vec![resource] }, RULES);
    let requests = decoded.batch.requests;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].span_id.as_deref(), Some("0404040404040404"));
    assert_eq!(requests[0].tenant.as_deref(), Some("t9"));
    assert_eq!(decoded.batch.spans.len(), 3);
}

#[test]
fn json_says_the_same_and_judgements_are_read() {
    let body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{
        "traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"b7ad6b7169203331","name":"chat m",
        "kind":"SPAN_KIND_CLIENT","startTimeUnixNano":"1795343597000000000",
        "endTimeUnixNano":1795343598000000000,"status":{"code":"STATUS_CODE_ERROR","message":"secret"},
        "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
          {"key":"error.type","value":{"stringValue":"asyncio.CancelledError"}}]}]}]}]}"#;
    let request = decode_traces(body, true, &ReceiveLimits::default()).unwrap();
    let decoded = traces(&request, RULES);
    let one = &decoded.batch.requests[0];
    assert_eq!(one.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!((one.duration_us(), &one.outcome), (Some(1_000_000), &Some(Outcome::ClientCancel)));
    assert!(!kept(&decoded).contains("secret"));
    let body = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[
        {"timeUnixNano":"1795343597000000000","eventName":"gen_ai.evaluation.result","attributes":[
          {"key":"gen_ai.evaluation.name","value":{"stringValue":"user_feedback"}},
          {"key":"gen_ai.evaluation.score.value","value":{"doubleValue":0.5}},
          {"key":"gen_ai.evaluation.explanation","value":{"stringValue":"well said"}},
          {"key":"gen_ai.response.id","value":{"stringValue":"chatcmpl-1"}}]},
        {"timeUnixNano":"1","body":{"stringValue":"hello"}}]}]}]}"#;
    let request = decode_logs(body, true, &ReceiveLimits::default()).unwrap();
    let decoded = logs(&request, RULES);
    assert_eq!(decoded.rejected, 1);
    let one = &decoded.batch.feedback[0];
    assert_eq!((one.value, one.source), (Some(0.5), FeedbackSource::Human));
    assert_eq!(one.comment, None);
    let decoded = logs(&request, RecordRules { comments: true, ..RULES });
    assert_eq!(decoded.batch.feedback[0].comment.as_deref(), Some("well said"));
}

#[test]
fn broken_bodies_are_refused() {
    let limits = ReceiveLimits::default();
    let body = include_bytes!("../../../../../../fixtures/otlp/genai/openai-v2-new.traces.bin");
    for end in 1..body.len() {
        // Whether it is refused or a shorter message, nothing panics.
        if let Ok(request) = decode_traces(&body[..end], false, &limits) {
            traces(&request, RULES);
        }
    }
    assert!(decode_traces(b"\xff\xff", false, &limits).is_err());
    assert!(decode_traces(b"[]", true, &limits).is_err());
    let small = ReceiveLimits { decoded_bytes: 1_000, ..limits };
    assert!(matches!(decode_traces(body, false, &small), Err(DecodeError::TooLarge { .. })));
    let spans: Vec<u8> = [0x0a, 0x00].repeat(10_000);
    let small = ReceiveLimits { decoded_bytes: 100_000, ..limits };
    assert!(matches!(decode_traces(&spans, false, &small), Err(DecodeError::TooLarge { .. })));
}

//! Records as OTLP: requests as spans and judgements as events, in the words of OpenTelemetry's
//! conventions for GenAI (<https://opentelemetry.io/docs/specs/semconv/gen-ai/>).

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use strata_model::record::{Feedback, Outcome, RequestRecord};
use xxhash_rust::xxh3::xxh3_128;

/// The event of a judgement.
const EVALUATION: &str = "gen_ai.evaluation.result";

/// Requests that a proxy saw, each a span of its own.
pub(crate) fn spans(requests: &[RequestRecord]) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans {
        scope: Some(scope()),
        spans: requests.iter().map(span).collect(),
        ..ScopeSpans::default()
    }];
    let resource = Some(resource("strata-proxy"));
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// Judgements, each an event; comments only where content goes along.
pub(crate) fn events(feedback: &[Feedback], content: bool) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs {
        scope: Some(scope()),
        log_records: feedback.iter().map(|one| event(one, content)).collect(),
        ..ScopeLogs::default()
    }];
    let resource = Some(resource("strata"));
    let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn resource(service: &str) -> Resource {
    let mut attributes = Attributes::default();
    attributes.text("service.name", Some(service));
    attributes.text("service.version", Some(env!("CARGO_PKG_VERSION")));
    Resource { attributes: attributes.0, ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    InstrumentationScope { name: "stratascope".to_owned(), version, ..Default::default() }
}

fn span(one: &RequestRecord) -> Span {
    // A call without a trace begins one of its own. The ids follow from the call, so that a body that
    // is sent twice is one span.
    let own = identity(one);
    let (trace_own, span_own) = (own.to_be_bytes().to_vec(), (own as u64).to_be_bytes().to_vec());
    let id = |text: &Option<String>, bytes| text.as_deref().and_then(|text| hex(text, bytes));
    let model = one.model_served.as_deref().or(one.model_requested.as_deref());
    let operation = one.operation.as_deref().unwrap_or("request");
    let (code, message) = match &one.outcome {
        Some(Outcome::Error { .. } | Outcome::ErrorIn200 { .. } | Outcome::UpstreamTruncated) => {
            (StatusCode::Error, one.outcome.as_ref().map_or("", |outcome| outcome.kind()))
        }
        _ => (StatusCode::Unset, ""),
    };
    Span {
        trace_id: id(&one.trace_id, 16).unwrap_or(trace_own),
        span_id: id(&one.span_id, 8).unwrap_or(span_own),
        parent_span_id: id(&one.parent_span_id, 8).unwrap_or_default(),
        name: model.map_or_else(|| operation.to_owned(), |model| format!("{operation} {model}")),
        kind: SpanKind::Server as i32,
        start_time_unix_nano: nanos(one.start_us),
        // A call that did not end is told as one that took no time: a span has to have an end.
        end_time_unix_nano: nanos(one.end_us.unwrap_or(one.start_us)),
        attributes: attributes(one),
        status: Some(Status { code: code as i32, message: message.to_owned() }),
        ..Span::default()
    }
}

fn attributes(one: &RequestRecord) -> Vec<KeyValue> {
    let mut all = Attributes::default();
    for (name, value) in [
        ("gen_ai.operation.name", &one.operation),
        ("gen_ai.provider.name", &one.provider),
        ("gen_ai.request.model", &one.model_requested),
        ("gen_ai.response.model", &one.model_served),
        ("gen_ai.response.id", &one.response_id),
        ("gen_ai.conversation.id", &one.conversation_id),
        ("http.request.header.x-request-id", &one.request_id),
        ("http.route", &one.route),
        ("server.address", &one.replica),
        ("tenant.id", &one.tenant),
        ("team.id", &one.team),
        ("app.id", &one.app),
        ("session.id", &one.session),
    ] {
        all.text(name, value.as_deref());
    }
    if let Some(reason) = &one.finish_reason {
        let values = vec![AnyValue { value: Some(Value::StringValue(reason.clone())) }];
        all.push("gen_ai.response.finish_reasons", Value::ArrayValue(ArrayValue { values }));
    }
    if let Some(outcome) = one.outcome.as_ref().filter(|outcome| **outcome != Outcome::Ok) {
        all.text("error.type", Some(outcome.code().unwrap_or(outcome.kind())));
        all.text("strata.outcome", Some(outcome.kind()));
    }
    if let Some(streamed) = one.streamed {
        all.push("gen_ai.request.stream", Value::BoolValue(streamed));
    }
    let seconds = |us: Option<i64>| us.map(|us| us as f64 / 1e6);
    all.number("gen_ai.response.time_to_first_chunk", seconds(one.ttft_us));
    all.number("strata.longest_gap_seconds", seconds(one.longest_gap_us));
    all.count("strata.stalls", one.stalls);
    tokens(one, &mut all);
    all.0
}

/// Buckets as the conventions tell them: totals with their parts inside.
fn tokens(one: &RequestRecord, all: &mut Attributes) {
    let tokens = one.tokens;
    let sum = |first: Option<u64>, parts: &[Option<u64>]| {
        first.map(|first| parts.iter().flatten().fold(first, |sum, part| sum.saturating_add(*part)))
    };
    let input = [tokens.cache_read, tokens.cache_write, tokens.image];
    all.count("gen_ai.usage.input_tokens", sum(tokens.fresh_input, &input));
    all.count("gen_ai.usage.output_tokens", sum(tokens.output_text, &[tokens.reasoning]));
    all.count("gen_ai.usage.cache_read.input_tokens", tokens.cache_read);
    all.count("gen_ai.usage.cache_creation.input_tokens", tokens.cache_write);
    all.count("gen_ai.usage.reasoning.output_tokens", tokens.reasoning);
    // Of audio it is not known which of it went in and which came out: it is in neither total.
    all.count("strata.usage.audio_tokens", tokens.audio);
    all.text("strata.count_source", Some(one.count_source.name()));
}

fn event(one: &Feedback, content: bool) -> LogRecord {
    let target = &one.target;
    let mut all = Attributes::default();
    all.text("gen_ai.evaluation.name", Some(&one.name));
    all.number("gen_ai.evaluation.score.value", one.value);
    all.text("gen_ai.evaluation.score.label", one.label.as_deref());
    all.text("gen_ai.evaluation.explanation", one.comment.as_deref().filter(|_| content));
    all.text("gen_ai.response.id", target.response_id.as_deref());
    all.text("gen_ai.conversation.id", target.conversation_id.as_deref());
    all.text("http.request.header.x-request-id", target.request_id.as_deref());
    all.text("strata.feedback.source", Some(one.source.name()));
    let id = |text: &Option<String>, bytes| text.as_deref().and_then(|text| hex(text, bytes));
    LogRecord {
        time_unix_nano: nanos(one.at_us),
        observed_time_unix_nano: nanos(one.at_us),
        event_name: EVALUATION.to_owned(),
        // Receivers of before event names look here.
        attributes: {
            all.text("event.name", Some(EVALUATION));
            all.0
        },
        trace_id: id(&target.trace_id, 16).unwrap_or_default(),
        span_id: id(&target.span_id, 8).unwrap_or_default(),
        ..LogRecord::default()
    }
}

/// Attributes of which only those that are known are written.
#[derive(Default)]
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn push(&mut self, name: &str, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: name.to_owned(), value, ..KeyValue::default() });
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, Value::StringValue(value.to_owned()));
        }
    }

    fn number(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.push(name, Value::DoubleValue(value));
        }
    }

    fn count(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.push(name, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)));
        }
    }
}

/// What tells this call from all others, as far as it is known.
fn identity(one: &RequestRecord) -> u128 {
    let ids = [&one.response_id, &one.request_id, &one.trace_id, &one.parent_span_id, &one.route];
    let ids = ids.map(|id| id.as_deref().unwrap_or_default());
    let ends = [one.start_us, one.end_us.unwrap_or_default(), one.ttft_us.unwrap_or_default()];
    xxh3_128(format!("{ids:?} {ends:?}").as_bytes()).max(1)
}

/// So many bytes of hexadecimal digits.
fn hex(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|n| u8::try_from(n).ok())).collect();
    let digits = digits.filter(|digits| digits.len() == bytes * 2)?;
    Some(digits.chunks(2).map(|two| two.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

fn nanos(us: i64) -> u64 {
    u64::try_from(us).unwrap_or(0).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use strata_model::record::{Door, FeedbackSource, FeedbackTarget};

    use super::*;

    fn named<'a>(all: &'a [KeyValue], name: &str) -> Option<&'a Value> {
        all.iter().find(|one| one.key == name)?.value.as_ref()?.value.as_ref()
    }

    fn one_span(request: &RequestRecord) -> Span {
        let body = spans(std::slice::from_ref(request));
        let mut all = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        all.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
    }

    #[test]
    fn a_request_is_a_span_of_its_trace() {
        let mut request = RequestRecord::new(Door::Proxy, 1_000_000);
        request.end_us = Some(3_000_000);
        request.operation = Some("chat".to_owned());
        request.model_served = Some("llama".to_owned());
        request.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned());
        request.parent_span_id = Some("00f067aa0ba902b7".to_owned());
        request.tokens.fresh_input = Some(100);
        request.tokens.cache_read = Some(900);
        request.tokens.output_text = Some(20);
        request.outcome = Some(Outcome::Error { code: Some("503".to_owned()) });
        let span = one_span(&request);
        assert_eq!(span.name, "chat llama");
        assert_eq!(span.trace_id[..2], [0x4b, 0xf9]);
        assert_eq!(span.parent_span_id, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert_eq!((span.span_id.len(), span.end_time_unix_nano), (8, 3_000_000_000));
        let of = |name| named(&span.attributes, name);
        assert_eq!(of("gen_ai.usage.input_tokens"), Some(&Value::IntValue(1_000)));
        assert_eq!(of("error.type"), Some(&Value::StringValue("503".to_owned())));
        assert_eq!(of("gen_ai.provider.name"), None, "what is not known is not told");
        assert_eq!(span.status.unwrap().code, StatusCode::Error as i32);
        // Without a trace it has one of its own, the same each time and another for another call.
        request.trace_id = None;
        let (alone, again) = (one_span(&request), one_span(&request));
        assert_eq!((alone.trace_id.len(), &alone.trace_id), (16, &again.trace_id));
        request.start_us += 1;
        assert_ne!(one_span(&request).trace_id, alone.trace_id);
        request.tokens.fresh_input = None;
        assert_eq!(named(&one_span(&request).attributes, "gen_ai.usage.input_tokens"), None);
    }

    #[test]
    fn a_judgement_is_an_event_and_its_comment_is_content() {
        let feedback = Feedback {
            at_us: 5,
            target: FeedbackTarget { response_id: Some("r".to_owned()), ..Default::default() },
            name: "user_feedback".to_owned(),
            value: Some(1.0),
            label: None,
            comment: Some("my name is Ada".to_owned()),
            source: FeedbackSource::Implicit,
            idempotency_key: None,
        };
        let told = |content| {
            let body = events(std::slice::from_ref(&feedback), content);
            let mut all = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
            all.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0)
        };
        let event = told(false);
        assert_eq!((event.event_name.as_str(), event.time_unix_nano), (EVALUATION, 5_000));
        let of = |name| named(&event.attributes, name);
        assert_eq!(of("gen_ai.evaluation.score.value"), Some(&Value::DoubleValue(1.0)));
        assert_eq!(of("gen_ai.response.id"), Some(&Value::StringValue("r".to_owned())));
        assert_eq!(of("gen_ai.evaluation.explanation"), None);
        assert!(named(&told(true).attributes, "gen_ai.evaluation.explanation").is_some());
    }

    #[test]
    fn ids_are_bytes_or_nothing() {
        assert_eq!(hex("00ff", 2), Some(vec![0, 255]));
        assert_eq!((hex("00f", 2), hex("00fg", 2), hex("", 2)), (None, None, None));
    }
}

//! Traces and logs as they may be told onward where content stays here: numbers, names, times and
//! ids go, every other text does not.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use super::attributes::{TEXT_BYTES_MAX, is_name};

/// Names that records keep in fields of their own and that receivers look for as attributes.
const MORE_NAMES: [&str; 10] = [
    "app.id",
    "app.name",
    "event.name",
    "gen_ai.evaluation.name",
    "gen_ai.evaluation.score.label",
    "http.request.header.x-request-id",
    "strata.count_source",
    "strata.feedback.source",
    "strata.outcome",
    "url.scheme",
];

/// Take content out of a trace request; the number of texts left out. What programs say of
/// themselves (resources, scopes) stays.
pub fn strip_traces(request: &mut ExportTraceServiceRequest) -> u64 {
    let mut dropped = 0;
    let scopes = request.resource_spans.iter_mut().flat_map(|one| &mut one.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        dropped += strip(&mut span.attributes);
        for event in &mut span.events {
            dropped += strip(&mut event.attributes);
        }
        for link in &mut span.links {
            dropped += strip(&mut link.attributes);
        }
        if let Some(status) = &mut span.status
            && !std::mem::take(&mut status.message).is_empty()
        {
            dropped += 1;
        }
    }
    dropped
}

/// Take content out of a log request: bodies, and attributes that are no names.
pub fn strip_logs(request: &mut ExportLogsServiceRequest) -> u64 {
    let mut dropped = 0;
    let scopes = request.resource_logs.iter_mut().flat_map(|one| &mut one.scope_logs);
    for one in scopes.flat_map(|scope| &mut scope.log_records) {
        dropped += strip(&mut one.attributes) + u64::from(one.body.take().is_some());
    }
    dropped
}

/// Spans of a trace request.
pub fn span_count(request: &ExportTraceServiceRequest) -> u64 {
    let scopes = request.resource_spans.iter().flat_map(|one| &one.scope_spans);
    scopes.map(|scope| scope.spans.len() as u64).sum()
}

/// Log records of a log request.
pub fn log_count(request: &ExportLogsServiceRequest) -> u64 {
    let scopes = request.resource_logs.iter().flat_map(|one| &one.scope_logs);
    scopes.map(|scope| scope.log_records.len() as u64).sum()
}

fn strip(attributes: &mut Vec<KeyValue>) -> u64 {
    let before = attributes.len();
    attributes.retain(|one| {
        let named = is_name(&one.key) || MORE_NAMES.contains(&one.key.as_str());
        let value = one.value.as_ref().and_then(|value| value.value.as_ref());
        value.is_some_and(|value| may_go(value, named))
    });
    (before - attributes.len()) as u64
}

fn may_go(value: &Value, named: bool) -> bool {
    match value {
        Value::IntValue(_) | Value::DoubleValue(_) | Value::BoolValue(_) => true,
        Value::StringValue(text) => named && text.len() <= TEXT_BYTES_MAX,
        Value::ArrayValue(list) => list
            .values
            .iter()
            .all(|one| one.value.as_ref().is_some_and(|value| may_go(value, named))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::trace::v1::span::Event;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

    use super::*;

    fn any(text: &str) -> AnyValue {
        AnyValue { value: Some(Value::StringValue(text.to_owned())) }
    }

    fn pair(key: &str, value: AnyValue) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
    }

    fn attributes() -> Vec<KeyValue> {
        let reasons = ArrayValue { values: vec![any("stop")] };
        let reasons = AnyValue { value: Some(Value::ArrayValue(reasons)) };
        let tokens = AnyValue { value: Some(Value::IntValue(7)) };
        vec![
            pair("gen_ai.request.model", any("llama")),
            pair("gen_ai.response.finish_reasons", reasons),
            pair("gen_ai.usage.input_tokens", tokens),
            pair("gen_ai.prompt", any("my name is Ada")),
            pair("gen_ai.request.model", any(&"x".repeat(300))),
        ]
    }

    #[test]
    fn names_and_numbers_go_and_what_was_said_stays_here() {
        let event = Event { attributes: attributes(), ..Event::default() };
        let status = Some(Status { code: 2, message: "no Ada".to_owned() });
        let events = vec![event];
        let span = Span { attributes: attributes(), events, status, ..Span::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let one = ResourceSpans { scope_spans, ..ResourceSpans::default() };
        let mut request = ExportTraceServiceRequest { resource_spans: vec![one] };
        assert_eq!((strip_traces(&mut request), span_count(&request)), (5, 1));
        let text = format!("{request:?}");
        assert!(!text.contains("Ada") && text.contains("llama") && text.contains("stop"), "{text}");
        let one = LogRecord {
            body: Some(any("said Ada")),
            attributes: attributes(),
            ..LogRecord::default()
        };
        let scope_logs = vec![ScopeLogs { log_records: vec![one], ..ScopeLogs::default() }];
        let one = ResourceLogs { scope_logs, ..ResourceLogs::default() };
        let mut request = ExportLogsServiceRequest { resource_logs: vec![one] };
        assert_eq!((strip_logs(&mut request), log_count(&request)), (3, 1));
        assert!(!format!("{request:?}").contains("Ada"));
    }
}

//! Traces and logs in OTLP/JSON. Ids are hexadecimal digits here, not base64.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::super::json::{Object, Read, any_value, key_value, read_body};
use crate::receive::{DecodeError, ReceiveLimits};

pub(super) fn traces(
    body: &[u8],
    limits: &ReceiveLimits,
) -> Result<ExportTraceServiceRequest, DecodeError> {
    read_body(body, limits, |request| {
        Ok(ExportTraceServiceRequest {
            resource_spans: request.list("resourceSpans", |one| {
                Ok(ResourceSpans {
                    resource: resource(one)?,
                    scope_spans: one.list("scopeSpans", |scope| {
                        Ok(ScopeSpans {
                            spans: scope.list("spans", span)?,
                            ..ScopeSpans::default()
                        })
                    })?,
                    ..ResourceSpans::default()
                })
            })?,
        })
    })
}

pub(super) fn logs(
    body: &[u8],
    limits: &ReceiveLimits,
) -> Result<ExportLogsServiceRequest, DecodeError> {
    read_body(body, limits, |request| {
        Ok(ExportLogsServiceRequest {
            resource_logs: request.list("resourceLogs", |one| {
                Ok(ResourceLogs {
                    resource: resource(one)?,
                    scope_logs: one.list("scopeLogs", |scope| {
                        Ok(ScopeLogs {
                            log_records: scope.list("logRecords", log)?,
                            ..ScopeLogs::default()
                        })
                    })?,
                    ..ResourceLogs::default()
                })
            })?,
        })
    })
}

fn resource(object: Object<'_>) -> Read<Option<Resource>> {
    object.message("resource", |resource| {
        Ok(Resource { attributes: resource.list("attributes", key_value)?, ..Resource::default() })
    })
}

fn span(object: Object<'_>) -> Read<Span> {
    Ok(Span {
        trace_id: id(object, "traceId")?,
        span_id: id(object, "spanId")?,
        parent_span_id: id(object, "parentSpanId")?,
        name: object.text("name")?,
        kind: word(object, "kind", "SPAN_KIND_", &SPAN_KINDS)?,
        start_time_unix_nano: object.unsigned("startTimeUnixNano")?,
        end_time_unix_nano: object.unsigned("endTimeUnixNano")?,
        attributes: object.list("attributes", key_value)?,
        events: object.list("events", |event| {
            Ok(Event {
                time_unix_nano: event.unsigned("timeUnixNano")?,
                name: event.text("name")?,
                attributes: event.list("attributes", key_value)?,
                ..Event::default()
            })
        })?,
        status: object.message("status", |status| {
            Ok(Status {
                message: String::new(),
                code: word(status, "code", "STATUS_CODE_", &["UNSET", "OK", "ERROR"])?,
            })
        })?,
        ..Span::default()
    })
}

fn log(object: Object<'_>) -> Read<LogRecord> {
    Ok(LogRecord {
        time_unix_nano: object.unsigned("timeUnixNano")?,
        observed_time_unix_nano: object.unsigned("observedTimeUnixNano")?,
        attributes: object.list("attributes", key_value)?,
        trace_id: id(object, "traceId")?,
        span_id: id(object, "spanId")?,
        event_name: object.text("eventName")?,
        // Never kept; that there was one is.
        body: object.message("body", any_value)?.map(|_content| AnyValue::default()),
        ..LogRecord::default()
    })
}

const SPAN_KINDS: [&str; 6] =
    ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

/// An enum as a number or as its name.
fn word(object: Object<'_>, name: &'static str, prefix: &str, words: &[&str]) -> Read<i32> {
    let text = object.get(name).and_then(serde_json::Value::as_str);
    let Some(text) = text.and_then(|text| text.strip_prefix(prefix)) else {
        return object.small(name);
    };
    let at = words.iter().position(|word| *word == text).ok_or(name)?;
    i32::try_from(at).or(Err(name))
}

fn id(object: Object<'_>, name: &'static str) -> Read<Vec<u8>> {
    let text = object.text(name)?;
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.ok_or(name)?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(name);
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

//! Traces and events over OTLP: which of them are requests and judgements, without their content.

mod attributes;
mod events;
mod genai;
mod json;
mod onward;
#[cfg(test)]
mod tests;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use rustc_hash::{FxHashMap, FxHashSet};
use strata_model::record::{Door, RecordBatch, RequestRecord, SpanRecord};
use strata_model::{Fault, FaultCode};

use super::weight::{self, Message};
use crate::receive::tally::Tally;
use crate::receive::{DecodeError, ReceiveLimits, bound};
use attributes::{Attributes, TEXT_BYTES_MAX, without_content};

/// Ancestors looked through for whose request it is.
const ANCESTORS_MAX: usize = 16;

/// What is kept of traces and events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRules {
    /// Spans that are no requests.
    pub spans: bool,
    /// Comments of judgements.
    pub comments: bool,
}

/// What one body brought.
#[derive(Debug, Default)]
pub struct DecodedRecords {
    pub batch: RecordBatch,
    /// What could not be used, alike ones folded together.
    pub faults: Vec<Fault>,
    /// Spans or log records of which nothing was kept because something is wrong with them.
    pub rejected: u64,
    /// Attributes and events that may hold content and were left out.
    pub content_dropped: u64,
}

/// A trace request, from bytes.
pub fn decode_traces(
    body: &[u8],
    json: bool,
    limits: &ReceiveLimits,
) -> Result<ExportTraceServiceRequest, DecodeError> {
    bound("decompressed bytes", body.len(), limits.decoded_bytes)?;
    if json {
        return json::traces(body, limits);
    }
    weight::check(body, Message::TraceRequest, limits.decoded_bytes)?;
    ExportTraceServiceRequest::decode(body)
        .map_err(|error| DecodeError::Malformed(error.to_string()))
}

/// A log request, from bytes.
pub fn decode_logs(
    body: &[u8],
    json: bool,
    limits: &ReceiveLimits,
) -> Result<ExportLogsServiceRequest, DecodeError> {
    bound("decompressed bytes", body.len(), limits.decoded_bytes)?;
    if json {
        return json::logs(body, limits);
    }
    weight::check(body, Message::LogRequest, limits.decoded_bytes)?;
    ExportLogsServiceRequest::decode(body)
        .map_err(|error| DecodeError::Malformed(error.to_string()))
}

pub use events::logs;
pub use onward::{log_count, span_count, strip_logs, strip_traces};

/// Requests, spans and judgements of a trace request.
pub fn traces(request: &ExportTraceServiceRequest, rules: RecordRules) -> DecodedRecords {
    let mut decoded = DecodedRecords::default();
    let mut tally = Tally::default();
    let mut family = Family::default();
    for resource in &request.resource_spans {
        let about = resource.resource.as_ref().map_or(&[][..], |one| one.attributes.as_slice());
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let Some(record) = span_record(span, about, &mut decoded.content_dropped) else {
                tally.reject(1, FaultCode::Malformed, "span without ids or start", || {
                    span.name.chars().take(80).collect()
                });
                continue;
            };
            family.spans.insert((&span.trace_id, &span.span_id), span);
            decoded.batch.feedback.extend(events::of_span(span, &record, rules));
            if let Some(request) = genai::genai(span, about) {
                family.requests.push((span, request));
            }
            if rules.spans {
                decoded.batch.spans.push(record);
            }
        }
    }
    decoded.batch.requests = family.leaves();
    decoded.rejected = tally.rejected;
    decoded.faults = tally.into_faults();
    decoded
}

fn span_record(span: &Span, resource: &[KeyValue], dropped: &mut u64) -> Option<SpanRecord> {
    let (attributes, left_out) = without_content(&span.attributes);
    *dropped += left_out;
    let mut name = span.name.clone();
    name.truncate(name.floor_char_boundary(TEXT_BYTES_MAX));
    Some(SpanRecord {
        trace_id: genai::hex(&span.trace_id, 16)?,
        span_id: genai::hex(&span.span_id, 8)?,
        parent_span_id: genai::hex(&span.parent_span_id, 8),
        name,
        service: Attributes(resource).text(&["service.name"]),
        start_us: genai::us(span.start_time_unix_nano)?,
        end_us: genai::us(span.end_time_unix_nano),
        failed: span.status.as_ref().is_some_and(|one| one.code == StatusCode::Error as i32),
        attributes,
    })
}

type SpanId<'a> = (&'a [u8], &'a [u8]);

/// The spans of one body and how they hang together.
#[derive(Default)]
struct Family<'a> {
    spans: FxHashMap<SpanId<'a>, &'a Span>,
    requests: Vec<(&'a Span, RequestRecord)>,
}

impl<'a> Family<'a> {
    /// Spans above this one, nearest first.
    fn above(&self, span: &'a Span) -> impl Iterator<Item = &'a Span> + '_ {
        let up = |span: &&'a Span| -> Option<&'a Span> {
            let parent = (span.trace_id.as_slice(), span.parent_span_id.as_slice());
            self.spans.get(&parent).copied()
        };
        std::iter::successors(Some(span), up).skip(1).take(ANCESTORS_MAX)
    }

    /// Requests without those that enclose another of the same door: a framework's span around
    /// that of the client library reports the same tokens again. What only an enclosing span knows
    /// of whose request it is goes to the inner one.
    fn leaves(mut self) -> Vec<RequestRecord> {
        let mut enclosing: FxHashSet<SpanId<'_>> = FxHashSet::default();
        let doors: FxHashMap<SpanId<'_>, Door> = self
            .requests
            .iter()
            .map(|(span, one)| ((span.trace_id.as_slice(), span.span_id.as_slice()), one.door))
            .collect();
        let requests = std::mem::take(&mut self.requests);
        for (span, request) in &requests {
            for above in self.above(span) {
                let id = (above.trace_id.as_slice(), above.span_id.as_slice());
                if doors.get(&id) == Some(&request.door) {
                    enclosing.insert(id);
                }
            }
        }
        let mut leaves = Vec::with_capacity(requests.len());
        for (span, mut request) in requests {
            if enclosing.contains(&(span.trace_id.as_slice(), span.span_id.as_slice())) {
                continue;
            }
            for above in self.above(span) {
                genai::belongs_to(&mut request, Attributes(&above.attributes));
            }
            leaves.push(request);
        }
        leaves
    }
}

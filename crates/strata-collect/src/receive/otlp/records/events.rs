//! Events: judgements, and the details of a call. What was said in a call is left out and counted.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use strata_model::FaultCode;
use strata_model::record::{
    Door, Feedback, FeedbackSource, FeedbackTarget, RequestRecord, SpanRecord,
};

use super::attributes::Attributes;
use super::{DecodedRecords, RecordRules, genai};
use crate::receive::tally::Tally;

const EVALUATION: &str = "gen_ai.evaluation.result";
const DETAILS: &str = "gen_ai.client.inference.operation.details";
/// Bytes of a comment.
const COMMENT_BYTES_MAX: usize = 4 << 10;

/// Judgements and requests of a log request. Other logs are not stored here.
pub fn logs(request: &ExportLogsServiceRequest, rules: RecordRules) -> DecodedRecords {
    let mut decoded = DecodedRecords::default();
    let mut tally = Tally::default();
    for resource in &request.resource_logs {
        let about = resource.resource.as_ref().map_or(&[][..], |one| one.attributes.as_slice());
        for one in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            let own = Attributes(&one.attributes);
            let name = Some(one.event_name.clone()).filter(|name| !name.is_empty());
            let name = name.or_else(|| own.text(&["event.name"])).unwrap_or_default();
            match name.as_str() {
                EVALUATION => match judged(one, own, rules) {
                    Some(feedback) => decoded.batch.feedback.push(feedback),
                    None => tally.reject(1, FaultCode::Malformed, "judgement", || {
                        "it has no name, no time, or is about nothing".to_owned()
                    }),
                },
                DETAILS => {
                    decoded.batch.requests.extend(detailed(one, own, about));
                    decoded.content_dropped += u64::from(one.body.is_some());
                }
                name if name.starts_with("gen_ai.") => decoded.content_dropped += 1,
                _ => tally.reject(1, FaultCode::Unsupported, "log", || {
                    "only events of GenAI calls are kept".to_owned()
                }),
            }
        }
    }
    decoded.rejected = tally.rejected;
    decoded.faults = tally.into_faults();
    decoded
}

/// Judgements that are events of the span that they judge.
pub(super) fn of_span(span: &Span, record: &SpanRecord, rules: RecordRules) -> Vec<Feedback> {
    let events = span.events.iter().filter(|event| event.name == EVALUATION);
    let ids = (Some(record.trace_id.clone()), Some(record.span_id.clone()));
    let judged = events.filter_map(|event| {
        let at = genai::us(event.time_unix_nano)?;
        feedback(at, ids.clone(), Attributes(&event.attributes), rules)
    });
    judged.collect()
}

fn time_us(one: &LogRecord) -> Option<i64> {
    genai::us(one.time_unix_nano).or_else(|| genai::us(one.observed_time_unix_nano))
}

fn judged(one: &LogRecord, own: Attributes<'_>, rules: RecordRules) -> Option<Feedback> {
    let ids = (genai::hex(&one.trace_id, 16), genai::hex(&one.span_id, 8));
    feedback(time_us(one)?, ids, own, rules)
}

fn feedback(
    at_us: i64,
    (trace_id, span_id): (Option<String>, Option<String>),
    own: Attributes<'_>,
    rules: RecordRules,
) -> Option<Feedback> {
    let target = FeedbackTarget {
        request_id: None,
        response_id: own.text(&["gen_ai.response.id"]),
        trace_id,
        span_id,
        conversation_id: own.text(&["gen_ai.conversation.id"]),
    };
    if target == FeedbackTarget::default() {
        return None;
    }
    let name = own.text(&["gen_ai.evaluation.name"])?;
    let said = own.text(&["strata.feedback.source", "evaluation.annotator_kind"]);
    let human = name == "user_feedback" || said.as_deref() == Some("HUMAN");
    let source = said.and_then(|name| FeedbackSource::from_name(&name));
    let fallback = if human { FeedbackSource::Human } else { FeedbackSource::Model };
    let comment = own.value("gen_ai.evaluation.explanation").filter(|_| rules.comments);
    let comment = comment.map(|value| super::super::values::label_value(Some(&any(value))));
    Some(Feedback {
        at_us,
        target,
        name,
        value: own.number(&["gen_ai.evaluation.score.value"]),
        label: own.text(&["gen_ai.evaluation.score.label"]),
        comment: comment.map(|mut text| {
            text.truncate(text.floor_char_boundary(COMMENT_BYTES_MAX));
            text
        }),
        source: source.unwrap_or(fallback),
        idempotency_key: None,
    })
}

fn any(
    value: &opentelemetry_proto::tonic::common::v1::any_value::Value,
) -> opentelemetry_proto::tonic::common::v1::AnyValue {
    opentelemetry_proto::tonic::common::v1::AnyValue { value: Some(value.clone()) }
}

/// The event that carries a call's details beside its span, or instead of one.
fn detailed(one: &LogRecord, own: Attributes<'_>, about: &[KeyValue]) -> Option<RequestRecord> {
    let mut record = RequestRecord::new(Door::Client, time_us(one)?);
    record.trace_id = genai::hex(&one.trace_id, 16);
    record.span_id = genai::hex(&one.span_id, 8);
    genai::describe(&mut record, own, about);
    let known = !record.keys().is_empty();
    known.then_some(record)
}

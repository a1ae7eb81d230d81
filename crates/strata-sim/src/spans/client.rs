//! The span of an instrumented client, by the GenAI conventions (`{operation} {model}`), as the
//! instrumentations of `OpenAI`'s library write it.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::attributes::List;
use super::story::{Fate, Story};
use super::{Seen, Witness};
use crate::layout::SERVED;
use crate::workload::TenantPlace;

pub(super) const SCOPE: &str = "opentelemetry.util.genai.handler";

/// The program: whose it is, and which app.
pub(super) fn resource(place: &TenantPlace, share: f64) -> List {
    List::default()
        .text("telemetry.sdk.language", "python")
        .text("telemetry.sdk.name", "opentelemetry")
        .text("service.name", place.name)
        .text("tenant.id", place.organisation)
        .text("team.id", place.team)
        .sampled(share)
}

pub(super) fn span(witness: &Witness, seen: &Seen, story: &Story, place: &TenantPlace) -> Span {
    let (ask, there) = (&seen.ended.ask, seen.way / 2.0);
    let end = match story.fate {
        Fate::Left(at) | Fate::Broken(at) => at,
        Fate::Answered(_) | Fate::HungUp | Fate::Refused => seen.ended.end,
    };
    let served = &SERVED[place.served];
    let model = served.shape.name;
    let mut about = List::default()
        .text("gen_ai.operation.name", "chat")
        .text("gen_ai.provider.name", "vllm")
        .text("gen_ai.request.model", model)
        .count("gen_ai.request.max_tokens", ask.max_tokens)
        .flag("gen_ai.request.stream", true)
        .text("gen_ai.conversation.id", story.session.as_str())
        .text("session.id", story.session.as_str())
        .text("server.address", format!("{}.{}.svc", served.workload, served.namespace))
        .count("server.port", 8000)
        .sampled(seen.share);
    if let Some(first) = seen.ended.first_token {
        // The first chunk brings the id.
        about = about
            .text("gen_ai.response.id", story.response_id.as_str())
            .text("gen_ai.response.model", model)
            .number("gen_ai.response.time_to_first_chunk", first - ask.arrival + seen.way);
    }
    let error = match story.fate {
        Fate::Answered(why) => {
            // Usage comes with the last chunk.
            about = about
                .texts("gen_ai.response.finish_reasons", why)
                .count("gen_ai.usage.input_tokens", ask.prompt)
                .count("gen_ai.usage.cache_read.input_tokens", seen.ended.cached)
                .count("gen_ai.usage.output_tokens", seen.ended.delivered);
            None
        }
        Fate::Left(_) | Fate::HungUp => Some("CancelledError"),
        Fate::Broken(_) => Some("RemoteProtocolError"),
        Fate::Refused => Some("500"),
    };
    let status = error.map(|error| {
        about = std::mem::take(&mut about).text("error.type", error);
        Status { code: StatusCode::Error as i32, ..Status::default() }
    });
    Span {
        trace_id: story.trace_id.clone(),
        span_id: story.client_span.clone(),
        name: format!("chat {model}"),
        kind: SpanKind::Client as i32,
        start_time_unix_nano: witness.nanos(ask.arrival - there),
        end_time_unix_nano: witness.nanos(end + there),
        attributes: about.0,
        status,
        ..Span::default()
    }
}

//! What the proxy saw of a call as a record.

use std::time::Duration;

use strata_model::record::{CountSource, Door, Outcome, RequestRecord, Usage};
use strata_proxy::{self as proxy, GenAiCall};

/// The record of a call. Times begin when the request had come whole, as those of an engine.
pub(crate) fn record_of(call: &GenAiCall) -> RequestRecord {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let received = call.timings.received.unwrap_or_default();
    let start_us = call.started_ms.saturating_mul(1000).saturating_add(micros(received));
    let since = |moment: Option<Duration>| call.timings.since_received(moment).map(micros);
    let (trace_id, parent_span_id) = trace_of(call.traceparent.as_deref());
    let tokens = call.tokens;
    let usage = Usage {
        input: tokens.input,
        output: tokens.output,
        cache_read: tokens.cache_read,
        cache_write: tokens.cache_write,
        reasoning: tokens.reasoning,
        audio_input: tokens.audio_input,
        audio_output: tokens.audio_output,
        ..Usage::default()
    };
    let status = call.status.filter(|status| *status >= 400).map(|status| status.to_string());
    let code = call.error_type.clone().or(status);
    RequestRecord {
        operation: Some(call.api.operation().to_owned()),
        trace_id,
        parent_span_id,
        response_id: call.response_id.clone(),
        request_id: call.request_id.clone(),
        conversation_id: call.conversation.clone(),
        tenant: call.tenant.as_deref().map(str::to_owned),
        team: call.team.clone(),
        app: call.app.clone(),
        session: call.session.clone(),
        model_requested: call.model_asked.clone(),
        model_served: call.model_served.clone(),
        replica: call.upstream.as_deref().map(str::to_owned),
        route: Some(call.route.as_ref().to_owned()),
        end_us: Some(start_us.saturating_add(micros(call.duration()))),
        ttft_us: since(call.timings.first_token),
        first_visible_us: since(call.timings.first_output),
        prefill_us: call.engine.prefill.map(micros),
        decode_us: call.engine.decode.map(micros),
        // Of an answer in one piece there are no gaps, and no stalls either way.
        stalls: (call.gaps.count > 0).then_some(call.gaps.stalls),
        longest_gap_us: (call.gaps.count > 0).then(|| micros(call.gaps.longest)),
        tokens: usage.buckets().0,
        count_source: match tokens.output_source {
            proxy::CountSource::Usage => CountSource::Usage,
            proxy::CountSource::ChunkCount => CountSource::ChunkCount,
            proxy::CountSource::Unknown => CountSource::None,
        },
        outcome: Some(match call.outcome {
            proxy::Outcome::Success => Outcome::Ok,
            proxy::Outcome::ClientCancelled => Outcome::ClientCancel,
            proxy::Outcome::UpstreamTruncated => Outcome::UpstreamTruncated,
            proxy::Outcome::Error => Outcome::Error { code },
            proxy::Outcome::ErrorInSuccess => Outcome::ErrorIn200 { code },
        }),
        finish_reason: call.finish_reason.clone(),
        streamed: Some(call.streamed),
        ..RequestRecord::new(Door::Proxy, start_us)
    }
}

/// Trace and parent span of a W3C `traceparent`: `00-<32 digits>-<16 digits>-<flags>`.
fn trace_of(header: Option<&str>) -> (Option<String>, Option<String>) {
    let mut parts = header.unwrap_or_default().split('-').skip(1);
    let mut id = |digits: usize| {
        let part = parts.next()?.to_ascii_lowercase();
        let is_hex = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex && part.bytes().any(|byte| byte != b'0')).then_some(part)
    };
    let trace = id(32);
    let span = id(16).filter(|_| trace.is_some());
    (trace, span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_context_is_taken_or_left() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let span = "00f067aa0ba902b7";
        let both = (Some(trace.to_owned()), Some(span.to_owned()));
        assert_eq!(trace_of(Some(&format!("00-{trace}-{span}-01"))), both);
        assert_eq!(trace_of(None), (None, None));
        let zeros = "0".repeat(32);
        for bad in ["", "00", "00-12-34-01", &format!("00-{zeros}-{span}-01")] {
            assert_eq!(trace_of(Some(bad)), (None, None), "{bad:?}");
        }
    }
}

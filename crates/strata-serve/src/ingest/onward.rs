//! What is told onward of a body of traces or logs.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use strata_collect::receive::otlp::records;
use strata_model::record::OnwardSignal;

use super::otlp::Signal;
use crate::state::App;

/// Whether texts that may be content go along.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    content: bool,
}

/// A body ready to be told.
pub(super) struct Parcel {
    signal: OnwardSignal,
    body: Vec<u8>,
    items: u64,
}

/// How this signal is told onward, if it is.
pub(super) fn of(app: &App, signal: Signal) -> Option<How> {
    let onward = app.parts.onward.as_ref()?;
    let signal = match signal {
        Signal::Metrics => return None,
        Signal::Traces => OnwardSignal::Traces,
        Signal::Logs => OnwardSignal::Logs,
    };
    onward.wants(signal).then(|| How { content: onward.keeps_content() })
}

pub(super) fn traces(mut request: ExportTraceServiceRequest, how: How) -> Parcel {
    if !how.content {
        records::strip_traces(&mut request);
    }
    let items = records::span_count(&request);
    Parcel { signal: OnwardSignal::Traces, body: request.encode_to_vec(), items }
}

pub(super) fn logs(mut request: ExportLogsServiceRequest, how: How) -> Parcel {
    if !how.content {
        records::strip_logs(&mut request);
    }
    let items = records::log_count(&request);
    Parcel { signal: OnwardSignal::Logs, body: request.encode_to_vec(), items }
}

/// Hand it over; nothing is waited for.
pub(super) fn tell(app: &App, parcel: Parcel) {
    if let Some(onward) = &app.parts.onward {
        onward.otlp(parcel.signal, parcel.body, parcel.items);
    }
}

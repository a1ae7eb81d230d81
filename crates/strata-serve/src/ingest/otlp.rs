//! OTLP whatever the transport and signal: from a body to what its sender is told.

use axum::body::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use strata_collect::receive::DecodeError;
use strata_collect::receive::otlp::OtlpReceiver;
use strata_collect::receive::otlp::records::{self, DecodedRecords};
use strata_model::{Fault, FaultCode, SinkError};

use super::decode::{decode_off_thread, fault_of, receive_limits};
use super::onward;
use super::push::Push;
use super::store::{append_all, refused_fault};
use crate::state::App;

/// What is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Metrics,
    Traces,
    Logs,
}

impl Signal {
    /// Its row in the book of sources.
    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Metrics => "receive/otlp",
            Self::Traces => "receive/otlp-traces",
            Self::Logs => "receive/otlp-logs",
        }
    }

    /// The field of OTLP/JSON that says how much was refused.
    pub(super) fn rejected(self) -> &'static str {
        match self {
            Self::Metrics => "rejectedDataPoints",
            Self::Traces => "rejectedSpans",
            Self::Logs => "rejectedLogRecords",
        }
    }
}

/// What of a body could not be kept. The messages of the three signals are alike on the wire.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Partial {
    #[prost(int64, tag = "1")]
    pub(super) rejected: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// The answer to a body that was taken in.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Done {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<Partial>,
}

/// Why nothing of a request was kept.
#[derive(Debug)]
pub(super) enum Refusal {
    Undecodable(DecodeError),
    Sink(SinkError),
    /// There is no store for this signal.
    Closed,
}

/// Decode and store a body.
pub(super) async fn take(
    app: &App,
    push: &Push<'_>,
    signal: Signal,
    (body, json): (Bytes, bool),
) -> Result<Done, Refusal> {
    let limits = receive_limits(app);
    let length = body.len();
    let undecodable = |error| {
        push.failed(fault_of(&error));
        Refusal::Undecodable(error)
    };
    if signal == Signal::Metrics {
        let request = decode_off_thread(length, move || {
            if json {
                OtlpReceiver::decode_json(&body, &limits)
            } else {
                OtlpReceiver::decode_protobuf(&body, &limits)
            }
        });
        return export(app, push, request.await.map_err(undecodable)?).await;
    }
    let rules = app.parts.records.as_ref().ok_or(Refusal::Closed)?.rules;
    let onward = onward::of(app, signal);
    let decoded = decode_off_thread(length, move || {
        if signal == Signal::Traces {
            let all = records::decode_traces(&body, json, &limits)?;
            let kept = records::traces(&all, rules);
            Ok((kept, onward.map(|how| onward::traces(all, how))))
        } else {
            let all = records::decode_logs(&body, json, &limits)?;
            let kept = records::logs(&all, rules);
            Ok((kept, onward.map(|how| onward::logs(all, how))))
        }
    });
    let (kept, parcel) = decoded.await.map_err(undecodable)?;
    let done = keep(app, push, kept).await?;
    // Only now: what is not stored is sent again, and would be told twice.
    if let Some(parcel) = parcel {
        onward::tell(app, parcel);
    }
    Ok(done)
}

/// Store records. What could not be kept is told by `partial_success`.
async fn keep(app: &App, push: &Push<'_>, decoded: DecodedRecords) -> Result<Done, Refusal> {
    let sink = &app.parts.records.as_ref().ok_or(Refusal::Closed)?.sink;
    let receipt = sink.append(decoded.batch).await.map_err(|error| {
        push.failed(Fault::new(FaultCode::Io, error.to_string()));
        Refusal::Sink(error)
    })?;
    let mut faults = decoded.faults;
    let reasons = [
        (receipt.too_old, "older than the retention"),
        (receipt.too_new, "too far in the future"),
        (receipt.over_limit, "beyond the bound of a day"),
    ];
    for (count, reason) in reasons.into_iter().filter(|(count, _)| *count > 0) {
        let message = format!("{count} records {reason}");
        faults.push(Fault { code: FaultCode::OverLimit, message, count });
    }
    let rejected = decoded.rejected + receipt.refused();
    let told: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    let error_message = told.join("; ");
    let rejected = i64::try_from(rejected).unwrap_or(i64::MAX);
    let partial_success = (rejected > 0).then_some(Partial { rejected, error_message });
    push.kept(receipt.stored + receipt.joined, decoded.content_dropped, faults);
    Ok(Done { partial_success })
}

/// Store decoded metrics. What could not be kept is told by `partial_success`.
async fn export(
    app: &App,
    push: &Push<'_>,
    request: ExportMetricsServiceRequest,
) -> Result<Done, Refusal> {
    let points = data_points(&request);
    let decoded = app.parts.otlp.metrics(request);
    let mut faults = decoded.faults.clone();
    let (dropped, rejection) = (decoded.rejected, decoded.rejection());
    let receipt = append_all(app, decoded.batches).await.map_err(|error| {
        push.failed(Fault::new(FaultCode::Io, error.to_string()));
        Refusal::Sink(error)
    })?;
    let refused = refused_fault(&receipt);
    let told: Vec<String> =
        rejection.into_iter().chain(refused.as_ref().map(|fault| fault.message.clone())).collect();
    faults.extend(refused);
    push.stored(&receipt, dropped, faults);
    if told.is_empty() {
        return Ok(Done { partial_success: None });
    }
    // The sink counts samples, of which a histogram point has several.
    let rejected = (dropped + receipt.refused()).min(points);
    let rejected = i64::try_from(rejected).unwrap_or(i64::MAX);
    Ok(Done { partial_success: Some(Partial { rejected, error_message: told.join("; ") }) })
}

fn data_points(request: &ExportMetricsServiceRequest) -> u64 {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let points = scopes.flat_map(|scope| &scope.metrics).map(|metric| match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    });
    points.map(|count| count as u64).sum()
}

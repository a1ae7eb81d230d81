//! OTLP metrics whatever the transport: from a request to what its sender is told.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use strata_collect::receive::DecodeError;
use strata_model::{Fault, FaultCode, SinkError};

use super::decode::fault_of;
use super::push::Push;
use super::store::{append_all, refused_fault};
use crate::state::App;

/// Its row in the book of sources.
pub(super) const SOURCE: &str = "receive/otlp";

/// Why nothing of a request was kept.
#[derive(Debug)]
pub(super) enum Refusal {
    Undecodable(DecodeError),
    Sink(SinkError),
}

/// Store a decoded request. What could not be kept is told by `partial_success`.
pub(super) async fn export(
    app: &App,
    push: &Push<'_>,
    request: Result<ExportMetricsServiceRequest, DecodeError>,
) -> Result<ExportMetricsServiceResponse, Refusal> {
    let request = request.map_err(|error| {
        push.failed(fault_of(&error));
        Refusal::Undecodable(error)
    })?;
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
        return Ok(ExportMetricsServiceResponse { partial_success: None });
    }
    // The sink counts samples, of which a histogram point has several.
    let rejected = (dropped + receipt.refused()).min(points);
    let partial_success = Some(ExportMetricsPartialSuccess {
        rejected_data_points: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message: told.join("; "),
    });
    Ok(ExportMetricsServiceResponse { partial_success })
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

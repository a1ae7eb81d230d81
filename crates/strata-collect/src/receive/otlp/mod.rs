//! OTLP metrics, as Prometheus reads them: names with units, `job` and `instance`, `target_info`.
//!
//! Exponential histograms stay histograms. Delta points are summed up here, see [`OtlpReceiver`].
//! Data model: <https://opentelemetry.io/docs/specs/otel/metrics/data-model/>.

mod delta;
mod exponential;
mod identity;
mod json;
mod names;
mod options;
mod output;
pub mod records;
mod translate;
mod values;
mod weight;

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message as _;
use strata_model::Clock;

pub use options::{OtlpOptions, OtlpSettings};

use super::{DecodeError, Decoded, ReceiveLimits, bound};

/// Turns requests into batches, and keeps the running totals of delta series in between.
///
/// One receiver serves all connections of a process.
pub struct OtlpReceiver {
    settings: OtlpSettings,
    clock: Arc<dyn Clock>,
    deltas: Mutex<delta::Deltas>,
}

impl OtlpReceiver {
    /// A receiver that has seen nothing yet.
    pub fn new(settings: OtlpSettings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock, deltas: Mutex::default() }
    }

    /// Translate a request. Data points that cannot be kept are in `rejected` and `faults`; tell
    /// the sender by `partial_success` with [`Decoded::rejection`].
    ///
    /// Start times of cumulative points are not used: a reset shows in the value.
    pub fn metrics(&self, request: ExportMetricsServiceRequest) -> Decoded {
        translate::request(request, &self.settings, self.clock.monotonic(), &self.deltas)
    }

    /// Decode an uncompressed `ExportMetricsServiceRequest`.
    pub fn decode_protobuf(
        body: &[u8],
        limits: &ReceiveLimits,
    ) -> Result<ExportMetricsServiceRequest, DecodeError> {
        bound("decompressed bytes", body.len(), limits.decoded_bytes)?;
        weight::check(body, weight::Message::Request, limits.decoded_bytes)?;
        ExportMetricsServiceRequest::decode(body)
            .map_err(|error| DecodeError::Malformed(error.to_string()))
    }

    /// Decode OTLP/JSON, uncompressed. Trace and span ids of exemplars are not read.
    pub fn decode_json(
        body: &[u8],
        limits: &ReceiveLimits,
    ) -> Result<ExportMetricsServiceRequest, DecodeError> {
        bound("decompressed bytes", body.len(), limits.decoded_bytes)?;
        json::decode(body, limits)
    }
}

#[cfg(test)]
mod tests;

//! Prometheus remote write 1.0 and 2.0: `/api/v1/write`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use strata_collect::receive::{DecodeError, Decoded, Protocol, ReceiveLimits, remote_write};
use strata_model::{Batch, Fault, FaultCode, Receipt, SinkError};

use super::{Arrival, append_all, record, refusal_of_body, refused_fault, sink_refusal, text};
use crate::state::App;

/// Its row in the book of sources.
const SOURCE: &str = "receive/remote_write";

/// Larger bodies are decoded off the threads that serve connections.
const DECODE_INLINE_BYTES: usize = 64 * 1024;

/// What was written of a 2.0 request; a sender compares it with what it sent.
static SAMPLES_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-samples-written");
static HISTOGRAMS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-histograms-written");
static EXEMPLARS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

/// What was stored of one request.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    samples: u64,
    histograms: u64,
}

/// `POST /api/v1/write`
pub(crate) async fn write(State(app): State<Arc<App>>, request: Request) -> Response {
    let started = app.parts.clock.monotonic();
    let protocol = match protocol_of(request.headers()) {
        Ok(protocol) => protocol,
        Err(problem) => return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem),
    };
    let arrival = match Arrival::receive(&app, request).await {
        Ok(arrival) => arrival,
        Err(error) => return refusal_of_body(error),
    };
    let decoded = match decode(&app, protocol, arrival.bytes.clone()).await {
        Ok(decoded) => decoded,
        Err(error) => return refuse_undecodable(&app, started, &error),
    };
    let mut faults = decoded.faults.clone();
    let rejection = decoded.rejection();
    match store(&app, protocol, decoded).await {
        Err(error) => {
            faults.push(Fault::new(FaultCode::Io, error.to_string()));
            record(&app, SOURCE, started, None, faults);
            sink_refusal(&error)
        }
        Ok((written, receipt)) => {
            let refused = refused_fault(&receipt);
            let told = [rejection, refused.as_ref().map(|fault| fault.message.clone())];
            faults.extend(refused);
            let stored = receipt.appended + receipt.duplicate;
            record(&app, SOURCE, started, Some(stored), faults);
            answer(protocol, written, told.into_iter().flatten().collect())
        }
    }
}

/// The message announced by the headers. The body must be packed with snappy; a missing encoding is
/// forgiven, as Prometheus does.
fn protocol_of(headers: &HeaderMap) -> Result<Protocol, String> {
    let text = |name| headers.get(name).map(|v: &HeaderValue| v.to_str().unwrap_or("?"));
    if let Some(encoding) = text(header::CONTENT_ENCODING)
        && !encoding.eq_ignore_ascii_case("snappy")
    {
        return Err(format!("content encoding {encoding:?} is not supported, send snappy"));
    }
    remote_write::protocol_of(text(header::CONTENT_TYPE).unwrap_or_default())
}

async fn decode(app: &App, protocol: Protocol, body: Bytes) -> Result<Decoded, DecodeError> {
    let limits = ReceiveLimits {
        body_bytes: app.settings.body_bytes_max,
        decoded_bytes: app.settings.decompressed_bytes_max,
        ..ReceiveLimits::default()
    };
    let small = body.len() <= DECODE_INLINE_BYTES;
    let decode = move || match protocol {
        Protocol::RemoteWriteV2 => remote_write::decode_v2(&body, &limits),
        _ => remote_write::decode_v1(&body, &limits),
    };
    if small {
        return decode();
    }
    tokio::task::spawn_blocking(decode).await.unwrap_or_else(|error| {
        Err(DecodeError::Malformed(format!("the decoder broke off: {error}")))
    })
}

fn refuse_undecodable(app: &App, started: std::time::Duration, error: &DecodeError) -> Response {
    let (status, code) = match error {
        DecodeError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, FaultCode::TooLarge),
        DecodeError::Malformed(_) => (StatusCode::BAD_REQUEST, FaultCode::Malformed),
        DecodeError::Unsupported(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, FaultCode::Unsupported),
    };
    record(app, SOURCE, started, None, vec![Fault::new(code, error.to_string())]);
    text(status, error.to_string())
}

/// Append floats and histograms. A 2.0 sender wants both counted apart, which a receipt does not
/// tell, so batches that hold both are appended in two parts then.
async fn store(
    app: &App,
    protocol: Protocol,
    decoded: Decoded,
) -> Result<(Written, Receipt), SinkError> {
    if protocol == Protocol::RemoteWriteV1 || decoded.histograms == 0 || decoded.samples == 0 {
        let only_histograms = decoded.samples == 0;
        let receipt = append_all(app, decoded.batches).await?;
        let stored = receipt.appended + receipt.duplicate;
        let written = if only_histograms {
            Written { samples: 0, histograms: stored }
        } else {
            Written { samples: stored, histograms: 0 }
        };
        return Ok((written, receipt));
    }
    let (floats, histograms): (Vec<Batch>, Vec<Batch>) =
        decoded.batches.into_iter().map(split).unzip();
    let mut receipt = append_all(app, floats).await?;
    let samples = receipt.appended + receipt.duplicate;
    let second = append_all(app, histograms).await?;
    receipt.merge(&second);
    Ok((Written { samples, histograms: second.appended + second.duplicate }, receipt))
}

/// The floats (with the metadata) and the histograms of a batch.
fn split(mut batch: Batch) -> (Batch, Batch) {
    if batch.histograms.is_empty() {
        return (batch, Batch::default());
    }
    let samples = std::mem::take(&mut batch.samples);
    let metadata = std::mem::take(&mut batch.metadata);
    let mut floats = batch.clone();
    floats.histograms.clear();
    floats.samples = samples;
    floats.metadata = metadata;
    (floats, batch)
}

/// 204 when everything is stored; 400 with the reasons when a part is not, because sending it
/// again would not help. What was good is stored in both cases.
fn answer(protocol: Protocol, written: Written, told: Vec<String>) -> Response {
    let mut response = if told.is_empty() {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        text(StatusCode::BAD_REQUEST, told.join("; "))
    };
    if protocol == Protocol::RemoteWriteV2 {
        let headers = response.headers_mut();
        headers.insert(SAMPLES_WRITTEN.clone(), HeaderValue::from(written.samples));
        headers.insert(HISTOGRAMS_WRITTEN.clone(), HeaderValue::from(written.histograms));
        headers.insert(EXEMPLARS_WRITTEN.clone(), HeaderValue::from(0_u64));
    }
    response
}

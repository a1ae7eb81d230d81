//! Prometheus remote write 1.0 and 2.0: `/api/v1/write`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use strata_collect::receive::{Decoded, Protocol, remote_write};
use strata_model::{Batch, Fault, FaultCode, Receipt, SinkError};

use super::decode::{decode_off_thread, fault_of, receive_limits, status_of};
use super::push::Push;
use super::store::{Arrival, append_all, refusal_of_body, refused_fault, sink_refusal, text};
use crate::state::App;

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
    let push = Push::begin(&app, "remote_write", "receive/remote_write");
    let response = take_in(&app, &push, request).await;
    push.answered(response.status().as_str());
    response
}

async fn take_in(app: &App, push: &Push<'_>, request: Request) -> Response {
    let protocol = match protocol_of(request.headers()) {
        Ok(protocol) => protocol,
        Err(problem) => return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem),
    };
    let arrival = match Arrival::receive(app, request).await {
        Ok(arrival) => arrival,
        Err(error) => {
            push.turned_away(&error);
            return refusal_of_body(error);
        }
    };
    push.received(arrival.bytes.len());
    let (body, limits) = (arrival.bytes.clone(), receive_limits(app));
    let decoded = decode_off_thread(body.len(), move || match protocol {
        Protocol::RemoteWriteV2 => remote_write::decode_v2(&body, &limits),
        _ => remote_write::decode_v1(&body, &limits),
    });
    let decoded = match decoded.await {
        Ok(decoded) => decoded,
        Err(error) => {
            push.failed(fault_of(&error));
            return text(status_of(&error), error.to_string());
        }
    };
    let mut faults = decoded.faults.clone();
    let (dropped, rejection) = (decoded.rejected, decoded.rejection());
    match store(app, protocol, decoded).await {
        Err(error) => {
            push.failed(Fault::new(FaultCode::Io, error.to_string()));
            sink_refusal(&error)
        }
        Ok((written, receipt)) => {
            let refused = refused_fault(&receipt);
            let told = [rejection, refused.as_ref().map(|fault| fault.message.clone())];
            faults.extend(refused);
            push.stored(&receipt, dropped, faults);
            let told: Vec<String> = told.into_iter().flatten().collect();
            answer(protocol, written, &told)
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
fn answer(protocol: Protocol, written: Written, told: &[String]) -> Response {
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

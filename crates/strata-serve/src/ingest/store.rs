//! From decoded batches to the sink, and from the sink's receipt to the sender's answer.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http_body_util::BodyExt;
use strata_model::{Batch, Fault, FaultCode, Receipt, SinkError};
use tokio::task::JoinSet;

use super::memory::Share;
use crate::body::{BodyError, announced_length};
use crate::error::OwnError;
use crate::guard::refuse_cross_origin;
use crate::state::App;

/// Batches of one body that are appended at the same time, so that they share one flush of the
/// store; a body has one batch per target.
const APPENDS_AT_ONCE: usize = 64;

/// Seconds after which an overloaded sink is worth another try.
pub(crate) const RETRY_AFTER_SECONDS: u64 = 5;

/// Packed telemetry unpacks to about eight times its size; reserved before a packed body is decoded.
const PACKED_FACTOR: usize = 8;

/// A body that arrived, with the memory it may use reserved.
pub(crate) struct Arrival<'a> {
    pub(crate) bytes: Bytes,
    _memory: Share<'a>,
}

/// Why a body was not taken in, before anybody looked into it.
pub(crate) enum ArrivalError {
    Refused(OwnError),
    Body(BodyError),
    Overloaded,
}

impl<'a> Arrival<'a> {
    /// Receive the body of a push request within every bound.
    pub(crate) async fn receive(app: &'a App, request: Request) -> Result<Self, ArrivalError> {
        refuse_cross_origin(&request).map_err(ArrivalError::Refused)?;
        let max = app.settings.body_bytes_max;
        if announced_length(&request).is_some_and(|length| length > max) {
            return Err(ArrivalError::Body(BodyError::TooLarge { max }));
        }
        let packed = request.headers().contains_key(header::CONTENT_ENCODING);
        let limit = app.settings.body_timeout;
        let mut memory = app.memory.share();
        let bytes = tokio::time::timeout(limit, collect(request.into_body(), max, &mut memory))
            .await
            .unwrap_or(Err(ArrivalError::Body(BodyError::TooSlow { seconds: limit.as_secs() })))?;
        let need = if packed { bytes.len().saturating_mul(PACKED_FACTOR) } else { bytes.len() };
        if !memory.grow_to(need).await {
            return Err(ArrivalError::Overloaded);
        }
        Ok(Self { bytes, _memory: memory })
    }
}

/// Collect a body of at most `max` bytes, holding memory for what has come.
async fn collect(
    mut body: Body,
    max: usize,
    memory: &mut Share<'_>,
) -> Result<Bytes, ArrivalError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.to_string()));
        // A frame that is no data is a trailer, which nobody needs.
        let Ok(piece) = frame.map_err(ArrivalError::Body)?.into_data() else { continue };
        let length = bytes.len() + piece.len();
        if length > max {
            return Err(ArrivalError::Body(BodyError::TooLarge { max }));
        }
        if !memory.grow_to(length).await {
            return Err(ArrivalError::Overloaded);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// The answer to a body that was not taken in, as plain text.
pub(crate) fn refusal_of_body(error: ArrivalError) -> Response {
    match error {
        ArrivalError::Refused(refusal) => refusal.into_response(),
        ArrivalError::Body(error) => text(error.status(), error.to_string()),
        ArrivalError::Overloaded => overloaded("too many bodies are being received".to_owned()),
    }
}

/// The answer when the sink took nothing. Senders of remote write try again on any 5xx.
pub(crate) fn sink_refusal(error: &SinkError) -> Response {
    match error {
        SinkError::Overloaded { .. } | SinkError::Closed => overloaded(error.to_string()),
        // Senders of remote write drop what gets a 404, instead of trying for hours.
        SinkError::Nowhere { .. } => text(StatusCode::NOT_FOUND, error.to_string()),
        SinkError::Storage { .. } => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn overloaded(message: String) -> Response {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    response
}

/// A plain text answer, which is what senders write into their logs.
pub(crate) fn text(status: StatusCode, message: String) -> Response {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Append every batch durably; the receipt is the sum. The first failure is returned, and what was
/// appended besides is stored all the same: the sender sends it again and it counts as duplicate.
pub(crate) async fn append_all(app: &App, batches: Vec<Batch>) -> Result<Receipt, SinkError> {
    let mut total = Receipt::default();
    let mut rest = batches.into_iter().filter(|batch| !batch.is_empty());
    let mut running = JoinSet::new();
    loop {
        while running.len() < APPENDS_AT_ONCE
            && let Some(batch) = rest.next()
        {
            let sink = Arc::clone(&app.parts.sink);
            running.spawn(async move { sink.append(batch).await });
        }
        match running.join_next().await {
            None => return Ok(total),
            Some(Ok(receipt)) => total.merge(&receipt?),
            Some(Err(error)) => {
                return Err(SinkError::Storage { reason: format!("an append broke off: {error}") });
            }
        }
    }
}

/// What the sink refused, as one fault; `None` when it refused nothing.
pub(crate) fn refused_fault(receipt: &Receipt) -> Option<Fault> {
    let reasons = [
        (receipt.conflicting, "with another value for a time already stored"),
        (receipt.too_old, "older than the out-of-order window or the retention"),
        (receipt.too_new, "too far in the future"),
        (receipt.over_series_limit, "of series beyond the limit"),
        (receipt.invalid, "malformed"),
    ];
    let told: Vec<String> = reasons
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
    if told.is_empty() {
        return None;
    }
    let code =
        if receipt.over_series_limit > 0 { FaultCode::OverLimit } else { FaultCode::Malformed };
    let message = format!("{} samples refused: {}", receipt.refused(), told.join(", "));
    Some(Fault { code, message, count: receipt.refused() })
}

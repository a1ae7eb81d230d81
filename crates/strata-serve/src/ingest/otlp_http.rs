//! OTLP over HTTP: `/v1/metrics`, `/v1/traces`, `/v1/logs`, and Prometheus's
//! `/api/v1/otlp/v1/metrics`.
//!
//! Protocol: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>. The answer, also the one that
//! refuses, is in the encoding of the request.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message;
use strata_collect::receive::DecodeError;

use super::decode::{fault_of, status_of};
use super::otlp::{Done, Refusal, Signal, take};
use super::push::Push;
use super::store::{Arrival, ArrivalError, RETRY_AFTER_SECONDS, text};
use crate::body::{BodyError, gunzip};
use crate::state::App;

/// The two encodings of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    fn response(self, status: StatusCode, body: Vec<u8>) -> Response {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let media_type = HeaderValue::from_static(self.media_type());
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        response
    }
}

/// `google.rpc.Status`, the body of every refusal.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// `POST /v1/metrics`
pub(crate) async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response {
    receive(&app, request, Signal::Metrics).await
}

/// `POST /v1/traces`
pub(crate) async fn traces(State(app): State<Arc<App>>, request: Request) -> Response {
    receive(&app, request, Signal::Traces).await
}

/// `POST /v1/logs`
pub(crate) async fn logs(State(app): State<Arc<App>>, request: Request) -> Response {
    receive(&app, request, Signal::Logs).await
}

async fn receive(app: &App, request: Request, signal: Signal) -> Response {
    let push = Push::begin(app, "otlp_http", signal.source());
    let response = match Encoding::of(request.headers()) {
        None => text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send OTLP as application/x-protobuf or application/json".to_owned(),
        ),
        Some(encoding) => take_in(app, &push, (encoding, signal), request).await,
    };
    push.answered(response.status().as_str());
    response
}

async fn take_in(
    app: &App,
    push: &Push<'_>,
    (encoding, signal): (Encoding, Signal),
    request: Request,
) -> Response {
    let packing = request.headers().get(header::CONTENT_ENCODING).cloned();
    let arrival = match Arrival::receive(app, request).await {
        Ok(arrival) => arrival,
        Err(error) => {
            push.turned_away(&error);
            return turn_away(encoding, error);
        }
    };
    push.received(arrival.bytes.len());
    let body = match unpack(app, packing.as_ref(), arrival.bytes.clone()).await {
        Ok(body) => body,
        Err(error) => {
            push.failed(fault_of(&DecodeError::Malformed(error.to_string())));
            return refuse_body(encoding, &error);
        }
    };
    match take(app, push, signal, (body, encoding == Encoding::Json)).await {
        Ok(done) => encoding.response(StatusCode::OK, encode(encoding, signal, &done)),
        Err(Refusal::Closed) => {
            let message = "records are switched off, see [records] in the configuration".to_owned();
            refuse(encoding, StatusCode::NOT_FOUND, tonic::Code::Unimplemented, message)
        }
        Err(Refusal::Undecodable(error)) => {
            refuse(encoding, status_of(&error), tonic::Code::InvalidArgument, error.to_string())
        }
        // Senders try again after 503, and after nothing else that fits.
        Err(Refusal::Sink(error)) => try_again(encoding, error.to_string()),
    }
}

/// Undo `Content-Encoding`.
async fn unpack(app: &App, packing: Option<&HeaderValue>, body: Bytes) -> Result<Bytes, BodyError> {
    let max = app.settings.decompressed_bytes_max;
    match packing.map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => Ok(body),
        Some("gzip") => tokio::task::spawn_blocking(move || gunzip(&body, max))
            .await
            .unwrap_or_else(|error| Err(BodyError::Broken(error.to_string()))),
        Some(other) => Err(BodyError::Encoding(other.to_owned())),
    }
}

fn encode(encoding: Encoding, signal: Signal, done: &Done) -> Vec<u8> {
    match (encoding, &done.partial_success) {
        (Encoding::Protobuf, _) => done.encode_to_vec(),
        (Encoding::Json, None) => b"{}".to_vec(),
        // A 64-bit integer is a string in protobuf's JSON.
        (Encoding::Json, Some(partial)) => serde_json::json!({
            "partialSuccess": {
                signal.rejected(): partial.rejected.to_string(),
                "errorMessage": partial.error_message,
            }
        })
        .to_string()
        .into_bytes(),
    }
}

/// The answer to a body that was not taken in.
fn turn_away(encoding: Encoding, error: ArrivalError) -> Response {
    match error {
        ArrivalError::Refused(refusal) => refusal.into_response(),
        ArrivalError::Body(error) => refuse_body(encoding, &error),
        ArrivalError::Overloaded => {
            try_again(encoding, "too many bodies are being received".to_owned())
        }
    }
}

fn refuse_body(encoding: Encoding, error: &BodyError) -> Response {
    refuse(encoding, error.status(), tonic::Code::InvalidArgument, error.to_string())
}

fn refuse(encoding: Encoding, status: StatusCode, code: tonic::Code, message: String) -> Response {
    let rpc = RpcStatus { code: code as i32, message };
    let body = match encoding {
        Encoding::Protobuf => rpc.encode_to_vec(),
        Encoding::Json => {
            serde_json::json!({ "code": rpc.code, "message": rpc.message }).to_string().into_bytes()
        }
    };
    encoding.response(status, body)
}

fn try_again(encoding: Encoding, message: String) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response = refuse(encoding, status, tonic::Code::Unavailable, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    response
}

//! OTLP over gRPC: `Export` of the services for metrics, traces and logs.
//!
//! The message is taken as bytes and decoded by the same decoder as over HTTP, which bounds what a
//! small body may become.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::{Buf, BufMut};
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};

use super::otlp::{Refusal, Signal, take};
use super::push::Push;
use crate::state::App;

/// The paths of the methods.
pub(crate) const METRICS_PATH: &str =
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
pub(crate) const TRACES_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(crate) const LOGS_PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Reserved while a request is coming in: a usual message. A larger one is accounted for when it
/// is there; until then the windows of HTTP/2 bound what is held.
const RESERVED_BYTES: usize = 256 << 10;

/// `MetricsService/Export`
pub(crate) async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response {
    receive(&app, request, Signal::Metrics).await
}

/// `TraceService/Export`
pub(crate) async fn traces(State(app): State<Arc<App>>, request: Request) -> Response {
    receive(&app, request, Signal::Traces).await
}

/// `LogsService/Export`
pub(crate) async fn logs(State(app): State<Arc<App>>, request: Request) -> Response {
    receive(&app, request, Signal::Logs).await
}

async fn receive(app: &Arc<App>, request: Request, signal: Signal) -> Response {
    let mut memory = app.memory.share();
    if !memory.grow_to(RESERVED_BYTES).await {
        return refuse(app, signal, Status::unavailable(NO_MEMORY));
    }
    let mut grpc = Grpc::new(BytesCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(app.settings.body_bytes_max);
    let limit = app.settings.body_timeout + APPEND_TIME;
    let answer = grpc.unary(Export { app: Arc::clone(app), signal }, request);
    match tokio::time::timeout(limit, answer).await {
        Ok(response) => response.map(Body::new),
        Err(_elapsed) => {
            refuse(app, signal, Status::deadline_exceeded("the request took too long"))
        }
    }
}

/// Any other method.
pub(crate) async fn unknown() -> Response {
    Status::unimplemented("metrics, traces and logs are received here").into_http::<Body>()
}

const NO_MEMORY: &str = "too many requests are being received";

/// What storing may take on top of receiving.
const APPEND_TIME: Duration = Duration::from_secs(30);

fn refuse(app: &App, signal: Signal, status: Status) -> Response {
    Push::begin(app, "otlp_grpc", signal.source()).answered(code_word(status.code()));
    status.into_http::<Body>()
}

struct Export {
    app: Arc<App>,
    signal: Signal,
}

impl UnaryService<Bytes> for Export {
    type Response = Bytes;
    type Future = BoxFuture<tonic::Response<Bytes>, Status>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (app, signal) = (Arc::clone(&self.app), self.signal);
        Box::pin(async move {
            let push = Push::begin(&app, "otlp_grpc", signal.source());
            let answer = take_in(&app, &push, signal, request.into_inner()).await;
            let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
            push.answered(code_word(code));
            answer.map(tonic::Response::new)
        })
    }
}

async fn take_in(app: &App, push: &Push<'_>, signal: Signal, body: Bytes) -> Result<Bytes, Status> {
    push.received(body.len());
    let mut memory = app.memory.share();
    if !memory.grow_to(body.len().saturating_sub(RESERVED_BYTES)).await {
        return Err(Status::unavailable(NO_MEMORY));
    }
    match take(app, push, signal, (body, false)).await {
        Ok(done) => Ok(done.encode_to_vec().into()),
        Err(Refusal::Undecodable(error)) => Err(Status::invalid_argument(error.to_string())),
        Err(Refusal::Closed) => Err(Status::unimplemented("records are switched off")),
        // The one code after which senders try again without being told when.
        Err(Refusal::Sink(error)) => Err(Status::unavailable(error.to_string())),
    }
}

/// The codes this service answers with, as label values.
fn code_word(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::InvalidArgument => "invalid_argument",
        Code::Unavailable => "unavailable",
        Code::DeadlineExceeded => "deadline_exceeded",
        _ => "other",
    }
}

/// Passes messages on as they are.
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

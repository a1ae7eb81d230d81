//! What other programs send: remote write, and OTLP over HTTP and gRPC.

use serde_json::{Value as Json, json};

use super::Document;
use super::operation::{JSON, Operation, TEXT};
use super::schema::{count, integer, loose, object, said, text};

pub(super) const TAG: &str = "push";

const PROTOBUF: &str = "application/x-protobuf";
const GRPC: &str = "application/grpc";
/// The ports of the `OpenTelemetry` specification.
const OTLP_HTTP: &str = "http://127.0.0.1:4318";
const OTLP_GRPC: &str = "http://127.0.0.1:4317";

const WRITE: &str = "Samples as Prometheus's remote write 1.0 and 2.0 sends them. The body is \
    packed with snappy; the content type tells the version: \
    `application/x-protobuf;proto=io.prometheus.write.v2.Request` is 2.0.";

const GRPC_ANSWER: &str = "The outcome is in the trailer grpc-status: 0 stored, 3 undecodable, 12 \
    not kept by this server, 14 come back later, 4 too slow, 16 no token.";

pub(super) fn describe(document: &mut Document) {
    write(document);
    let status = object([("code", integer()), ("message", text())]);
    let status = document.name("RpcStatus", said(status, "google.rpc.Status."));
    let main = json!({ "url": strata_url() });
    for (path, id, request, rejected) in [
        ("/v1/metrics", "otlp_metrics", "ExportMetricsServiceRequest", "rejectedDataPoints"),
        ("/v1/traces", "otlp_traces", "ExportTraceServiceRequest", "rejectedSpans"),
        ("/v1/logs", "otlp_logs", "ExportLogsServiceRequest", "rejectedLogRecords"),
        (
            "/api/v1/otlp/v1/metrics",
            "prometheus_otlp_metrics",
            "ExportMetricsServiceRequest",
            "rejectedDataPoints",
        ),
    ] {
        document.post(path, otlp(id, request, rejected, &status));
        if path.starts_with("/v1") {
            let description = "`otlp_http_listen` under `[server]`; off in strata serve.";
            document.also_at(path, &[main.clone(), server(OTLP_HTTP, description)]);
        }
    }
    for (path, id, request) in [
        (
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            "grpc_metrics",
            "ExportMetricsServiceRequest",
        ),
        (
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            "grpc_traces",
            "ExportTraceServiceRequest",
        ),
        (
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            "grpc_logs",
            "ExportLogsServiceRequest",
        ),
    ] {
        let operation = Operation::new(id, TAG, &format!("{request} over gRPC."))
            .takes("gRPC over HTTP/2 without TLS; gzip and zstd are taken.", &[(GRPC, Json::Null)])
            .answers(200, GRPC_ANSWER, &[(GRPC, Json::Null)]);
        document.post(path, operation);
        let description = "`otlp_grpc_listen` under `[server]`; off in strata serve.";
        document.also_at(path, &[server(OTLP_GRPC, description)]);
    }
}

fn strata_url() -> String {
    format!("http://{}", strata_serve::ServeOptions::default().listen)
}

fn server(url: &str, description: &str) -> Json {
    json!({ "url": url, "description": description })
}

fn write(document: &mut Document) {
    let mut operation = Operation::new("remote_write", TAG, WRITE)
        .takes("A WriteRequest or a Request, packed.", &[(PROTOBUF, Json::Null)])
        .answers(204, "Everything is stored.", &[])
        .answers(400, "A part was refused, for the reasons that are told; the rest is stored. Or nothing could be decoded.", &[(TEXT, text())])
        .shares(403, "CrossOrigin")
        .answers(404, "This server stores nothing.", &[(TEXT, text())])
        .shares(408, "SlowBody")
        .shares(413, "LargeBody")
        .answers(415, "The body is something else, or packed otherwise.", &[(TEXT, text())])
        .answers(500, "It could not be stored.", &[(TEXT, text()), (JSON, json!({ "$ref": "#/components/schemas/ApiError" }))])
        .shares(503, "Later");
    for (name, what) in [
        ("X-Prometheus-Remote-Write-Samples-Written", "Samples that are stored; of 2.0 only."),
        (
            "X-Prometheus-Remote-Write-Histograms-Written",
            "Native histograms that are stored; of 2.0 only.",
        ),
        ("X-Prometheus-Remote-Write-Exemplars-Written", "Always 0; of 2.0 only."),
    ] {
        for status in [204, 400] {
            operation = operation.header(status, name, what, &count());
        }
    }
    document.post("/api/v1/write", operation);
}

fn otlp(id: &str, request: &str, rejected: &str, status: &Json) -> Operation {
    let integer = "A whole number as text, as protobuf's JSON writes 64 bits.";
    let partial = object([(rejected, said(text(), integer)), ("errorMessage", text())]);
    let done = loose([("partialSuccess", said(partial, "What was not kept, and why."))]);
    let refusal = || [(JSON, status.clone()), (PROTOBUF, Json::Null)];
    let summary = format!("{request} of OTLP; the answer is in the encoding of the request.");
    let unknown = [(TEXT, text()), (JSON, status.clone()), (PROTOBUF, Json::Null)];
    let operation = Operation::new(id, TAG, &summary)
        .takes(
            "Protobuf, or protobuf's JSON; gzip is taken.",
            &[(PROTOBUF, Json::Null), (JSON, json!({ "type": "object" }))],
        )
        .answers(200, "It is stored.", &[(JSON, done), (PROTOBUF, Json::Null)])
        .answers(400, "The body cannot be decoded.", &refusal())
        .shares(403, "CrossOrigin")
        .answers(408, "The body did not arrive in time.", &refusal())
        .answers(413, "The body is larger than `body_bytes_max` or `decompressed_bytes_max` under `[server]` allow.", &refusal())
        .answers(415, "The content type or the encoding is another.", &unknown)
        .answers(503, "It could not be stored now: come back later.", &refusal())
        .header(503, "Retry-After", "Seconds.", &count());
    if request == "ExportMetricsServiceRequest" {
        return operation;
    }
    operation.answers(404, "This server keeps no records.", &refusal())
}

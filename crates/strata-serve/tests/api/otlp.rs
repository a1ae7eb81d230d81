//! OTLP metrics over HTTP and gRPC, with bodies real exporters sent.

use std::io::Write;
use std::path::PathBuf;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use prost::Message;
use strata_model::{Receipt, SinkError, SourceState};
use tonic::Code;
use tonic::codec::CompressionEncoding;

use crate::client::{Answer, get, post, send};
use crate::fakes::{Server, options, start, start_with};

const PROTOBUF: &str = "application/x-protobuf";

/// Path, headers and body of a recorded request.
type Recorded = (String, Vec<(String, String)>, Vec<u8>);

/// All recorded requests with metrics.
fn recorded() -> Vec<Recorded> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/otlp"));
    let mut folders = vec![root];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with("-v1-metrics.json") {
                let told: serde_json::Value =
                    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                let headers = told["headers"].as_object().unwrap();
                let headers = headers
                    .iter()
                    .filter(|(name, _)| *name != "Connection")
                    .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                    .collect();
                let body = std::fs::read(path.with_extension("bin")).unwrap();
                found.push((told["path"].as_str().unwrap().to_owned(), headers, body));
            }
        }
    }
    found.sort();
    found
}

fn one_body() -> Vec<u8> {
    recorded().swap_remove(0).2
}

fn partial(answer: &Answer) -> Option<(i64, String)> {
    let response = ExportMetricsServiceResponse::decode(answer.body.as_slice()).unwrap();
    response.partial_success.map(|p| (p.rejected_data_points, p.error_message))
}

async fn post_protobuf(server: &Server, body: &[u8]) -> Answer {
    post(server.at.main, "/v1/metrics", PROTOBUF, body).await
}

#[tokio::test]
async fn recorded_requests_are_stored_on_every_path() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 7);
    let server = start().await;
    let http = server.at.otlp_http.unwrap();
    let mut before = 0;
    for (path, headers, body) in &recorded {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        for (address, target) in [
            (http, path.as_str()),
            (server.at.main, path.as_str()),
            (server.at.main, "/api/v1/otlp/v1/metrics"),
        ] {
            let answer = send(address, "POST", target, &headers, body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("content-type"), Some(PROTOBUF));
            assert_eq!(partial(&answer), None);
            assert!(server.sink.samples() > before);
            before = server.sink.samples();
        }
    }
    let row = &server.sources.snapshot()[0];
    assert_eq!((row.id.as_str(), row.state), ("receive/otlp", SourceState::Ok));
}

#[tokio::test]
async fn json_and_gzip_bring_the_same_samples() {
    let body = one_body();
    let plain = start().await;
    post_protobuf(&plain, &body).await;
    let expected = plain.sink.samples();
    assert!(expected > 0);

    let json = start().await;
    let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
    let text = serde_json::to_vec(&request).unwrap();
    let answer = post(json.at.main, "/v1/metrics", "application/json; charset=utf-8", &text).await;
    assert_eq!((answer.status, answer.text()), (200, "{}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(json.sink.samples(), expected);

    let packed = start().await;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(&body).unwrap();
    let bytes = writer.finish().unwrap();
    let headers = [("Content-Type", PROTOBUF), ("Content-Encoding", "gzip")];
    let answer = send(packed.at.main, "POST", "/v1/metrics", &headers, &bytes).await;
    assert_eq!(answer.status, 200);
    assert_eq!(packed.sink.samples(), expected);
}

#[tokio::test]
async fn what_was_not_kept_is_told_in_the_same_encoding() {
    let server = start().await;
    let receipt = Receipt { appended: 1, too_old: 2, ..Receipt::default() };
    *server.sink.reply.lock().unwrap() = Some(Ok(receipt));
    let body = one_body();
    let answer = post_protobuf(&server, &body).await;
    let (rejected, message) = partial(&answer).unwrap();
    assert_eq!(answer.status, 200);
    assert!(rejected > 0 && message.contains("older than the out-of-order window"), "{message}");
    let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
    let text = serde_json::to_vec(&request).unwrap();
    let answer = post(server.at.main, "/v1/metrics", "application/json", &text).await;
    let json = answer.json();
    assert_eq!(json["partialSuccess"]["rejectedDataPoints"], rejected.to_string());
    assert_eq!(server.sources.snapshot()[0].state, SourceState::Partial);
}

#[tokio::test]
async fn refusals_are_a_status_in_the_same_encoding() {
    let server = start().await;
    let answer = post_protobuf(&server, b"\xff\xff").await;
    assert_eq!((answer.status, answer.header("content-type")), (400, Some(PROTOBUF)));
    assert!(!answer.body.is_empty());
    let answer = post(server.at.main, "/v1/metrics", "application/json", b"{").await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &3.into()));
    let answer = post(server.at.main, "/v1/metrics", "text/plain", b"").await;
    assert_eq!(answer.status, 415);
    let zstd = [("Content-Type", "application/json"), ("Content-Encoding", "zstd")];
    let answer = send(server.at.main, "POST", "/v1/metrics", &zstd, b"").await;
    assert_eq!(answer.status, 415);
    let gzip = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let answer = send(server.at.main, "POST", "/v1/metrics", &gzip, b"no gzip").await;
    assert_eq!(answer.status, 400);
    for error in [
        SinkError::Overloaded { queued_bytes: 1 },
        SinkError::Storage { reason: "disk full".to_owned() },
    ] {
        *server.sink.reply.lock().unwrap() = Some(Err(error));
        let answer = post_protobuf(&server, &one_body()).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    }
}

async fn grpc(server: &Server) -> MetricsServiceClient<tonic::transport::Channel> {
    let address = server.at.otlp_grpc.unwrap();
    MetricsServiceClient::connect(format!("http://{address}")).await.unwrap()
}

#[tokio::test]
async fn grpc_stores_packed_or_not() {
    let request = ExportMetricsServiceRequest::decode(one_body().as_slice()).unwrap();
    let server = start().await;
    let mut plain = grpc(&server).await;
    let answer = plain.export(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
    let stored = server.sink.samples();
    assert!(stored > 0);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut packed = grpc(&server).await.send_compressed(encoding);
        packed.export(request.clone()).await.unwrap();
    }
    assert_eq!(server.sink.samples(), 3 * stored);
    let page = get(server.at.main, "/metrics").await;
    let line = "strata_receive_requests_total{code=\"ok\",protocol=\"otlp_grpc\"} 3";
    assert!(page.text().lines().any(|l| l == line), "{}", page.text());
}

#[tokio::test]
async fn grpc_tells_what_was_refused_and_when_to_come_back() {
    let request = ExportMetricsServiceRequest::decode(one_body().as_slice()).unwrap();
    let server = start().await;
    let mut client = grpc(&server).await;
    *server.sink.reply.lock().unwrap() =
        Some(Ok(Receipt { appended: 1, too_new: 1, ..Receipt::default() }));
    let answer = client.export(request.clone()).await.unwrap().into_inner();
    assert!(answer.partial_success.unwrap().error_message.contains("future"));
    *server.sink.reply.lock().unwrap() = Some(Err(SinkError::Overloaded { queued_bytes: 1 }));
    let refused = client.export(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn grpc_is_behind_the_same_guard() {
    let request = ExportMetricsServiceRequest::default();
    let server = start_with(options(), Some("s3cret")).await;
    let refused = grpc(&server).await.export(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut asked = tonic::Request::new(request);
    asked.metadata_mut().insert("authorization", "Bearer s3cret".parse().unwrap());
    grpc(&server).await.export(asked).await.unwrap();
    let http = get(server.at.otlp_http.unwrap(), "/v1/metrics").await;
    assert_eq!(http.status, 401);
}

//! `/api/v1/write` with bodies a real Prometheus sent.

use strata_model::{Receipt, SinkError, SourceState};

use crate::client::{Answer, post, send};
use crate::fakes::{Server, start};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/remote-write/");

/// Post a recorded body with its recorded headers.
async fn post_recorded(server: &Server, headers: &str, body: &str) -> Answer {
    let recorded = std::fs::read(format!("{FIXTURES}{headers}")).unwrap();
    let recorded: serde_json::Value = serde_json::from_slice(&recorded).unwrap();
    let body = std::fs::read(format!("{FIXTURES}{body}")).unwrap();
    let headers: Vec<(&str, &str)> = recorded["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    send(server.at.main, "POST", "/api/v1/write", &headers, &body).await
}

async fn version_1(server: &Server) -> Answer {
    post_recorded(server, "rw1-headers.json", "rw1-prometheus-3.5.3-vllm-scrape.snappy").await
}

async fn version_2(server: &Server) -> Answer {
    post_recorded(server, "rw2-headers.json", "rw2-prometheus-3.5.3-vllm-scrape.snappy").await
}

#[tokio::test]
async fn version_1_is_stored() {
    let server = start().await;
    let answer = version_1(&server).await;
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_eq!(answer.header("x-prometheus-remote-write-samples-written"), None);
    assert_eq!(server.sink.samples(), 500);
    let row = &server.sources.snapshot()[0];
    assert_eq!((row.id.as_str(), row.state), ("receive/remote_write", SourceState::Ok));
    assert_eq!(row.samples_total, server.sink.samples() as u64);
}

#[tokio::test]
async fn version_2_is_stored_and_counted_for_its_sender() {
    let server = start().await;
    let answer = version_2(&server).await;
    assert_eq!(answer.status, 204);
    let count = |what: &str| {
        let name = format!("X-Prometheus-Remote-Write-{what}-Written");
        answer.header(&name).unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(count("Samples") + count("Histograms"), server.sink.samples());
    assert_eq!(count("Samples"), 500);
    assert_eq!(count("Exemplars"), 0);
}

#[tokio::test]
async fn refused_samples_are_a_bad_request_and_the_rest_is_stored() {
    let server = start().await;
    let receipt =
        Receipt { appended: 5, duplicate: 1, too_old: 2, conflicting: 1, ..Receipt::default() };
    *server.sink.reply.lock().unwrap() = Some(Ok(receipt));
    let answer = version_1(&server).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("older than the out-of-order window"), "{}", answer.text());
    let row = &server.sources.snapshot()[0];
    assert_eq!(row.state, SourceState::Partial);
    assert!(row.samples_total >= 6);
    let answer = version_2(&server).await;
    assert_eq!(answer.status, 400);
    assert!(answer.header("x-prometheus-remote-write-samples-written").is_some());
}

#[tokio::test]
async fn what_may_work_later_is_worth_another_try() {
    let server = start().await;
    *server.sink.reply.lock().unwrap() = Some(Err(SinkError::Overloaded { queued_bytes: 7 }));
    let answer = version_1(&server).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    *server.sink.reply.lock().unwrap() =
        Some(Err(SinkError::Storage { reason: "disk full".to_owned() }));
    let answer = version_2(&server).await;
    assert_eq!((answer.status, answer.text()), (500, "storage cannot write: disk full"));
    assert_eq!(server.sources.snapshot()[0].state, SourceState::Failing);
    *server.sink.reply.lock().unwrap() = Some(Err(SinkError::Closed));
    assert_eq!(version_1(&server).await.status, 503);
}

#[tokio::test]
async fn what_is_not_remote_write_is_refused() {
    let server = start().await;
    let write = async |content_type: &str, body: &[u8]| {
        post(server.at.main, "/api/v1/write", content_type, body).await.status
    };
    assert_eq!(write("application/json", b"{}").await, 415);
    assert_eq!(write("application/x-protobuf;proto=what.Ever", b"").await, 415);
    assert_eq!(write("application/x-protobuf", b"\xff\xff\xff\xff\xff\xff").await, 400);
    let zstd = [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "zstd")];
    let answer = send(server.at.main, "POST", "/api/v1/write", &zstd, b"").await;
    assert_eq!(answer.status, 415);
    let get = send(server.at.main, "GET", "/api/v1/write", &[], b"").await;
    assert_eq!(get.status, 405);
    assert_eq!(server.sink.samples(), 0);
}

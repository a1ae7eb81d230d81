//! Slow, large and many: every bound ends in a clear answer, and the server goes on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use strata_query::QueryValue;
use strata_serve::ServeOptions;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{get, post, read, send};
use crate::fakes::{PATIENCE, options, start, start_with};

#[tokio::test]
async fn queries_beyond_the_bound_wait_and_then_give_up() {
    let one = ServeOptions { query_concurrency: 1, ..options() };
    let server = start_with(one, None).await;
    server.knows("up", QueryValue::Vector(Vec::new()));
    let address = server.at.main;
    let mut hog = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/v1/query?query=forever HTTP/1.1\r\nHost: {address}\r\n\r\n");
    hog.write_all(request.as_bytes()).await.unwrap();
    while server.engine.instants.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let waited = get(address, "/api/v1/query?query=up&timeout=50ms").await;
    assert_eq!(waited.status, 503);
    assert_eq!(waited.json()["error"], "query timed out in query queue");
    // The place is free again as soon as its client has gone.
    drop(hog);
    let served =
        timeout(PATIENCE, get(address, "/api/v1/query?query=up&timeout=5s")).await.unwrap();
    assert_eq!(served.status, 200);
}

#[tokio::test]
async fn a_query_without_time_times_out() {
    let server = start().await;
    server.knows("up", QueryValue::Vector(Vec::new()));
    let answer = get(server.at.main, "/api/v1/query?query=up&timeout=0").await;
    assert_eq!((answer.status, &answer.json()["errorType"]), (503, &"timeout".into()));
}

#[tokio::test]
async fn bodies_beyond_the_bound_are_refused_before_they_are_read() {
    let small = ServeOptions { body_bytes_max: "1KiB".to_owned(), ..options() };
    let server = start_with(small, None).await;
    let announced =
        send(server.at.main, "POST", "/api/v1/write", &[("Content-Length", "2000000")], b"").await;
    assert_eq!((announced.status, announced.text()), (413, "the body is larger than 1024 bytes"));
    let mut chunked = TcpStream::connect(server.at.main).await.unwrap();
    let head = "POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = format!("800\r\n{}\r\n0\r\n\r\n", "x".repeat(0x800));
    chunked.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    assert_eq!(read(&mut chunked).await.status, 413);
    let form = vec![b'a'; (1 << 20) + 1];
    let answer =
        post(server.at.main, "/api/v1/query", "application/x-www-form-urlencoded", &form).await;
    assert_eq!(answer.status, 413);
    assert_eq!(get(server.at.main, "/-/healthy").await.status, 200);
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let quick = ServeOptions {
        header_timeout: "100ms".to_owned(),
        body_timeout: "100ms".to_owned(),
        ..options()
    };
    let server = start_with(quick, None).await;
    for begun in ["", "GET /metrics HT", "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let mut slow = TcpStream::connect(server.at.main).await.unwrap();
        slow.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let ended =
            timeout(PATIENCE, tokio::io::AsyncReadExt::read_buf(&mut slow, &mut rest)).await;
        let text = String::from_utf8_lossy(&rest);
        assert!(ended.is_ok(), "{begun:?} is still open");
        assert!(rest.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
    let mut slow = TcpStream::connect(server.at.main).await.unwrap();
    let head = "POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 100\r\n\r\nabc";
    slow.write_all(head.as_bytes()).await.unwrap();
    let answer = timeout(PATIENCE, read(&mut slow)).await.unwrap();
    assert_eq!(answer.status, 408);
}

#[tokio::test]
async fn a_head_beyond_the_bound_is_refused() {
    let server = start().await;
    let long = "x".repeat(500_000);
    let answer = send(server.at.main, "GET", "/metrics", &[("X-Long", &long)], b"").await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let two = ServeOptions { connections_max: 2, header_timeout: "200ms".to_owned(), ..options() };
    let server = start_with(two, None).await;
    let _first = TcpStream::connect(server.at.main).await.unwrap();
    let _second = TcpStream::connect(server.at.main).await.unwrap();
    let answer = timeout(PATIENCE, get(server.at.main, "/-/healthy")).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn shutting_down_lets_running_requests_end() {
    let mut server = start().await;
    let address = server.at.main;
    let mut running = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\nquery=";
    running.write_all(head.as_bytes()).await.unwrap();
    server.knows("up", QueryValue::Vector(Vec::new()));
    get(address, "/-/healthy").await;
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).await.is_err(), "no new connections");
    running.write_all(b"up").await.unwrap();
    let answer = timeout(PATIENCE, read(&mut running)).await.unwrap();
    assert_eq!(answer.status, 200);
    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn bodies_beyond_the_memory_are_told_to_come_back() {
    let tight = ServeOptions {
        body_bytes_max: "64KiB".to_owned(),
        ingest_bytes_max: "64KiB".to_owned(),
        ..options()
    };
    let server = start_with(tight, None).await;
    let address = server.at.main;
    let mut hog = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65000\r\n\r\n";
    hog.write_all(head.as_bytes()).await.unwrap();
    let announced = post(address, "/api/v1/write", "application/x-protobuf", b"\xff").await;
    assert_eq!(announced.status, 400, "what is only announced takes nothing");
    hog.write_all(&vec![0; 64_900]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let body = [0xff; 2_000];
    let answer = post(address, "/api/v1/write", "application/x-protobuf", &body).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(get(address, "/-/healthy").await.status, 200, "reads go on");
    drop(hog);
    let later = post(address, "/api/v1/write", "application/x-protobuf", b"\xff").await;
    assert_eq!(later.status, 400, "the memory is free again");
}

#[tokio::test]
async fn a_panic_ends_one_request_only() {
    let server = start().await;
    let answer = get(server.at.main, "/api/v1/query?query=panic").await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["error"], "unexpected error: the engine broke");
    assert_eq!(server.meter.gauge("strata.query.inflight", &[]).get(), 0.0);
    assert_eq!(get(server.at.main, "/-/healthy").await.status, 200);
}

#[tokio::test]
async fn a_stuck_sink_does_not_outlive_the_grace_time() {
    let quick = ServeOptions { shutdown_grace: "100ms".to_owned(), ..options() };
    let mut server = start_with(quick, None).await;
    server.sink.stuck.store(true, Ordering::SeqCst);
    let body = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/remote-write/rw1-prometheus-3.5.3-vllm-scrape.snappy"
    ));
    let body = body.unwrap();
    let mut waiting = TcpStream::connect(server.at.main).await.unwrap();
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    waiting.write_all(head.as_bytes()).await.unwrap();
    waiting.write_all(&body).await.unwrap();
    while server.sink.samples() == 0 {
        tokio::task::yield_now().await;
    }
    server.stop.take().unwrap().send(()).unwrap();
    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
}

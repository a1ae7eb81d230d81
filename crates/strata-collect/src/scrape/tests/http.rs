//! Fetching: bounds, deadlines, authorization, and servers that misbehave.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use strata_model::{FaultCode, SourceState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const PAGE: &str = "# TYPE a gauge\na{x=\"1\"} 1\nb 2\n";

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("a bound port").to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A server that answers every request with these bytes and closes the connection.
async fn serve_raw(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("a bound port").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok() {
                // The client may hang up first: that is its right.
                drop(stream.write_all(&answer).await);
            }
        }
    });
    address
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn encoded(encoding: &'static str, body: Vec<u8>) -> Router {
    Router::new().route(
        "/metrics",
        get(move || async move { ([(header::CONTENT_ENCODING, encoding)], body) }),
    )
}

fn both(harvest: Result<Harvest, CollectError>) -> (Vec<String>, Vec<FaultCode>) {
    let harvest = harvest.expect("the page is usable");
    (lines(&harvest.batch), harvest.faults.iter().map(|fault| fault.code).collect())
}

fn code(harvest: Result<Harvest, CollectError>) -> (FaultCode, SourceState) {
    let error = harvest.expect_err("the page is not usable");
    assert!(!error.fault.message.is_empty() && !error.hint.is_empty(), "{error:?}");
    (error.fault.code, error.state)
}

#[tokio::test]
async fn a_page_arrives_plain_and_compressed() {
    let page = || PAGE.as_bytes().to_vec();
    let zstd = zstd::stream::encode_all(PAGE.as_bytes(), 3).expect("memory takes it");
    for (encoding, body) in [("identity", page()), ("gzip", gzip(&page())), ("zstd", zstd)] {
        let address = serve(encoded(encoding, body)).await;
        let (lines, faults) = both(scrape(&options(&address)).await);
        let labels = format!("instance=\"{address}\",job=\"test\"");
        assert_eq!(lines, [format!("a{{{labels},x=\"1\"}} 1"), format!("b{{{labels}}} 2")]);
        assert_eq!(faults, []);
    }
}

#[tokio::test]
async fn bombs_and_oversized_pages_are_refused() {
    let small = |address: &str| ScrapeOptions { body_limit: "1MiB".into(), ..options(address) };
    let zeros = vec![b'#'; 8 << 20];
    let zstd = zstd::stream::encode_all(zeros.as_slice(), 3).expect("memory takes it");
    for (encoding, body) in [("gzip", gzip(&zeros)), ("zstd", zstd), ("identity", zeros)] {
        let address = serve(encoded(encoding, body)).await;
        let got = code(scrape(&small(&address)).await);
        assert_eq!(got, (FaultCode::TooLarge, SourceState::Failing), "{encoding}");
    }
}

#[tokio::test]
async fn bad_compression_is_told_apart_from_a_page_that_breaks_off() {
    let line = |n: i32| format!("a{{n=\"{n}\"}} {n}\n");
    let long = (0..2_000).map(line).collect::<Vec<_>>().concat();
    let mut cut = gzip(long.as_bytes());
    cut.truncate(cut.len() / 2);
    let (lines, faults) = both(scrape(&options(&serve(encoded("gzip", cut)).await)).await);
    assert!(lines.len() > 100 && lines.len() < 2_000, "{}", lines.len());
    assert_eq!(faults, [FaultCode::Malformed]);
    for (encoding, body) in [("gzip", b"no gzip".to_vec()), ("zstd", vec![7; 99]), ("br", vec![])] {
        let got = code(scrape(&options(&serve(encoded(encoding, body)).await)).await);
        assert_eq!(got.0, FaultCode::Malformed, "{encoding}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_keeps_whole_lines_only() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    let short = format!("{head}Content-Length: 500\r\n\r\na 1\nb 12");
    let (lines, faults) = both(scrape(&options(&serve_raw(short.into()).await)).await);
    assert_eq!((lines.len(), faults), (1, vec![FaultCode::Malformed]));
    // Without a length the end of the connection is the end of the page, or not.
    let unframed = format!("{head}Connection: close\r\n\r\na 1\nb 12");
    let (lines, faults) = both(scrape(&options(&serve_raw(unframed.into()).await)).await);
    assert_eq!((lines.len(), faults), (1, vec![FaultCode::Malformed]));
    let whole = format!("{head}Content-Length: 8\r\n\r\na 1\nb 12");
    let (lines, faults) = both(scrape(&options(&serve_raw(whole.into()).await)).await);
    assert_eq!((lines.len(), faults), (2, vec![]));
}

#[tokio::test]
async fn answers_that_are_no_page_are_named() {
    let status = |status: StatusCode| async move { status };
    let router = Router::new()
        .route("/401", get(move || status(StatusCode::UNAUTHORIZED)))
        .route("/501", get(move || status(StatusCode::NOT_IMPLEMENTED)))
        .route("/html", get(|| async { axum::response::Html("<p>hello</p>") }))
        .route("/json", get(|| async { "{\"a\": 1}" }))
        .route("/loop", get(|| async { Redirect::temporary("/loop") }))
        .route("/moved", get(|| async { Redirect::temporary("/page") }))
        .route("/empty", get(|| async { "" }))
        .route("/page", get(|| async { PAGE }));
    let address = serve(router).await;
    let at = |path: &str| ScrapeOptions { path: path.to_owned(), ..options(&address) };
    let failing = SourceState::Failing;
    assert_eq!(code(scrape(&at("/401")).await), (FaultCode::Denied, SourceState::Denied));
    assert_eq!(code(scrape(&at("/501")).await), (FaultCode::HttpStatus, failing));
    assert_eq!(code(scrape(&at("/404")).await), (FaultCode::HttpStatus, failing));
    assert_eq!(code(scrape(&at("/html")).await), (FaultCode::Malformed, failing));
    assert_eq!(code(scrape(&at("/json")).await), (FaultCode::Malformed, failing));
    assert_eq!(code(scrape(&at("/loop")).await), (FaultCode::HttpStatus, failing));
    assert_eq!(both(scrape(&at("/moved")).await).0.len(), 2);
    assert_eq!(both(scrape(&at("/empty")).await).0.len(), 0);
    let strict = ScrapeOptions { follow_redirects: false, ..at("/moved") };
    assert_eq!(code(scrape(&strict).await), (FaultCode::HttpStatus, failing));
    // Port 9 (discard) of loopback: nobody listens.
    assert_eq!(code(scrape(&options("127.0.0.1:9")).await), (FaultCode::Unreachable, failing));
}

#[tokio::test]
async fn a_slow_server_meets_the_deadline_of_the_scheduler() {
    let router = Router::new().route(
        "/metrics",
        get(|| async {
            tokio::time::sleep(Duration::from_mins(1)).await;
            PAGE
        }),
    );
    let address = serve(router).await;
    let options = ScrapeOptions {
        interval: "200ms".to_owned(),
        timeout: "50ms".to_owned(),
        ..options(&address)
    };
    let running = crate::schedule::tests::running();
    running.scheduler.add(Box::new(collector(&options, nothing())));
    let fault = running.first_fault().await;
    assert_eq!((fault.code, fault.message.as_str()), (FaultCode::Timeout, "no answer within 50ms"));
}

/// What the exporters of Go's client library answer to the preference for protobuf.
#[tokio::test]
async fn a_page_in_protobuf_is_read() {
    // A family `a` of type gauge with one metric of value 1.
    let mut body = vec![18, 0x0a, 1, b'a', 0x18, 1, 0x22, 11, 0x12, 9, 0x09];
    body.extend(1.0_f64.to_le_bytes());
    let kind = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                encoding=delimited";
    let page = move || async move { ([(header::CONTENT_TYPE, kind)], body.clone()) };
    let address = serve(Router::new().route("/metrics", get(page))).await;
    let (lines, faults) = both(scrape(&options(&address)).await);
    assert_eq!(faults, []);
    assert!(lines.iter().any(|line| line.starts_with("a{") && line.contains(" 1")), "{lines:?}");
}

#[tokio::test]
async fn credentials_and_preferences_are_sent() {
    let router = Router::new().route(
        "/metrics",
        get(|headers: HeaderMap| async move {
            let header = |name: &str| {
                headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned()
            };
            let page = format!(
                "seen{{authorization=\"{}\",accept=\"{}\",custom=\"{}\",timeout=\"{}\"}} 1\n",
                header("authorization"),
                header("accept").split(';').next().unwrap_or(""),
                header("x-custom"),
                header("x-prometheus-scrape-timeout-seconds"),
            );
            page.into_response()
        }),
    );
    let address = serve(router).await;
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").expect("the folder is ours");
    let environment: Environment =
        Arc::new(|name| (name == "PASSWORD").then(|| "geheim".to_owned()));
    let check = async |options: &ScrapeOptions, expected: &str| {
        let harvest = collector(options, Arc::clone(&environment)).collect(1).await;
        let line = both(harvest).0.remove(0);
        assert!(line.contains(expected), "{line} lacks {expected}");
    };
    let plain = options(&address);
    check(&plain, "accept=\"application/vnd.google.protobuf\"").await;
    check(&plain, "timeout=\"10\"").await;
    let text = ScrapeOptions { native_histograms: false, ..plain.clone() };
    check(&text, "accept=\"application/openmetrics-text\"").await;
    let bearer = ScrapeOptions { bearer_token_file: Some(token), ..plain.clone() };
    check(&bearer, "authorization=\"Bearer s3cret\"").await;
    let basic = BasicAuthOptions {
        username: "me".to_owned(),
        password_env: Some("PASSWORD".to_owned()),
        password_file: None,
    };
    let basic = ScrapeOptions { basic_auth: Some(basic), ..plain.clone() };
    check(&basic, "authorization=\"Basic bWU6Z2VoZWlt\"").await;
    let custom = [("X-Custom".to_owned(), "yes".to_owned())].into();
    check(&ScrapeOptions { headers: custom, ..plain.clone() }, "custom=\"yes\"").await;
    let missing = ScrapeOptions { bearer_token_env: Some("ABSENT".to_owned()), ..plain };
    assert_eq!(code(scrape(&missing).await), (FaultCode::Denied, SourceState::Denied));
}

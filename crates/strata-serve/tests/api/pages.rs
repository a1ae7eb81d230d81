//! Pages as JSON and as a stream, and the files of the web page.

use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{get, send};
use crate::fakes::start;

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_page_is_what_its_address_asks_for() {
    let server = start().await;
    let path = "/api/v1/pages/gpus?since=15m&entity=gpu%3Aa+b&group=pod&color=l1.power";
    let answer = get(server.at.main, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = json(answer.text());
    assert_eq!(page["request"]["page"], "gpus");
    assert_eq!(page["request"]["span"]["seconds"], 900);
    assert_eq!(page["request"]["entity"], "gpu:a b");
    assert_eq!(page["request"]["group"], "pod");
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_with_a_hint() {
    let server = start().await;
    let check = async |path: &str, status: u16, code: &str, part: &str| {
        let answer = get(server.at.main, path).await;
        let error = json(answer.text());
        assert_eq!(answer.status, status, "{path}: {error}");
        assert_eq!(error["code"], code, "{path}");
        assert!(error["message"].as_str().unwrap().contains(part), "{path}: {error}");
        assert_ne!(error["hint"], "", "{path}");
    };
    check("/api/v1/pages/nowhere", 404, "not_found", "nowhere").await;
    check("/api/v1/pages/gpus?since=soon", 400, "bad_request", "soon").await;
    check("/api/v1/pages/gpus?colour=red", 400, "bad_request", "colour").await;
    check("/api/v1/pages/gpus?entity=gpu:none", 404, "not_found", "none").await;
    check("/api/v1/pages/gpus/live?start=1", 400, "bad_request", "start and end").await;
}

#[tokio::test]
async fn entities_are_suggested_within_a_bound() {
    let server = start().await;
    let answer = get(server.at.main, "/api/v1/suggest?q=x%20y&limit=3").await;
    let found = json(answer.text());
    assert_eq!(found.as_array().unwrap().len(), 3);
    assert_eq!(found[0]["name"], "x y");
    let answer = get(server.at.main, "/api/v1/suggest?q=x&limit=100000").await;
    assert_eq!(json(answer.text()).as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn a_live_page_comes_at_once_as_an_event() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.at.main).await.unwrap();
    let request = "GET /api/v1/pages/overview/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let read = async {
        while !text.contains("\n\n") || !text.contains("data:") {
            let mut part = [0; 4096];
            let count = stream.read(&mut part).await.unwrap();
            assert_ne!(count, 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&part[..count]));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert!(text.contains("event: page"), "{text}");
    assert!(text.contains("\"title\":\"Fake\""), "{text}");
}

#[tokio::test]
async fn the_web_page_is_served_at_every_page_and_nowhere_else() {
    let server = start().await;
    for path in ["/", "/overview", "/engines", "/doctor"] {
        let answer = get(server.at.main, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains("/web/app.js"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(get(server.at.main, "/nowhere").await.status, 404);
    assert_eq!(get(server.at.main, "/web/nowhere.js").await.status, 404);
    assert_eq!(get(server.at.main, "/web/../Cargo.toml").await.status, 404);
}

#[tokio::test]
async fn files_come_packed_and_only_when_they_changed() {
    let server = start().await;
    let packed = [("Accept-Encoding", "gzip")];
    let answer = send(server.at.main, "GET", "/web/app.js", &packed, b"").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    let tag = answer.header("etag").unwrap().to_owned();
    let known = [("If-None-Match", tag.as_str())];
    let again = send(server.at.main, "GET", "/web/app.js", &known, b"").await;
    assert_eq!(again.status, 304);
    let plain = get(server.at.main, "/web/app.js").await;
    assert!(plain.text().contains("import"));
}

//! What Prometheus sends, as captured from it, and what is told about samples that cannot be kept.

use serde_json::Value as Json;

use crate::fixture;
use crate::http::{self, Answer};
use crate::program::{House, LONG, Server, now_ms};
use crate::wire::{Row, body};

/// A moment just behind the captured samples.
const CAPTURED: &str = "1795345456";

/// Send a captured body with the headers it came with.
fn send_captured(server: &Server, version: u8, file: &str) -> Answer {
    let recorded = fixture(&format!("remote-write/rw{version}-headers.json"));
    let recorded: Json = serde_json::from_slice(&recorded).unwrap();
    let headers: Vec<(&str, &str)> = recorded["headers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !["Host", "Content-Length"].contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let body = fixture(&format!("remote-write/{file}"));
    http::post(&format!("{}/api/v1/write", server.url), &headers, &body)
}

fn check_captured(version: u8, file: &str, written: Option<&str>) {
    let house = House::new(LONG);
    let server = house.start();
    // The second time every sample is there already, which is no mistake of the sender.
    for time in ["first", "second"] {
        let answer = send_captured(&server, version, file);
        assert_eq!(answer.status, 204, "{time}: {}", answer.text());
        let header = answer.header("x-prometheus-remote-write-samples-written");
        assert_eq!(header, written, "{time}");
    }
    let at = Some(CAPTURED);
    let native = server.value("sum(vllm:generation_tokens_total)", at);
    assert!(native.is_some_and(|tokens| tokens > 0.0), "{native:?}");
    assert_eq!(server.value("sum(inference_generation_tokens_total)", at), native);
    let series = server.value("count({job=\"vllm\"})", at).unwrap();
    assert!(series > 400.0, "{series} series");
    let row = server.source("receive/remote_write").unwrap();
    assert_eq!((&row["state"], &row["faults_total"]), (&"ok".into(), &0.into()), "{row}");
}

#[test]
fn version_1_as_captured_is_stored_once() {
    check_captured(1, "rw1-prometheus-3.5.3-vllm-scrape.snappy", None);
}

#[test]
fn version_2_as_captured_is_stored_once_and_counted() {
    check_captured(2, "rw2-prometheus-3.5.3-vllm-scrape.snappy", Some("500"));
}

#[test]
fn what_cannot_be_kept_is_refused_with_counts_and_the_rest_is_kept() {
    let house = House::new("");
    let server = house.start();
    let now = now_ms();
    let row = |series: &'static str, samples: &[(i64, f64)]| {
        Row::new("refusal", ("series", series), samples.to_vec())
    };
    assert_eq!(server.write(&body(&[row("a", &[(now, 1.0)])])).status, 204);
    let hour = 3_600_000;
    let answer = server.write(&body(&[
        row("a", &[(now, 2.0)]),
        row("b", &[(now, 3.0), (now + hour, 4.0)]),
        row("c", &[(now, 5.0)]),
        row("a", &[(now - hour, 6.0)]),
        row("d", &[(now - 400 * 24 * hour, 7.0)]),
    ]));
    assert_eq!(answer.status, 400);
    let told = answer.text();
    for words in [
        "4 samples refused",
        "1 with another value for a time already stored",
        "1 too far in the future",
        "2 older than the out-of-order window or the retention",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told:?}");
    }
    for (series, value) in [("a", 1.0), ("b", 3.0), ("c", 5.0)] {
        let kept = server.value(&format!("refusal{{series=\"{series}\"}}"), None);
        assert_eq!(kept, Some(value), "{series}");
    }
    let refused = server.source("receive/remote_write").unwrap();
    assert_eq!(refused["faults_total"], 4, "{refused}");
}

#[test]
fn what_is_no_remote_write_is_refused_in_words() {
    let house = House::new("");
    let server = house.start();
    let url = format!("{}/api/v1/write", server.url);
    let protobuf = ("Content-Type", "application/x-protobuf");
    for (headers, sent, status, words) in [
        (vec![protobuf, ("Content-Encoding", "gzip")], b"x".to_vec(), 415, "snappy"),
        (vec![("Content-Type", "text/html")], b"x".to_vec(), 415, "text/html"),
        (vec![protobuf, ("Content-Encoding", "snappy")], b"garbage".to_vec(), 400, ""),
    ] {
        let answer = http::post(&url, &headers, &sent);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    assert_eq!(server.write(&body(&[])).status, 204, "nothing to store is no mistake");
}

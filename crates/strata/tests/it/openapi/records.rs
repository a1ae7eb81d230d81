//! Records of requests, and everything that is pushed.

use super::{Described, Parameters};
use crate::fixture;
use crate::http;
use crate::program::{House, now_ms};
use crate::wire::{HEADERS, Row, body};

/// The hour of the captured requests.
const HOUR: [(&str, &str); 2] = [("start", "1795343400"), ("end", "1795343999")];

/// Requests, their sums, SQL, feedback, and what is pushed.
pub(super) fn with_records(described: &Described) {
    let house = House::new("[records]\nretention = \"36500d\"\n");
    let server = house.start();
    let otlp = server.otlp_http();
    for (path, file) in [
        ("/v1/traces", "linked-vllm.traces.bin"),
        ("/v1/traces", "linked-client.traces.bin"),
        ("/v1/logs", "openai-v2-old.logs.bin"),
    ] {
        let body = fixture(&format!("otlp/genai/{file}"));
        let protobuf = [("Content-Type", "application/x-protobuf")];
        described.check("post", path, 200, &http::post(&format!("{otlp}{path}"), &protobuf, &body));
    }
    let json = [("Content-Type", "application/json")];
    for path in ["/v1/metrics", "/v1/traces", "/v1/logs", "/api/v1/otlp/v1/metrics"] {
        let url = server.address(path, &[]);
        described.check("post", path, 200, &http::post(&url, &json, b"{}"));
        described.check("post", path, 400, &http::post(&url, &json, b"{\"a"));
        described.check("post", path, 415, &http::post(&url, &[], b"{}"));
        let packed = [json[0], ("Content-Encoding", "br")];
        described.check("post", path, 415, &http::post(&url, &packed, b"{}"));
    }
    let hour = |more: Parameters<'static>| [&HOUR[..], more].concat();
    let ask = |path: &str, more: Parameters<'static>, status: u16| {
        described.ask(&server, path, &hour(more), status);
    };
    ask("/api/v1/requests", &[("where", "duration>=1ms"), ("order", "newest")], 200);
    ask("/api/v1/requests", &[("limit", "0")], 400);
    ask("/api/v1/requests/sums", &[("by", "team,model,hour")], 200);
    ask("/api/v1/requests/sums", &[("by", "color")], 400);
    ask("/api/v1/sql", &[("query", "SELECT * FROM request, span")], 200);
    ask("/api/v1/sql", &[("query", "DROP TABLE request")], 400);
    let path = "/v1/feedback";
    let url = server.address(path, &[]);
    let judged = br#"{"target":{"response_id":"x"},"value":true,"comment":"my name is Ada"}"#;
    described.check("post", path, 200, &http::post(&url, &json, judged));
    described.check("post", path, 400, &http::post(&url, &json, b"{}"));
    let foreign = [json[0], ("Origin", "http://evil.example")];
    described.check("post", path, 403, &http::post(&url, &foreign, judged));
    let path = "/api/v1/write";
    let url = server.address(path, &[]);
    let write = |value: f64| {
        let row = Row::new("desk", ("number", "1"), [(1_000 * (now_ms() / 60_000 * 60), value)]);
        http::post(&url, &HEADERS, &body(&[row]))
    };
    described.check("post", path, 204, &write(1.0));
    described.check("post", path, 400, &http::post(&url, &HEADERS, b"no snappy"));
    described.check("post", path, 415, &http::post(&url, &json, b""));
}

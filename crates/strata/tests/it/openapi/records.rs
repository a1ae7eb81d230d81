//! Records of requests, and everything that is pushed.

use super::{Described, Parameters};
use crate::fixture;
use crate::http;
use crate::program::{House, Server, now_ms};
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
    asked_of_records(&server, described);
    let path = "/v1/feedback";
    let url = server.address(path, &[]);
    let judged = br#"{"target":{"response_id":"x"},"value":true,"comment":"my name is Ada"}"#;
    described.check("post", path, 200, &http::post(&url, &json, judged));
    described.check("post", path, 400, &http::post(&url, &json, b"{}"));
    let foreign = [json[0], ("Origin", "http://evil.example")];
    described.check("post", path, 403, &http::post(&url, &foreign, judged));
    feedback_of_others(&server, described);
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

/// Lists, sums, statistics and pages of requests.
fn asked_of_records(server: &Server, described: &Described) {
    let hour = |more: Parameters<'static>| [&HOUR[..], more].concat();
    let ask = |path: &str, more: Parameters<'static>, status: u16| {
        described.ask(server, path, &hour(more), status);
    };
    ask("/api/v1/requests", &[("where", "duration>=1ms"), ("order", "newest")], 200);
    ask("/api/v1/requests", &[("limit", "0")], 400);
    ask("/api/v1/requests/sums", &[("by", "team,model,hour")], 200);
    ask("/api/v1/requests/sums", &[("by", "color")], 400);
    let models = &[("a", "tiny-llama"), ("b", "other")];
    ask("/api/v1/requests/compare", models, 200);
    ask("/api/v1/requests/compare", &[("a", "tiny-llama")], 400);
    ask("/api/v1/requests/parts", &[("where", "duration>=1ms")], 200);
    ask("/api/v1/requests/parts", &[("where", "mood=good")], 400);
    ask("/api/v1/requests/lengths", &[("by", "hour"), ("batch", "8")], 200);
    ask("/api/v1/requests/lengths", &[("by", "color")], 400);
    let page = &[("page", "requests"), ("view", "lengths"), ("since", "400d")];
    described.ask(server, "/api/v1/pages/{page}", page, 200);
    let list = server.get("/api/v1/requests", &HOUR).json();
    let id = list["requests"][0]["uid"].as_str().unwrap();
    described.ask(server, "/api/v1/requests/one", &[("id", id)], 200);
    described.ask(server, "/api/v1/requests/one", &[("id", "20200101-1")], 404);
    described.ask(server, "/api/v1/requests/one", &[("id", "x")], 400);
    let one = format!("request:{id}");
    let page = [("page", "requests"), ("entity", &*one)];
    described.ask(server, "/api/v1/pages/{page}", &page, 200);
    let page = &[("page", "requests"), ("view", "slowest"), ("since", "400d")];
    described.ask(server, "/api/v1/pages/{page}", page, 200);
    let page = &[("page", "requests"), ("view", "compare"), ("entity", "model:tiny-llama")];
    described.ask(server, "/api/v1/pages/{page}", page, 200);
    ask("/api/v1/sql", &[("query", "SELECT * FROM request, span")], 200);
    ask("/api/v1/sql", &[("query", "DROP TABLE request")], 400);
}

/// Judgements where clients of other programs send them.
fn feedback_of_others(server: &Server, described: &Described) {
    const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];
    for (path, body) in [
        ("/feedback", r#"{"metric_name":"good","inference_id":"x","value":true}"#),
        ("/api/public/scores", r#"{"name":"good","traceId":"x","value":1}"#),
        (
            "/v1/span_annotations",
            r#"{"data":[{"span_id":"x","name":"good","result":{"score":1}}]}"#,
        ),
        ("/v1/trace_annotations", r#"{"data":[{"trace_id":"x","name":"g","result":{"score":1}}]}"#),
        (
            "/v1/session_annotations",
            r#"{"data":[{"session_id":"x","name":"g","result":{"score":1}}]}"#,
        ),
        ("/v1/feedback", r#"{"trace_id":"x","value":10,"weight":1}"#),
    ] {
        let url = server.address(path, &[]);
        described.check("post", path, 200, &http::post(&url, &JSON, body.as_bytes()));
        described.check("post", path, 400, &http::post(&url, &JSON, b"{\"data\":[]}"));
    }
}

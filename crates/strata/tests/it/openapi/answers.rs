//! Every kind of answer once, compared with its description.

use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;

use super::{Described, Parameters, filled, schema};
use crate::fixture;
use crate::http;
use crate::program::{House, STRATA, Server, now_ms};
use crate::serve::serve;
use crate::wire::{HEADERS, Row, body};

/// The hour of the captured requests.
const HOUR: [(&str, &str); 2] = [("start", "1795343400"), ("end", "1795343999")];

/// Answers of the demo: pages, queries, the ledger.
const DEMO: &[(&str, Parameters<'_>, u16)] = &[
    ("/api/v1/suggest", &[("q", "gpu"), ("limit", "50")], 200),
    ("/api/v1/suggest", &[], 200),
    ("/api/v1/pages/{page}", &[("page", "nowhere")], 404),
    ("/api/v1/pages/{page}", &[("page", "gpus"), ("since", "soon")], 400),
    ("/api/v1/pages/{page}/live", &[("page", "nowhere")], 404),
    ("/api/v1/pages/{page}/live", &[("page", "gpus"), ("start", "1")], 400),
    ("/api/v1/query", &[("query", "up"), ("stats", "all")], 200),
    ("/api/v1/query", &[("query", "up[1m]")], 200),
    ("/api/v1/query", &[("query", "1")], 200),
    ("/api/v1/query", &[("query", "\"text\"")], 200),
    ("/api/v1/query", &[("query", "up"), ("limit", "1")], 200),
    ("/api/v1/query", &[("query", "sum(")], 400),
    ("/api/v1/query", &[("query", "up"), ("timeout", "0")], 503),
    ("/api/v1/query", &[("query", "label_replace(up, \"a\", \"\", \"job\", \"(\")")], 422),
    ("/api/v1/query_exemplars", &[("query", "up")], 200),
    ("/api/v1/query_exemplars", &[("query", "")], 400),
    ("/api/v1/format_query", &[("query", "sum( up )")], 200),
    ("/api/v1/format_query", &[("query", "sum(")], 400),
    ("/api/v1/series", &[("match[]", "up"), ("match[]", "{job=\"vllm\"}")], 200),
    ("/api/v1/series", &[], 400),
    ("/api/v1/labels", &[], 200),
    ("/api/v1/labels", &[("limit", "1"), ("match[]", "up")], 200),
    ("/api/v1/labels", &[("limit", "-1")], 400),
    ("/api/v1/label/{name}/values", &[("name", "job")], 200),
    ("/api/v1/metadata", &[("limit_per_metric", "1")], 200),
    ("/api/v1/metadata", &[("limit", "few")], 400),
    ("/api/v1/rules", &[], 200),
    ("/api/v1/alerts", &[], 200),
    ("/api/v1/status/buildinfo", &[], 200),
    ("/api/v1/status/runtimeinfo", &[], 200),
    ("/api/v1/status/config", &[], 200),
    ("/api/v1/status/flags", &[], 200),
    ("/api/v1/status/tsdb", &[], 200),
    ("/api/v1/strata/sources", &[], 200),
    ("/api/v1/strata/status", &[], 200),
    ("/api/v1/openapi.json", &[], 200),
    ("/api/v1/cost", &[("since", "5m")], 200),
    ("/api/v1/cost", &[("since", "5m"), ("by", "tenant,model")], 200),
    ("/api/v1/cost", &[("since", "5m"), ("by", "sku,node")], 200),
    ("/api/v1/cost", &[("by", "color")], 400),
    ("/api/v1/cost", &[("colour", "red")], 400),
    ("/api/v1/cost/why", &[("since", "2m")], 200),
    ("/api/v1/cost/why", &[("since", "1h")], 422),
    ("/api/v1/cost/focus", &[("since", "5m")], 200),
    ("/api/v1/cost/breakeven", &[("since", "5m"), ("prompt", "1"), ("generated", "3")], 200),
    ("/api/v1/cost/breakeven", &[("since", "5m"), ("against", "gpt-4o")], 200),
    ("/api/v1/cost/breakeven", &[("prompt", "little")], 400),
    ("/api/v1/cost/advice", &[("since", "5m")], 200),
    ("/api/v1/cost/prices", &[], 200),
    ("/api/v1/cost/statements", &[], 200),
    ("/api/v1/cost/statement", &[], 400),
    ("/api/v1/cost/statement/draft", &[("customer", "nobody")], 400),
    ("/allocation", &[("window", "5m"), ("aggregate", "pod"), ("accumulate", "true")], 200),
    ("/allocation/compute", &[("window", "5m")], 200),
    ("/allocation", &[("window", "soon")], 400),
    ("/inferenceCost/total", &[("window", "5m")], 200),
];

fn demo() -> Server {
    let mut command = Command::new(STRATA);
    let arguments = ["demo", "--json", "--listen", "127.0.0.1:0", "--history", "15m"];
    Server::spawn(command.args(arguments))
}

#[test]
fn answers_are_as_described() {
    let server = demo();
    let described = Described::by(&server);
    for (path, parameters, status) in DEMO {
        described.ask(&server, path, parameters, *status);
    }
    let now = (now_ms() / 1000).to_string();
    let before = (now_ms() / 1000 - 300).to_string();
    let range = [("query", "up"), ("start", &before), ("end", &now), ("step", "15s")];
    described.ask(&server, "/api/v1/query_range", &range, 200);
    described.ask(&server, "/api/v1/query_range", &range[..3], 400);
    every_page(&server, &described);
    a_live_page(&server, &described);
    statements(&server, &described);
    with_records(&described);
    an_idle_gpu(&described);
    for (method, path, operation) in described.operations() {
        let json = operation["responses"]["200"]["content"]["application/json"].is_object();
        let key = (method.to_owned(), path.to_owned(), 200);
        let compared = described.seen.borrow().contains(&key);
        assert!(compared || !json, "{method} {path} is not compared");
    }
}

fn every_page(server: &Server, described: &Described) {
    let path = "/api/v1/pages/{page}";
    let parameters = described.operation("get", path)["parameters"].as_array().unwrap();
    let names = parameters.iter().find(|one| one["name"] == "page").unwrap();
    for name in names["schema"]["enum"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        described.ask(server, path, &[("page", name), ("since", "15m")], 200);
        let (web, _) = filled("/{page}", &[("page", name)]);
        described.ask(server, &web, &[], 200);
    }
    let explored = [("page", "explore"), ("query", "up"), ("since", "5m")];
    described.ask(server, path, &explored, 200);
    // One thing of each kind.
    let found = server.get("/api/v1/suggest", &[("limit", "50")]).json();
    let mut kinds = std::collections::BTreeSet::new();
    for one in found.as_array().unwrap() {
        let text = |name: &str| one[name].as_str().unwrap();
        if kinds.insert(text("kind")) {
            let parameters = [("page", text("page")), ("entity", text("id"))];
            described.ask(server, path, &parameters, 200);
        }
    }
    let files = [("path", "app.js")];
    described.ask(server, "/web/{path}", &files, 200);
    described.ask(server, "/web/{path}", &[("path", "nowhere.js")], 404);
    described.ask(server, "/", &[], 200);
    for probe in ["/-/healthy", "/healthz", "/-/ready", "/readyz", "/metrics"] {
        described.ask(server, probe, &[], 200);
    }
}

/// The first event of a live page is a page.
fn a_live_page(server: &Server, described: &Described) {
    let url = server.address("/api/v1/pages/overview/live", &[]);
    let event = http::block_on(async {
        let mut answer = http::client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut text = Vec::new();
        let patience = Duration::from_secs(20);
        while !text.windows(2).any(|two| two == b"\n\n") {
            let piece = tokio::time::timeout(patience, answer.chunk()).await.unwrap();
            text.extend_from_slice(&piece.unwrap().expect("the stream goes on"));
        }
        String::from_utf8(text).unwrap()
    });
    let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let page: Json = serde_json::from_str(&data.concat()).unwrap();
    let written = described.schema("get", "/api/v1/pages/{page}", 200, "application/json");
    schema::check(&described.document, written, &page).unwrap();
    described.schema("get", "/api/v1/pages/{page}/live", 200, "text/event-stream");
}

/// A statement is drafted, closed, listed and read.
fn statements(server: &Server, described: &Described) {
    let cost = server.get("/api/v1/cost", &[("since", "5m"), ("by", "namespace")]).json();
    let lines = cost["lines"].as_array().unwrap();
    let held = lines.iter().filter(|line| !line["amount"].is_null());
    let mut names = held.filter_map(|line| line["keys"][0].as_str());
    let customer = names.find(|name| !name.starts_with('(') && !name.starts_with('_'));
    let customer = customer.unwrap_or_else(|| panic!("nobody holds anything: {cost}")).to_owned();
    let minute = |ago: i64| {
        let at = (now_ms() / 60_000 - ago) * 60;
        jiff::Timestamp::from_second(at).unwrap().to_string()
    };
    let (from, until) = (minute(10), minute(4));
    let period = [
        ("customer", customer.as_str()),
        ("of", "namespace"),
        ("from", from.as_str()),
        ("until", until.as_str()),
    ];
    described.ask(server, "/api/v1/cost/statement/draft", &period, 200);
    let path = "/api/v1/cost/statement/close";
    let url = server.address(path, &period);
    described.check("post", path, 200, &http::post(&url, &[], b""));
    described.check("post", path, 400, &http::post(&url, &[], b""));
    let foreign = [("Origin", "http://evil.example")];
    described.check("post", path, 403, &http::post(&url, &foreign, b""));
    described.ask(server, "/api/v1/cost/statements", &[], 200);
    described.ask(server, "/api/v1/cost/statement", &period[..2], 200);
}

/// Requests, their sums, SQL, feedback, and what is pushed.
fn with_records(described: &Described) {
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

/// A GPU that a pod holds and does not use: there is something to advise.
fn an_idle_gpu(described: &Described) {
    let house = House::new("");
    let server = house.start();
    let end = 1_000 * (now_ms() / 60_000 * 60);
    let row = |name: &str, value: f64| {
        let labels = [
            ("Hostname", "n"),
            ("UUID", "GPU-a"),
            ("__name__", name),
            ("gpu", "0"),
            ("modelName", "NVIDIA H100 80GB HBM3"),
            ("namespace", "research"),
            ("pod", "notebook"),
        ];
        let labels = labels.map(|(name, value)| (name, value.to_owned())).to_vec();
        let samples = (0..=60).map(|at| (end - (60 - at) * 15_000, value)).collect();
        Row { labels, samples }
    };
    let rows = [
        row("DCGM_FI_DEV_GPU_UTIL", 0.0),
        row("DCGM_FI_DEV_FB_USED", 61_234.0),
        row("DCGM_FI_DEV_POWER_USAGE", 70.0),
    ];
    assert_eq!(server.write(&body(&rows)).status, 204);
    let path = "/api/v1/cost/advice";
    described.ask(&server, path, &[("since", "10m")], 200);
    let told = server.get(path, &[("since", "10m")]).json();
    assert_ne!(told["advice"].as_array().unwrap().len(), 0, "{told}");
}

#[test]
fn without_ledger_and_records_the_refusals_are_as_described() {
    let house = House::new("[records]\nenabled = false\n[cost]\nenabled = false\n");
    let server = house.start();
    let described = Described::by(&server);
    let nobody = [("customer", "nobody")];
    for (path, parameters) in [
        ("/api/v1/requests", &[][..]),
        ("/api/v1/requests/sums", &[]),
        ("/api/v1/sql", &[("query", "SELECT 1")]),
        ("/api/v1/cost", &[]),
        ("/api/v1/cost/statement", &nobody),
        ("/allocation", &[]),
    ] {
        described.ask(&server, path, parameters, 404);
    }
    for path in ["/v1/traces", "/v1/logs", "/v1/feedback"] {
        let json = [("Content-Type", "application/json")];
        let answer = http::post(&server.address(path, &[]), &json, b"{}");
        described.check("post", path, 404, &answer);
    }
}

/// A server that asks another engine, and one whose engine is not there.
#[test]
fn without_a_store_the_answers_are_as_described() {
    let engine = House::new("").start();
    let house = House::with_config("");
    let server = Server::spawn(&mut serve(&house, &["--metrics", &engine.url]));
    let described = Described::by(&server);
    for path in ["/api/v1/strata/status", "/api/v1/status/tsdb", "/api/v1/strata/sources"] {
        described.ask(&server, path, &[], 200);
    }
    described.ask(&server, "/api/v1/pages/{page}", &[("page", "overview")], 200);
    described.ask(&server, "/api/v1/query", &[("query", "vector(1)")], 200);
    described.ask(&server, "/api/v1/cost/statements", &[], 400);
    let row = Row::new("desk", ("number", "1"), [(now_ms(), 1.0)]);
    let path = "/api/v1/write";
    let written = http::post(&server.address(path, &[]), &HEADERS, &body(&[row]));
    described.check("post", path, 404, &written);
    engine.kill();
    let gone = http::eventually("the engine is missed", || {
        let answer = server.get("/readyz", &[]);
        drop(server.get("/api/v1/query", &[("query", "vector(2)")]));
        if answer.status == 503 { Ok(answer) } else { Err(answer.text()) }
    });
    described.check("get", "/readyz", 503, &gone);
    described.ask(&server, "/api/v1/strata/status", &[], 200);
    let refused = server.get("/api/v1/query", &[("query", "vector(3)")]);
    described.check("get", "/api/v1/query", refused.status, &refused);
}

/// Answers of a real Prometheus, native histograms among them.
#[test]
fn what_prometheus_answers_is_as_described() {
    let server = House::new("").start();
    let described = Described::by(&server);
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../strata-serve/tests/golden");
    for (path, names) in [
        (
            "/api/v1/query",
            &["scalar", "string", "vector_empty", "vector_histogram", "vector_labels"][..],
        ),
        ("/api/v1/query_range", &["matrix_floats", "matrix_histogram", "matrix_thirds"]),
        ("/api/v1/series", &["series"]),
        ("/api/v1/labels", &["labels"]),
        ("/api/v1/label/{name}/values", &["values"]),
    ] {
        let written = described.schema("get", path, 200, "application/json");
        for name in names {
            let text = std::fs::read_to_string(format!("{golden}/{name}.json")).unwrap();
            let value: Json = serde_json::from_str(&text).unwrap();
            if let Err(reason) = schema::check(&described.document, written, &value) {
                panic!("{name}: {reason}");
            }
        }
    }
}

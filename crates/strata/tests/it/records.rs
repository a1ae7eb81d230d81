//! Requests through every door, asked for on every way, as real clients and a real engine sent them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::Value as Json;

use crate::fixture;
use crate::http;
use crate::program::{House, Server, stderr, stdout};

const LONG: &str = "[records]\nretention = \"36500d\"\n";
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const JSON: (&str, &str) = ("Content-Type", "application/json");
/// The hour of the captures.
const RANGE: [(&str, &str); 2] = [("start", "1795343400"), ("end", "1795343999")];

fn push(server: &Server, path: &str, file: &str) {
    let url = format!("{}{path}", server.otlp_http());
    let answer = http::post(&url, &[PROTOBUF], &fixture(&format!("otlp/genai/{file}")));
    assert_eq!(answer.status, 200, "{file}: {}", answer.text());
    assert!(answer.body.is_empty(), "{file}: nothing was refused");
}

fn ask(server: &Server, path: &str, more: &[(&str, &str)]) -> Json {
    let parameters: Vec<_> = RANGE.iter().chain(more).copied().collect();
    let answer = server.get(path, &parameters);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn requests(server: &Server, conditions: &[&str]) -> Vec<Json> {
    let conditions: Vec<_> = conditions.iter().map(|text| ("where", *text)).collect();
    ask(server, "/api/v1/requests", &conditions)["requests"].as_array().unwrap().clone()
}

#[test]
fn client_and_engine_are_one_request_also_after_a_restart() {
    let house = House::new(LONG);
    let server = house.start();
    push(&server, "/v1/traces", "linked-vllm.traces.bin");
    let engine = requests(&server, &["response_id=chatcmpl-8e99bcf366246268"]);
    assert_eq!(engine[0]["doors"], serde_json::json!(["engine"]));
    push(&server, "/v1/traces", "linked-client.traces.bin");
    // A sender that did not get its answer sends again.
    push(&server, "/v1/traces", "linked-client.traces.bin");
    let check = |server: &Server| {
        let found = requests(server, &["response_id=chatcmpl-8e99bcf366246268"]);
        assert_eq!(found.len(), 1, "{found:?}");
        let one = &found[0];
        assert_eq!(one["doors"], serde_json::json!(["client", "engine"]));
        assert_eq!((&one["team"], &one["tenant"]), (&"search".into(), &"t1".into()));
        assert_eq!(one["count_source"], "usage");
        assert!(one["queue_us"].as_i64().unwrap() > 0 && one["ttft_us"].is_i64(), "{one}");
        assert_eq!(requests(server, &["team=search", "duration>=1h"]), Vec::<Json>::new());
    };
    check(&server);
    server.kill();
    let server = house.start();
    check(&server);
    let kept = ask(&server, "/api/v1/sql", &[("query", "SELECT * FROM request, span")]);
    for content in ["terse", "count to ten", "Valid aliases"] {
        assert!(!kept.to_string().contains(content), "{content:?} was stored");
    }
}

#[test]
fn grpc_stores_the_same_and_sums_agree_with_the_list() {
    let house = House::new(LONG);
    let server = house.start();
    let body = fixture("otlp/genai/openai-v2-new.traces.bin");
    let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    let address = server.otlp_grpc();
    http::block_on(async {
        let mut client = TraceServiceClient::connect(address).await.unwrap();
        let answer = client.export(request).await.unwrap().into_inner();
        assert_eq!(answer.partial_success, None);
    });
    push(&server, "/v1/logs", "openai-v2-old.logs.bin");
    let list = requests(&server, &["outcome=ok"]);
    assert_eq!(list.len(), 2);
    let sums = ask(&server, "/api/v1/requests/sums", &[("by", "team,model")]);
    let sums = sums["sums"].as_array().unwrap().clone();
    let tiny = sums.iter().find(|row| row["keys"]["model"] == "tiny-llama").unwrap();
    assert_eq!(tiny["keys"]["team"], "search");
    assert_eq!(tiny["outcomes"]["ok"], 2);
    assert_eq!(tiny["tokens"]["fresh_input"]["sum"], 31 + 16);
    assert_eq!(tiny["tokens"]["output_text"]["sum"], 12 + 24);
    assert_eq!(tiny["tokens"].get("cache_read"), None);
    let row = server.source("receive/otlp-traces").unwrap();
    assert_eq!(row["state"], "ok", "{row}");
    assert!(server.own("strata_receive_content_dropped_total").unwrap() > 0.0);
}

#[test]
fn feedback_finds_its_request_and_comments_are_not_kept() {
    let house = House::new(LONG);
    let server = house.start();
    let url = format!("{}/v1/feedback", server.url);
    let body = br#"{"target":{"response_id":"chatcmpl-8e99bcf366246268"},"value":true,
        "comment":"my name is Ada","idempotency_key":"k1"}"#;
    let first = http::post(&url, &[JSON], body);
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.json()["replaced"], false);
    assert_eq!(http::post(&url, &[JSON], body).json()["replaced"], true);
    push(&server, "/v1/traces", "linked-client.traces.bin");
    let now = [("query", "SELECT request, model, team, value, comment FROM feedback")];
    let answer = server.get("/api/v1/sql", &now).json();
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][0].as_str().map(|uid| uid.starts_with("20261122-")), Some(true), "{answer}");
    assert_eq!(
        rows[0].as_array().unwrap()[1..],
        ["tiny-llama".into(), "search".into(), 1.0.into(), Json::Null]
    );
    assert_eq!(http::post(&url, &[JSON], br#"{"target":{}}"#).status, 400);
    let foreign = [JSON, ("Origin", "http://evil.example")];
    assert_eq!(http::post(&url, &foreign, body).status, 403);
}

#[test]
fn feedback_of_other_programs_finds_the_same_request() {
    let house = House::new(LONG);
    let server = house.start();
    push(&server, "/v1/traces", "linked-client.traces.bin");
    let one = &requests(&server, &["response_id=chatcmpl-8e99bcf366246268"])[0];
    let id = |name: &str| one[name].as_str().unwrap().to_owned();
    let (uid, trace, span) = (id("uid"), id("trace_id"), id("span_id"));
    for (path, body, answered) in [
        (
            "/feedback",
            format!(
                r#"{{"metric_name":"good","inference_id":"{}","value":true}}"#,
                id("response_id")
            ),
            "feedback_id",
        ),
        (
            "/api/public/scores",
            format!(r#"{{"name":"good","traceId":"{trace}","observationId":"{span}","value":1}}"#),
            "id",
        ),
        (
            "/v1/span_annotations",
            format!(r#"{{"data":[{{"span_id":"{span}","name":"good","result":{{"score":1}}}}]}}"#),
            "data",
        ),
        ("/v1/feedback", format!(r#"{{"trace_id":"{trace}","value":1}}"#), "feedback_ids"),
    ] {
        let answer = http::post(&format!("{}{path}", server.url), &[JSON], body.as_bytes());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.json().get(answered).is_some(), "{path}: {}", answer.text());
    }
    let dry = br#"{"metric_name":"good","inference_id":"x","value":true,"dryrun":true}"#;
    assert_eq!(http::post(&format!("{}/feedback", server.url), &[JSON], dry).status, 200);
    let asked = [("query", "SELECT request, value FROM feedback")];
    let answer = server.get("/api/v1/sql", &asked).json();
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "{answer}");
    assert!(rows.iter().all(|row| row[0] == uid.as_str() && row[1] == 1.0), "{answer}");
}

#[test]
fn the_commands_print_what_the_server_has() {
    let house = House::new(LONG);
    let server = house.start();
    push(&server, "/v1/traces", "linked-client.traces.bin");
    push(&server, "/v1/traces", "linked-vllm.traces.bin");
    let url = server.url.as_str();
    let since = ["--since", "36000d", "--url", url];
    let run = |arguments: &[&str]| {
        let all: Vec<_> = arguments.iter().chain(&since).copied().collect();
        let output = house.run(&all);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    };
    let list = run(&["requests", "--team", "search", "--where", "tenant=t1"]);
    assert!(list.contains("client+engine") && list.lines().count() == 2, "{list}");
    let sums = run(&["requests", "--by", "model"]);
    assert!(sums.contains("tiny-llama"), "{sums}");
    let json = run(&["requests", "--json", "--order", "newest", "--limit", "1"]);
    let json: Json = serde_json::from_str(&json).unwrap();
    assert_eq!(json["requests"].as_array().unwrap().len(), 1);
    let both = ["requests", "--json", "--where", "response_id=chatcmpl-8e99bcf366246268"];
    let both: Json = serde_json::from_str(&run(&both)).unwrap();
    let id = both["requests"][0]["uid"].as_str().unwrap().to_owned();
    let parts = run(&["requests", "parts", "--where", "team=search"]);
    for part in ["queue", "prefill", "decode", &id] {
        assert!(parts.contains(part), "{part} in {parts}");
    }
    let show =
        |more: &[&str]| house.run(&[&["requests", "show", &id, "--url", url][..], more].concat());
    let text = stdout(&show(&["--width", "120"]));
    for part in ["Where the time went", "prefill", "client", "engine", &id, "search"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let one: Json = serde_json::from_str(&stdout(&show(&["--json"]))).unwrap();
    assert_eq!(one["sightings"].as_array().unwrap().len(), 2, "{one}");
    assert_eq!(one["neighbors"], 0);
    let sum: i64 =
        one["parts"].as_array().unwrap().iter().map(|p| p["took_us"].as_i64().unwrap()).sum();
    let took = one["request"]["duration_us"].as_i64().unwrap();
    assert!((sum - took).abs() < 2_000, "{sum} of {took}: {one}");
    let nobody = house.run(&["requests", "show", "20200101-1", "--url", url]);
    assert!(!nobody.status.success() && stderr(&nobody).contains("no request"));
    let table = run(&["sql", "SELECT count(*) AS n FROM request WHERE team = 'search'"]);
    assert_eq!(table.split_whitespace().next(), Some("n"), "{table}");
    let bad = house.run(&["sql", "DROP TABLE request", "--url", url, "--since", "36000d"]);
    assert!(!bad.status.success());
    assert!(stderr(&bad).contains("not authorized"), "{}", stderr(&bad));
}

/// The page of a question in SQL over the hour of the captures: its box, and the table if any.
fn explore(server: &Server, query: &str) -> (Json, Option<Json>) {
    let hour = [("start", "1795343400000"), ("end", "1795343999000")];
    let parameters: Vec<_> = hour.into_iter().chain([("lang", "sql"), ("query", query)]).collect();
    let answer = server.get("/api/v1/pages/explore", &parameters);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = answer.json();
    assert_eq!(page["request"]["lang"], "sql");
    let blocks = &page["sections"][0]["blocks"];
    (blocks[0].clone(), blocks.get(1).cloned())
}

#[test]
fn the_explore_page_answers_sql() {
    let house = House::new(LONG);
    let server = house.start();
    push(&server, "/v1/traces", "linked-vllm.traces.bin");
    push(&server, "/v1/traces", "linked-client.traces.bin");
    let (_, table) = explore(&server, "SELECT team, count(*) AS n FROM request GROUP BY team");
    let table = table.unwrap();
    assert_eq!(table["columns"][1]["numeric"], true);
    let rows = table["rows"].as_array().unwrap();
    let searching = rows.iter().find(|row| row["cells"][0]["text"] == "search").unwrap();
    let expected = requests(&server, &["team=search"]).len().to_string();
    assert_eq!(searching["cells"][1]["text"], expected.as_str(), "{table}");
    let (wrong, table) = explore(&server, "SELECT tem FROM request");
    assert_eq!(table, None);
    assert!(wrong["notices"][0]["text"].as_str().unwrap().contains("no such column: tem"));
    let (denied, _) = explore(&server, "DROP TABLE d0.request");
    assert!(denied["notices"][0]["text"].as_str().unwrap().contains("not authorized"), "{denied}");
    let (empty, _) = explore(&server, "");
    assert_eq!(empty["notices"], serde_json::json!([]));
    assert!(empty["bounds"].as_str().unwrap().contains("10 s"), "{empty}");
    for (title, query) in empty["examples"].as_array().unwrap().iter().map(|one| (&one[0], &one[1]))
    {
        let (told, table) = explore(&server, query.as_str().unwrap());
        assert!(table.is_some(), "{title}: {}", told["notices"]);
    }
    let text = ["top", "--once", "--page", "explore", "--lang", "sql", "--since", "36000d"];
    let query = ["--query", "SELECT team FROM request WHERE team = 'search'", "--url", &server.url];
    let output = house.run(&[&text[..], &query].concat());
    assert!(!output.status.success(), "a page has no more than 400 days");
    let shorter = ["top", "--once", "--page", "explore", "--lang", "sql"];
    let output = house.run(&[&shorter[..], &query].concat());
    let text = stdout(&output);
    assert!(text.contains("[SQL]") && text.contains("no records of this time"), "{text}");
}

#[test]
fn without_records_their_doors_are_closed() {
    let house = House::new("[records]\nenabled = false\n");
    let server = house.start();
    let body = fixture("otlp/genai/linked-client.traces.bin");
    let url = format!("{}/v1/traces", server.otlp_http());
    assert_eq!(http::post(&url, &[PROTOBUF], &body).status, 404);
    assert_eq!(server.get("/api/v1/requests", &[]).status, 404);
    let (told, _) = explore(&server, "SELECT 1");
    let why = told["notices"][0]["text"].as_str().unwrap().to_owned();
    assert!(why.contains("switched off; set enabled = true"), "{why}");
    assert!(!house.data.join("records").exists());
}

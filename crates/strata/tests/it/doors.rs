//! One call through three doors: the proxy that passed it, vLLM's own span, the client's span. Where no
//! id is shared they meet by `traceparent` alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value as Json, json};

use crate::fixture;
use crate::http::{self, eventually};
use crate::program::{House, Server};

const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const JSON: (&str, &str) = ("Content-Type", "application/json");
/// The span of the client, which is above both.
const CLIENT: [u8; 8] = [0xc1; 8];

/// An engine whose answers have no id, as those of a server that makes its own have another.
fn engine() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reading = BufReader::new(stream.try_clone().unwrap());
            let (mut length, mut line) = (0, String::new());
            while reading.read_line(&mut line).unwrap() > 2 {
                if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                line.clear();
            }
            reading.read_exact(&mut vec![0; length]).unwrap();
            let message = json!({ "role": "assistant", "content": "yes" });
            let body = json!({ "model": "m",
                "choices": [{ "index": 0, "finish_reason": "stop", "message": message }] })
            .to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let length = format!("\r\nContent-Length: {}\r\n\r\n", body.len());
            drop(stream.write_all(format!("{head}{length}{body}").as_bytes()));
        }
    });
    address
}

fn trace(number: u8) -> [u8; 16] {
    [number; 16]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Call through the proxy below a span of the client: what was recorded.
fn call(server: &Server, number: u8) -> Json {
    let proxy = server.greeting["proxy"].as_str().unwrap();
    let url = format!("http://{proxy}/v1/chat/completions");
    let above = format!("00-{}-{}-01", hex(&trace(number)), hex(&CLIENT));
    let body = br#"{"model":"m","messages":[{"role":"user","content":"is it?"}]}"#;
    assert_eq!(
        http::post(&url, &[JSON, ("traceparent", &above), ("X-Team", "of-header")], body).status,
        200
    );
    eventually("the call is recorded", || {
        let found = requests(server, number);
        found.first().cloned().ok_or_else(|| "not yet".to_owned())
    })
}

fn requests(server: &Server, number: u8) -> Vec<Json> {
    let filter = format!("trace_id={}", hex(&trace(number)));
    let found = server.get("/api/v1/requests", &[("where", &filter)]).json();
    found["requests"].as_array().unwrap().clone()
}

/// The last span of a capture for which `wanted` holds, with all that is around it, changed.
fn captured(file: &str, wanted: &dyn Fn(&Span) -> bool, change: &dyn Fn(&mut Span)) -> Vec<u8> {
    let bytes = fixture(&format!("otlp/genai/{file}"));
    let mut all = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
    let mut kept = 0;
    for scope in all.resource_spans.iter_mut().flat_map(|one| &mut one.scope_spans) {
        scope.spans.retain(wanted);
        scope.spans.truncate(1 - kept);
        kept += scope.spans.len();
        scope.spans.iter_mut().for_each(change);
    }
    assert_eq!(kept, 1, "{file}");
    all.encode_to_vec()
}

fn push(server: &Server, body: &[u8]) {
    let url = format!("{}/v1/traces", server.otlp_http());
    let answer = http::post(&url, &[PROTOBUF], body);
    assert_eq!((answer.status, answer.body.is_empty()), (200, true), "{}", answer.text());
}

fn has(span: &Span, begin: &str) -> bool {
    span.attributes.iter().any(|one| one.key.starts_with(begin))
}

/// Within the time of a call.
fn within(span: &mut Span, of: &Json) {
    let at = |field: &str| of[field].as_u64().unwrap() * 1_000;
    (span.start_time_unix_nano, span.end_time_unix_nano) = (at("start_us"), at("end_us"));
}

/// What vLLM told of a call below the same span.
fn vllm(of: &Json, number: u8) -> Vec<u8> {
    captured("linked-vllm.traces.bin", &|span| has(span, "gen_ai.latency."), &|span| {
        within(span, of);
        span.trace_id = trace(number).to_vec();
        span.parent_span_id = CLIENT.to_vec();
    })
}

fn house() -> House {
    House::new(&format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\nteam_header = \"X-Team\"\n[[proxy.upstreams]]\nname = \"a\"\nurl = \"http://{}\"\n",
        engine()
    ))
}

#[test]
fn the_proxy_and_vllm_meet_by_traceparent_alone() {
    let house = house();
    let server = house.start();
    let seen = call(&server, 1);
    assert_eq!((&seen["doors"], &seen["response_id"]), (&json!(["proxy"]), &Json::Null));
    push(&server, &vllm(&seen, 1));
    let found = requests(&server, 1);
    assert_eq!(found.len(), 1, "{found:?}");
    let one = &found[0];
    assert_eq!(one["doors"], json!(["proxy", "engine"]));
    assert_eq!((&one["outcome"], &one["team"]), (&seen["outcome"], &json!("of-header")));
    assert!(one["queue_us"].as_i64().unwrap() > 0 && one["prefill_us"].is_i64(), "{one}");
    assert!(one["response_id"].as_str().unwrap().starts_with("chatcmpl-"), "vLLM knows it: {one}");
    // Another call of the same trace, of which no engine tells, stays alone.
    call(&server, 1);
    eventually("both are there", || match requests(&server, 1).len() {
        2 => Ok(()),
        other => Err(other.to_string()),
    });
    let doors: Vec<Json> = requests(&server, 1).iter().map(|one| one["doors"].clone()).collect();
    assert!(doors.contains(&json!(["proxy"])) && doors.contains(&json!(["proxy", "engine"])));
}

#[test]
fn the_client_joins_them_whenever_it_tells() {
    let house = house();
    let server = house.start();
    let seen = call(&server, 2);
    let client =
        captured("linked-client.traces.bin", &|span| has(span, "gen_ai.operation.name"), &|span| {
            within(span, &seen);
            span.trace_id = trace(2).to_vec();
            span.span_id = CLIENT.to_vec();
            // That of another call, as no program says it here.
            span.attributes.retain(|one| one.key != "gen_ai.response.id");
        });
    push(&server, &vllm(&seen, 2));
    push(&server, &client);
    let found = requests(&server, 2);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["doors"], json!(["proxy", "client", "engine"]));
    assert_eq!(found[0]["team"], "of-header");
}

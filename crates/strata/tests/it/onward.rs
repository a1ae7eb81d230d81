//! What one program tells another: spans and events that came in, calls of the proxy, feedback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};

use serde_json::{Value as Json, json};

use crate::fixture;
use crate::http::{self, eventually};
use crate::program::{House, Server};
use crate::wire;

const LONG: &str = "[records]\nretention = \"36500d\"\n";
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

/// An engine that says the same to everybody.
fn engine() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reading = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            let mut line = String::new();
            while reading.read_line(&mut line).unwrap() > 2 {
                let lower = line.to_lowercase();
                if let Some(text) = lower.strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                line.clear();
            }
            reading.read_exact(&mut vec![0; length]).unwrap();
            let body = json!({
                "id": "chatcmpl-onward", "object": "chat.completion", "model": "llama",
                "choices": [{ "index": 0, "finish_reason": "stop",
                    "message": { "role": "assistant", "content": "no secret" } }],
                "usage": { "prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14 },
            })
            .to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n",
                body.len()
            );
            let mut stream = stream;
            drop(stream.write_all(format!("{head}{body}").as_bytes()));
        }
    });
    address
}

fn rows(server: &Server, query: &str, day: (&str, &str)) -> Vec<Json> {
    let range = [("start", day.0), ("end", day.1), ("query", query)];
    let answer = server.get("/api/v1/sql", &range);
    // Before the first record there is no table.
    if answer.status == 400 && answer.text().contains("there are no records of this time") {
        return Vec::new();
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["rows"].as_array().unwrap().clone()
}

/// Wait for a row that this program did not get at its own door.
fn told(server: &Server, query: &str, day: (&str, &str)) -> Json {
    eventually(query, || rows(server, query, day).pop().ok_or_else(|| "no row".to_owned()))
}

#[test]
fn what_comes_in_here_is_told_there_without_its_content() {
    let there = House::new(LONG);
    let far = there.start();
    let upstream = engine();
    let here = House::new(&format!(
        "{LONG}[forward]\nendpoint = \"{}\"\n[proxy]\nlisten = \"127.0.0.1:0\"\n\
         [[proxy.upstreams]]\nname = \"a\"\nurl = \"http://{upstream}\"\n",
        far.otlp_http()
    ));
    let near = here.start();
    let tried = here.run(&["check", "--config", here.config.to_str().unwrap(), "--json"]);
    let tried: Json = serde_json::from_str(&crate::program::stdout(&tried)).unwrap();
    let text = tried.to_string();
    assert_eq!(text.matches("takes OTLP").count(), 2, "{text}");
    // Spans of a client, whose prompts stay here.
    let url = format!("{}/v1/traces", near.otlp_http());
    let file = fixture("otlp/genai/linked-client.traces.bin");
    assert_eq!(http::post(&url, &[PROTOBUF], &file).status, 200);
    let captured = ("1795343400", "1795343999");
    let query = "SELECT response_id, team, fresh_input, duration_us FROM request ORDER BY 1, 4";
    let own = eventually("they are recorded here", || {
        let own = rows(&near, query, captured);
        if own.is_empty() { Err("none".to_owned()) } else { Ok(own) }
    });
    eventually("the far one has the same requests", || {
        let far = rows(&far, query, captured);
        if far == own { Ok(()) } else { Err(format!("{far:?} and {own:?}")) }
    });
    let all = rows(&far, "SELECT * FROM span", captured);
    assert!(!all.is_empty() && !json!(all).to_string().contains("count to ten"), "{all:?}");
    // A call through the proxy, and what somebody thought of it.
    let proxy = near.greeting["proxy"].as_str().unwrap();
    let url = format!("http://{proxy}/v1/chat/completions");
    let call = br#"{"model":"llama","messages":[{"role":"user","content":"a secret"}]}"#;
    assert_eq!(http::post(&url, &JSON, call).status, 200);
    let judged = br#"{"target":{"response_id":"chatcmpl-onward"},"name":"copy"}"#;
    let url = near.address("/v1/feedback", &[]);
    assert_eq!(http::post(&url, &JSON, judged).status, 200);
    let now = crate::program::now_ms() / 1_000;
    let (start, end) = ((now - 600).to_string(), (now + 600).to_string());
    let today = (start.as_str(), end.as_str());
    let query = "SELECT fresh_input, output_text, finish_reason FROM request \
                 WHERE response_id = 'chatcmpl-onward'";
    assert_eq!(told(&far, query, today), json!([11, 3, "stop"]));
    let filter = [("where", "response_id=chatcmpl-onward")];
    let calls = far.get("/api/v1/requests", &filter).json();
    assert_eq!(calls["requests"][0]["doors"], json!(["proxy"]), "{calls}");
    let query = "SELECT name, value, source, request IS NOT NULL FROM feedback";
    let feedback = told(&far, query, today);
    assert_eq!(feedback, json!(["copied", 1.0, "implicit", 1]));
    // It is counted, and its row says that all is well.
    let sent = eventually("two spans are sent", || {
        let sent = near.own("strata_forward_items_total{signal=\"traces\"}").unwrap_or_default();
        if sent >= 2.0 { Ok(sent) } else { Err(sent.to_string()) }
    });
    assert!(sent >= 2.0);
    assert_eq!(near.source("strata/forward").unwrap()["state"], "ok");
}

/// Samples that a query finds now.
fn count(server: &Server, query: &str) -> usize {
    let answer = server.get("/api/v1/query", &[("query", query)]).json();
    answer["data"]["result"].as_array().map_or(0, Vec::len)
}

#[test]
fn samples_are_told_onward_by_remote_write() {
    let there = House::new("");
    let far = there.start();
    let here = House::new(&format!("[forward]\nremote_write = \"{}/api/v1/write\"\n", far.url));
    let near = here.start();
    let tried = here.run(&["check", "--config", here.config.to_str().unwrap()]);
    let tried = crate::program::stdout(&tried);
    assert!(tried.contains("takes remote write"), "{tried}");
    // What a sender told.
    let now = crate::program::now_ms();
    let row = wire::Row::new("told", ("by", "sender"), [(now - 1_000, 1.0), (now, 2.0)]);
    let url = near.address("/api/v1/write", &[]);
    let answer = http::post(&url, &wire::HEADERS, &wire::body(&[row]));
    assert_eq!(answer.status, 204, "{}", answer.text());
    eventually("it is there", || match count(&far, "told{by=\"sender\"} == 2") {
        1 => Ok(()),
        other => Err(other.to_string()),
    });
    // What the collectors here saw.
    eventually("the program's own series are there", || {
        // The far one tells nobody, so it has none of its own.
        let own = count(&far, "strata_forward_items_total{signal=\"metrics\"}");
        if own > 0 { Ok(()) } else { Err("none".to_owned()) }
    });
    let sent = near.own("strata_forward_items_total{signal=\"metrics\"}").unwrap_or_default();
    assert!(sent >= 2.0, "{sent}");
    for reason in ["refused", "gave_up", "queue_full"] {
        let dropped =
            format!("strata_forward_dropped_total{{reason=\"{reason}\",signal=\"metrics\"}}");
        assert_eq!(near.own(&dropped), Some(0.0), "{reason}");
    }
    assert_eq!(near.source("strata/forward").unwrap()["state"], "ok");
}

#[test]
fn a_receiver_that_is_away_holds_up_nothing_and_is_told_of() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let here = House::new(&format!(
        "{LONG}[forward]\ntraces_endpoint = \"http://{unused}/v1/traces\"\n\
         headers_env = {{ x-key = \"STRATA_TEST_KEY\" }}\n"
    ));
    let mut command = here.command();
    let near = Server::spawn(command.arg("--json").env("STRATA_TEST_KEY", "hunter2"));
    let url = format!("{}/v1/traces", near.otlp_http());
    let file = fixture("otlp/genai/linked-client.traces.bin");
    for _ in 0..3 {
        assert_eq!(http::post(&url, &[PROTOBUF], &file).status, 200);
    }
    let failed = "strata_forward_requests_total{outcome=\"failed\"";
    eventually("it is tried", || {
        near.own(failed).filter(|tries| *tries > 0.0).ok_or_else(|| "not yet".to_owned())
    });
    let (status, log) = near.stop();
    assert!(status.success(), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

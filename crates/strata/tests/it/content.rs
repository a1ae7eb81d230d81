//! Captured content from the proxy to lines to train on: through the real program and a scripted engine.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use crate::http::{self, eventually};
use crate::program::{House, Server, stderr, stdout};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];
const SSE: &str = "text/event-stream";
const CHAT: &str = include_str!("../../../strata-proxy/tests/fixtures/chat-reasoning-tools.sse");
const CUT: &str = include_str!("../../../strata-proxy/tests/fixtures/vllm-0.32.0-chat.json");
const SECRET: &str = "jane.doe@mail.example.org";

/// Content type and body of an answer; a body that ends with `CUT` breaks off there.
type Answer = (&'static str, String);

/// An engine that answers one after the other.
fn engine(answers: Vec<Answer>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
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
            let (kind, body) = answers.lock().unwrap().pop_front().unwrap();
            let more = if body.ends_with("BREAK") { 100 } else { 0 };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n",
                body.len() + more
            );
            drop(stream.write_all(format!("{head}{body}").as_bytes()));
        }
    });
    address
}

/// A streamed answer in these pieces.
fn streamed(id: &str, pieces: &[&str]) -> Answer {
    let event = |delta: Json, finish: Json| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        format!("data: {}\n\n", json!({ "id": id, "model": "m", "choices": [choice] }))
    };
    let said = pieces.iter().map(|piece| event(json!({ "content": piece }), Json::Null));
    let said: String = said.collect();
    let role = event(json!({ "role": "assistant", "content": "" }), Json::Null);
    let last = event(json!({}), json!("stop"));
    (SSE, format!("{role}{said}{last}data: [DONE]\n\n"))
}

fn house(engine: SocketAddr, capture: &str) -> House {
    House::new(&format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\ntenant_header = \"x-tenant\"\n\
         [[proxy.upstreams]]\nname = \"a\"\nurl = \"http://{engine}\"\n\
         [[proxy.routes]]\nname = \"chat\"\npath = \"/\"\n{capture}\n"
    ))
}

fn ask(server: &Server, body: &Json) -> u16 {
    let proxy = server.greeting["proxy"].as_str().unwrap();
    let url = format!("http://{proxy}/v1/chat/completions");
    http::post(&url, &JSON, body.to_string().as_bytes()).status
}

/// Ask, and take whatever comes until the connection ends.
fn ask_and_be_left(server: &Server, body: &Json) {
    let proxy = server.greeting["proxy"].as_str().unwrap();
    let mut stream = TcpStream::connect(proxy).unwrap();
    let body = body.to_string();
    let head =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut got = Vec::new();
    // The end of it may be a reset.
    #[expect(clippy::disallowed_methods, reason = "bounded by take")]
    drop(stream.take(1 << 16).read_to_end(&mut got));
    assert!(got.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&got));
}

fn prompt(text: &str) -> Json {
    json!({ "model": "m", "stream": true, "user": "u-77", "messages": [{ "role": "user", "content": text }] })
}

fn judge(server: &Server, response: &str, label: &str) {
    let judged =
        json!({ "target": { "response_id": response }, "name": "user_feedback", "label": label });
    let url = server.address("/v1/feedback", &[]);
    let answer = http::post(&url, &JSON, judged.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn stored(server: &Server, count: f64) {
    eventually("the calls are kept", || {
        let kept = server.own("strata_content_stored_total{route=\"chat\"}").unwrap_or_default();
        if kept >= count { Ok(()) } else { Err(kept.to_string()) }
    });
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn command(house: &House, words: &[&str]) -> (Vec<Json>, String) {
    let mut all = words.to_vec();
    all.extend(["--data-dir", house.data.to_str().unwrap()]);
    let output = house.run(&all);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = stdout(&output);
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, stderr(&output))
}

#[test]
fn without_capture_not_a_word_is_on_disk() {
    let house = house(engine(vec![streamed("c1", &["the answer is hunter2"])]), "");
    let server = house.start();
    assert_eq!(ask(&server, &prompt("what is jabberwocky?")), 200);
    eventually("the call is recorded", || {
        let calls = server.get("/api/v1/requests", &[]).json();
        if calls["requests"][0]["response_id"] == "c1" { Ok(()) } else { Err(calls.to_string()) }
    });
    assert!(server.source("strata/content").is_none(), "nothing is told of");
    let (status, _) = server.stop();
    assert!(status.success());
    assert!(!house.data.join("content").exists());
    for path in files(&house.data) {
        let bytes = std::fs::read(&path).unwrap();
        for word in ["hunter2", "jabberwocky"] {
            let there = bytes.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!there, "{word} is in {}", path.display());
        }
    }
    let (lines, said) = command(&house, &["export", "sft"]);
    assert!(lines.is_empty() && said.contains("0 conversations from 0 captured calls"), "{said}");
}

fn answers() -> Vec<Answer> {
    vec![
        (
            SSE,
            "data: {\"id\":\"gone\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\nBREAK"
                .to_owned(),
        ),
        streamed("long", &["short"]),
        streamed("a", &["Sure, ja", "ne.doe@mail.exam", "ple.org it is"]),
        streamed("b", &["No idea"]),
        (SSE, CHAT.to_owned()),
        ("application/json", CUT.to_owned()),
    ]
}

/// Make the calls that [`answers`] are for; the tool that one of them names.
fn call_all(server: &Server) -> Json {
    ask_and_be_left(server, &prompt("this one breaks off"));
    assert_eq!(ask(server, &prompt(&"long ".repeat(2000))), 200);
    let mail = format!("Mail {SECRET} about TCK-12");
    assert_eq!(ask(server, &prompt(&mail)), 200);
    assert_eq!(ask(server, &prompt(&mail)), 200);
    let tool = json!({ "type": "function", "function": { "name": "look", "parameters": {} } });
    let mut with_tools = prompt("where?");
    with_tools["tools"] = json!([tool]);
    assert_eq!(ask(server, &with_tools), 200);
    assert_eq!(
        ask(server, &json!({ "model": "m", "messages": [{ "role": "user", "content": "q" }] })),
        200
    );
    stored(server, 4.0);
    tool
}

#[test]
fn judged_calls_become_lines_to_train_on() {
    let capture = "capture = { call_bytes = \"4KiB\", retention = \"2d\", patterns = [\
                   { name = \"ticket\", regex = 'TCK-\\d+' }] }";
    let house = house(engine(answers()), capture);
    let tried = house.run(&["check", "--config", house.config.to_str().unwrap(), "--offline"]);
    assert!(stdout(&tried).contains("CONTENT IS CAPTURED on route chat"), "{}", stdout(&tried));
    let server = house.start();
    let tool = call_all(&server);
    let (lines, said) = command(&house, &["export", "sft"]);
    assert!(lines.is_empty() && said.contains("4 that nobody judged"), "{said}");
    // Feedback comes later, and finds its call.
    judge(&server, "a", "thumbs_up");
    judge(&server, "b", "thumbs_down");
    judge(&server, "chatcmpl-9", "thumbs_up");
    judge(&server, "chatcmpl-b09fc5ecdb8191bc", "thumbs_up");
    let hint = server.source("strata/content").unwrap()["hint"].as_str().unwrap().to_owned();
    assert!(
        hint.contains("CONTENT IS CAPTURED on route chat: prompts and answers are kept"),
        "{hint}"
    );
    let asked = json!({ "role": "user", "content": "Mail [email] about [ticket]" });
    let good = json!({ "role": "assistant", "content": "Sure, [email] it is" });
    let (lines, said) = command(&house, &["export", "sft"]);
    assert_eq!(lines[0], json!({ "messages": [asked, good] }));
    let called = json!({ "role": "assistant", "content": "Gr\u{fc}\u{df}e \"you\"\n\n",
        "tool_calls": [{ "id": "call_1", "type": "function",
            "function": { "name": "look", "arguments": "{\"at\":\"K\u{f6}ln\"}" } }] });
    let where_ = json!({ "role": "user", "content": "where?" });
    assert_eq!(lines[1], json!({ "messages": [where_, called], "tools": [tool] }));
    assert_eq!(lines.len(), 2);
    for told in [
        "2 conversations from 4 captured calls",
        "1 judged otherwise",
        "1 whose answer was cut off",
        "never kept: 1 calls (incomplete)",
        "never kept: 1 calls (too_long)",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
    let bad = json!({ "role": "assistant", "content": "No idea" });
    let (lines, said) = command(&house, &["export", "dpo"]);
    let expected = json!({ "input": { "messages": [asked] }, "preferred_output": [good],
        "non_preferred_output": [bad] });
    assert_eq!(lines, [expected], "{said}");
    let (lines, _) = command(&house, &["export", "dpo", "--format", "trl"]);
    assert_eq!(lines, [json!({ "prompt": [asked], "chosen": [good], "rejected": [bad] })]);
    let (lines, _) = command(&house, &["export", "sft", "--name", "other"]);
    assert!(lines.is_empty());
    // One is forgotten while the program runs.
    let forgotten = ["content", "forget", "--request", "a", "--json"];
    let output =
        house.run(&[&forgotten[..], &["--data-dir", house.data.to_str().unwrap()]].concat());
    let told: Json = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(told["calls"], 1, "{told}");
    let (lines, _) = command(&house, &["export", "sft"]);
    assert_eq!((lines.len(), &lines[0]["messages"][0]["content"]), (1, &json!("where?")));
    server.stop();
    for path in files(&house.data) {
        let bytes = std::fs::read(&path).unwrap();
        let there = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        assert!(!there, "a secret is in {}", path.display());
    }
}

/// An answer of the responses API.
fn response(id: &str, said: &str) -> Answer {
    let content = json!([{ "type": "output_text", "text": said }]);
    let output = json!([{ "type": "message", "role": "assistant", "content": content }]);
    let whole = json!({ "id": id, "object": "response", "model": "m", "status": "completed", "output": output });
    ("application/json", whole.to_string())
}

#[test]
fn a_conversation_is_followed_by_the_id_of_the_last_response() {
    let answers = vec![
        response("resp_1", "Rome."),
        response("resp_2", "A river."),
        response("resp_9", "So?"),
    ];
    let house = house(engine(answers), "capture = {}");
    let server = house.start();
    let greeted = server.greeting["captured"][0].as_str().unwrap();
    assert!(greeted.starts_with("CONTENT IS CAPTURED on route chat"), "{greeted}");
    let proxy = server.greeting["proxy"].as_str().unwrap();
    let url = format!("http://{proxy}/v1/responses");
    let ask = |input: &str, previous: Option<&str>| {
        let body = json!({ "model": "m", "input": input, "previous_response_id": previous });
        assert_eq!(http::post(&url, &JSON, body.to_string().as_bytes()).status, 200);
    };
    ask("Where is the Tiber?", None);
    ask("What is it?", Some("resp_1"));
    ask("Go on.", Some("resp_of_another_day"));
    stored(&server, 3.0);
    eventually("both are of one conversation", || {
        let asked = server.get("/api/v1/requests", &[("order", "newest")]).json();
        let of = |id: &str| {
            let all = asked["requests"].as_array().unwrap();
            let one = all.iter().find(|one| one["response_id"] == id);
            one.map(|one| one["conversation_id"].clone())
        };
        let found = [of("resp_1"), of("resp_2"), of("resp_9")];
        let expected = [Some(json!("resp_1")), Some(json!("resp_1")), Some(Json::Null)];
        if found == expected { Ok(()) } else { Err(asked.to_string()) }
    });
    let asked = server.get("/api/v1/requests", &[]).json();
    assert_eq!(asked["requests"].as_array().unwrap().len(), 3, "no call is there twice: {asked}");
    judge(&server, "resp_2", "good");
    judge(&server, "resp_9", "good");
    let (lines, said) = command(&house, &["export", "sft"]);
    let message = |role: &str, text: &str| json!({ "role": role, "content": text });
    let whole = json!({ "messages": [message("user", "Where is the Tiber?"),
        message("assistant", "Rome."), message("user", "What is it?"),
        message("assistant", "A river.")] });
    assert_eq!(lines, [whole], "{said}");
    assert!(said.contains("1 whose beginning only their server has"), "{said}");
}

#[test]
fn a_place_that_cannot_be_written_holds_up_nobody_and_is_told() {
    let one = || streamed("a", &["yes"]);
    let house = house(engine(vec![one(), one()]), "capture = {}");
    let route = house.data.join("content/chat");
    std::fs::create_dir_all(route.parent().unwrap()).unwrap();
    std::fs::write(&route, "in the way").unwrap();
    let server = house.start();
    assert_eq!(ask(&server, &prompt("one")), 200);
    eventually("the loss is counted", || {
        let lost = server.own("strata_content_left_out_total{reason=\"disk\",route=\"chat\"}");
        lost.filter(|lost| *lost >= 1.0).ok_or_else(|| "not yet".to_owned())
    });
    let row = server.source("strata/content").unwrap();
    assert_eq!(row["state"], "failing", "{row}");
    std::fs::remove_file(&route).unwrap();
    assert_eq!(ask(&server, &prompt("two")), 200);
    stored(&server, 1.0);
    let status = ["content", "status", "--json", "--data-dir", house.data.to_str().unwrap()];
    let told: Json = serde_json::from_str(&stdout(&house.run(&status))).unwrap();
    assert_eq!(told["routes"][0]["left_out"], json!({ "disk": 1 }), "{told}");
    assert_eq!(told["routes"][0]["calls"], 1);
}

#[test]
fn a_program_of_ones_own_cleans_further_and_what_it_does_not_answer_for_is_not_kept() {
    // Model, prompt, answer, reason of the end: the texts of one call.
    let texts = |texts: Json| ("application/json", json!({ "texts": texts }).to_string());
    let cleaned = texts(json!(["m", "I am [name]", "Hello [name]", "stop"]));
    let redactor = engine(vec![cleaned, texts(json!(["too few"]))]);
    let one = |id| streamed(id, &["Hello Ja", "ne"]);
    let capture = format!("capture = {{ redactor = \"http://{redactor}/\" }}");
    let house = house(engine(vec![one("a"), one("b")]), &capture);
    let server = house.start();
    assert_eq!(ask(&server, &prompt("I am Jane")), 200);
    stored(&server, 1.0);
    assert_eq!(ask(&server, &prompt("I am Jane")), 200);
    eventually("the second is left out", || {
        let lost = server.own("strata_content_left_out_total{reason=\"redactor\",route=\"chat\"}");
        lost.filter(|lost| *lost >= 1.0).ok_or_else(|| "not yet".to_owned())
    });
    judge(&server, "a", "good");
    let (lines, said) = command(&house, &["export", "sft"]);
    let expected = json!({ "messages": [{ "role": "user", "content": "I am [name]" },
        { "role": "assistant", "content": "Hello [name]" }] });
    assert_eq!(lines, [expected], "{said}");
}

#[test]
fn a_capture_that_cannot_be_is_refused_with_its_line() {
    let house = house(
        "127.0.0.1:9".parse().unwrap(),
        "capture = { redact = [\"emial\"], redactor = \"http://example.com/\", retention = \"1m\" }\n\
         [records]\nenabled = false",
    );
    let output = house.run(&["check", "--offline", "--config", house.config.to_str().unwrap()]);
    let said = stderr(&output);
    for told in [
        "proxy.routes[0].capture.redact[0]",
        "is no address on this host",
        "is not between 1h and 10y",
        "needs the records of requests",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
}

//! Reading a captured call takes no more memory than was reckoned before. A test program of its own: the
//! memory of other tests would count.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on ends; sockets live in real time"
)]
#![allow(dead_code, reason = "the stage has more than this program needs")]

#[path = "../it/stage.rs"]
mod stage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use stage::{RealClock, Step, Upstream, options, post, unary};
use strata_proxy::metrics::Registry;
use strata_proxy::{
    BoundProxy, CaptureOptions, Captured, ContentSink, NoCalls, ProxyParts, UsageOption,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const CHAT: &str = "/v1/chat/completions";
/// What the process may grow by beside what is reckoned: pages that an allocator keeps.
const SLACK: u64 = 2 << 20;

struct Taken(mpsc::UnboundedSender<Captured>);

impl ContentSink for Taken {
    fn take(&self, captured: Captured) {
        drop(self.0.send(captured));
    }
}

/// Resident memory of this process and the most that it ever was, bytes.
fn resident() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |field: &str| {
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// A call with this answer, as it was captured.
async fn captured(answer: Vec<u8>) -> Captured {
    let upstream = Upstream::start(vec![Step::Send(answer)]).await;
    let mut options = options(&[&upstream.address], UsageOption::Observe);
    let call_bytes = "4MiB".to_owned();
    options.routes[0].capture = Some(CaptureOptions { call_bytes, ..CaptureOptions::default() });
    let (sender, mut taken) = mpsc::unbounded_channel();
    let parts = ProxyParts {
        clock: Arc::new(RealClock(Instant::now())),
        registry: Arc::<Registry>::default(),
        calls: Arc::new(NoCalls),
        content: Arc::new(Taken(sender)),
    };
    let bound = BoundProxy::bind(options.validate().unwrap().unwrap(), parts).await.unwrap();
    let mut stream = TcpStream::connect(bound.address()).await.unwrap();
    let serving = tokio::spawn(bound.serve(std::future::pending()));
    let asked = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    stream.write_all(&post(CHAT, asked)).await.unwrap();
    tokio::io::copy(&mut stream.take(16 << 20), &mut tokio::io::sink()).await.unwrap();
    let captured = tokio::time::timeout(Duration::from_secs(30), taken.recv()).await;
    serving.abort();
    captured.unwrap().unwrap()
}

/// Read a call: what was reckoned, and what it took.
async fn read(name: &str, answer: Vec<u8>) -> (u64, u64) {
    let opened = captured(answer).await.open().ok().unwrap();
    let weight = opened.weight() as u64;
    // What was the most before counts no more.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, _) = resident();
    let read = opened.read();
    let (_, most) = resident();
    drop(read);
    let took = most.saturating_sub(before);
    assert!(took <= weight + SLACK, "{name}: {took} bytes, {weight} were reckoned");
    (weight, took)
}

#[tokio::test]
async fn no_answer_takes_more_memory_than_was_reckoned() {
    let message = |content: &str| {
        unary("200 OK", &format!("{{\"choices\":[{{\"message\":{{\"content\":{content}}}}}]}}"))
    };
    let (weight, took) =
        read("objects", message(&format!("[{}1]", r#"{"a":1},"#.repeat(250_000)))).await;
    assert!(took > weight / 4, "{took} of {weight}: what is reckoned is no fancy");
    read("lists", message(&format!("[{}1]", "[1],".repeat(400_000)))).await;
    read("names", message(&format!("{{{}\"z\":1}}", names(150_000)))).await;
    read("words", message(&format!("[{}1]", r#""a","#.repeat(400_000)))).await;
    read("prose", message(&format!("\"{}\"", "so, it is. ".repeat(300_000)))).await;
    let event = r#"data: {"choices":[{"index":0,"delta":{"content":" word"}}]}"#;
    let last = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let stream = format!("{}{last}\n\ndata: [DONE]\n\n", format!("{event}\n\n").repeat(50_000));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    let length = format!("Content-Length: {}\r\n\r\n", stream.len());
    read("stream", format!("{head}{length}{stream}").into_bytes()).await;
}

/// Fields of an object, each of another name.
fn names(count: usize) -> String {
    let fields: Vec<String> = (0..count).map(|number| format!("\"{number}\":1,")).collect();
    fields.concat()
}

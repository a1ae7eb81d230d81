//! The scripted upstream: answers that cost next to nothing to make, with the time they were sent at
//! in every event.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;

use crate::bench::figures::tick;

/// What stands before the time in an event.
pub(super) const MARK: &[u8] = b"\"content\":\"t";
/// Digits of the time.
pub(super) const DIGITS: usize = 16;

/// Nanoseconds since this program first asked; upstream and clients share the clock.
pub(super) fn now_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(tick).elapsed().as_nanos() as u64
}

/// Serve at a free port until the program ends; the address.
pub(super) async fn serve() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream));
        }
    });
    Ok(address)
}

/// The id of the next answer: records of equal ids would be joined into one.
fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("chatcmpl-{:016x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The answer in one piece, of a usual length.
fn document() -> Vec<u8> {
    let id = next_id();
    let text = "All happy families are alike. ".repeat(16);
    let body = format!(
        "{{\"id\":\"{id}\",\"object\":\"chat.completion\",\"model\":\"scripted\",\"choices\":[{{\
         \"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"finish_reason\":\
         \"stop\"}}],\"usage\":{{\"prompt_tokens\":200,\"completion_tokens\":112,\"total_tokens\":312}}}}"
    );
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Answer every request of one connection; ends when the client does.
async fn talk(mut stream: TcpStream) {
    // Failing would only be slower.
    drop(stream.set_nodelay(true));
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let Some(request) = request(&mut stream, &mut buffer).await else { return };
        let done = match request {
            Request::Document => stream.write_all(&document()).await,
            Request::Stream { events, gap } => send_events(&mut stream, events, gap).await,
        };
        if done.is_err() {
            return;
        }
    }
}

enum Request {
    Document,
    Stream { events: u64, gap: Duration },
}

/// Read one request and take it out of the buffer; `None` when the client has gone.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let number = |name: &str| -> Option<u64> {
                head.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
            };
            let whole = end + 4 + number("content-length:").unwrap_or(0) as usize;
            if buffer.len() >= whole {
                buffer.drain(..whole);
                let stream = number("x-events:").zip(number("x-gap-ms:"));
                return Some(stream.map_or(Request::Document, |(events, gap)| Request::Stream {
                    events,
                    gap: Duration::from_millis(gap),
                }));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Send this many events, each when its time has come.
async fn send_events(stream: &mut TcpStream, events: u64, gap: Duration) -> std::io::Result<()> {
    let head =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await?;
    let id = next_id();
    let mut ticks = tokio::time::interval(gap);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..events {
        ticks.tick().await;
        let delta = format!("\"content\":\"t{:016}\"", now_ns());
        stream.write_all(&event(&id, &delta, "null")).await?;
    }
    let mut last = event(&id, "", "\"stop\"");
    last.extend_from_slice(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    stream.write_all(&last).await
}

/// One event as one chunk.
fn event(id: &str, delta: &str, reason: &str) -> Vec<u8> {
    let data = format!(
        "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":1795694400,\
         \"model\":\"scripted\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\
         \"finish_reason\":{reason}}}]}}\n\n"
    );
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

//! A body of any length passes in bounded memory. A test program of its own: the memory of other tests
//! would count.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on ends; sockets live in real time"
)]
#![allow(dead_code, reason = "the stage has more than this program needs")]

#[path = "../it/stage.rs"]
mod stage;

use stage::{Proxy, Step, Upstream, options};
use strata_proxy::UsageOption;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CHAT: &str = "/v1/chat/completions";

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_body_passes_both_ways_without_growth() {
    pass(UsageOption::Observe, 256 << 20, 24 << 20).await;
    // A request that is to be changed is held up to 16 MB, and one that is longer goes on unchanged.
    pass(UsageOption::InjectStrip, 128 << 20, 24 << 20).await;
}

/// Bytes that memory may grow by while a body of `size` bytes passes each way.
async fn pass(usage: UsageOption, size: u64, growth: u64) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{{\"model\":\"m\",\"t\":\"",
        size + 20
    );
    let end = Step::Send(b"\"}".to_vec());
    let upstream =
        Upstream::start(vec![Step::Send(head.into_bytes()), Step::Fill(size), end]).await;
    let proxy = Proxy::with(options(&[&upstream.address], usage)).await;
    let mut client = TcpStream::connect(&proxy.address).await.unwrap();
    let length = size + 13;
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: p\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{{\"prompt\":\""
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let before = resident();
    let block = vec![b'y'; 65536];
    let mut most = before;
    for round in 0..size / 65536 {
        client.write_all(&block).await.unwrap();
        if round % 1024 == 0 {
            most = most.max(resident());
        }
    }
    client.write_all(b"\"}").await.unwrap();
    let (mut buffer, mut got) = (vec![0; 65536], 0_u64);
    loop {
        let count = client.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        got += count as u64;
        if got % (64 << 20) < 65536 {
            most = most.max(resident());
        }
    }
    assert!(got > size, "{got} bytes came back");
    let call = proxy.call().await;
    assert_eq!((call.request_bytes, call.response_bytes), (length, size + 20));
    assert_eq!((call.model_served.as_deref(), call.unread), (Some("m"), false));
    assert!(most - before < growth, "memory grew by {} bytes", most - before);
}

//! Where a pipeline under measurement forwards to: takes everything and counts spans.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use flate2::read::GzDecoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::wire;

/// Most bytes of a body, decompressed.
const PLAIN_MAX: u64 = 256 << 20;

/// A sink on loopback, until the program ends.
pub(super) struct Sink {
    pub(super) address: String,
    spans: Arc<AtomicUsize>,
}

impl Sink {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let sink = Self { address: listener.local_addr()?.to_string(), spans: Arc::default() };
        let spans = Arc::clone(&sink.spans);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&spans)));
            }
        });
        Ok(sink)
    }

    /// Spans that came.
    pub(super) fn spans(&self) -> usize {
        self.spans.load(Ordering::Relaxed)
    }
}

/// Answer every request of one connection; bodies have a length, as those of every exporter.
async fn take(mut stream: TcpStream, spans: Arc<AtomicUsize>) {
    let mut buffer = Vec::new();
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
            let whole = end + 4 + length;
            while buffer.len() < whole {
                if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                    return;
                }
            }
            // Rotel compresses whatever it is told.
            let gzip = head.contains("content-encoding: gzip");
            spans.fetch_add(count(&buffer[end + 4..whole], gzip), Ordering::Relaxed);
            buffer.drain(..whole);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        } else if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
    }
}

fn count(body: &[u8], gzip: bool) -> usize {
    if !gzip {
        return wire::count(body);
    }
    let mut plain = Vec::new();
    // What cannot be read was not forwarded: the number of spans will tell.
    if std::io::copy(&mut GzDecoder::new(body).take(PLAIN_MAX), &mut plain).is_err() {
        return 0;
    }
    wire::count(&plain)
}

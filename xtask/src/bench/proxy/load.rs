//! The load: clients that each ask at their times, but not before the answer to their last question has
//! come, and take the time of every answer and every event. How long a question waited for the one before
//! is not in it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::script::{DIGITS, MARK, now_ns};
use crate::bench::figures::tick;

/// Connections over which answers in one piece are asked for, in turn.
const ASKERS: u32 = 100;
/// Streams begin over this time, so that their events do not come together.
const RAMP: Duration = Duration::from_secs(2);

/// What is asked of a server, all at the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Answers in one piece, each second; a multiple of a hundred.
    pub(super) documents: u32,
    pub(super) streams: u32,
    /// Between two events of a stream.
    pub(super) gap_ms: u64,
    /// How long, after all streams have begun.
    pub(super) seconds: u64,
}

/// What clients saw, nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// From a request's first byte to its answer's last.
    pub(super) documents: Vec<u64>,
    /// From the upstream's writing an event to the client's reading it.
    pub(super) events: Vec<u64>,
    /// Answers and streams that were asked for, those in which nothing is counted included.
    pub(super) calls: u64,
}

impl Seen {
    pub(super) fn add(&mut self, other: Self) {
        self.documents.extend(other.documents);
        self.events.extend(other.events);
        self.calls += other.calls;
    }
}

fn request(more: &str) -> Vec<u8> {
    let text = "What is it that all happy families have in common? ".repeat(18);
    let stream = !more.is_empty();
    let body = format!(
        "{{\"model\":\"scripted\",\"stream\":{stream},\"messages\":[{{\"role\":\"user\",\
         \"content\":\"{text}\"}}]}}"
    );
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer sk-bench\r\n\
         content-type: application/json\r\naccept: */*\r\nuser-agent: bench\r\n{more}\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn connect(address: &str) -> Result<TcpStream> {
    let connected = TcpStream::connect(address).await;
    let stream = connected.with_context(|| format!("cannot connect to {address}: ulimit -n?"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Put a server under load.
pub(super) async fn run(address: &str, load: Load) -> Result<Seen> {
    let begin = Instant::from_std(tick());
    let mut clients = JoinSet::new();
    if load.documents > 0 {
        let every = Duration::from_secs(1) * ASKERS / load.documents;
        for asker in 0..ASKERS {
            let begin = begin + every * asker / ASKERS;
            clients.spawn(ask(address.to_owned(), begin, every, load.seconds));
        }
    }
    // Those that begin first are still there when the last have run their time.
    let events = (load.seconds * 1_000 + RAMP.as_millis() as u64) / load.gap_ms.max(1);
    for stream in 0..load.streams {
        let begin = begin + RAMP * stream / load.streams;
        clients.spawn(listen(address.to_owned(), begin, events, load.gap_ms));
    }
    let mut seen = Seen::default();
    while let Some(client) = clients.join_next().await {
        seen.add(client??);
    }
    Ok(seen)
}

/// Ask again and again for an answer in one piece.
async fn ask(address: String, begin: Instant, every: Duration, seconds: u64) -> Result<Seen> {
    let mut stream = connect(&address).await?;
    let request = request("");
    let mut buffer = Vec::with_capacity(4096);
    let mut seen = Seen::default();
    let end = begin + RAMP + Duration::from_secs(seconds);
    let mut next = begin;
    while next < end {
        sleep_until(next).await;
        let sent = now_ns();
        stream.write_all(&request).await?;
        read_document(&mut stream, &mut buffer).await?;
        seen.calls += 1;
        // While connections are new and streams begin nothing is counted.
        if next >= begin + RAMP {
            seen.documents.push(now_ns() - sent);
        }
        next += every;
    }
    Ok(seen)
}

async fn read_document(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    loop {
        ensure!(stream.read_buf(buffer).await? > 0, "the connection ended within an answer");
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        ensure!(head.starts_with("http/1.1 200"), "an answer was {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("an answer has no length")?.trim().parse()?;
        if buffer.len() >= end + 4 + length {
            return Ok(());
        }
    }
}

/// Ask for one stream and read it to its end.
async fn listen(address: String, begin: Instant, events: u64, gap_ms: u64) -> Result<Seen> {
    sleep_until(begin).await;
    let mut stream = connect(&address).await?;
    stream.write_all(&asking(events, gap_ms)).await?;
    let mut seen = Seen { calls: 1, ..Seen::default() };
    let mut buffer = Vec::with_capacity(4096);
    let mut count = 0;
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            bail!("a stream ended after {count} of {events} events");
        }
        let now = now_ns();
        for sent in take_events(&mut buffer)? {
            count += 1;
            seen.events.push(now.saturating_sub(sent));
        }
        if buffer.ends_with(b"[DONE]\n\n\r\n0\r\n\r\n") {
            break;
        }
    }
    ensure!(count == events, "a stream had {count} events, not {events}");
    // The first seconds are those in which others begin.
    let settled = (RAMP.as_millis() as u64 / gap_ms.max(1)) as usize;
    seen.events.drain(..settled.min(seen.events.len()));
    Ok(seen)
}

fn asking(events: u64, gap_ms: u64) -> Vec<u8> {
    request(&format!("x-events: {events}\r\nx-gap-ms: {gap_ms}\r\n"))
}

/// The times of the events in the buffer; what is read goes.
fn take_events(buffer: &mut Vec<u8>) -> Result<Vec<u64>> {
    let (mut times, mut from) = (Vec::new(), 0);
    while let Some(at) = buffer[from..].windows(MARK.len()).position(|part| part == MARK) {
        let digits = from + at + MARK.len();
        let Some(text) = buffer.get(digits..digits + DIGITS) else { break };
        times.push(std::str::from_utf8(text)?.parse()?);
        from = digits + DIGITS;
    }
    buffer.drain(..from);
    Ok(times)
}

/// Streams that are open as long as this lives.
#[derive(Debug, Default)]
pub(super) struct Open(JoinSet<()>);

impl Open {
    /// Open streams until there are `count`, each with an event every second; ready when all of
    /// them have had one.
    pub(super) async fn grow(&mut self, address: &str, count: usize) -> Result<()> {
        const TOGETHER: usize = 50;
        while self.0.len() < count {
            let mut begun = JoinSet::new();
            for _ in 0..TOGETHER.min(count - self.0.len()) {
                begun.spawn(open(address.to_owned()));
            }
            while let Some(stream) = begun.join_next().await {
                let mut stream = stream??;
                self.0.spawn(async move {
                    let mut buffer = [0; 1024];
                    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
                });
            }
        }
        // A stream that broke off would have ended its task.
        sleep(Duration::from_secs(3)).await;
        ensure!(self.0.try_join_next().is_none(), "a stream that should be open has ended");
        Ok(())
    }
}

async fn open(address: String) -> Result<TcpStream> {
    let mut stream = connect(&address).await?;
    stream.write_all(&asking(100_000, 1_000)).await?;
    let mut buffer = Vec::with_capacity(1024);
    while take_events(&mut buffer)?.is_empty() {
        ensure!(stream.read_buf(&mut buffer).await? > 0, "a stream ended at its beginning");
    }
    Ok(stream)
}

//! A scripted upstream and a plain client, both on bare sockets, so that every byte is seen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use strata_model::Clock;
use strata_proxy::metrics::Registry;
use strata_proxy::{
    BoundProxy, CallSink, GenAiCall, NoContent, ProxyOptions, ProxyParts, ProxySettings,
    RouteOptions, UpstreamOptions, UsageOption,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct RealClock(pub(crate) Instant);

impl Clock for RealClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + self.0.elapsed().as_millis() as i64
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

#[derive(Default)]
pub(crate) struct Calls(pub Mutex<Vec<GenAiCall>>);

impl CallSink for Calls {
    fn take(&self, call: &GenAiCall) {
        self.0.lock().unwrap().push(call.clone());
    }
}

/// What an upstream does with a connection, step by step, after the request came whole.
#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Send this many bytes of filling, in blocks.
    Fill(u64),
    /// Wait until the other side has closed.
    UntilClosed,
    /// End the connection within the answer.
    Hangup,
}

pub(crate) struct Upstream {
    pub(crate) address: String,
    /// The requests as they came.
    pub(crate) requests: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Bytes of filling that were taken.
    pub(crate) filled: Arc<AtomicU64>,
    /// Connections that the other side closed while `UntilClosed` or `Fill`.
    pub(crate) closed: Arc<AtomicU64>,
}

/// The whole of a request with a content length or without a body; its body is kept up to 1 MB.
async fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65536];
    let mut total = 0_u64;
    loop {
        let got = stream.read(&mut buffer).await.ok()?;
        if got == 0 {
            return None;
        }
        total += got as u64;
        if bytes.len() < 1 << 20 {
            bytes.extend_from_slice(&buffer[..got]);
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: u64 = length.map_or(0, |length| length.trim().parse().unwrap());
        let chunked = head.contains("transfer-encoding: chunked");
        if (chunked && bytes.ends_with(b"0\r\n\r\n"))
            || (!chunked && total >= end as u64 + 4 + length)
        {
            return Some(bytes);
        }
    }
}

impl Upstream {
    pub(crate) async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap().to_string(),
            requests: Arc::default(),
            filled: Arc::default(),
            closed: Arc::default(),
        };
        let shared = (
            Arc::clone(&upstream.requests),
            Arc::clone(&upstream.filled),
            Arc::clone(&upstream.closed),
        );
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(play(stream, steps.clone(), shared.clone()));
            }
        });
        upstream
    }
}

type Shared = (Arc<Mutex<Vec<Vec<u8>>>>, Arc<AtomicU64>, Arc<AtomicU64>);

async fn play(mut stream: TcpStream, steps: Vec<Step>, (requests, filled, closed): Shared) {
    let block = vec![b'x'; 65536];
    while let Some(request) = request(&mut stream).await {
        requests.lock().unwrap().push(request);
        for step in &steps {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(bytes).await.is_err() {
                        closed.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                }
                Step::Fill(count) => {
                    let mut left = *count;
                    while left > 0 {
                        let part = left.min(block.len() as u64);
                        if stream.write_all(&block[..part as usize]).await.is_err() {
                            closed.fetch_add(1, Ordering::SeqCst);
                            return;
                        }
                        left -= part;
                        filled.fetch_add(part, Ordering::SeqCst);
                    }
                }
                Step::Hangup => return,
                Step::UntilClosed => {
                    let mut one = [0];
                    if !matches!(stream.read(&mut one).await, Ok(1)) {
                        closed.fetch_add(1, Ordering::SeqCst);
                    }
                    return;
                }
            }
        }
        if !steps
            .iter()
            .any(|step| matches!(step, Step::Send(bytes) if bytes.ends_with(b"0\r\n\r\n")))
            && !steps.iter().any(|step| matches!(step, Step::Send(bytes) if has_length(bytes)))
        {
            return; // closing is the end of the answer
        }
    }
}

fn has_length(bytes: &[u8]) -> bool {
    bytes.windows(15).any(|part| part.eq_ignore_ascii_case(b"content-length:"))
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    pub(crate) calls: Arc<Calls>,
    pub(crate) registry: Arc<Registry>,
}

pub(crate) fn options(upstreams: &[&str], usage: UsageOption) -> ProxyOptions {
    let upstream = |address: &&str| UpstreamOptions {
        name: None,
        url: format!("http://{address}"),
        health: None,
        weight: 1.0,
    };
    let route = RouteOptions {
        name: "r".to_owned(),
        path: "/".to_owned(),
        upstreams: Vec::new(),
        usage,
        capture: None,
    };
    ProxyOptions {
        listen: Some("127.0.0.1:0".to_owned()),
        upstreams: upstreams.iter().map(upstream).collect(),
        routes: vec![route],
        ..ProxyOptions::default()
    }
}

impl Proxy {
    pub(crate) async fn start(upstreams: &[&str]) -> Self {
        Self::with(options(upstreams, UsageOption::Observe)).await
    }

    pub(crate) async fn with(options: ProxyOptions) -> Self {
        let settings: ProxySettings = options.validate().unwrap().unwrap();
        let (calls, registry) = (Arc::<Calls>::default(), Arc::<Registry>::default());
        let parts = ProxyParts {
            clock: Arc::new(RealClock(Instant::now())),
            registry: Arc::clone(&registry),
            calls: Arc::clone(&calls) as Arc<dyn CallSink>,
            content: Arc::new(NoContent),
        };
        let bound = BoundProxy::bind(settings, parts).await.unwrap();
        let address = bound.address().to_string();
        tokio::spawn(bound.serve(std::future::pending()));
        Self { address, calls, registry }
    }

    /// The first call that was told.
    pub(crate) async fn call(&self) -> GenAiCall {
        for _ in 0..500 {
            if let Some(call) = self.calls.0.lock().unwrap().first().cloned() {
                return call;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no call was told");
    }
}

/// A request as bytes.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: p\r\nX-Odd-Case: 1\r\nAuthorization: Bearer sk-secret\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Send and read to the end: the head as text, the body with chunks joined, and whether it was whole.
pub(crate) async fn ask(proxy: &Proxy, request: &[u8]) -> (String, Vec<u8>, bool) {
    let mut stream = TcpStream::connect(&proxy.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let body = bytes.split_off(end + 4);
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return (head, body, true);
    }
    let (body, whole) = dechunk(&body);
    (head, body, whole)
}

pub(crate) fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    loop {
        let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") else { return (out, false) };
        let size = std::str::from_utf8(&bytes[..at]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (out, true);
        }
        let Some(data) = bytes.get(at + 2..at + 2 + size) else { return (out, false) };
        out.extend_from_slice(data);
        bytes = bytes.get(at + 4 + size..).unwrap_or_default();
    }
}

/// The head of a chunked answer.
pub(crate) fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Engine-Id: e1\r\n\
      Transfer-Encoding: chunked\r\n\r\n"
        .to_vec()
}

pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

pub(crate) fn unary(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

//! Telling onward to a receiver that is scripted: what it answers, and what it got.

mod metrics;
mod tls;

use std::collections::VecDeque;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use strata_model::Clock;
use strata_model::meter::Meter;
use strata_model::record::{Door, Onward as _, OnwardSignal, RequestRecord};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::{ForwardOptions, Forwarder, LaneState};

/// A status line with further headers, and a body in hexadecimal digits of its bytes.
type Answer = (&'static str, &'static [u8]);

const OK: Answer = ("200 OK", b"");
const BUSY: Answer = ("503 Service Unavailable\r\nRetry-After: 0", b"");
const BAD: Answer = ("400 Bad Request", b"that is no trace");

/// A request as it came: the head in lower case, and the body unpacked.
type Got = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Answers what it is told to, then always 200.
async fn receiver(script: &[Answer]) -> (String, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let got = Got::default();
    let told = Arc::clone(&got);
    let mut script: VecDeque<Answer> = script.iter().copied().collect();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).await.unwrap();
            }
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length = length.split("\r\n").next().unwrap().parse().unwrap();
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            if head.contains("content-encoding: gzip") {
                let mut plain = Vec::new();
                let packed = flate2::read::GzDecoder::new(body.as_slice());
                #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
                packed.take(1 << 20).read_to_end(&mut plain).unwrap();
                body = plain;
            }
            if head.contains("content-encoding: snappy") {
                body = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
            }
            told.lock().unwrap().push((head, body));
            let (status, body) = script.pop_front().unwrap_or(OK);
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (url, got)
}

struct TestClock(Instant);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        0
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

fn forwarder(options: &ForwardOptions) -> Forwarder {
    // A second provider is refused, and the first does.
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = options.validate().unwrap().unwrap();
    let environment = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
    #[expect(clippy::disallowed_methods, reason = "the test's own clock")]
    let clock = Arc::new(TestClock(Instant::now()));
    Forwarder::start(settings, Arc::new(environment), clock, &Meter::default()).unwrap()
}

fn to(url: &str) -> ForwardOptions {
    let traces_endpoint = Some(format!("{url}/v1/traces"));
    ForwardOptions { traces_endpoint, ..ForwardOptions::default() }
}

fn requests(count: i64) -> Vec<RequestRecord> {
    (0..count).map(|n| RequestRecord::new(Door::Proxy, n)).collect()
}

/// Wait until as many are settled.
async fn settled(forwarder: &Forwarder, items: u64) -> LaneState {
    for _ in 0..1_000 {
        let state = forwarder.states().remove(0);
        if state.sent + state.dropped >= items {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", forwarder.states());
}

fn spans(body: &[u8]) -> usize {
    let all = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = all.resource_spans.iter().flat_map(|one| &one.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

#[tokio::test]
async fn what_is_told_arrives_packed_and_with_its_headers() {
    let (url, got) = receiver(&[]).await;
    let mut options = to(&url);
    options.headers.insert("X-Scope-OrgID".to_owned(), "team".to_owned());
    options.headers_env.insert("x-key".to_owned(), "KEY".to_owned());
    options.bearer_token_env = Some("KEY".to_owned());
    let forwarder = forwarder(&options);
    assert!(forwarder.wants(OnwardSignal::Traces) && !forwarder.wants(OnwardSignal::Logs));
    forwarder.requests(&requests(3));
    let state = settled(&forwarder, 3).await;
    assert_eq!((state.sent, state.dropped, state.trouble), (3, 0, None));
    let (head, body) = got.lock().unwrap().remove(0);
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    for part in [
        "content-type: application/x-protobuf",
        "content-encoding: gzip",
        "x-scope-orgid: team",
        "x-key: s3cret",
        "authorization: bearer s3cret",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
    assert_eq!(spans(&body), 3);
}

#[tokio::test]
async fn a_receiver_that_is_busy_gets_it_later_and_what_waited_together() {
    let (url, got) = receiver(&[BUSY, BUSY]).await;
    let forwarder = forwarder(&to(&url));
    (0..4).for_each(|_| forwarder.requests(&requests(2)));
    let state = settled(&forwarder, 8).await;
    assert_eq!((state.sent, state.dropped, state.trouble), (8, 0, None));
    let got = got.lock().unwrap();
    assert!(got.len() <= 6, "{} requests", got.len());
    assert_eq!(got[0].1, got[1].1, "the same again after a 503");
    assert!(got.iter().skip(2).map(|(_, body)| spans(body)).sum::<usize>() == 8);
}

#[tokio::test]
async fn one_that_is_refused_takes_no_other_with_it() {
    // Together refused; then alone the first is refused again and the second taken.
    let (url, got) = receiver(&[BUSY, BAD, BAD]).await;
    let forwarder = forwarder(&to(&url));
    forwarder.otlp(OnwardSignal::Traces, vec![0xff], 1);
    forwarder.requests(&requests(2));
    forwarder.otlp(OnwardSignal::Logs, vec![1], 1);
    let state = settled(&forwarder, 3).await;
    assert_eq!((state.sent, state.dropped), (2, 1));
    assert_eq!(got.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn one_of_several_that_is_not_taken_alone_is_tried_again_with_pauses_and_given_up() {
    let (url, got) = receiver(&[BUSY, BAD, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY]).await;
    let forwarder = forwarder(&ForwardOptions { give_up_after: "2s".to_owned(), ..to(&url) });
    (0..2).for_each(|_| forwarder.requests(&requests(1)));
    let state = settled(&forwarder, 2).await;
    assert_eq!(state.sent + state.dropped, 2, "each is settled once");
    assert!(state.dropped >= 1, "the first is given up: {state:?}");
    let got = got.lock().unwrap().len();
    assert!((4..=8).contains(&got), "{got} requests");
}

#[tokio::test]
async fn what_the_receiver_rejects_is_counted() {
    // partial_success { rejected: 2, error_message: "no" }
    let (url, _got) = receiver(&[("200 OK", &[10, 6, 8, 2, 18, 2, b'n', b'o'])]).await;
    let forwarder = forwarder(&to(&url));
    forwarder.requests(&requests(3));
    let state = settled(&forwarder, 3).await;
    assert_eq!((state.sent, state.dropped), (1, 2));
    assert!(state.trouble.unwrap().ends_with("rejected 2 of 3: no"));
}

#[tokio::test]
async fn what_nobody_takes_is_given_up_and_never_waited_for() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let options =
        ForwardOptions { give_up_after: "1ms".to_owned(), queue: "4KiB".to_owned(), ..to(&url) };
    let forwarder = forwarder(&options);
    for _ in 0..1_000 {
        forwarder.requests(&requests(1));
    }
    // More came than the queue holds: the oldest went at once.
    assert!(forwarder.states()[0].dropped > 900);
    forwarder.stop().await;
    let state = forwarder.states().remove(0);
    assert_eq!((state.sent, state.dropped), (0, 1_000), "each is counted once");
    assert!(state.trouble.unwrap().contains("cannot reach"));
}

#[tokio::test]
async fn the_end_delivers_what_waits() {
    let (url, got) = receiver(&[]).await;
    let forwarder = forwarder(&to(&url));
    forwarder.requests(&requests(5));
    forwarder.stop().await;
    assert_eq!(forwarder.states()[0].sent, 5);
    assert_eq!(got.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named_and_not_told() {
    let (url, _got) = receiver(&[]).await;
    let options = ForwardOptions { bearer_token_env: Some("NOT_THERE".to_owned()), ..to(&url) };
    let forwarder = forwarder(&options);
    forwarder.requests(&requests(1));
    forwarder.stop().await;
    let state = forwarder.states().remove(0);
    assert_eq!(
        (state.dropped, state.trouble.as_deref()),
        (1, Some("the environment has no NOT_THERE"))
    );
}

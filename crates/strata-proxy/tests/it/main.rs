//! The proxy between a scripted upstream and a client, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::string_slice,
    reason = "a test that cannot go on ends; sockets live in real time"
)]

mod corpus;
mod stage;
mod trial;

use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use stage::{Proxy, Step, Upstream, ask, chunk, options, post, stream_head, unary};
use strata_proxy::{CountSource, Outcome, UsageOption};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const STREAM: &str = "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
: keep-alive\r\n\r\ndata: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"Gr\u{fc}\u{df}e\"}}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\" you\"}}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n\
data: [DONE]\n\n";
const ASK: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"secret"}]}"#;
const CHAT: &str = "/v1/chat/completions";

/// The stream in chunks that end at these places.
fn script(cuts: &[usize]) -> Vec<Step> {
    let bytes = STREAM.as_bytes();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % bytes.len()).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut steps = vec![Step::Send(stream_head())];
    let mut from = 0;
    for cut in cuts.into_iter().filter(|cut| *cut > 0).chain([bytes.len()]) {
        steps.push(Step::Send(chunk(&bytes[from..cut])));
        from = cut;
    }
    steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
    steps
}

fn on_a_runtime<T>(run: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn bytes_in_are_bytes_out_however_they_are_framed(cuts in prop::collection::vec(1usize..2000, 0..40)) {
        on_a_runtime(async {
            let upstream = Upstream::start(script(&cuts)).await;
            let proxy = Proxy::start(&[&upstream.address]).await;
            let (head, body, whole) = ask(&proxy, &post(CHAT, ASK)).await;
            assert!(whole && head.starts_with("HTTP/1.1 200 OK"), "{head}");
            assert!(head.contains("X-Engine-Id: e1"), "headers keep their case: {head}");
            assert_eq!(String::from_utf8(body).unwrap(), STREAM);
            let got = String::from_utf8(upstream.requests.lock().unwrap()[0].clone()).unwrap();
            assert!(got.ends_with(&format!("\r\n\r\n{ASK}")), "{got}");
            assert!(got.contains("X-Odd-Case: 1") && got.contains("sk-secret"), "{got}");
            assert!(!got.to_lowercase().contains("connection: close"), "hop-by-hop: {got}");
            let call = proxy.call().await;
            assert_eq!((call.outcome, call.status), (Outcome::Success, Some(200)));
            assert_eq!((call.tokens.input, call.tokens.output), (Some(7), Some(2)));
            assert_eq!(call.tokens.output_source, CountSource::Usage);
            assert_eq!((call.token_events, call.gaps.count), (2, 1));
            assert_eq!(call.response_bytes, STREAM.len() as u64);
            assert_eq!(call.request_bytes, ASK.len() as u64);
            let names = [call.model_asked.as_deref(), call.response_id.as_deref()];
            assert_eq!(names, [Some("m"), Some("c1")]);
            let said = format!("{call:?}");
            assert!(!said.contains("secret") && !said.contains("Gr"), "{said}");
            let times = call.timings;
            assert!(times.received <= times.head && times.head <= times.first_token);
            assert!(times.first_token <= times.last_token && times.last_token <= Some(times.end));
        });
    }
}

#[tokio::test]
async fn a_call_becomes_gateway_series() {
    let upstream = Upstream::start(script(&[100])).await;
    let proxy = Proxy::start(&[&upstream.address]).await;
    ask(&proxy, &post(CHAT, ASK)).await;
    proxy.call().await;
    let batch = proxy.registry.batch(&"proxy".into(), &[("node", "n1")], 5);
    let series: Vec<String> = batch
        .samples
        .iter()
        .map(|sample| {
            let labels = batch.labels(sample.series);
            format!("{labels} {}", sample.value)
        })
        .collect();
    let has = |text: &str| assert!(series.iter().any(|line| line == text), "{text} in {series:#?}");
    has(
        r#"gateway_requests_total{model="m",node="n1",outcome="success",route="r",status="200"} 1"#,
    );
    has(r#"gateway_output_tokens_total{count_source="usage",model="m",node="n1",route="r"} 2"#);
    has(r#"gateway_ttft_seconds_bucket{le="+Inf",model="m",node="n1",route="r"} 1"#);
    has(r#"gateway_requests_inflight{model="unknown",node="n1",route="r"} 0"#);
    let gaps: Vec<_> = batch.histograms.iter().map(|one| (batch.labels(one.series), one)).collect();
    assert_eq!(gaps.len(), 1);
    let name = r#"gateway_itl_seconds{kind="chunk",model="m",node="n1",route="r"}"#;
    assert_eq!((gaps[0].0.to_string(), gaps[0].1.histogram.count), (name.to_owned(), 1.0));
}

#[tokio::test]
async fn a_request_is_in_flight_from_its_end_to_that_of_its_answer() {
    let upstream = Upstream::start(vec![Step::UntilClosed]).await;
    let proxy = Proxy::start(&[&upstream.address]).await;
    let in_flight = || {
        let batch = proxy.registry.batch(&"proxy".into(), &[], 5);
        let one = |sample: &&strata_model::Sample| {
            batch.labels(sample.series).to_string().starts_with("gateway_requests_inflight")
        };
        batch.samples.iter().find(one).map(|sample| sample.value)
    };
    let until = async |expected: Option<f64>| {
        for _ in 0..500 {
            if in_flight() == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?} are in flight, not {expected:?}", in_flight());
    };
    assert_eq!(in_flight(), None, "nobody has asked yet");
    let mut client = TcpStream::connect(&proxy.address).await.unwrap();
    client.write_all(&post(CHAT, ASK)).await.unwrap();
    // No head of an answer ever comes, as while an engine works on one that is not streamed.
    until(Some(1.0)).await;
    drop(client);
    until(Some(0.0)).await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstream_request() {
    let steps = vec![
        Step::Send(stream_head()),
        Step::Send(chunk(&STREAM.as_bytes()[..330])),
        Step::UntilClosed,
    ];
    let upstream = Upstream::start(steps).await;
    let proxy = Proxy::start(&[&upstream.address]).await;
    let mut client = TcpStream::connect(&proxy.address).await.unwrap();
    client.write_all(&post(CHAT, ASK)).await.unwrap();
    let mut some = [0; 64];
    client.read_exact(&mut some).await.unwrap();
    drop(client);
    let call = proxy.call().await;
    assert_eq!((call.outcome, call.status), (Outcome::ClientCancelled, Some(200)));
    for _ in 0..200 {
        if upstream.closed.load(Ordering::SeqCst) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the upstream still works for nobody");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_told() {
    let upstream = Upstream::start(vec![Step::UntilClosed]).await;
    let proxy = Proxy::start(&[&upstream.address]).await;
    let mut client = TcpStream::connect(&proxy.address).await.unwrap();
    client.write_all(&post(CHAT, ASK)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(client);
    let call = proxy.call().await;
    assert_eq!((call.outcome, call.status), (Outcome::ClientCancelled, None));
    assert_eq!(call.model_asked.as_deref(), Some("m"));
}

#[tokio::test]
async fn endings_are_told_apart() {
    // Up to the event with the finish reason: what comes after that is no loss.
    let cut = STREAM[..STREAM.find("finish_reason").unwrap()].rfind("data: ").unwrap();
    let check = async |steps: Vec<Step>, outcome: Outcome, whole: bool, error: Option<&str>| {
        let upstream = Upstream::start(steps).await;
        let proxy = Proxy::start(&[&upstream.address]).await;
        let (_, _, got) = ask(&proxy, &post(CHAT, ASK)).await;
        let call = proxy.call().await;
        assert_eq!((call.outcome, got, call.error_type.as_deref()), (outcome, whole, error));
    };
    let begun = || vec![Step::Send(stream_head()), Step::Send(chunk(&STREAM.as_bytes()[..cut]))];
    // The connection breaks within the answer: the client has what came, and sees that it is not whole.
    check(begun(), Outcome::UpstreamTruncated, false, None).await;
    let upstream = Upstream::start(begun()).await;
    let proxy = Proxy::start(&[&upstream.address]).await;
    for _ in 0..20 {
        let (_, body, _) = ask(&proxy, &post(CHAT, ASK)).await;
        assert_eq!(body, STREAM.as_bytes()[..cut], "all that came before the break");
    }
    // Where usage is taken out, the beginning of an event is held back until it is known.
    let half = STREAM.find(" you").unwrap();
    let steps = vec![Step::Send(stream_head()), Step::Send(chunk(&STREAM.as_bytes()[..half]))];
    let upstream = Upstream::start(steps).await;
    let proxy = Proxy::with(options(&[&upstream.address], UsageOption::InjectStrip)).await;
    for _ in 0..20 {
        let (_, body, _) = ask(&proxy, &post(CHAT, ASK)).await;
        assert_eq!(body, STREAM.as_bytes()[..half], "what was held back, too");
    }
    // The answer is whole to HTTP and not to the protocol.
    let mut ended = begun();
    ended.push(Step::Send(b"0\r\n\r\n".to_vec()));
    check(ended, Outcome::UpstreamTruncated, true, None).await;
    let mut failed = begun();
    let error =
        b"data: {\"error\":{\"type\":\"engine_dead\",\"message\":\"x\"}}\n\ndata: [DONE]\n\n";
    failed.push(Step::Send(chunk(error)));
    failed.push(Step::Send(b"0\r\n\r\n".to_vec()));
    check(failed, Outcome::ErrorInSuccess, true, Some("engine_dead")).await;
    let refused = unary("429 Too Many Requests", r#"{"error":{"type":"rate_limit"}}"#);
    check(vec![Step::Send(refused)], Outcome::Error, true, Some("rate_limit")).await;
    let broken =
        [Step::Send(stream_head()), Step::Send(chunk(b"data: {\"choi\n\nda\xff\xfe: [DONE]\r\r"))];
    let broken = broken.into_iter().chain([Step::Send(b"0\r\n\r\n".to_vec())]).collect();
    check(broken, Outcome::UpstreamTruncated, true, None).await;
}

#[tokio::test]
async fn an_upstream_that_cannot_be_asked_is_a_clear_error_or_another_ones_turn() {
    // A port that was just free.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = listener.local_addr().unwrap().to_string();
    drop(listener);
    let proxy = Proxy::start(&[&dead]).await;
    let (head, body, _) = ask(&proxy, &post(CHAT, ASK)).await;
    let body = String::from_utf8(body).unwrap();
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
    assert!(body.contains("\"code\":\"upstream_unreachable\""), "{body}");
    let call = proxy.call().await;
    assert_eq!((call.outcome, call.status), (Outcome::Error, Some(502)));
    let live = Upstream::start(script(&[])).await;
    let proxy = Proxy::start(&[&dead, &live.address]).await;
    for _ in 0..4 {
        let (head, body, _) = ask(&proxy, &post(CHAT, ASK)).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(body, STREAM.as_bytes(), "the request was sent again whole");
    }
    let slow = Upstream::start(vec![Step::UntilClosed]).await;
    let mut options = options(&[&slow.address], UsageOption::Observe);
    options.response_timeout = "50ms".to_owned();
    let proxy = Proxy::with(options).await;
    let (head, body, _) = ask(&proxy, &post(CHAT, ASK)).await;
    assert!(head.starts_with("HTTP/1.1 504"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("upstream_timeout"));
}

#[tokio::test]
async fn usage_is_asked_for_and_taken_out_where_the_route_says_so() {
    let check = async |usage, asked: bool, expected: String, said: Option<&str>| {
        let upstream = Upstream::start(script(&[40, 333, 500])).await;
        let proxy = Proxy::with(options(&[&upstream.address], usage)).await;
        let (head, body, whole) = ask(&proxy, &post(CHAT, ASK)).await;
        assert!(whole);
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        let got = String::from_utf8(upstream.requests.lock().unwrap()[0].clone()).unwrap();
        assert_eq!(got.contains(r#"{"stream_options":{"include_usage":true},"#), asked, "{got}");
        let header = head.lines().find_map(|line| line.strip_prefix("x-strata-usage: "));
        assert_eq!(header, said, "{head}");
        let call = proxy.call().await;
        assert_eq!((call.tokens.output, call.usage_injected), (Some(2), asked));
    };
    let stripped = STREAM.replace(
        "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n",
        "",
    );
    check(UsageOption::Observe, false, STREAM.to_owned(), None).await;
    check(UsageOption::Inject, true, STREAM.to_owned(), Some("injected")).await;
    check(UsageOption::InjectStrip, true, stripped, Some("injected, stripped")).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_upstream_back() {
    let head =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1073741824\r\n\r\n";
    let upstream = Upstream::start(vec![Step::Send(head.to_vec()), Step::Fill(1 << 30)]).await;
    let mut options = options(&[&upstream.address], UsageOption::Observe);
    options.client_stall = "700ms".to_owned();
    let proxy = Proxy::with(options).await;
    let mut client = TcpStream::connect(&proxy.address).await.unwrap();
    client.write_all(&post(CHAT, ASK)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let filled = upstream.filled.load(Ordering::SeqCst);
    // What the kernel buffers on four socket ends, and not more.
    assert!(filled < 32 << 20, "{filled} bytes were taken off an upstream for nobody");
    let call = proxy.call().await;
    assert_eq!(call.outcome, Outcome::ClientCancelled, "cut off after the stall time");
}

#[tokio::test]
async fn a_client_far_behind_gets_all_that_came_before_a_break() {
    // More than the kernel buffers, then the upstream is gone; the client begins to read later.
    let size: usize = 24 << 20;
    let head =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1073741824\r\n\r\n";
    let steps = vec![Step::Send(head.to_vec()), Step::Fill(size as u64), Step::Hangup];
    let upstream = Upstream::start(steps).await;
    let proxy = Proxy::start(&[&upstream.address]).await;
    let mut client = TcpStream::connect(&proxy.address).await.unwrap();
    client.write_all(&post(CHAT, ASK)).await.unwrap();
    let (mut got, mut buffer) = (0, vec![0; 1 << 20]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        got += read;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(got > size, "{got} bytes of {size} and a head");
    assert_eq!(proxy.call().await.outcome, Outcome::UpstreamTruncated);
}

#[tokio::test]
async fn a_request_that_is_to_be_changed_has_its_time_to_come() {
    let upstream = Upstream::start(script(&[])).await;
    let mut options = options(&[&upstream.address], UsageOption::Inject);
    options.response_timeout = "100ms".to_owned();
    let proxy = Proxy::with(options).await;
    let mut request = post(CHAT, ASK);
    request.truncate(request.len() - 5);
    let (head, body, _) = ask(&proxy, &request).await;
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("request_slow"));
    assert_eq!(upstream.requests.lock().unwrap().len(), 0);
}

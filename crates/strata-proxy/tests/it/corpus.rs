//! Bytes in are bytes out, for every API the proxy reads and for what it does not read, however requests
//! and answers are cut into chunks and packets; and what is counted does not depend on the cuts.

use std::io::Write;

use proptest::prelude::*;
use strata_proxy::{Api, CountSource, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::on_a_runtime;
use crate::stage::{Proxy, Step, Upstream, dechunk};

/// One exchange, and what a record says of it: events with a token, input, output.
struct Exchange {
    path: &'static str,
    request: &'static [u8],
    headers: &'static str,
    answer: Vec<u8>,
    told: Option<Told>,
}

type Told = (Api, Outcome, u64, Option<u64>, Option<u64>, CountSource);

const CHAT: &str = include_str!("../fixtures/chat-reasoning-tools.sse");
const RESPONSES: &str = include_str!("../fixtures/responses.sse");
const MESSAGES: &str = include_str!("../fixtures/messages.sse");
const OLLAMA: &str = include_str!("../fixtures/ollama-chat.ndjson");
const SSE: &str = "Content-Type: text/event-stream\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
const STREAMED: &[u8] =
    br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"h\u00e9"}]}"#;

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for event in text.split_inclusive("\n\n") {
        gzip.write_all(event.as_bytes()).unwrap();
        gzip.flush().unwrap();
    }
    gzip.finish().unwrap()
}

fn exchange(
    path: &'static str,
    headers: &'static str,
    answer: impl AsRef<[u8]>,
    told: Option<Told>,
) -> Exchange {
    Exchange { path, request: STREAMED, headers, answer: answer.as_ref().to_vec(), told }
}

fn streams() -> Vec<Exchange> {
    use CountSource::{ChunkCount, Usage};
    use Outcome::{Success, UpstreamTruncated};
    let chat = (Api::OpenAiChat, Success, 5, Some(31), Some(9), Usage);
    let encoded = "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n";
    // Cut within a character, a line that is no JSON, a lone carriage return, an end without a line.
    let broken =
        b"data: {\"choices\":[{\"delta\":{\"content\":\"\xc3\xbc\"}}]}\n\ndata: {\"choi\xff\n\n\rdata: {\"a";
    let truncated = (Api::OpenAiChat, UpstreamTruncated, 1, None, Some(1), ChunkCount);
    vec![
        exchange("/v1/chat/completions", SSE, CHAT, Some(chat)),
        exchange("/v1/chat/completions", encoded, gzip(CHAT), Some(chat)),
        exchange(
            "/v1/responses",
            SSE,
            RESPONSES,
            Some((Api::OpenAiResponses, Success, 3, Some(9), Some(6), Usage)),
        ),
        exchange(
            "/anthropic/v1/messages?beta=true",
            SSE,
            MESSAGES.replace('\n', "\r\n"),
            Some((Api::AnthropicMessages, Success, 4, Some(113), Some(12), Usage)),
        ),
        exchange(
            "/api/chat",
            "Content-Type: application/x-ndjson\r\n",
            OLLAMA,
            Some((Api::OllamaChat, Success, 3, Some(26), Some(3), Usage)),
        ),
        exchange("/v1/chat/completions", SSE, broken, Some(truncated)),
    ]
}

/// What vLLM 0.32.0 and llama-server 0.7.0 with a tiny model of random weights answered.
fn captured() -> Vec<Exchange> {
    use CountSource::{ChunkCount, Usage};
    use Outcome::Success;
    let messages = include_bytes!("../fixtures/vllm-0.32.0-messages.sse");
    let responses = include_bytes!("../fixtures/vllm-0.32.0-responses.sse");
    vec![
        exchange(
            "/v1/chat/completions",
            SSE,
            include_bytes!("../fixtures/vllm-0.32.0-chat-usage.sse"),
            Some((Api::OpenAiChat, Success, 8, Some(17), Some(8), Usage)),
        ),
        exchange(
            "/v1/chat/completions",
            JSON,
            include_bytes!("../fixtures/vllm-0.32.0-chat.json"),
            Some((Api::OpenAiChat, Success, 0, Some(15), Some(6), Usage)),
        ),
        exchange(
            "/v1/completions",
            SSE,
            include_bytes!("../fixtures/vllm-0.32.0-completions.sse"),
            Some((Api::OpenAiCompletions, Success, 6, None, Some(6), ChunkCount)),
        ),
        exchange(
            "/v1/responses",
            SSE,
            responses,
            Some((Api::OpenAiResponses, Success, 5, Some(15), Some(6), Usage)),
        ),
        exchange(
            "/v1/messages",
            SSE,
            messages,
            Some((Api::AnthropicMessages, Success, 4, Some(15), Some(6), Usage)),
        ),
        exchange(
            "/v1/chat/completions",
            SSE,
            include_bytes!("../fixtures/llama-server-b11669-chat-usage.sse"),
            Some((Api::OpenAiChat, Success, 6, Some(17), Some(6), Usage)),
        ),
        exchange(
            "/v1/completions",
            SSE,
            include_bytes!("../fixtures/llama-server-b11669-completions.sse"),
            Some((Api::OpenAiCompletions, Success, 6, Some(3), Some(6), Usage)),
        ),
    ]
}

fn documents() -> Vec<Exchange> {
    use CountSource::{Unknown, Usage};
    use Outcome::{ErrorInSuccess, Success};
    let any_bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    vec![
        exchange(
            "/v1/completions",
            JSON,
            r#"{"id":"cmpl-1","model":"m","choices":[{"text":"hi","finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#,
            Some((Api::OpenAiCompletions, Success, 0, Some(4), Some(2), Usage)),
        ),
        exchange(
            "/v1/embeddings",
            JSON,
            r#"{"data":[{"embedding":[0.25,-1e-3],"index":0}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            Some((Api::Embeddings, Success, 0, Some(8), None, Unknown)),
        ),
        exchange(
            "/v2/rerank",
            JSON,
            r#"{"id":"r","results":[{"index":1,"relevance_score":0.5}],"usage":{"total_tokens":56}}"#,
            Some((Api::Rerank, Success, 0, Some(56), None, Unknown)),
        ),
        exchange(
            "/v1/chat/completions",
            JSON,
            r#"{"error":{"message":"no","type":"overloaded"}}"#,
            Some((Api::OpenAiChat, ErrorInSuccess, 0, None, None, Unknown)),
        ),
        exchange("/v1/audio/speech", "Content-Type: audio/mpeg\r\n", any_bytes, None),
        exchange("/v1/files", JSON, "", None),
    ]
}

/// Parts that end at these places.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    at.dedup();
    let (mut parts, mut from) = (Vec::new(), 0);
    for to in at.into_iter().chain([bytes.len()]).filter(|to| *to > 0) {
        parts.push(&bytes[from..to]);
        from = to;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn chunked(parts: &[&[u8]]) -> Vec<u8> {
    let mut out: Vec<u8> = parts.iter().flat_map(|part| crate::chunk(part)).collect();
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

async fn pass(exchange: &Exchange, cuts: &[prop::sample::Index], packets: &[prop::sample::Index]) {
    let head = format!("HTTP/1.1 200 OK\r\n{}Transfer-Encoding: chunked\r\n\r\n", exchange.headers);
    let answer = [head.as_bytes(), &chunked(&cut(&exchange.answer, cuts))].concat();
    let steps = cut(&answer, packets).into_iter().map(|part| Step::Send(part.to_vec())).collect();
    let upstream = Upstream::start(steps).await;
    let proxy = Proxy::start(&[&upstream.address]).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: p\r\nX-Mixed-Case: 1\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        exchange.path
    );
    let request = [head.as_bytes(), &chunked(&cut(exchange.request, packets))].concat();
    let mut client = TcpStream::connect(&proxy.address).await.unwrap();
    client.set_nodelay(true).unwrap();
    for part in cut(&request, cuts) {
        client.write_all(part).await.unwrap();
    }
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.unwrap();
    let (head, body) = parted(&got);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(exchange.headers.trim_end()), "{head}");
    assert_eq!(dechunk(body), (exchange.answer.clone(), true), "{}", exchange.path);
    let asked = upstream.requests.lock().unwrap()[0].clone();
    let (head, body) = parted(&asked);
    assert!(head.starts_with(&format!("POST {} HTTP/1.1\r\n", exchange.path)), "{head}");
    assert!(head.contains("\r\nX-Mixed-Case: 1"), "{head}");
    assert_eq!(dechunk(body), (exchange.request.to_vec(), true), "{}", exchange.path);
    let Some(told) = exchange.told else { return };
    let call = proxy.call().await;
    let (tokens, events) = (call.tokens, call.token_events);
    let got = (call.api, call.outcome, events, tokens.input, tokens.output, tokens.output_source);
    assert_eq!(got, told, "{} {call:?}", exchange.path);
    let sizes = (call.request_bytes, call.response_bytes);
    assert_eq!(sizes, (exchange.request.len() as u64, exchange.answer.len() as u64));
}

fn parted(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&bytes[..end + 2]).into_owned(), &bytes[end + 4..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn whatever_passes_passes_unchanged(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        packets in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        on_a_runtime(async {
            for exchange in streams().iter().chain(&captured()).chain(&documents()) {
                pass(exchange, &cuts, &packets).await;
            }
        });
    }
}

//! Bounds of copies, and what streams are put together to.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::copy::Copied;
use super::*;
use crate::api::Api;

const SSE: &str = "text/event-stream; charset=utf-8";
const CHAT: &str = include_str!("../../tests/fixtures/chat-reasoning-tools.sse");

fn said(api: Api, kind: &str, text: &str) -> Result<Value, LeftOut> {
    assemble::answer(api, assemble::pieces(kind, text.as_bytes().to_vec()))
}

#[test]
fn a_stream_is_put_together_with_its_calls() {
    let message = json!({
        "role": "assistant",
        "content": "Gr\u{fc}\u{df}e \"you\"\n\n",
        "reasoning_content": "hm \u{1f914}",
        "tool_calls": [{ "id": "call_1", "type": "function",
            "function": { "name": "look", "arguments": "{\"at\":\"K\u{f6}ln\"}" } }],
    });
    let expected = json!({ "choices":
        [{ "index": 0, "message": message, "finish_reason": "tool_calls" }] });
    assert_eq!(said(Api::OpenAiChat, SSE, CHAT), Ok(expected));
    let text = include_str!("../../tests/fixtures/messages.sse");
    let content = json!([
        { "type": "thinking", "thinking": "so" },
        { "type": "text", "text": "j\u{e1} \u{65e5}\u{672c}" },
        { "type": "tool_use", "input": { "x": 1 } },
    ]);
    let expected = json!({ "role": "assistant", "content": content, "stop_reason": "tool_use" });
    assert_eq!(said(Api::AnthropicMessages, SSE, text), Ok(expected));
    let text = include_str!("../../tests/fixtures/ollama-chat.ndjson");
    let message = json!({ "role": "assistant", "content": "a\u{f8}", "thinking": "hm" });
    let expected = json!({ "message": message, "done_reason": "stop" });
    assert_eq!(said(Api::OllamaChat, "application/x-ndjson", text), Ok(expected));
}

#[test]
fn what_real_engines_streamed_is_read() {
    let responses = include_str!("../../tests/fixtures/vllm-0.32.0-responses.sse");
    let got = said(Api::OpenAiResponses, SSE, responses).unwrap();
    let text = &got["output"][0]["content"][0]["text"];
    assert_eq!(text, " wabstractmethodpeciupleingmport");
    let messages = include_str!("../../tests/fixtures/vllm-0.32.0-messages.sse");
    let got = said(Api::AnthropicMessages, SSE, messages).unwrap();
    assert!(got["content"][0]["text"].as_str().is_some_and(|text| !text.is_empty()), "{got}");
    for text in [
        include_str!("../../tests/fixtures/vllm-0.32.0-chat-usage.sse"),
        include_str!("../../tests/fixtures/llama-server-b11669-chat-usage.sse"),
    ] {
        let got = said(Api::OpenAiChat, SSE, text).unwrap();
        let message = &got["choices"][0]["message"];
        assert!(message["content"].as_str().is_some_and(|text| text.len() > 4), "{got}");
    }
    let whole = include_str!("../../tests/fixtures/vllm-0.32.0-chat.json");
    let expected = json!({ "choices": [{ "index": 0, "finish_reason": "length",
        "message": { "role": "assistant", "content": "qcheckqcheckqcheck" } }] });
    assert_eq!(said(Api::OpenAiChat, "application/json", whole), Ok(expected));
    for text in [
        include_str!("../../tests/fixtures/vllm-0.32.0-completions.sse"),
        include_str!("../../tests/fixtures/llama-server-b11669-completions.sse"),
    ] {
        let got = said(Api::OpenAiCompletions, SSE, text).unwrap();
        assert!(got["choices"][0]["text"].as_str().is_some_and(|text| text.len() > 4), "{got}");
    }
}

#[test]
fn what_is_not_understood_is_left_out() {
    let check = |api, kind, text| assert_eq!(said(api, kind, text), Err(LeftOut::Unread), "{text}");
    check(Api::OpenAiChat, SSE, "data: {\"choi\n\n");
    check(Api::OpenAiChat, "application/json", "{}");
    check(Api::OpenAiResponses, SSE, include_str!("../../tests/fixtures/responses.sse"));
    check(Api::OllamaGenerate, "application/json", "{\"done\":true}");
    check(Api::Embeddings, "application/json", "{\"data\":[]}");
    let asked = |api, text: &str| assemble::request(api, text.as_bytes());
    assert_eq!(asked(Api::OpenAiCompletions, r#"{"prompt":[1,2]}"#), Err(LeftOut::Unread));
    assert_eq!(asked(Api::OllamaGenerate, r#"{"context":[1]}"#), Err(LeftOut::Unread));
    assert_eq!(asked(Api::OpenAiChat, "["), Err(LeftOut::Unread));
    let kept = asked(Api::OpenAiChat, r#"{"model":"m","user":"jane","messages":[],"seed":1}"#);
    assert_eq!(kept, Ok(json!({ "model": "m", "messages": [] })), "who asked is left out");
}

fn settings(call_bytes: usize, share: f64) -> Arc<CaptureSettings> {
    let settings = CaptureOptions::default().validate().unwrap();
    Arc::new(CaptureSettings { share, call_bytes, ..settings })
}

#[test]
fn what_does_not_fit_is_given_up_and_its_room_given_back() {
    let all = Arc::default();
    let mut long = Copies::begin(&settings(10, 1.0), 0, (&all, 64 << 20), false).unwrap();
    long.request(b"12345");
    long.answer(b"678901");
    long.answer(b"2");
    assert_eq!(long.end().1.err(), Some(LeftOut::TooLong));
    let mut wide = Copies::begin(&settings(usize::MAX, 1.0), 0, (&all, 64 << 20), false).unwrap();
    let block = vec![b' '; 1 << 20];
    (0..65).for_each(|_| wide.answer(&block));
    assert_eq!(wide.end().1.err(), Some(LeftOut::NoRoom));
    let mut next = Copies::begin(&settings(usize::MAX, 1.0), 0, (&all, 64 << 20), false).unwrap();
    next.answer(&block);
    assert!(next.end().1.is_ok(), "the room of the others is free again");
    let encoded = Copies::begin(&settings(10, 1.0), 0, (&all, 64 << 20), true).unwrap();
    assert_eq!(encoded.end().1.err(), Some(LeftOut::Unread));
}

#[test]
fn an_encoded_answer_is_opened_within_its_bound() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![b'a'; 1 << 20]).unwrap();
    let bytes = gzip.finish().unwrap();
    let copied = |encoding| Copied::of(b"", &bytes, SSE, Some(encoding));
    assert_eq!((copied("gzip").more(1 << 20), copied("identity").more(1 << 20)), (1 << 20, 0));
    assert_eq!(copied("gzip").plain_answer(1 << 20).map(|plain| plain.len()), Ok(1 << 20));
    assert_eq!(copied("gzip").plain_answer(1 << 19), Err(LeftOut::TooLong));
    assert_eq!(copied("br").plain_answer(1 << 20), Err(LeftOut::Unread));
}

/// What a call of this answer weighs, for each of its bytes.
fn weight(kind: &str, answer: &str) -> usize {
    weight_of(b"{}", &assemble::pieces(kind, answer.as_bytes().to_vec())) / answer.len()
}

#[test]
fn a_call_weighs_what_reading_it_takes() {
    let prose = format!("{{\"t\":\"{}\"}}", "so, it is. ".repeat(10_000));
    assert_eq!(weight("application/json", &prose), 4);
    let lists = format!("[{}1]", "[],".repeat(10_000));
    assert_eq!(weight("application/json", &lists), 244, "a list within three signs");
    let inner = format!("{{\"t\":\"[{}1]\"}}", "[],".repeat(10_000));
    assert_eq!(weight("application/json", &inner), 491, "and what it was before");
    // The events of a stream are read one after the other.
    let event = json!({ "choices": [{ "index": 0, "delta": { "content": " word" } }] });
    assert!(weight(SSE, &format!("data: {event}\n\n").repeat(100_000)) < 20);
    let call = json!({ "choices": [{ "delta": { "tool_calls": [{ "function": {} }] } }] });
    assert!(weight(SSE, &format!("data: {call}\n\n").repeat(10_000)) > 40);
}

#[test]
fn an_answer_of_more_parts_than_any_model_makes_is_left_out() {
    let event = |index: usize| format!("data: {}\n\n", json!({ "choices": [{ "index": index }] }));
    let of = |parts: usize| said(Api::OpenAiChat, SSE, &(0..parts).map(event).collect::<String>());
    assert!(of(512).is_ok());
    assert_eq!(of(513), Err(LeftOut::Unread));
}

#[test]
fn memory_is_enough_for_the_longest_call() {
    let check = |text: &str, call: usize, expected: Result<usize, &str>| {
        let capture = Some(settings(call, 1.0));
        let route = crate::RouteSettings {
            name: Arc::from("r"),
            path: "/".to_owned(),
            upstreams: vec![0],
            usage: crate::UsageMode::Observe,
            capture,
        };
        let mut problems = Vec::new();
        let bytes = checked_memory(text, &[route], &mut problems);
        match expected {
            Ok(expected) => assert_eq!((bytes, problems.len()), (expected, 0), "{problems:?}"),
            Err(words) => assert!(problems[0].message.contains(words), "{problems:?}"),
        }
    };
    check("128MiB", 1 << 20, Ok(128 << 20));
    check("32MiB", 1 << 20, Ok(32 << 20));
    check("31MiB", 1 << 20, Err("32 MiB at least"));
    check("128MiB", 16 << 20, Err("512 MiB at least"));
    check("1MiB", 1024, Err("between 8MiB and 2GiB"));
    check("much", 1024, Err(""));
}

#[test]
fn a_share_of_the_calls_is_taken() {
    let taken = |share| {
        let settings = settings(1, share);
        (0..1000).filter(|turn| settings.takes(*turn)).count()
    };
    assert_eq!(taken(1.0), 1000);
    let tenth = taken(0.1);
    assert!((95..=105).contains(&tenth), "{tenth}");
}

#[test]
fn every_problem_of_a_capture_is_told() {
    let options = CaptureOptions {
        share: 0.0,
        redact: vec!["names".to_owned()],
        redactor: Some("https://redact.example.com".to_owned()),
        call_bytes: "1GiB".to_owned(),
        disk: "1kB".to_owned(),
        retention: "1m".to_owned(),
        ..CaptureOptions::default()
    };
    let problems = options.validate().unwrap_err();
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["share", "redact[0]", "redactor", "call_bytes", "disk", "retention"]);
    let words = CaptureOptions::default().validate().unwrap().words();
    assert!(words.contains("30.000 days, without secret, email"), "{words}");
}

proptest! {
    #[test]
    fn a_text_is_whole_however_it_was_cut(
        text in "[ -~\u{e4}\u{1f600}\n]{0,60}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let signs: Vec<char> = text.chars().collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(signs.len() + 1)).collect();
        at.sort_unstable();
        let mut stream = String::new();
        let mut from = 0;
        for to in at.into_iter().chain([signs.len()]) {
            let part: String = signs[from..to].iter().collect();
            let event = json!({ "choices": [{ "index": 0, "delta": { "content": part } }] });
            stream = format!("{stream}data: {event}\n\n");
            from = to;
        }
        let got = said(Api::OpenAiChat, SSE, &stream).unwrap();
        prop_assert_eq!(got["choices"][0]["message"]["content"].as_str(), Some(text.as_str()));
    }
}

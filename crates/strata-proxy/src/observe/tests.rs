//! Streams as the dialects send them, in every split.

use super::*;
use crate::call::CountSource;
use proptest::prelude::*;

const SSE: &str = "text/event-stream; charset=utf-8";

/// One recorded-like stream: frames with the millisecond each arrived.
struct Stream {
    api: Api,
    content_type: &'static str,
    frames: &'static [(u64, &'static str)],
}

const CHAT: Stream = Stream {
    api: Api::OpenAiChat,
    content_type: SSE,
    frames: &[
        (
            10,
            "data: {\"id\":\"chatcmpl-1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        ),
        (
            100,
            "data: {\"id\":\"chatcmpl-1\",\"model\":\"m-1\",\"choices\":[{\"delta\":{\"reasoning_content\":\"hm \u{1F914}\"}}]}\n\n",
        ),
        (
            150,
            ": keep-alive\n\ndata: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{\"content\":\"Gr\u{fc}\u{df}e\"}}]}\n\n",
        ),
        (
            200,
            "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{\"content\":\" \\\"you\\\"\"}}]}\n\n",
        ),
        (
            210,
            "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        ),
        (
            211,
            "data: {\"id\":\"chatcmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\ndata: [DONE]\n\n",
        ),
    ],
};

const RESPONSES: Stream = Stream {
    api: Api::OpenAiResponses,
    content_type: SSE,
    frames: &[
        (
            5,
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"m-2\",\"status\":\"in_progress\",\"error\":null,\"usage\":null}}\n\n",
        ),
        (
            50,
            "event: response.function_call_arguments.delta\ndata: {\"delta\":\"{\\\"a\\\"\",\"type\":\"response.function_call_arguments.delta\"}\n\n",
        ),
        (
            80,
            "event: response.output_text.delta\ndata: {\"delta\":\"hi\",\"type\":\"response.output_text.delta\"}\n\n",
        ),
        (
            90,
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"model\":\"m-2\",\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":6,\"output_tokens_details\":{\"reasoning_tokens\":1},\"total_tokens\":15}}}\n\n",
        ),
    ],
};

const ANTHROPIC: Stream = Stream {
    api: Api::AnthropicMessages,
    content_type: SSE,
    frames: &[
        (
            20,
            "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m-3\",\"content\":[],\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\r\n\r\n",
        ),
        (25, "event: ping\r\ndata: {\"type\":\"ping\"}\r\n\r\n"),
        (
            30,
            "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}}\r\n\r\n",
        ),
        (
            40,
            "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"so\"}}\r\n\r\n",
        ),
        (
            45,
            "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"abc\"}}\r\n\r\n",
        ),
        (
            60,
            "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"ja\"}}\r\n\r\n",
        ),
        (
            70,
            "event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":8}}\r\n\r\nevent: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n",
        ),
    ],
};

const OLLAMA: Stream = Stream {
    api: Api::OllamaChat,
    content_type: "application/x-ndjson",
    frames: &[
        (
            30,
            "{\"model\":\"m-4\",\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n",
        ),
        (
            40,
            "{\"model\":\"m-4\",\"message\":{\"role\":\"assistant\",\"content\":\"b\"},\"done\":false}\n",
        ),
        (
            50,
            "{\"model\":\"m-4\",\"message\":{\"content\":\"\"},\"done_reason\":\"stop\",\"done\":true,\"prompt_eval_count\":11,\"eval_count\":2}\n",
        ),
    ],
};

const COMPLETIONS: Stream = Stream {
    api: Api::OpenAiCompletions,
    content_type: SSE,
    frames: &[
        (
            10,
            "data: {\"id\":\"c\",\"model\":\"m-5\",\"choices\":[{\"text\":\"x\",\"finish_reason\":null}]}\n\n",
        ),
        (
            20,
            "data: {\"id\":\"c\",\"model\":\"m-5\",\"choices\":[{\"text\":\"y\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n",
        ),
    ],
};

fn observe(stream: &Stream, encoding: Option<&str>, frames: &[(u64, Vec<u8>)]) -> Summary {
    let mut observer = Observer::new(stream.api, Some(stream.content_type), encoding, false);
    for (ms, bytes) in frames {
        observer.frame(bytes, Duration::from_millis(*ms));
    }
    observer.finish()
}

fn frames(stream: &Stream) -> Vec<(u64, Vec<u8>)> {
    stream.frames.iter().map(|(ms, text)| (*ms, text.as_bytes().to_vec())).collect()
}

fn ms(value: Option<Duration>) -> Option<u128> {
    value.map(|value| value.as_millis())
}

#[test]
fn each_dialect_gives_its_numbers() {
    type Expected = ([Option<u128>; 3], u64, [Option<u64>; 4], &'static str);
    let check = |stream: &Stream, expected: Expected, model: &str, id: Option<&str>| {
        let got = observe(stream, None, &frames(stream));
        let times = [got.first_token, got.first_output, got.last_token].map(ms);
        let tokens = got.tokens;
        let counts = [tokens.input, tokens.cache_read, tokens.output, tokens.reasoning];
        let reason = got.finish_reason.as_deref().unwrap_or_default();
        assert_eq!((times, got.token_events, counts, reason), expected, "{:?}", stream.api);
        assert_eq!(got.model.as_deref(), Some(model));
        assert_eq!(got.response_id.as_deref(), id);
        assert!(got.streamed && !got.error && !got.unfinished && !got.unread, "{got:?}");
    };
    let chat = ([Some(100), Some(150), Some(200)], 3, [Some(7), Some(4), Some(5), Some(2)], "stop");
    check(&CHAT, chat, "m-1", Some("chatcmpl-1"));
    let responses =
        ([Some(50), Some(80), Some(80)], 2, [Some(9), Some(0), Some(6), Some(1)], "completed");
    check(&RESPONSES, responses, "m-2", Some("resp_1"));
    let anthropic =
        ([Some(40), Some(60), Some(60)], 2, [Some(113), Some(100), Some(8), None], "end_turn");
    check(&ANTHROPIC, anthropic, "m-3", Some("msg_1"));
    let ollama = ([Some(30), Some(30), Some(40)], 2, [Some(11), None, Some(2), None], "stop");
    check(&OLLAMA, ollama, "m-4", None);
    let completions = ([Some(10), Some(10), Some(20)], 2, [None, None, Some(2), None], "length");
    check(&COMPLETIONS, completions, "m-5", Some("c"));
}

#[test]
fn a_token_without_text_of_its_own_is_one() {
    let stream = Stream { api: Api::OpenAiCompletions, content_type: SSE, frames: &[] };
    // 6 tokens, two of which are parts of characters.
    let captured = include_str!("../../tests/fixtures/vllm-0.32.0-completions.sse");
    let events = captured.split_inclusive("\n\n").map(|event| event.as_bytes().to_vec());
    let frames: Vec<(u64, Vec<u8>)> = (1..).map(|n| n * 20).zip(events).collect();
    let got = observe(&stream, None, &frames);
    assert_eq!((got.token_events, got.gaps.count, ms(got.last_token)), (6, 5, Some(120)));
    assert_eq!(got.gaps.longest.as_millis(), 20);
    let check = |events: &[&str], tokens: u64| {
        let frames: Vec<_> = events
            .iter()
            .map(|event| (1, format!("data: {{\"choices\":[{event}]}}\n\n").into_bytes()))
            .collect();
        let got = observe(&CHAT, None, &frames);
        assert_eq!(got.token_events, tokens, "{events:?}");
    };
    let role = r#"{"delta":{"role":"assistant","content":""}}"#;
    let (text, none) = (r#"{"delta":{"content":"a"}}"#, r#"{"delta":{"content":""}}"#);
    let last = r#"{"delta":{"content":""},"finish_reason":"stop"}"#;
    check(&[none, none, role], 0);
    check(&[none, role, none, text], 2);
    check(&[role, text, none, text], 3);
    check(&[role, text, role, last], 1);
    check(&[text, r#"{"delta":{"reasoning":""}}"#, r#"{"delta":{}}"#], 2);
}

#[test]
fn every_count_says_where_it_comes_from() {
    let source = |stream: &Stream| observe(stream, None, &frames(stream)).tokens.output_source;
    assert_eq!(source(&CHAT), CountSource::Usage);
    assert_eq!(source(&COMPLETIONS), CountSource::ChunkCount);
}

#[test]
fn unary_answers_give_usage_and_errors() {
    let unary = |api, body: &str| {
        let mut observer = Observer::new(api, Some("application/json"), None, false);
        observer.frame(body.as_bytes(), Duration::from_millis(3));
        observer.finish()
    };
    let chat = unary(
        Api::OpenAiChat,
        r#"{"id":"x","model":"m","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    );
    assert_eq!((chat.tokens.input, chat.tokens.output, chat.streamed), (Some(1), Some(2), false));
    assert_eq!((chat.first_token, chat.token_events, chat.error), (None, 0, false));
    let embeddings = unary(
        Api::Embeddings,
        r#"{"data":[{"embedding":[0.1,0.2]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
    );
    assert_eq!((embeddings.tokens.input, embeddings.tokens.output), (Some(8), None));
    let rerank = unary(Api::Rerank, r#"{"results":[],"usage":{"total_tokens":56}}"#);
    assert_eq!(rerank.tokens.input, Some(56));
    let failed = unary(Api::OpenAiChat, r#"{"error":{"type":"overloaded","message":"no"}}"#);
    assert_eq!((failed.error, failed.error_type.as_deref()), (true, Some("overloaded")));
    let fine = unary(Api::OpenAiResponses, r#"{"id":"r","error":null,"status":"completed"}"#);
    assert!(!fine.error);
    assert!(unary(Api::OpenAiChat, "<html>no</html>").unread);
}

#[test]
fn broken_off_streams_and_errors_in_them_are_told_apart() {
    let cut = |stream: &Stream, take: usize| observe(stream, None, &frames(stream)[..take]);
    assert!(cut(&CHAT, 4).unfinished);
    assert!(!cut(&CHAT, 5).unfinished, "the finish reason is the end of what matters");
    assert!(cut(&ANTHROPIC, 6).unfinished);
    assert!(cut(&OLLAMA, 2).unfinished);
    let with = |api, text: &str| {
        let mut observer = Observer::new(api, Some(SSE), None, false);
        observer.frame(text.as_bytes(), Duration::ZERO);
        observer.finish()
    };
    let anthropic = with(
        Api::AnthropicMessages,
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
    );
    assert_eq!(
        (anthropic.error, anthropic.error_type.as_deref()),
        (true, Some("overloaded_error"))
    );
    let openai = with(Api::OpenAiChat, "data: {\"error\":{\"message\":\"x\",\"code\":500}}\n\n");
    assert!(openai.error && !openai.unfinished);
    let broken = with(Api::OpenAiChat, "data: {\"choices\":[{\"delta\n\ndata: [DONE]\n\n");
    assert!(broken.unread && !broken.unfinished);
}

#[test]
fn an_echoed_prompt_is_no_token() {
    let mut observer = Observer::new(Api::OpenAiCompletions, Some(SSE), None, true);
    for (ms, bytes) in frames(&COMPLETIONS) {
        observer.frame(&bytes, Duration::from_millis(ms));
    }
    let got = observer.finish();
    assert_eq!((ms(got.first_token), got.token_events), (Some(20), 1));
}

#[test]
fn gaps_that_stand_out_are_stalls() {
    let mut observer = Observer::new(Api::OpenAiCompletions, Some(SSE), None, false);
    let mut at = 0;
    for gap in [20, 20, 20, 900, 20, 20, 20, 20] {
        at += gap;
        observer.frame(b"data: {\"choices\":[{\"text\":\"t\"}]}\n\n", Duration::from_millis(at));
    }
    let gaps = observer.finish().gaps;
    assert_eq!((gaps.count, gaps.stalls, gaps.longest.as_millis()), (7, 1, 900));
}

#[test]
fn an_encoded_stream_is_read_from_a_copy() {
    use std::io::Write;
    let expected = observe(&CHAT, None, &frames(&CHAT));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut encoded = Vec::new();
    for (ms, bytes) in frames(&CHAT) {
        gzip.write_all(&bytes).unwrap();
        gzip.flush().unwrap();
        encoded.push((ms, std::mem::take(gzip.get_mut())));
    }
    encoded.push((211, gzip.finish().unwrap()));
    assert_eq!(observe(&CHAT, Some("gzip"), &encoded), expected);
    let blind = observe(&CHAT, Some("br"), &frames(&CHAT));
    assert!(blind.unread && !blind.unfinished && blind.tokens.output.is_none());
    let broken = observe(&CHAT, Some("gzip"), &frames(&CHAT));
    assert!(broken.unread);
}

proptest! {
    #[test]
    fn splits_change_no_number(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        for stream in [&CHAT, &RESPONSES, &ANTHROPIC, &OLLAMA, &COMPLETIONS] {
            let whole = frames(stream);
            let mut pieces = Vec::new();
            for (ms, bytes) in &whole {
                let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
                at.sort_unstable();
                let mut from = 0;
                for cut in at {
                    pieces.push((*ms, bytes[from..cut].to_vec()));
                    from = cut;
                }
                pieces.push((*ms, bytes[from..].to_vec()));
            }
            prop_assert_eq!(observe(stream, None, &pieces), observe(stream, None, &whole));
        }
    }

    #[test]
    fn any_stream_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for stream in [&CHAT, &OLLAMA] {
            observe(stream, None, &[(1, bytes.clone())]);
            observe(stream, Some("deflate"), &[(1, bytes.clone())]);
        }
    }
}

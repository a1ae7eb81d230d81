//! Every API's calls as messages, and what is left out with its reason.

use serde_json::{Value, json};

use super::*;

fn call(api: &str, request: Value, answer: Value) -> Exchange {
    Exchange { api: api.to_owned(), request, answer, ..Exchange::default() }
}

fn told(api: &str, request: Value, answer: Value) -> (Vec<Value>, Vec<Value>, Value) {
    let talk = Talk::of(&call(api, request, answer), false).unwrap();
    match talk.prompt {
        Prompt::Chat { messages, tools, .. } => (messages, tools, talk.answer),
        Prompt::Text(text) => (vec![text.into()], Vec::new(), talk.answer),
    }
}

fn weather() -> Value {
    json!({ "type": "function", "function": { "name": "weather", "description": "now",
        "parameters": { "type": "object" } } })
}

fn asked_for_weather(id: &str) -> Value {
    json!({ "role": "assistant", "tool_calls": [{ "id": id, "type": "function",
        "function": { "name": "weather", "arguments": "{\"at\":\"Bonn\"}" } }] })
}

#[test]
fn calls_and_their_results_are_told_alike_whatever_the_api() {
    let messages = |id: &str| {
        vec![
            json!({ "role": "system", "content": "be brief" }),
            json!({ "role": "user", "content": "weather?" }),
            asked_for_weather(id),
            json!({ "role": "tool", "tool_call_id": id, "content": "rain" }),
        ]
    };
    let answer = json!({ "role": "assistant", "content": "It rains." });
    let anthropic = told(
        "anthropic_messages",
        json!({ "system": [{ "type": "text", "text": "be brief" }],
            "tools": [{ "name": "weather", "description": "now", "input_schema": { "type": "object" } }],
            "messages": [
                { "role": "user", "content": [{ "type": "text", "text": "weather?" }] },
                { "role": "assistant", "content": [
                    { "type": "thinking", "thinking": "hm" },
                    { "type": "tool_use", "id": "t1", "name": "weather", "input": { "at": "Bonn" } }] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "t1", "content": "rain" }] },
            ] }),
        json!({ "content": [{ "type": "thinking", "thinking": "so" },
            { "type": "text", "text": "It rains." }], "stop_reason": "end_turn" }),
    );
    assert_eq!(anthropic, (messages("t1"), vec![weather()], answer.clone()));
    let responses = told(
        "openai_responses",
        json!({ "instructions": "be brief",
            "tools": [{ "type": "function", "name": "weather", "description": "now",
                "parameters": { "type": "object" } }],
            "input": [
                { "role": "user", "content": [{ "type": "input_text", "text": "weather?" }] },
                { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }] },
                { "type": "function_call", "call_id": "t1", "name": "weather",
                    "arguments": "{\"at\":\"Bonn\"}" },
                { "type": "function_call_output", "call_id": "t1", "output": "rain" },
            ] }),
        json!({ "status": "completed", "output": [{ "type": "message", "role": "assistant",
            "content": [{ "type": "output_text", "text": "It rains." }] }] }),
    );
    assert_eq!(responses, (messages("t1"), vec![weather()], answer.clone()));
    let ollama = told(
        "ollama_chat",
        json!({ "tools": [weather()], "messages": [
            { "role": "system", "content": "be brief" },
            { "role": "user", "content": "weather?" },
            { "role": "assistant", "content": "", "tool_calls":
                [{ "function": { "name": "weather", "arguments": { "at": "Bonn" } } }] },
            { "role": "tool", "content": "rain", "tool_name": "weather" },
        ] }),
        json!({ "message": { "role": "assistant", "content": "It rains." }, "done_reason": "stop" }),
    );
    assert_eq!(ollama, (messages("call_0"), vec![weather()], answer));
}

#[test]
fn a_prompt_without_turns_is_a_text_unless_a_template_makes_it_one() {
    let said = json!({ "role": "assistant", "content": " blue" });
    let answer = json!({ "response": " blue", "done_reason": "stop" });
    let request = json!({ "prompt": "The sky is", "system": "colours" });
    let (messages, ..) = told("ollama_generate", request, answer.clone());
    assert_eq!(messages[0], json!({ "role": "system", "content": "colours" }));
    assert_eq!(messages[1], json!({ "role": "user", "content": "The sky is" }));
    let raw = told("ollama_generate", json!({ "prompt": "The sky is", "raw": true }), answer);
    assert_eq!(raw, (vec!["The sky is".into()], Vec::new(), said.clone()));
    let choices = json!({ "choices": [{ "text": " blue", "finish_reason": "stop" }] });
    let completion = told("openai_completions", json!({ "prompt": "The sky is" }), choices);
    assert_eq!(completion, (vec!["The sky is".into()], Vec::new(), said));
}

#[test]
fn what_the_model_thought_is_kept_only_when_asked_for() {
    let choice = json!({ "message": { "role": "assistant", "content": "4", "reasoning": "2+2" },
        "finish_reason": "stop" });
    let request = json!({ "messages": [{ "role": "user", "content": "2+2" }] });
    let one = call("openai_chat", request, json!({ "choices": [choice] }));
    let thought =
        |reasoning| Talk::of(&one, reasoning).unwrap().answer["reasoning_content"].clone();
    assert_eq!((thought(true), thought(false)), (json!("2+2"), Value::Null));
}

#[test]
fn what_is_no_example_is_left_out_with_its_reason() {
    let check = |api: &str, request: Value, answer: Value, why: Unfit| {
        assert_eq!(Talk::of(&call(api, request, answer), false), Err(why), "{api}");
    };
    let user = json!({ "messages": [{ "role": "user", "content": "hi" }] });
    let chat = |choices: Value| json!({ "choices": choices });
    let said = |finish: &str| json!({ "message": { "role": "assistant", "content": "a" }, "finish_reason": finish });
    check("openai_chat", user.clone(), chat(json!([said("length")])), Unfit::Cut);
    check("openai_chat", user.clone(), chat(json!([said("stop"), said("stop")])), Unfit::Several);
    let nothing = json!([{ "message": { "role": "assistant", "content": "" } }]);
    check("openai_chat", user.clone(), chat(nothing), Unfit::Empty);
    let seen = json!([{ "type": "image_url", "image_url": { "url": "http://a/b.png" } }]);
    let image = json!({ "messages": [{ "role": "user", "content": seen }] });
    check("openai_chat", image, chat(json!([said("stop")])), Unfit::Media);
    let media = Exchange { media: true, ..call("openai_chat", user.clone(), Value::Null) };
    assert_eq!(Talk::of(&media, false), Err(Unfit::Media));
    let earlier = json!({ "input": "and?", "previous_response_id": "resp_1" });
    check("openai_responses", earlier, Value::Null, Unfit::Elsewhere);
    let answer =
        json!({ "content": [{ "type": "text", "text": "a" }], "stop_reason": "max_tokens" });
    check("anthropic_messages", user.clone(), answer, Unfit::Cut);
    let answer = json!({ "content": [{ "type": "tool_use", "input": {} }] });
    check("anthropic_messages", user, answer, Unfit::Shape);
    check("embeddings", Value::Null, Value::Null, Unfit::Shape);
}

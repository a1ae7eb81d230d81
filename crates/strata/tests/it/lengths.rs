//! Lengths of requests, from calls that were sent to the document, the page and the command.

use serde_json::{Value as Json, json};

use crate::calls::Calls;
use crate::http;
use crate::program::{House, Server, now_ms, stderr, stdout};

#[test]
fn lengths_are_told_together_and_apart() {
    let house = House::new("");
    let server = house.start();
    let calls = |app, count, tokens| Calls { model: "llama", app, count, ttft_ms: |_| 200, tokens };
    // A chat with short prompts and long answers, and an agent with the opposite.
    calls("chat", 300, |n| [70 + n % 50, 0, 800]).send(&server);
    let mut agent = calls("agent", 100, |_| [5_000, 3_000, 20]);
    agent.model = "other";
    agent.send(&server);
    let path = "/api/v1/requests/lengths";
    let answer = server.get(path, &[("batch", "16")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!((&answer["matching"], &answer["by"]), (&400.into(), &"app".into()));
    let cells = answer["all"]["cells"].as_array().unwrap();
    let of = |input: u64, output: u64| {
        let here = |one: &&Json| one["input_at_most"] == input && one["output_at_most"] == output;
        cells.iter().find(here).map(|cell| cell["requests"].clone())
    };
    assert_eq!(of(8_192, 32), Some(100.into()), "{cells:?}");
    assert_eq!(of(8_192, 1_024), None);
    let groups = answer["groups"].as_array().unwrap();
    let names: Vec<_> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["chat", "agent"]);
    assert_eq!(groups[1]["lengths"]["cached"]["p50"], 3_000);
    // The agent's long prompts are those of another model, and set no length for the chat's.
    let models = answer["models"].as_array().unwrap();
    let of: Vec<_> = models
        .iter()
        .map(|one| (one["model"].as_str().unwrap(), one["advice"][0]["setting"].as_str().unwrap()))
        .collect();
    assert_eq!(of, [("llama", "--max-model-len 2048"), ("other", "--max-model-len 10240")]);
    assert_eq!((&models[0]["requests"], &answer["more_models"]), (&300.into(), &0.into()));
    assert!(models[0]["busiest_hour_us"].is_i64(), "{}", models[0]);
    let advice = models[0]["advice"].as_array().unwrap();
    // Nobody told of prefill: nothing is made up.
    assert_eq!(advice[1]["setting"], Json::Null);
    assert!(advice[1]["missing"].as_str().unwrap().contains("prefill times"), "{advice:?}");
    let hours = server.get(path, &[("by", "hour"), ("where", "app=chat")]).json();
    assert_eq!(hours["matching"], 300);
    assert!(hours["groups"][0]["name"].as_str().unwrap().ends_with(":00:00Z"), "{hours}");
    assert_eq!(server.get(path, &[("by", "color")]).status, 400);
    assert_eq!(server.get(path, &[("batch", "none")]).status, 400);
    let view = [("view", "lengths"), ("entity", "app:agent"), ("group", "model")];
    let page = server.get("/api/v1/pages/requests", &view).json();
    assert_eq!(page["sections"][0]["blocks"][0]["type"], "heatmap", "{}", page["sections"]);
    assert_eq!(
        page["sections"][0]["brief"],
        "100 of 100 requests of app:agent tell input and output."
    );
    let url = ["--url", server.url.as_str()];
    let top = ["top", "--once", "--page", "requests", "--view", "lengths", "--width", "120"];
    let text = stdout(&house.run(&[&top[..], &url].concat()));
    assert!(text.contains("from left to right: <= 32 to <= 1 k"), "{text}");
    let output = house.run(&[&["requests", "lengths", "--by", "model"][..], &url].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "<=8192",
        "75 %",
        "llama: 300 requests",
        "in the busiest hour",
        "--max-model-len 10240",
        "nothing is advised",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Spans of two vLLM replicas: two requests a second for five minutes, of 1000 + 60 tokens and every
/// fifth of ten times the prompt.
fn engines(server: &Server) {
    let now = now_ms() as u64;
    let attribute =
        |key: &str, value: f64| json!({ "key": key, "value": { "doubleValue": value } });
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let span = |n: u64| {
        let prompt: i32 = if n.is_multiple_of(5) { 10_000 } else { 1_000 };
        let prompt = f64::from(prompt);
        let (prefill, decode) = (prompt / 10_000.0, 1.18);
        let start = now - 310_000 + n * 500;
        let took = ((prefill + decode) * 1e3) as u64;
        json!({
            "traceId": format!("{:032x}", n + 1), "spanId": format!("{:016x}", n + 1),
            "name": "llm_request", "kind": 2,
            "startTimeUnixNano": format!("{start}000000"),
            "endTimeUnixNano": format!("{}000000", start + took),
            "attributes": [
                text("gen_ai.response.model", "llama"),
                text("gen_ai.request.id", &format!("cmpl-{n}")),
                attribute("gen_ai.usage.prompt_tokens", prompt),
                attribute("gen_ai.usage.completion_tokens", 60.0),
                attribute("gen_ai.latency.time_in_queue", 0.0),
                attribute("gen_ai.latency.time_to_first_token", prefill),
                attribute("gen_ai.latency.time_in_model_prefill", prefill),
                attribute("gen_ai.latency.time_in_model_decode", decode),
            ],
        })
    };
    let resource = |replica: u64| {
        let spans: Vec<Json> = (0..600).filter(|n| n % 2 == replica).map(span).collect();
        json!({
            "resource": { "attributes": [text("k8s.pod.name", &format!("llama-{replica}"))] },
            "scopeSpans": [{ "spans": spans }],
        })
    };
    let body = json!({ "resourceSpans": [resource(0), resource(1)] }).to_string();
    let url = format!("{}/v1/traces", server.otlp_http());
    let answer = http::post(&url, &[("Content-Type", "application/json")], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn advice_is_tried_on_the_recorded_requests() {
    let house = House::new("");
    let server = house.start();
    engines(&server);
    let answer = server.get("/api/v1/requests/lengths", &[("batch", "16")]).json();
    let model = &answer["models"][0];
    assert_eq!(model["model"], "llama", "{answer}");
    let tried = &model["simulated"];
    assert_eq!((&tried["why"], &tried["requests"]), (&"".into(), &600.into()), "{tried}");
    let settings = tried["settings"].as_array().unwrap();
    let names: Vec<_> = settings.iter().map(|one| one["setting"].as_str().unwrap()).collect();
    assert!(names[0].starts_with("2 together, --max-num-batched-tokens 8192 (now, assumed)"));
    assert!(names[1].starts_with("2 together, --max-num-batched-tokens 256"), "{names:?}");
    assert!(names[2].starts_with("prefill 1 : decode 1"), "{names:?}");
    let tail = |at: usize| settings[at]["itl_p99_seconds"].as_f64().unwrap();
    // A budget of 256 tokens holds a decode up for some 26 ms, one of 8192 for most of a second.
    assert!(tail(1) < 0.06 && tail(0) > 1.5 * tail(1), "{tried}");
    assert!(settings.iter().all(|one| one["ended"] == 600), "{tried}");
    let more = [("batched_tokens", "512"), ("where", "model=llama")];
    let known = server.get("/api/v1/requests/lengths", &more).json();
    let now = &known["models"][0]["simulated"]["settings"][0]["setting"];
    assert_eq!(now, "2 together, --max-num-batched-tokens 512 (now)");
    let view = [("view", "lengths"), ("entity", "model:llama")];
    let page = server.get("/api/v1/pages/requests", &view).json().to_string();
    assert!(page.contains("llama, simulated: 600 "), "{page}");
    let url = ["--url", server.url.as_str()];
    let text = stdout(&house.run(&[&["requests", "lengths", "--batch", "16"][..], &url].concat()));
    assert!(text.contains("simulated, with 600 requests of") && text.contains("(now, assumed)"));
}

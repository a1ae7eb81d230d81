//! Lengths of requests, from calls that were sent to the document, the page and the command.

use serde_json::Value as Json;

use crate::calls::Calls;
use crate::program::{House, stderr, stdout};

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

//! `strata serve` on top of another engine, here a `strata run`, which speaks the same API.

use std::process::Command;

use crate::http;
use crate::program::{House, STRATA, Server, now_ms, stderr};
use crate::wire::{HEADERS, Row, body};

/// `strata serve` in this house.
pub(crate) fn serve(house: &House, arguments: &[&str]) -> Command {
    let mut command = Command::new(STRATA);
    command.current_dir(house.path()).args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    command.args(arguments);
    command
}

/// Two minutes of a vLLM that makes 2 tokens a second, ending a minute ago.
fn fill(server: &Server) -> String {
    let end = now_ms() - 60_000;
    let labels = |name: &str| {
        let pairs = [("__name__", name), ("engine", "0"), ("model_name", "m")];
        pairs.map(|(name, value)| (name, value.to_owned())).to_vec()
    };
    let samples = |growth: f64| {
        (0..=8).map(move |at| (end - (8 - at) * 15_000, growth * at as f64)).collect::<Vec<_>>()
    };
    let rows = [
        Row { labels: labels("vllm:generation_tokens_total"), samples: samples(30.0) },
        Row { labels: labels("vllm:num_requests_running"), samples: samples(1.0) },
    ];
    assert_eq!(server.write(&body(&rows)).status, 204);
    format!("{}.5", end / 1000)
}

#[test]
fn canonical_names_are_answered_over_another_engine() {
    let below = House::new("");
    let engine = below.start();
    let at = fill(&engine);
    let house = House::with_config("");
    let server = Server::spawn(&mut serve(&house, &["--metrics", &engine.url]));
    assert_eq!(server.greeting["engine"], engine.url.as_str());
    assert!(server.greeting["canonical_names"].as_u64().unwrap() >= 2, "{}", server.greeting);
    let rate = "sum by (model) (rate(inference_generation_tokens_total[1m]))";
    for query in
        [rate, "inference_requests_running", "max_over_time(inference_requests_running[1m])"]
    {
        let (ours, theirs) = (server.query(query, Some(&at)), engine.query(query, Some(&at)));
        assert_eq!(ours.len(), 1, "{query}");
        assert_eq!(ours, theirs, "{query}");
    }
    let rate = server.value(rate, Some(&at)).unwrap();
    assert!((rate - 2.0).abs() < 1e-9, "{rate} tokens a second");
    let models =
        server.api("/api/v1/label/model/values", &[("match[]", "inference_requests_running")]);
    assert_eq!(models, serde_json::json!(["m"]));
    assert_eq!(server.get("/-/ready", &[]).status, 200);
    assert!(server.own("strata_remote_requests_total{outcome=\"ok\"}").unwrap() > 3.0);
    assert!(!house.path().join("strata-data").exists(), "nothing is stored");
    let page = [("lang", "sql"), ("query", "SELECT 1")];
    let page = server.get("/api/v1/pages/explore", &page).json();
    let why = page["sections"][0]["blocks"][0]["notices"][0]["text"].as_str().unwrap().to_owned();
    assert!(why.contains("holds no single requests; ask a strata run"), "{why}");
}

#[test]
fn samples_are_refused_with_the_place_where_to_send_them() {
    let below = House::new("");
    let engine = below.start();
    let house = House::with_config(&format!("[metrics]\nurl = \"{}\"\n", engine.url));
    let server = Server::spawn(&mut serve(&house, &["--config", house.config.to_str().unwrap()]));
    let rows = [Row::new("up", ("job", "x"), [(now_ms(), 1.0)])];
    let answer = http::post(&format!("{}/api/v1/write", server.url), &HEADERS, &body(&rows));
    assert_eq!(answer.status, 404, "a sender must not try again");
    assert!(answer.text().contains(&engine.url), "{}", answer.text());
}

#[test]
fn an_engine_that_is_down_is_told_and_found_again() {
    let below = House::new("");
    let engine = below.start();
    let house = House::with_config("");
    let server = Server::spawn(&mut serve(&house, &["--metrics", &engine.url]));
    engine.kill();
    let answer = server.get("/api/v1/query", &[("query", "inference_requests_running")]).json();
    assert_eq!(answer["errorType"], "internal", "{answer}");
    assert!(
        answer["error"].as_str().unwrap().contains("cannot reach http://127.0.0.1"),
        "{answer}"
    );
    let ready = server.get("/-/ready", &[]);
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("cannot reach"), "{}", ready.text());
    assert_eq!(server.get("/-/healthy", &[]).status, 200);
}

#[test]
fn a_missing_or_wrong_address_is_told_before_anything_starts() {
    let house = House::with_config("");
    let check = |arguments: &[&str], part: &str| {
        let output = serve(&house, arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    };
    check(&[], "give --metrics URL");
    check(&["--metrics", "prometheus:9090"], "not an http or https address");
    check(&["--metrics", "http://user:hunter2@h"], "belong into basic_auth");
    std::fs::write(&house.config, "[metrics]\nurl = \"http://h\"\ntenants = \"a\"\n").unwrap();
    let config = house.config.to_str().unwrap();
    check(&["--config", config], "did you mean");
}

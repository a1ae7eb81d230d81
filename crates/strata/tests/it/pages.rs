//! Pages over HTTP and on a terminal, and what the command palette costs.

use serde_json::Value as Json;

use crate::program::{House, Server, now_ms, stderr, stdout};
use crate::wire::{Row, body};

#[test]
fn typing_in_the_palette_asks_once() {
    let house = House::new("");
    let server = house.start();
    let asked = || server.own("strata_pages_queries_total").unwrap_or_default();
    let find = |text: &str| {
        let found = server.get("/api/v1/suggest", &[("q", text)]);
        assert_eq!(found.status, 200, "{}", found.text());
        found.json().as_array().unwrap().len()
    };
    let row = Row::new(
        "vllm:num_requests_running",
        ("instance", "chat-0:8000"),
        [(now_ms() - 30_000, 1.0)],
    );
    assert_eq!(server.write(&body(&[row])).status, 204);
    let before = asked();
    assert_eq!(find("chat-0"), 1);
    let first = asked();
    let once = first - before;
    assert!(once > 0.0, "the first asks");
    for text in ["a", "ab", "abc", "", "n", "no"] {
        find(text);
    }
    // On a busy machine they may take longer than the list is kept; then it is made once more.
    assert!(asked() - first <= once, "{} more queries", asked() - first);
}

/// Two replicas and three GPUs that stand still, so that any moment shows the same numbers.
fn fill(server: &Server) {
    let end = now_ms() - 10_000;
    let steady =
        |value: f64| (0..=20).map(move |at| (end - (20 - at) * 15_000, value)).collect::<Vec<_>>();
    let row = |name: &str, labels: &[(&'static str, &str)], value: f64| Row {
        labels: [("__name__", name)]
            .iter()
            .chain(labels)
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        samples: steady(value),
    };
    let mut rows = Vec::new();
    for (instance, pinned, waiting) in [("chat-0:8000", 0.913, 7.0), ("chat-1:8000", 0.05, 0.0)] {
        let labels = [("engine", "0"), ("instance", instance), ("model_name", "m")];
        rows.push(row("vllm:kv_cache_usage_perc", &labels, pinned));
        rows.push(row("vllm:num_requests_waiting", &labels, waiting));
        rows.push(row("vllm:num_requests_running", &labels, 32.0));
    }
    for (uuid, busy, watts) in
        [("GPU-a", 93.7, 612.5), ("GPU-b", 12.0, 71.25), ("GPU-c", 0.0, 60.0)]
    {
        let labels = [("Hostname", "n"), ("UUID", uuid), ("gpu", "0"), ("modelName", "H100")];
        rows.push(row("DCGM_FI_DEV_GPU_UTIL", &labels, busy));
        rows.push(row("DCGM_FI_DEV_POWER_USAGE", &labels, watts));
        rows.push(row("DCGM_FI_DEV_FB_USED", &labels, 61_234.0));
    }
    assert_eq!(server.write(&body(&rows)).status, 204);
}

/// Every number of a document that is known: label and text.
fn numbers(json: &Json, found: &mut Vec<(String, String)>) {
    match json {
        Json::Object(map) => {
            let text = |name: &str| map.get(name).and_then(Json::as_str).map(str::to_owned);
            if let (Some(label), Some(digits), Some(_)) =
                (text("label"), text("text"), map.get("value"))
            {
                found.push((label, digits));
            }
            map.values().for_each(|value| numbers(value, found));
        }
        Json::Array(all) => all.iter().for_each(|value| numbers(value, found)),
        _ => {}
    }
}

#[test]
fn the_terminal_says_the_digits_of_the_interface() {
    let house = House::new("");
    let server = house.start();
    fill(&server);
    for (page, least) in [("overview", 8), ("gpus", 10), ("engines", 8)] {
        let json = server.get(&format!("/api/v1/pages/{page}"), &[("since", "5m")]).json();
        let once = ["top", "--once", "--width", "400", "--since", "5m", "--page", page];
        let output = house.run(&[&once[..], &["--url", &server.url]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let text = stdout(&output);
        let mut all = Vec::new();
        numbers(&json, &mut all);
        assert!(all.len() >= least, "{page}: {all:?}");
        for (label, digits) in all {
            assert!(text.contains(&digits), "{page}: {label} {digits} is not in\n{text}");
        }
    }
}

#[test]
fn the_card_of_a_replica_keeps_to_the_configuration() {
    let config = "[engines]\nitl_target = \"20ms\"\nfill = 0.625\nshapes = [50, 95, 99.9]\n";
    let house = House::with_config(config);
    let server = house.start();
    fill(&server);
    let asked = [("since", "5m"), ("entity", "replica:chat-0:8000")];
    let page = server.get("/api/v1/pages/engines", &asked).text();
    for told in ["used to 62.5", "\"p95\"", "\"p99.9\""] {
        assert!(page.contains(told), "{told} is not in {page}");
    }
}

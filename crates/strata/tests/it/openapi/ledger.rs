//! Statements and advice: what a demo has only after something was done.

use super::Described;
use crate::http;
use crate::program::{House, Server, now_ms};
use crate::wire::{Row, body};

/// A statement is drafted, closed, listed and read.
pub(super) fn statements(server: &Server, described: &Described) {
    let cost = server.get("/api/v1/cost", &[("since", "5m"), ("by", "namespace")]).json();
    let lines = cost["lines"].as_array().unwrap();
    let held = lines.iter().filter(|line| !line["amount"].is_null());
    let mut names = held.filter_map(|line| line["keys"][0].as_str());
    let customer = names.find(|name| !name.starts_with('(') && !name.starts_with('_'));
    let customer = customer.unwrap_or_else(|| panic!("nobody holds anything: {cost}")).to_owned();
    let minute = |ago: i64| {
        let at = (now_ms() / 60_000 - ago) * 60;
        jiff::Timestamp::from_second(at).unwrap().to_string()
    };
    let (from, until) = (minute(10), minute(4));
    let period = [
        ("customer", customer.as_str()),
        ("of", "namespace"),
        ("from", from.as_str()),
        ("until", until.as_str()),
    ];
    described.ask(server, "/api/v1/cost/statement/draft", &period, 200);
    let path = "/api/v1/cost/statement/close";
    let url = server.address(path, &period);
    described.check("post", path, 200, &http::post(&url, &[], b""));
    described.check("post", path, 400, &http::post(&url, &[], b""));
    let foreign = [("Origin", "http://evil.example")];
    described.check("post", path, 403, &http::post(&url, &foreign, b""));
    described.ask(server, "/api/v1/cost/statements", &[], 200);
    described.ask(server, "/api/v1/cost/statement", &period[..2], 200);
}

/// A GPU that a pod holds and does not use: there is something to advise.
pub(super) fn an_idle_gpu(described: &Described) {
    let house = House::new("");
    let server = house.start();
    let end = 1_000 * (now_ms() / 60_000 * 60);
    let row = |name: &str, value: f64| {
        let labels = [
            ("Hostname", "n"),
            ("UUID", "GPU-a"),
            ("__name__", name),
            ("gpu", "0"),
            ("modelName", "NVIDIA H100 80GB HBM3"),
            ("namespace", "research"),
            ("pod", "notebook"),
        ];
        let labels = labels.map(|(name, value)| (name, value.to_owned())).to_vec();
        let samples = (0..=60).map(|at| (end - (60 - at) * 15_000, value)).collect();
        Row { labels, samples }
    };
    let rows = [
        row("DCGM_FI_DEV_GPU_UTIL", 0.0),
        row("DCGM_FI_DEV_FB_USED", 61_234.0),
        row("DCGM_FI_DEV_POWER_USAGE", 70.0),
    ];
    assert_eq!(server.write(&body(&rows)).status, 204);
    let path = "/api/v1/cost/advice";
    described.ask(&server, path, &[("since", "10m")], 200);
    let told = server.get(path, &[("since", "10m")]).json();
    assert_ne!(told["advice"].as_array().unwrap().len(), 0, "{told}");
}

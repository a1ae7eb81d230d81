//! Pages, as data, as a stream of events and as the files of the interface.

use std::time::Duration;

use serde_json::Value as Json;

use super::{Described, filled, schema};
use crate::http;
use crate::program::Server;

pub(super) fn every_page(server: &Server, described: &Described) {
    let path = "/api/v1/pages/{page}";
    let parameters = described.operation("get", path)["parameters"].as_array().unwrap();
    let names = parameters.iter().find(|one| one["name"] == "page").unwrap();
    for name in names["schema"]["enum"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        described.ask(server, path, &[("page", name), ("since", "15m")], 200);
        let (web, _) = filled("/{page}", &[("page", name)]);
        described.ask(server, &web, &[], 200);
    }
    let explored = [("page", "explore"), ("query", "up"), ("since", "5m")];
    described.ask(server, path, &explored, 200);
    // One thing of each kind.
    let found = server.get("/api/v1/suggest", &[("limit", "50")]).json();
    let mut kinds = std::collections::BTreeSet::new();
    for one in found.as_array().unwrap() {
        let text = |name: &str| one[name].as_str().unwrap();
        if kinds.insert(text("kind")) {
            let parameters = [("page", text("page")), ("entity", text("id"))];
            described.ask(server, path, &parameters, 200);
        }
    }
    let files = [("path", "app.js")];
    described.ask(server, "/web/{path}", &files, 200);
    described.ask(server, "/web/{path}", &[("path", "nowhere.js")], 404);
    described.ask(server, "/", &[], 200);
    for probe in ["/-/healthy", "/healthz", "/-/ready", "/readyz", "/metrics"] {
        described.ask(server, probe, &[], 200);
    }
}

/// The first event of a live page is a page.
pub(super) fn a_live_page(server: &Server, described: &Described) {
    let url = server.address("/api/v1/pages/overview/live", &[]);
    let event = http::block_on(async {
        let mut answer = http::client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut text = Vec::new();
        let patience = Duration::from_secs(20);
        while !text.windows(2).any(|two| two == b"\n\n") {
            let piece = tokio::time::timeout(patience, answer.chunk()).await.unwrap();
            text.extend_from_slice(&piece.unwrap().expect("the stream goes on"));
        }
        String::from_utf8(text).unwrap()
    });
    let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let page: Json = serde_json::from_str(&data.concat()).unwrap();
    let written = described.schema("get", "/api/v1/pages/{page}", 200, "application/json");
    schema::check(&described.document, written, &page).unwrap();
    described.schema("get", "/api/v1/pages/{page}/live", 200, "text/event-stream");
}

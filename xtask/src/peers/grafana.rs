//! The requests that Grafana's Prometheus data source makes, and the shape of the answers.
//!
//! What it asks: `pkg/promlib` (`healthcheck.go`, `heuristics.go`, `client/client.go`) of Grafana.
//! Queries and look-ups go as forms by POST, except label values, metadata, rules, alerts and the
//! status pages, which go by GET.

use anyhow::Result;
use serde_json::Value as Json;

use super::live::Live;
use super::{Method, Question, report, seconds};
use crate::bench::figures::now_ms;
use crate::bench::process::Server;
use crate::out;

/// Keys that only our answers have: Grafana and people tell us from Prometheus by them.
const OURS_ALONE: [&str; 2] = ["data.application", "data.applicationVersion"];

/// Compare the shapes of our answers with those of the Prometheus that sends us its samples.
pub(super) async fn compare(live: &Live, ours: &Server) -> Result<usize> {
    let questions = questions(now_ms() - 5_000);
    let mut differences = Vec::new();
    for question in &questions {
        let answer = question.ask(&live.http, ours).await?;
        let expected = question.ask(&live.http, &live.prometheus).await?;
        let mut found = Vec::new();
        if answer.status == expected.status {
            shapes("", &answer.json()?, &expected.json()?, &mut found);
        } else {
            found.push(format!("status {} and {}", answer.status, expected.status));
        }
        differences.extend(found.into_iter().map(|what| format!("{question}: {what}")));
    }
    out::line(format!(
        "{} requests of Grafana's data source: {} differences in keys and types",
        questions.len(),
        differences.len()
    ));
    Ok(report(&differences))
}

fn questions(now_ms: i64) -> Vec<Question> {
    let (start, end) = (seconds(now_ms - 10_000), seconds(now_ms));
    let job = "{job=\"prometheus\"}";
    let times = [("start", &*start), ("end", &*end)];
    let post = |path, pairs: &[(&str, &str)]| Question::new(Method::Post, path, pairs);
    let get = |path, pairs: &[(&str, &str)]| Question::new(Method::Get, path, pairs);
    let within = |pair| [pair, times[0], times[1]];
    let panel = "rate(prometheus_http_requests_total[5s])";
    let heat = "sum by (le) (prometheus_http_request_duration_seconds_bucket)";
    vec![
        // "Save & test".
        post("/api/v1/query", &[("query", "1+1"), ("time", "4")]),
        get("/api/v1/status/buildinfo", &[]),
        // The query editor: metrics, labels, their values and their help.
        get("/api/v1/label/__name__/values", &within(("match[]", job))),
        get("/api/v1/label/handler/values", &within(("match[]", "prometheus_http_requests_total"))),
        post("/api/v1/labels", &within(("match[]", job))),
        post("/api/v1/series", &within(("match[]", "prometheus_http_requests_total"))),
        get("/api/v1/metadata", &[("metric", "prometheus_http_requests_total")]),
        get("/api/v1/metadata", &[("metric", "nothing")]),
        post("/api/v1/format_query", &[("query", panel)]),
        get("/api/v1/rules", &[]),
        get("/api/v1/alerts", &[]),
        // Panels: graph, table, stat, heat map, exemplars; a panel in error.
        post("/api/v1/query_range", &[("query", panel), times[0], times[1], ("step", "1")]),
        post("/api/v1/query_range", &[("query", heat), times[0], times[1], ("step", "0.5")]),
        post("/api/v1/query", &[("query", "up"), ("time", &end)]),
        post("/api/v1/query", &[("query", "up"), ("time", &end), ("timeout", "30s")]),
        post("/api/v1/query", &[("query", "up[10s]"), ("time", &end)]),
        post("/api/v1/query_exemplars", &[("query", panel), times[0], times[1]]),
        post("/api/v1/query", &[("query", "sum("), ("time", &end)]),
    ]
}

/// Gather where two answers differ in keys, types, or in one being empty.
fn shapes(path: &str, ours: &Json, peer: &Json, found: &mut Vec<String>) {
    match (ours, peer) {
        (Json::Object(ours), Json::Object(peer)) => {
            for (key, expected) in peer {
                let path = format!("{path}.{key}");
                match ours.get(key) {
                    Some(value) => shapes(&path, value, expected, found),
                    None => found.push(format!("we lack {path}")),
                }
            }
            let extra = ours.keys().filter(|key| !peer.contains_key(*key));
            let extra = extra.map(|key| format!("{path}.{key}"));
            let meant = |path: &String| OURS_ALONE.contains(&path.trim_start_matches('.'));
            found.extend(
                extra.filter(|path| !meant(path)).map(|path| format!("only we have {path}")),
            );
        }
        (Json::Array(ours), Json::Array(peer)) => {
            if ours.is_empty() != peer.is_empty() {
                found.push(format!("{path} has {} and {} elements", ours.len(), peer.len()));
            }
            for (value, expected) in ours.iter().zip(peer) {
                shapes(&format!("{path}[]"), value, expected, found);
            }
        }
        _ if kind(ours) == kind(peer) => {}
        _ => found.push(format!("{path} is {} and {}", kind(ours), kind(peer))),
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_types_and_emptiness_are_the_shape() {
        let check = |ours: Json, expected: &[&str]| {
            let peer = json!({"data": {"version": "2", "list": [[1, "a"]]}});
            let mut found = Vec::new();
            shapes("", &ours, &peer, &mut found);
            found.sort_unstable();
            assert_eq!(found, expected, "{ours}");
        };
        check(json!({"data": {"version": "3", "list": [[2, "b"], 1], "application": ""}}), &[]);
        check(
            json!({"data": {"version": 3, "list": []}, "x": 1}),
            &[
                ".data.list has 0 and 1 elements",
                ".data.version is number and string",
                "only we have .x",
            ],
        );
        check(
            json!({"data": {"version": "3", "list": [["b", "b"]]}}),
            &[".data.list[][] is string and number"],
        );
        check(json!({}), &["we lack .data"]);
    }
}

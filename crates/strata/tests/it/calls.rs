//! Made-up calls to models, sent as an instrumented program and an engine would send them.

use serde_json::{Value as Json, json};

use crate::http;
use crate::program::{Server, now_ms};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Calls to one model, all of the last minutes.
pub(crate) struct Calls {
    pub(crate) model: &'static str,
    pub(crate) app: &'static str,
    pub(crate) count: u64,
    /// The n-th call waits this long for its first token, milliseconds.
    pub(crate) ttft_ms: fn(u64) -> u64,
    /// Tokens: computed, from the cache, generated.
    pub(crate) tokens: fn(u64) -> [u64; 3],
}

fn attribute(key: &str, value: &Json) -> Json {
    let kind = if value.is_string() { "stringValue" } else { "doubleValue" };
    json!({ "key": key, "value": { kind: value } })
}

/// The trace of a call: the model by its first byte, and the number.
pub(crate) fn trace(model: &str, n: u64) -> String {
    format!("{:02x}{:030x}", model.as_bytes()[0], n + 1)
}

/// Nanoseconds of a moment so long ago, as OTLP writes them.
fn nanos(ms: u64) -> String {
    format!("{ms}000000")
}

impl Calls {
    /// Send them: two seconds long each, a second apart, seen by the client.
    pub(crate) fn send(&self, server: &Server) {
        let now = now_ms() as u64;
        let spans: Vec<Json> = (0..self.count)
            .map(|n| {
                let begin = now - 10_000 - (n % 1_500) * 1_000;
                let [fresh, cached, output] = (self.tokens)(n);
                let numbers = [
                    ("gen_ai.usage.input_tokens", fresh + cached),
                    ("gen_ai.usage.cache_read.input_tokens", cached),
                    ("gen_ai.usage.output_tokens", output),
                ];
                let mut attributes = vec![
                    attribute("gen_ai.operation.name", &json!("chat")),
                    attribute("gen_ai.response.model", &json!(self.model)),
                    attribute("gen_ai.response.id", &json!(format!("{}-{n}", self.model))),
                    attribute("app.id", &json!(self.app)),
                    attribute(
                        "gen_ai.response.time_to_first_chunk",
                        &json!((self.ttft_ms)(n) as f64 / 1e3),
                    ),
                ];
                attributes.extend(
                    numbers.map(|(name, count)| {
                        json!({ "key": name, "value": { "intValue": count.to_string() } })
                    }),
                );
                json!({
                    "traceId": trace(self.model, n),
                    "spanId": format!("{:016x}", n + 1),
                    "name": "chat",
                    "kind": 3,
                    "startTimeUnixNano": nanos(begin),
                    "endTimeUnixNano": nanos(begin + 2_000),
                    "attributes": attributes,
                })
            })
            .collect();
        post(
            server,
            "/v1/traces",
            &json!({
                "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }],
            }),
        );
    }
}

/// Judgements of a name on the first calls of a model.
pub(crate) fn judge(server: &Server, model: &str, name: &str, scores: impl Iterator<Item = f64>) {
    let logs: Vec<Json> = scores
        .enumerate()
        .map(|(n, score)| {
            json!({
                "timeUnixNano": nanos(now_ms() as u64 - 1_000),
                "eventName": "gen_ai.evaluation.result",
                "attributes": [
                    attribute("gen_ai.evaluation.name", &json!(name)),
                    attribute("gen_ai.response.id", &json!(format!("{model}-{n}"))),
                    attribute("gen_ai.evaluation.score.value", &json!(score)),
                ],
            })
        })
        .collect();
    post(
        server,
        "/v1/logs",
        &json!({
            "resourceLogs": [{ "scopeLogs": [{ "logRecords": logs }] }],
        }),
    );
}

fn post(server: &Server, path: &str, body: &Json) {
    let url = format!("{}{path}", server.otlp_http());
    let answer = http::post(&url, &[JSON], body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.text(), "{}", "nothing was refused");
}

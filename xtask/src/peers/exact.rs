//! URLs whose status and body must be the same byte for byte.

use anyhow::Result;

use super::{Data, Method, Pair, Question, known, off_edge, report, seconds};
use crate::out;

/// Where the questions are asked: half an hour into the data.
const AT_MS: i64 = 1_800_000;

/// Ask every URL; how many answers differ without a known reason.
pub(super) async fn compare(pair: &Pair, data: &Data) -> Result<usize> {
    let at_ms = pair.start_ms + off_edge(data, AT_MS);
    let questions: Vec<_> =
        values(at_ms).into_iter().chain(look_ups(at_ms)).chain(refusals(at_ms)).collect();
    let (mut equal, mut explained, mut differences) = (0, Vec::new(), Vec::new());
    for question in &questions {
        let (ours, peer) = pair.ask(question).await?;
        if ours == peer {
            equal += 1;
        } else if let Some(why) = known::bytes(&pair.version, question, &ours, &peer) {
            explained.push(format!("{question}: {why}"));
        } else {
            differences.push(format!("{question}\n    ours {ours}\n    peer {peer}"));
        }
    }
    out::line(format!(
        "{} URLs: {equal} equal byte for byte, {} known, {} differences",
        questions.len(),
        explained.len(),
        differences.len()
    ));
    for known in explained {
        out::line(format!("  known: {known}"));
    }
    Ok(report(&differences))
}

/// Questions that have values. Where there are several series, their order is defined.
fn values(at_ms: i64) -> Vec<Question> {
    let time = seconds(at_ms);
    let instant =
        |query| Question::new(Method::Get, "/api/v1/query", &[("query", query), ("time", &time)]);
    let mut all: Vec<_> = [
        "requests_total",
        "usage",
        "limit{job=\"train\"} > 0",
        "sort(sum by (job) (rate(requests_total[5m])))",
        "sum(usage)",
        "requests_total{instance=\"a\"}[2m]",
        "nothing",
        "1 + 1",
        "1 / 0",
        "-1 / 0",
        "0 / 0",
        "1e21 + 0.1",
        "1e-7",
        "\"text with \\\"quotes\\\", <tags> & \\u00e4\"",
        "vector(time())",
        "absent(nothing{a=\"b\"})",
        "label_replace(sum(limit), \"x\", \"a<b>&\\u2028\\n\", \"\", \"\")",
        "histogram_quantile(0.9, sum by (le) (rate(wait_seconds_bucket[5m])))",
    ]
    .into_iter()
    .map(instant)
    .collect();
    for lookback in ["1m", "3600", "0", "-5"] {
        let pairs = [("query", "limit"), ("time", &*time), ("lookback_delta", lookback)];
        all.push(Question::new(Method::Get, "/api/v1/query", &pairs));
    }
    let (start, end) = (seconds(at_ms), seconds(at_ms + 600_000));
    for (method, query) in [
        (Method::Get, "usage"),
        (Method::Post, "requests_total{job=\"serve\"}"),
        (Method::Get, "sum by (instance) (increase(tokens_total[3m]))"),
        (Method::Post, "time() % 100"),
        (Method::Get, "nothing"),
    ] {
        let pairs = [("query", query), ("start", &start), ("end", &end), ("step", "1m")];
        all.push(Question::new(method, "/api/v1/query_range", &pairs));
    }
    all
}

fn look_ups(at_ms: i64) -> Vec<Question> {
    let (start, end) = (seconds(at_ms), seconds(at_ms + 600_000));
    let ours = "{job=~\"train|serve\"}";
    let pairs = |selector| [("match[]", selector), ("start", &*start), ("end", &*end)];
    let mut all = Vec::new();
    for method in [Method::Get, Method::Post] {
        all.push(Question::new(method, "/api/v1/series", &pairs("requests_total")));
        all.push(Question::new(method, "/api/v1/series", &pairs("nothing")));
        all.push(Question::new(method, "/api/v1/labels", &pairs(ours)));
        all.push(Question::new(method, "/api/v1/labels", &pairs("usage")));
    }
    for name in ["__name__", "instance", "le", "nothing"] {
        let path = format!("/api/v1/label/{name}/values");
        all.push(Question::new(Method::Get, &path, &pairs(ours)));
    }
    all
}

fn refusals(at_ms: i64) -> Vec<Question> {
    let time = seconds(at_ms);
    let mut all: Vec<_> = [
        "",
        "sum(",
        "requests_total{",
        "rate(usage)",
        "no_such_function(usage)",
        "usage[5m] + 1",
        "usage +",
        "{}",
        "1 + \"a\"",
        "usage * on (job) limit",
        "usage offset 5",
        "label_replace(usage, \"~\", \"\", \"job\", \"(\")",
        "topk(usage, usage)",
    ]
    .into_iter()
    .map(|query| Question::new(Method::Get, "/api/v1/query", &[("query", query), ("time", &time)]))
    .collect();
    let bad_range = |start, end, step| {
        let pairs = [("query", "usage"), ("start", start), ("end", end), ("step", step)];
        Question::new(Method::Get, "/api/v1/query_range", &pairs)
    };
    all.extend([
        bad_range("", "1", "1"),
        bad_range("x", "1", "1"),
        bad_range("2", "1", "1"),
        bad_range("1", "2", "0"),
        bad_range("1", "2", "-1"),
        bad_range("1", "2", "x"),
        bad_range("1", "1000000", "1"),
    ]);
    for (name, value) in [("time", "soon"), ("timeout", "soon"), ("lookback_delta", "far")] {
        let pairs = [("query", "usage"), (name, value)];
        all.push(Question::new(Method::Get, "/api/v1/query", &pairs));
    }
    all.extend([
        Question::new(Method::Get, "/api/v1/series", &[]),
        Question::new(Method::Get, "/api/v1/series", &[("match[]", "{")]),
        Question::new(Method::Get, "/api/v1/series", &[("match[]", "usage"), ("start", "x")]),
        Question::new(Method::Get, "/api/v1/labels", &[("match[]", "{")]),
        Question::new(Method::Get, "/api/v1/label/a/values", &[("match[]", "{}")]),
    ]);
    all
}

//! The same values give the same bytes as from a real Prometheus; see `tests/golden/README.md`.

use std::sync::Arc;

use strata_model::{Labels, NativeHistogram, Span};
use strata_query::QueryValue;
use strata_query::engine::{AnswerSeries, Value};

use crate::client::get;
use crate::fakes::{Server, floats, start};

async fn check(server: &Server, name: &str, target: &str) {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
    let expected = std::fs::read_to_string(format!("{golden}{name}.json")).unwrap();
    let answer = get(server.at.main, &format!("/api/v1/{target}")).await;
    assert_eq!(answer.text(), expected, "{name}");
}

/// The histogram that was sent, `k` times as large.
fn histogram(k: f64) -> Value {
    Value::Histogram(Arc::new(NativeHistogram {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 3.0,
        count: 5.0 * k + 4.0,
        sum: 12.25 * k,
        negative_spans: vec![Span { offset: -1, length: 1 }],
        negative_buckets: vec![2.0 * k],
        positive_spans: vec![Span { offset: 0, length: 2 }, Span { offset: 1, length: 1 }],
        positive_buckets: vec![k, k + 1.0, k],
        ..NativeHistogram::default()
    }))
}

fn latency(points: Vec<(i64, Value)>) -> AnswerSeries {
    let labels = [("__name__", "latency"), ("model", "m \"x\" \u{e9}")];
    AnswerSeries { labels: Labels::from_pairs(labels), points }
}

#[tokio::test]
async fn values_are_the_same_bytes() {
    let server = start().await;
    server.knows("scalar", QueryValue::Scalar(1_500, 1e21));
    server.knows("string", QueryValue::String(0, "a\"b\n".to_owned()));
    server.knows("empty", QueryValue::Vector(Vec::new()));
    let labelled = floats(&[("a", "q\"\\\\\n\t\u{e9}")], &[(1_700, 1e21)]);
    server.knows("labels", QueryValue::Vector(vec![labelled]));
    let thirds: Vec<_> = (0..5).map(|i| (i * 500, i as f64 / 2.0 / 3.0)).collect();
    server.knows("thirds", QueryValue::Matrix(vec![floats(&[], &thirds)]));
    let special = [0.1, f64::INFINITY, -1e-7, f64::NAN, 1e21];
    let points: Vec<_> = (0..).map(|i| 1_000_000 + 15_000 * i).zip(special).collect();
    let gauge = floats(&[("__name__", "gauge"), ("n", "1")], &points);
    server.knows("floats", QueryValue::Matrix(vec![gauge]));
    let (first, second) = ((1_000_000, histogram(1.0)), (1_015_000, histogram(2.0)));
    server.knows("histogram", QueryValue::Vector(vec![latency(vec![second.clone()])]));
    server.knows("histograms", QueryValue::Matrix(vec![latency(vec![first, second])]));
    check(&server, "scalar", "query?query=scalar").await;
    check(&server, "string", "query?query=string").await;
    check(&server, "vector_empty", "query?query=empty").await;
    check(&server, "vector_labels", "query?query=labels").await;
    check(&server, "matrix_thirds", "query_range?query=thirds&start=0&end=2&step=0.5").await;
    check(&server, "matrix_floats", "query_range?query=floats&start=1000&end=1060&step=15").await;
    check(&server, "vector_histogram", "query?query=histogram").await;
    check(&server, "matrix_histogram", "query_range?query=histograms&start=0&end=1&step=1").await;
}

#[tokio::test]
async fn errors_and_lists_are_the_same_bytes() {
    let server = start().await;
    *server.engine.series.lock().unwrap() =
        vec![Labels::from_pairs([("__name__", "gauge"), ("n", "1")]), latency(Vec::new()).labels];
    check(&server, "error_step", "query_range?query=1&start=2&end=3&step=0").await;
    check(&server, "error_points", "query_range?query=1&start=0&end=11001&step=1").await;
    check(&server, "error_start", "query_range?query=1&start=x").await;
    check(&server, "error_series", "series").await;
    check(&server, "series", "series?match[]=latency&match[]=gauge").await;
    check(&server, "labels", "labels").await;
    check(&server, "values", "label/__name__/values").await;
    check(&server, "rules", "rules").await;
    check(&server, "alerts", "alerts").await;
}

//! The same values give the same bytes as from a real Prometheus; see `tests/golden/README.md`.

use std::sync::Arc;

use strata_model::clock::FixedClock;
use strata_model::{Labels, NativeHistogram, Span};
use strata_query::engine::{AnswerSeries, Value};
use strata_query::promqltest::MemorySource;
use strata_query::{EmbeddedEngine, MetricsEngine, QuerySettings, QueryValue};

use crate::client::get;
use crate::fakes::{NOW_MS, Server, floats, options, start, start_asking};

async fn check(server: &Server, name: &str, target: &str) {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
    let expected = std::fs::read_to_string(format!("{golden}{name}.json")).unwrap();
    let answer = get(server.at.main, &format!("/api/v1/{target}")).await;
    assert_eq!(answer.text(), expected, "{name}");
}

/// The histogram that was sent, `k` times as large.
fn histogram(k: f64) -> NativeHistogram {
    NativeHistogram {
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
    }
}

/// A gauge's values that are easily written wrongly, 15 s apart from 1000 s on.
fn special() -> Vec<(i64, f64)> {
    let values = [0.1, f64::INFINITY, -1e-7, f64::NAN, 1e21];
    (0..).map(|i| 1_000_000 + 15_000 * i).zip(values).collect()
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
    let gauge = floats(&[("__name__", "gauge"), ("n", "1")], &special());
    server.knows("floats", QueryValue::Matrix(vec![gauge]));
    let value = |k| Value::Histogram(Arc::new(histogram(k)));
    let (first, second) = ((1_000_000, value(1.0)), (1_015_000, value(2.0)));
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

/// A server over our own PromQL with the data that was sent to Prometheus.
async fn with_our_engine() -> Server {
    let mut source = MemorySource::new();
    let gauge = Labels::from_pairs([("__name__", "gauge"), ("n", "1")]);
    for (at_ms, value) in special() {
        source.push_float(&gauge, at_ms, value);
    }
    let latency = latency(Vec::new()).labels;
    source.push_histogram(&latency, 1_000_000, histogram(1.0));
    source.push_histogram(&latency, 1_015_000, histogram(2.0));
    let clock = Arc::new(FixedClock::at(NOW_MS));
    let engine = EmbeddedEngine::new(Arc::new(source), clock, QuerySettings::default());
    start_asking(options(), None, Some(Arc::new(engine) as Arc<dyn MetricsEngine>)).await
}

#[tokio::test]
async fn the_same_questions_have_the_same_answers() {
    let server = with_our_engine().await;
    let labels = "query?query=label_replace(vector(1e21),%22a%22,%22q%5C%22%5C%5C%5C%5C%5Cn%5Ct%C3%A9%22,%22%22,%22%22)&time=1.7";
    for (name, target) in [
        ("scalar", "query?query=1e21&time=1.5"),
        ("string", "query?query=%22a%5C%22b%5Cn%22&time=0"),
        ("vector_labels", labels),
        ("vector_empty", "query?query=absent_metric&time=1"),
        ("matrix_thirds", "query_range?query=time()/3&start=0&end=2&step=0.5"),
        ("matrix_floats", "query_range?query=gauge&start=1000&end=1060&step=15"),
        ("vector_histogram", "query?query=latency&time=1015"),
        ("matrix_histogram", "query_range?query=latency&start=1000&end=1015&step=15"),
        ("series", "series?match[]=latency&match[]=gauge&start=0&end=2000"),
        ("labels", "labels?start=0&end=2000"),
        ("values", "label/__name__/values?start=0&end=2000"),
    ] {
        check(&server, name, target).await;
    }
}

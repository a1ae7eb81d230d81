//! `/query`, `/query_range`, `/format_query`, `/query_exemplars`.

use std::sync::Arc;
use std::time::Duration;

use strata_model::{Labels, NativeHistogram, Span};
use strata_query::engine::{AnswerSeries, Value};
use strata_query::{Annotations, Answer, QueryErrorKind, QueryValue};

use crate::client::{get, post};
use crate::fakes::{NOW_MS, Server, floats, start};

async fn check(server: &Server, target: &str, status: u16, expected: &str) {
    let answer = get(server.at.main, target).await;
    assert_eq!((answer.status, answer.text()), (status, expected), "{target}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{target}");
}

#[tokio::test]
async fn every_kind_of_value_has_its_shape() {
    let server = start().await;
    let up = floats(&[("__name__", "up"), ("job", "a")], &[(1_500, 1.0)]);
    server.knows("vector", QueryValue::Vector(vec![up.clone(), floats(&[], &[(1_500, 0.1)])]));
    server.knows(
        "matrix",
        QueryValue::Matrix(vec![floats(&[("a", "b")], &[(0, 1.0), (60_000, f64::NAN)])]),
    );
    server.knows("scalar", QueryValue::Scalar(1_500, 1e21));
    server.knows("string", QueryValue::String(0, "a\"b".to_owned()));
    server.knows("none", QueryValue::Vector(Vec::new()));
    check(&server, "/api/v1/query?query=vector", 200, r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[1.500,"1"]},{"metric":{},"value":[1.500,"0.1"]}]}}"#).await;
    check(&server, "/api/v1/query?query=matrix", 200, r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[0,"1"],[60,"NaN"]]}]}}"#).await;
    check(&server, "/api/v1/query?query=scalar", 200, r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"1000000000000000000000"]}}"#).await;
    check(
        &server,
        "/api/v1/query?query=string",
        200,
        r#"{"status":"success","data":{"resultType":"string","result":[0,"a\"b"]}}"#,
    )
    .await;
    check(
        &server,
        "/api/v1/query?query=none",
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
    )
    .await;
}

#[tokio::test]
async fn native_histograms_have_their_buckets() {
    let server = start().await;
    let histogram = Value::Histogram(Arc::new(NativeHistogram {
        schema: 0,
        zero_threshold: 0.001,
        zero_count: 1.0,
        count: 4.0,
        sum: 5.5,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_buckets: vec![1.0, 2.0],
        ..NativeHistogram::default()
    }));
    let series = |points| AnswerSeries { labels: Labels::empty(), points };
    server.knows("one", QueryValue::Vector(vec![series(vec![(0, histogram.clone())])]));
    server.knows(
        "many",
        QueryValue::Matrix(vec![series(vec![(0, Value::Float(1.0)), (1000, histogram)])]),
    );
    let written = r#"{"count":"4","sum":"5.5","buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","1"],[0,"1","2","2"]]}"#;
    check(&server, "/api/v1/query?query=one", 200, &format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"histogram":[0,{written}]}}]}}}}"#)).await;
    check(&server, "/api/v1/query?query=many", 200, &format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[[0,"1"]],"histograms":[[1,{written}]]}}]}}}}"#)).await;
}

#[tokio::test]
async fn errors_have_the_status_and_type_of_prometheus() {
    let server = start().await;
    let check_kind = async |kind, status, error_type: &str| {
        server.refuses("bad", kind, "it \"broke\"");
        let prefix =
            if kind == QueryErrorKind::BadData { r#"invalid parameter \"query\": "# } else { "" };
        let expected = format!(
            r#"{{"status":"error","errorType":"{error_type}","error":"{prefix}it \"broke\""}}"#
        );
        check(&server, "/api/v1/query?query=bad", status, &expected).await;
    };
    check_kind(QueryErrorKind::BadData, 400, "bad_data").await;
    check_kind(QueryErrorKind::Execution, 422, "execution").await;
    check_kind(QueryErrorKind::Timeout, 503, "timeout").await;
    check_kind(QueryErrorKind::Canceled, 499, "canceled").await;
    check_kind(QueryErrorKind::Internal, 500, "internal").await;
}

#[tokio::test]
async fn parameters_are_refused_in_the_words_of_prometheus() {
    let server = start().await;
    server.knows("up", QueryValue::Vector(Vec::new()));
    let bad = async |target: &str, error: &str| {
        let answer = get(server.at.main, target).await;
        assert_eq!(answer.status, 400, "{target}");
        let json = answer.json();
        assert_eq!(json["errorType"], "bad_data", "{target}");
        assert_eq!(json["error"], error, "{target}");
    };
    bad("/api/v1/query?query=up&time=x", r#"invalid parameter "time": invalid time value for 'time': cannot parse "x" to a valid timestamp"#).await;
    bad(
        "/api/v1/query?query=up&timeout=x",
        r#"invalid parameter "timeout": cannot parse "x" to a valid duration"#,
    )
    .await;
    bad(
        "/api/v1/query?query=up&limit=-1",
        r#"invalid parameter "limit": limit must be non-negative"#,
    )
    .await;
    bad(
        "/api/v1/query?query=up&lookback_delta=x",
        r#"error parsing lookback delta duration: cannot parse "x" to a valid duration"#,
    )
    .await;
    bad(
        "/api/v1/query_range?query=up&end=1&step=1",
        r#"invalid parameter "start": cannot parse "" to a valid timestamp"#,
    )
    .await;
    bad(
        "/api/v1/query_range?query=up&start=1&end=x&step=1",
        r#"invalid parameter "end": cannot parse "x" to a valid timestamp"#,
    )
    .await;
    bad(
        "/api/v1/query_range?query=up&start=2&end=1&step=1",
        r#"invalid parameter "end": end timestamp must not be before start time"#,
    )
    .await;
    bad(
        "/api/v1/query_range?query=up&start=1&end=2",
        r#"invalid parameter "step": cannot parse "" to a valid duration"#,
    )
    .await;
    bad("/api/v1/query_range?query=up&start=1&end=2&step=0", r#"invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer"#).await;
    bad("/api/v1/query_range?query=up&start=0&end=11001&step=1", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)").await;
    bad(
        "/api/v1/format_query?query=",
        r#"invalid parameter "query": no expression found in input"#,
    )
    .await;
    bad(
        "/api/v1/query_exemplars?query=up&start=2&end=1",
        "end timestamp must not be before start timestamp",
    )
    .await;
}

#[tokio::test]
async fn the_engine_is_asked_what_the_client_asked() {
    let server = start().await;
    server.knows("up", QueryValue::Vector(Vec::new()));
    get(server.at.main, "/api/v1/query?query=up").await;
    get(server.at.main, "/api/v1/query?query=up&time=1.5&timeout=3s").await;
    let form = b"query=up&start=2023-11-14T22:13:20Z&end=1700000600&step=15s&timeout=10m";
    post(
        server.at.main,
        "/api/v1/query_range?query=down",
        "application/x-www-form-urlencoded",
        form,
    )
    .await;
    get(server.at.main, "/api/v1/query_range?query=up&start=0&end=11000&step=1").await;
    let instants = server.engine.instants.lock().unwrap();
    assert_eq!((instants[0].at_ms, instants[0].timeout), (NOW_MS, Duration::from_mins(2)));
    assert_eq!((instants[1].at_ms, instants[1].timeout), (1_500, Duration::from_secs(3)));
    let ranges = server.engine.ranges.lock().unwrap();
    let first = &ranges[0];
    assert_eq!(first.text, "up");
    assert_eq!((first.start_ms, first.end_ms, first.step_ms), (NOW_MS, NOW_MS + 600_000, 15_000));
    assert_eq!(first.timeout, Duration::from_mins(2), "no longer than the server allows");
    assert_eq!((ranges[1].end_ms, ranges[1].step_ms), (11_000_000, 1_000));
}

#[tokio::test]
async fn warnings_infos_limits_and_stats_are_told() {
    let server = start().await;
    let value = QueryValue::Vector(vec![
        floats(&[("a", "1")], &[(0, 1.0)]),
        floats(&[("a", "2")], &[(0, 2.0)]),
    ]);
    let annotations =
        Annotations { warnings: vec!["careful".to_owned()], infos: vec!["by the way".to_owned()] };
    server.engine.answers.lock().unwrap().insert("x".to_owned(), Ok(Answer { value, annotations }));
    check(&server, "/api/v1/query?query=x&limit=1", 200, r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"1"},"value":[0,"1"]}]},"warnings":["careful","results truncated due to limit"],"infos":["by the way"]}"#).await;
    let stats = get(server.at.main, "/api/v1/query?query=x&stats=all").await.json();
    assert!(stats["data"]["stats"]["timings"]["evalTotalTime"].is_number());
}

#[tokio::test]
async fn a_lookback_reaches_the_engine() {
    let server = start().await;
    server.knows("x", QueryValue::Vector(Vec::new()));
    server.knows("y", QueryValue::Matrix(Vec::new()));
    for lookback in ["", "0", "-5", "90", "1m30s", "0.0001"] {
        get(server.at.main, &format!("/api/v1/query?query=x&lookback_delta={lookback}")).await;
        let range = "/api/v1/query_range?query=y&start=1&end=2&step=1";
        get(server.at.main, &format!("{range}&lookback_delta={lookback}")).await;
    }
    let expected = [None, None, None, Some(90_000), Some(90_000), None];
    let instants = server.engine.instants.lock().unwrap();
    assert_eq!(instants.iter().map(|query| query.lookback_ms).collect::<Vec<_>>(), expected);
    let ranges = server.engine.ranges.lock().unwrap();
    assert_eq!(ranges.iter().map(|query| query.lookback_ms).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_large_matrix_arrives_whole() {
    let server = start().await;
    let points: Vec<(i64, f64)> = (0..1_000).map(|i| (i * 1000, i as f64 / 8.0)).collect();
    let series = (0..50).map(|i| floats(&[("n", &i.to_string())], &points)).collect();
    server.knows("big", QueryValue::Matrix(series));
    let answer = get(server.at.main, "/api/v1/query_range?query=big&start=0&end=999&step=1").await;
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let json = answer.json();
    let result = json["data"]["result"].as_array().unwrap();
    assert_eq!(result.len(), 50);
    assert_eq!(result[49]["metric"]["n"], "49");
    assert_eq!(result[49]["values"][999], serde_json::json!([999, "124.875"]));
}

#[tokio::test]
async fn expressions_are_formatted_and_exemplars_are_none() {
    let server = start().await;
    check(
        &server,
        "/api/v1/format_query?query=a++%2B++b",
        200,
        r#"{"status":"success","data":"a + b"}"#,
    )
    .await;
    check(
        &server,
        "/api/v1/query_exemplars?query=up&start=1&end=2",
        200,
        r#"{"status":"success","data":[]}"#,
    )
    .await;
}

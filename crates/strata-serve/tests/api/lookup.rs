//! `/series`, `/labels`, `/label/{name}/values`, `/metadata`, `/status/*`, `/rules`, `/alerts`.

use strata_model::{Labels, Metadata, MetricKind};

use crate::client::{get, post};
use crate::fakes::{Server, start};

async fn with_series() -> Server {
    let server = start().await;
    *server.engine.series.lock().unwrap() = vec![
        Labels::from_pairs([("__name__", "up"), ("job", "a"), ("my.label", "x")]),
        Labels::from_pairs([("__name__", "up"), ("job", "b")]),
    ];
    server
}

async fn check(server: &Server, target: &str, expected: &str) {
    let answer = get(server.at.main, target).await;
    assert_eq!((answer.status, answer.text()), (200, expected), "{target}");
}

#[tokio::test]
async fn series_names_and_values_are_listed() {
    let server = with_series().await;
    check(&server, "/api/v1/series?match[]=up", r#"{"status":"success","data":[{"__name__":"up","job":"a","my.label":"x"},{"__name__":"up","job":"b"}]}"#).await;
    check(
        &server,
        "/api/v1/labels",
        r#"{"status":"success","data":["__name__","job","my.label"]}"#,
    )
    .await;
    check(
        &server,
        "/api/v1/label/job/values?match[]=up",
        r#"{"status":"success","data":["a","b"]}"#,
    )
    .await;
    check(&server, "/api/v1/label/U__my_2e_label/values", r#"{"status":"success","data":["x"]}"#)
        .await;
    check(&server, "/api/v1/label/my.label/values", r#"{"status":"success","data":["x"]}"#).await;
    check(
        &server,
        "/api/v1/label/job/values?limit=1",
        r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"]}"#,
    )
    .await;
    check(
        &server,
        "/api/v1/labels?limit=3",
        r#"{"status":"success","data":["__name__","job","my.label"]}"#,
    )
    .await;
}

#[tokio::test]
async fn matchers_times_and_limits_reach_the_engine() {
    let server = with_series().await;
    let form = b"match[]=up%7Bjob%3D~%22a%7Cb%22%7D&match[]=down&start=1&end=2&limit=5";
    let answer =
        post(server.at.main, "/api/v1/series", "application/x-www-form-urlencoded", form).await;
    assert_eq!(answer.status, 200);
    get(server.at.main, "/api/v1/labels").await;
    let lookups = server.engine.lookups.lock().unwrap();
    let (_, query) = &lookups[0];
    let texts: Vec<Vec<String>> =
        query.matchers.iter().map(|set| set.iter().map(ToString::to_string).collect()).collect();
    assert_eq!(texts, [vec![r#"job=~"a|b""#, r#"__name__="up""#], vec![r#"__name__="down""#]]);
    assert_eq!((query.start_ms, query.end_ms, query.limit), (1_000, 2_000, 6));
    let (_, all) = &lookups[1];
    assert!(all.start_ms < -9_000_000_000_000_000 && all.end_ms > 9_000_000_000_000_000);
    assert_eq!((all.matchers.len(), all.limit), (0, 0));
}

#[tokio::test]
async fn lookups_are_refused_in_the_words_of_prometheus() {
    let server = with_series().await;
    let bad = async |target: &str, error: &str| {
        let answer = get(server.at.main, target).await;
        assert_eq!(answer.status, 400, "{target}");
        assert!(
            answer.json()["error"].as_str().unwrap().starts_with(error),
            "{target}: {}",
            answer.text()
        );
    };
    bad("/api/v1/series", "no match[] parameter provided").await;
    bad("/api/v1/series?match[]=up%7B", r#"invalid parameter "match[]": "#).await;
    bad("/api/v1/series?match[]=%7Ba%3D%22%22%7D", r#"invalid parameter "match[]": "#).await;
    bad("/api/v1/labels?start=x", r#"invalid parameter "start": invalid time value for 'start': cannot parse "x" to a valid timestamp"#).await;
    bad(
        "/api/v1/label/job/values?limit=x",
        r#"invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax"#,
    )
    .await;
    bad("/api/v1/metadata?limit=x", "limit must be a number").await;
}

#[tokio::test]
async fn metadata_is_grouped_by_family() {
    let server = start().await;
    let entry = |family: &str, kind, help: &str| Metadata {
        family: family.to_owned(),
        kind,
        unit: String::new(),
        help: help.to_owned(),
    };
    *server.engine.metadata.lock().unwrap() = vec![
        entry("a_total", MetricKind::Counter, "A."),
        entry("a_total", MetricKind::Gauge, "Other."),
        entry("b", MetricKind::Unknown, "B \"quoted\"."),
    ];
    check(&server, "/api/v1/metadata", r#"{"status":"success","data":{"a_total":[{"type":"counter","help":"A.","unit":""},{"type":"gauge","help":"Other.","unit":""}],"b":[{"type":"unknown","help":"B \"quoted\".","unit":""}]}}"#).await;
    check(&server, "/api/v1/metadata?metric=b&limit=1", r#"{"status":"success","data":{"b":[{"type":"unknown","help":"B \"quoted\".","unit":""}]}}"#).await;
    check(
        &server,
        "/api/v1/metadata?limit=1&limit_per_metric=1",
        r#"{"status":"success","data":{"a_total":[{"type":"counter","help":"A.","unit":""}]}}"#,
    )
    .await;
}

#[tokio::test]
async fn status_says_what_is_so() {
    let server = start().await;
    let build = get(server.at.main, "/api/v1/status/buildinfo").await.json();
    assert_eq!(build["data"]["version"], "2.42.0");
    assert_eq!(build["data"]["application"], "strata");
    check(&server, "/api/v1/rules", r#"{"status":"success","data":{"groups":[]}}"#).await;
    check(&server, "/api/v1/alerts", r#"{"status":"success","data":{"alerts":[]}}"#).await;
    check(&server, "/api/v1/status/flags", r#"{"status":"success","data":{}}"#).await;
    check(&server, "/api/v1/status/tsdb", r#"{"status":"success","data":{"strata":{"series":3}}}"#)
        .await;
    let runtime = get(server.at.main, "/api/v1/status/runtimeinfo").await.json();
    assert_eq!(runtime["data"]["startTime"], "2023-11-14T22:13:20Z");
    let unknown = get(server.at.main, "/api/v1/targets").await;
    assert_eq!((unknown.status, &unknown.json()["errorType"]), (404, &"not_found".into()));
}

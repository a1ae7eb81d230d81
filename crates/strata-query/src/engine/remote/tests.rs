//! Against a server on loopback that remembers what it was asked and answers from a list.

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use strata_model::catalog::Catalog;
use strata_model::clock::FixedClock;
use strata_model::meter::Meter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use QueryErrorKind::{BadData, Execution, Internal, Timeout};

use super::{RemoteEngine, RemoteOptions, RemoteParts};
use crate::engine::{
    Answer, InstantQuery, MetricsEngine, QueryErrorKind, QuerySettings, QueryValue, RangeQuery,
    SeriesQuery, Value,
};

/// Requests as `METHOD target body`, percent signs decoded.
type Log = Arc<Mutex<Vec<String>>>;

const NONE: &str = r#"{"status":"success","data":[]}"#;

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let pair = [bytes.next().unwrap(), bytes.next().unwrap()];
                let pair = std::str::from_utf8(&pair).unwrap().to_owned();
                out.push(u8::from_str_radix(&pair, 16).unwrap());
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).unwrap()
}

/// Answers each request with what `answer` makes of it: a status line's rest and a body. An empty
/// status closes the connection instead.
async fn server(
    answer: impl Fn(&str) -> (&'static str, String) + Send + Sync + 'static,
) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Log::default();
    let (kept, answer) = (Arc::clone(&log), Arc::new(answer));
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let (log, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut piece = vec![0; 65_536];
                let (head, body) = loop {
                    let read = stream.read(&mut piece).await.unwrap_or(0);
                    request.extend_from_slice(&piece[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        if read == 0 {
                            return;
                        }
                        continue;
                    };
                    let length = head.lines().find_map(|line| {
                        line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                    });
                    if body.len() >= length.unwrap_or(0_usize) {
                        break (head.to_owned(), body.to_owned());
                    }
                };
                let mut line = head.lines().next().unwrap().split(' ');
                let (method, target) = (line.next().unwrap(), line.next().unwrap());
                let secret = head.lines().find(|line| line.starts_with("authorization"));
                let asked = decoded(&format!("{method} {target} {body} {}", secret.unwrap_or("")));
                log.lock().unwrap().push(asked.trim().to_owned());
                let (status, body) = answer(&asked);
                if !status.is_empty() {
                    let length = body.len();
                    let text = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    drop(stream.write_all(text.as_bytes()).await);
                }
            });
        }
    });
    (url, log)
}

fn engine_with(options: &RemoteOptions) -> RemoteEngine {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let parts = RemoteParts {
        catalog: Catalog::builtin(),
        clock: Arc::new(FixedClock::at(1_000)),
        meter: Meter::default(),
        environment: Arc::new(|name| (name == "TOKEN").then(|| "s3cret".to_owned())),
    };
    let remote = options.validate().unwrap().unwrap();
    RemoteEngine::new(remote, QuerySettings::default(), parts).unwrap()
}

fn engine(url: &str) -> RemoteEngine {
    engine_with(&RemoteOptions { url: Some(url.to_owned()), ..RemoteOptions::default() })
}

fn instant(text: &str) -> InstantQuery {
    let timeout = Duration::from_secs(5);
    InstantQuery { text: text.to_owned(), at_ms: 600_000, timeout, lookback_ms: None }
}

fn vector(metric: &str, value: &str) -> String {
    format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{metric},"value":[600,"{value}"]}}]}}}}"#
    )
}

/// An engine with a vLLM.
fn vllm(asked: &str) -> (&'static str, String) {
    let body = if asked.contains("/label/__name__/values") {
        r#"{"status":"success","data":["vllm:num_requests_running","up"]}"#.to_owned()
    } else if asked.contains("/api/v1/labels") {
        r#"{"status":"success","data":["__name__","instance","model_name"]}"#.to_owned()
    } else if asked.contains("/api/v1/series") {
        r#"{"status":"success","data":[{"__name__":"vllm:num_requests_running","model_name":"m"}]}"#
            .to_owned()
    } else {
        vector(r#"{"instance":"a"}"#, "3")
    };
    ("200 OK", body)
}

fn only_value(answer: &Answer) -> f64 {
    match &answer.value {
        QueryValue::Vector(series) => match series[0].points[0].1 {
            Value::Float(value) => value,
            Value::Histogram(_) => panic!("a histogram"),
        },
        other => panic!("no vector: {other:?}"),
    }
}

#[tokio::test]
async fn a_query_without_canonical_names_goes_as_it_is() {
    let (url, log) = server(vllm).await;
    let engine = engine(&url);
    for text in ["sum( up )", "rollup_rate(up[5m])"] {
        assert_eq!(only_value(&engine.instant(instant(text)).await.unwrap()), 3.0);
        let asked = log.lock().unwrap().pop().unwrap();
        assert!(asked.contains(&format!("query={text}&time=600.000&timeout=")), "{asked}");
    }
    assert!(log.lock().unwrap().is_empty(), "nothing else was asked");
}

#[tokio::test]
async fn a_canonical_name_is_written_out_and_look_ups_are_remembered() {
    let (url, log) = server(vllm).await;
    let engine = engine(&url);
    let query = instant("sum by (model) (inference_requests_running)");
    engine.instant(query.clone()).await.unwrap();
    let asked = log.lock().unwrap().clone();
    assert_eq!(asked.len(), 3, "{asked:?}");
    let text = "sum by (model) (label_replace(sum by (model_name) (vllm:num_requests_running{server=\"\"}), \
                \"model\", \"$1\", \"model_name\", \"(?s)(.*)\"))";
    assert!(asked[2].contains(&format!("query={text}&")), "{}", asked[2]);
    engine.instant(query).await.unwrap();
    assert_eq!(log.lock().unwrap().len(), 4, "only the query itself is asked again");
}

#[tokio::test]
async fn a_typing_error_around_a_canonical_name_is_told_here() {
    let (url, log) = server(vllm).await;
    let error = engine(&url).instant(instant("sum(inference_requests_running")).await.unwrap_err();
    assert_eq!(error.kind, BadData);
    assert!(error.message.contains("unclosed left parenthesis"), "{error}");
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn ranges_long_queries_and_secrets_are_sent_right() {
    let (url, log) = server(|_| {
        let data = r#"{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[60,"1"],[120.5,"NaN"]],"histograms":[[90,{"count":"2","sum":"3","buckets":[[0,"1","2","2"]]}]]}]}"#;
        ("200 OK", format!(r#"{{"status":"success","isPartial":true,"data":{data}}}"#))
    })
    .await;
    let options = RemoteOptions {
        url: Some(url),
        bearer_token_env: Some("TOKEN".to_owned()),
        ..RemoteOptions::default()
    };
    let engine = engine_with(&options);
    let query = RangeQuery {
        text: format!("up + {}", "0 + ".repeat(1000)) + "0",
        start_ms: 60_000,
        end_ms: 120_500,
        step_ms: 500,
        timeout: Duration::from_secs(5),
        lookback_ms: Some(30_000),
    };
    let answer = engine.range(query).await.unwrap();
    assert_eq!(answer.annotations.warnings.len(), 1, "a part of an answer is said to be one");
    let QueryValue::Matrix(series) = answer.value else { panic!("no matrix") };
    let times: Vec<i64> = series[0].points.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [60_000, 90_000, 120_500]);
    assert!(matches!(series[0].points[1].1, Value::Histogram(_)));
    let asked = log.lock().unwrap().pop().unwrap();
    assert!(asked.starts_with("POST /api/v1/query_range query=up"), "{asked}");
    for part in ["start=60.000&end=120.500&step=0.500", "lookback_delta=30.000", "Bearer s3cret"] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
}

#[tokio::test]
async fn errors_keep_their_kind_and_say_what_to_do() {
    let check = |status: &'static str,
                 body: &'static str,
                 kind: QueryErrorKind,
                 part: &'static str| async move {
        let (url, log) = server(move |_| (status, body.to_owned())).await;
        let error = engine(&url).instant(instant("up")).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(part), "{error}");
        log.lock().unwrap().len()
    };
    let said = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: no"}"#;
    assert_eq!(check("400 Bad Request", said, BadData, "1:1: no").await, 1);
    let said = r#"{"status":"error","errorType":"422","error":"cannot find"}"#;
    assert_eq!(check("422 Unprocessable", said, Execution, "cannot find").await, 1);
    let said = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    assert_eq!(check("503 Unavailable", said, Timeout, "timed out").await, 1);
    assert_eq!(check("401 Unauthorized", "<html>", Internal, "bearer_token_*").await, 1);
    assert_eq!(check("404 Not Found", "page", Internal, "right path").await, 1);
    assert_eq!(check("302 Found", "", Internal, "elsewhere").await, 1);
    assert_eq!(check("429 Slow Down", "", Execution, "asked too much").await, 1);
    assert_eq!(check("200 OK", "hello", Internal, "cannot be read").await, 1);
    assert_eq!(check("502 Bad Gateway", "nginx", Internal, "nginx").await, 2, "tried again");
    assert_eq!(check("", "", Internal, "cannot reach").await, 2, "tried again");
}

#[tokio::test]
async fn trouble_is_told_until_the_engine_answers_again() {
    let (url, _log) =
        server(
            |asked| {
                if asked.contains("query=bad") { ("500 Oh", String::new()) } else { vllm(asked) }
            },
        )
        .await;
    let engine = engine(&url);
    engine.instant(instant("bad")).await.unwrap_err();
    assert!(engine.trouble().is_some());
    engine.instant(instant("up")).await.unwrap();
    assert_eq!(engine.trouble(), None);
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused() {
    let (url, _log) = server(|_| ("200 OK", " ".repeat(10_000))).await;
    let options = RemoteOptions {
        url: Some(url),
        answer_limit: "5000B".to_owned(),
        ..RemoteOptions::default()
    };
    let error = engine_with(&options).instant(instant("up")).await.unwrap_err();
    assert_eq!(error.kind, Execution);
    assert!(error.message.contains("answer_limit"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_see_the_engine_through_the_catalog() {
    let (url, log) = server(vllm).await;
    let engine = engine(&url);
    let query = SeriesQuery { start_ms: 0, end_ms: 600_000, ..SeriesQuery::default() };
    let names = engine.label_values("__name__".to_owned(), query.clone()).await.unwrap();
    assert_eq!(names, ["inference_requests_running", "up", "vllm:num_requests_running"]);
    let set = vec![strata_model::Matcher::equal("__name__", "inference_requests_running")];
    let query = SeriesQuery { matchers: vec![set], ..query };
    let series = engine.series(query).await.unwrap();
    let expected = "inference_requests_running{inference_engine=\"vllm\",model=\"m\"}";
    assert_eq!(series.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    let asked = log.lock().unwrap().clone();
    let series = asked.iter().filter(|one| one.contains("/series")).count();
    assert_eq!(series, 1, "only sources that exist are asked: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_fetched_where_text_cannot_say_it() {
    let family = |name: &str, values: &str| {
        let values = values.to_owned();
        (
            name.to_owned(),
            format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"__name__":"{name}","instance":"a"}},"values":{values}}}]}}}}"#
            ),
        )
    };
    let parts = [
        family("node_memory_MemTotal_bytes", r#"[[570,"100"],[585,"100"]]"#),
        family("node_memory_MemFree_bytes", r#"[[570,"10"],[585,"40"]]"#),
        family("node_memory_Buffers_bytes", r#"[[570,"1"],[585,"1"]]"#),
        family("node_memory_Cached_bytes", r#"[[570,"2"],[585,"2"]]"#),
        family("node_memory_SReclaimable_bytes", r#"[[570,"3"],[585,"3"]]"#),
    ];
    let names: Vec<String> = parts.iter().map(|(name, _)| format!("{name:?}")).collect();
    let names = format!(r#"{{"status":"success","data":[{}]}}"#, names.join(","));
    let (url, _log) = server(move |asked| {
        if asked.contains("/label/__name__/") {
            return ("200 OK", names.clone());
        }
        if asked.contains("/labels") {
            return ("200 OK", NONE.to_owned());
        }
        let found = parts.iter().find(|(name, _)| asked.contains(&format!("{name:?}")));
        ("200 OK", found.map_or_else(|| NONE.to_owned(), |(_, body)| body.clone()))
    })
    .await;
    let engine = engine(&url);
    let query = instant("max_over_time(system_memory_usage_bytes{state=\"used\"}[1m])");
    assert_eq!(only_value(&engine.instant(query).await.unwrap()), 84.0);
    let mixed = "max_over_time(system_memory_usage_bytes[1m]) / system_memory_usage_bytes";
    let error = engine.instant(instant(mixed)).await.unwrap_err();
    assert_eq!(error.kind, Execution);
    assert!(error.message.contains("max_over_time() of system_memory_usage_bytes"), "{error}");
}

//! OpenTelemetry metrics over HTTP and gRPC, as its Python SDK sent them.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use prost::Message;

use crate::fixture;
use crate::http;
use crate::program::{House, LONG, Server};

const CUMULATIVE: &str = "otlp/otel-python-sdk-1.45.2/001-v1-metrics-cumulative.bin";
const DELTA: [&str; 2] = [
    "otlp/otel-python-sdk-1.45.2/002-v1-metrics-delta.bin",
    "otlp/otel-python-sdk-1.45.2/003-v1-metrics-delta.bin",
];
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
/// A moment just behind the captured points.
const CAPTURED: &str = "1795366480";

fn decoded(file: &str) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(fixture(file).as_slice()).unwrap()
}

/// What the cumulative capture says, read back as a person would.
fn check_cumulative(server: &Server) {
    let at = Some(CAPTURED);
    assert_eq!(server.value("tokens_processed_total{split=\"train\"}", at), Some(2000.0));
    assert_eq!(server.value("sum(tokens_processed_total)", at), Some(2020.0));
    assert_eq!(server.value("gpu_utilization_ratio", at), Some(0.75));
    assert_eq!(server.value("histogram_count(step_duration_seconds)", at), Some(12.0));
    let median = server.value("histogram_quantile(0.5, step_duration_seconds)", at).unwrap();
    assert!(median > 0.25 && median < 4.0, "{median}");
    let classic = "histogram_quantile(0.25, checkpoint_size_bytes_bucket)";
    let quarter = server.value(classic, at).unwrap();
    assert!(quarter > 1e6 && quarter < 1e9, "{quarter}");
    let joined = "gpu_utilization_ratio * on (job, instance) group_left (process_command_args) \
                  target_info";
    let joined = server.query(joined, at);
    assert_eq!(joined[0]["metric"]["job"], "lab/trainer", "{joined:?}");
    assert_eq!(joined[0]["metric"]["process_command_args"], "[\"python\",\"train.py\"]");
    let row = server.source("receive/otlp").unwrap();
    assert_eq!((&row["state"], &row["faults_total"]), (&"ok".into(), &0.into()), "{row}");
}

#[test]
fn protobuf_over_http_is_queryable_on_every_port_and_path() {
    let house = House::new(LONG);
    let server = house.start();
    for url in [
        format!("{}/v1/metrics", server.otlp_http()),
        format!("{}/v1/metrics", server.url),
        format!("{}/api/v1/otlp/v1/metrics", server.url),
    ] {
        let answer = http::post(&url, &[PROTOBUF], &fixture(CUMULATIVE));
        assert_eq!(answer.status, 200, "{url}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some(PROTOBUF.1));
        assert!(answer.body.is_empty(), "{url}: nothing was refused");
    }
    check_cumulative(&server);
}

#[test]
fn json_over_http_says_the_same() {
    let house = House::new(LONG);
    let server = house.start();
    let body = serde_json::to_vec(&decoded(CUMULATIVE)).unwrap();
    let url = format!("{}/v1/metrics", server.otlp_http());
    let answer = http::post(&url, &[("Content-Type", "application/json")], &body);
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    check_cumulative(&server);
}

#[test]
fn grpc_says_the_same() {
    let house = House::new(LONG);
    let server = house.start();
    let answer = http::block_on(async {
        let mut client = MetricsServiceClient::connect(server.otlp_grpc()).await.unwrap();
        client.export(decoded(CUMULATIVE)).await.unwrap().into_inner()
    });
    assert_eq!(answer.partial_success, None);
    check_cumulative(&server);
}

#[test]
fn deltas_add_up() {
    let house = House::new(LONG);
    let server = house.start();
    let url = format!("{}/v1/metrics", server.otlp_http());
    for file in DELTA {
        assert_eq!(http::post(&url, &[PROTOBUF], &fixture(file)).status, 200, "{file}");
    }
    let at = Some(CAPTURED);
    let total = server.value("tokens_processed_total{split=\"train\"}", at).unwrap();
    let steps = server.value("histogram_count(step_duration_seconds)", at).unwrap();
    assert_eq!((total, steps), (2000.0, 12.0));
}

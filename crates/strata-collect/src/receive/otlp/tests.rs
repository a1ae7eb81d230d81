//! Captured requests, the rules of translation one by one, and JSON against protobuf.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use strata_model::clock::FixedClock;

use super::super::tests::{fixtures, lines, summary};
use super::*;

const SECOND: u64 = 1_000_000_000;

fn receiver(change: impl FnOnce(&mut OtlpOptions)) -> OtlpReceiver {
    let mut options = OtlpOptions { scope_labels: false, ..OtlpOptions::default() };
    change(&mut options);
    let settings = options.validate(&ReceiveLimits::default()).unwrap();
    OtlpReceiver::new(settings, Arc::new(FixedClock::at(0)))
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    pairs
        .iter()
        .map(|(key, value)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue { value: Some(Any::StringValue((*value).to_owned())) }),
            ..KeyValue::default()
        })
        .collect()
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}

fn request(resource: &[(&str, &str)], metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1".to_owned(),
        ..InstrumentationScope::default()
    };
    let scope = ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() };
    let resource = Resource { attributes: attributes(resource), ..Resource::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![scope],
            schema_url: String::new(),
        }],
    }
}

/// A point of the interval from `start` to `end` seconds.
fn number(start: u64, end: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: start * SECOND,
        time_unix_nano: end * SECOND,
        value: Some(Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn sum(temporality: i32, is_monotonic: bool, point: NumberDataPoint) -> Data {
    Data::Sum(Sum { data_points: vec![point], aggregation_temporality: temporality, is_monotonic })
}

fn gauge(point: NumberDataPoint) -> Data {
    Data::Gauge(Gauge { data_points: vec![point] })
}

/// Lines without the source.
fn told(decoded: &Decoded) -> Vec<String> {
    lines(decoded).iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

fn read(name: &str) -> ExportMetricsServiceRequest {
    let body = std::fs::read(fixtures("otlp").join(name)).unwrap();
    OtlpReceiver::decode_protobuf(&body, &ReceiveLimits::default()).unwrap()
}

#[test]
fn captured_requests_of_openai_instrumentation() {
    let receiver = OtlpReceiver::new(OtlpSettings::default(), Arc::new(FixedClock::at(0)));
    let check = |folder: &str, names: &[&str]| {
        for name in names {
            let decoded = receiver.metrics(read(&format!("{folder}/{name}-v1-metrics.bin")));
            let title = format!("{}-{name}", folder.replace('/', "-"));
            insta::assert_snapshot!(title, summary(&decoded, 5));
        }
    };
    check("genai-openai-v2-2.4b0-default", &["003", "006", "007"]);
    check("genai-openai-v2-2.4b0-latest-experimental", &["002", "003"]);
    check("linked-trace-client-and-vllm-0.32.0/client", &["002", "003"]);
}

#[test]
fn captured_requests_of_the_python_sdk() {
    let receiver = OtlpReceiver::new(OtlpSettings::default(), Arc::new(FixedClock::at(0)));
    for name in ["001-v1-metrics-cumulative", "002-v1-metrics-delta", "003-v1-metrics-delta"] {
        let decoded = receiver.metrics(read(&format!("otel-python-sdk-1.45.2/{name}.bin")));
        insta::assert_snapshot!(format!("otel-python-sdk-1.45.2-{name}"), summary(&decoded, 1));
    }
}

#[test]
fn identity_comes_from_the_resource() {
    let check = |resource: &[(&str, &str)], source: &str, expected: &[&str]| {
        let request = request(resource, vec![metric("x", "", gauge(number(0, 1, 2.0)))]);
        let decoded = receiver(|_| {}).metrics(request);
        assert_eq!(&*decoded.batches.last().unwrap().source, source);
        assert_eq!(told(&decoded), expected, "{resource:?}");
    };
    check(&[], "receive/otlp", &["x{} 2 @1000"]);
    check(&[("host.name", "n1")], "receive/otlp", &["x{host_name=\"n1\"} 2 @1000"]);
    check(
        &[("service.name", "s"), ("service.namespace", "ns"), ("service.instance.id", "i")],
        "receive/otlp/ns/s/i",
        &["x{instance=\"i\",job=\"ns/s\",service_name=\"s\"} 2 @1000"],
    );
    check(
        &[("service.instance.id", "i"), ("os.type", "linux")],
        "receive/otlp//i",
        &["x{instance=\"i\"} 2 @1000", "target_info{instance=\"i\",os_type=\"linux\"} 1 @1000"],
    );
}

#[test]
fn attributes_become_labels() {
    let point = |pairs: &[(&str, &str)]| NumberDataPoint {
        attributes: attributes(pairs),
        ..number(0, 1, 2.0)
    };
    let check = |pairs: &[(&str, &str)], expected: &str, faults: usize| {
        let decoded = receiver(|options| options.scope_labels = pairs.is_empty())
            .metrics(request(&[], vec![metric("x", "", gauge(point(pairs)))]));
        assert_eq!((told(&decoded), decoded.faults.len()), (vec![expected.to_owned()], faults));
    };
    check(&[("gen_ai.system", "vllm")], "x{gen_ai_system=\"vllm\"} 2 @1000", 0);
    check(&[("a-b", "2"), ("a.b", "1")], "x{a_b=\"2;1\"} 2 @1000", 1);
    check(&[("__name__", "evil"), ("empty", "")], "x{} 2 @1000", 0);
    check(&[], "x{otel_scope_name=\"lib\",otel_scope_version=\"1\"} 2 @1000", 0);
}

#[test]
fn deltas_are_told_as_counters() {
    let receiver = receiver(|_| {});
    let check = |start: u64, end: u64, value: f64, expected: &[&str]| {
        let data = sum(1, true, number(start, end, value));
        let decoded = receiver.metrics(request(&[], vec![metric("n", "", data)]));
        assert_eq!(told(&decoded), expected);
        assert_eq!(decoded.rejected, u64::from(expected.is_empty()));
    };
    check(10, 20, 5.0, &["n_total{} 0 @10001", "n_total{} 5 @20000"]);
    check(20, 30, 2.0, &["n_total{} 7 @30000"]);
    check(20, 30, 2.0, &[]);
    check(30, 40, 1.0, &["n_total{} 8 @40000"]);
}

#[test]
fn sums_that_fall_are_gauges() {
    let told_of = |temporality: i32| {
        let data = sum(temporality, false, number(1, 2, -3.0));
        let decoded = receiver(|_| {}).metrics(request(&[], vec![metric("queue", "1", data)]));
        assert_eq!(decoded.batches[0].metadata[0].kind.name(), "gauge");
        told(&decoded)
    };
    assert_eq!(told_of(2), ["queue{} -3 @2000"]);
    assert_eq!(told_of(1), ["queue{} -3 @2000"]);
}

fn classic(start: u64, end: u64, counts: &[u64]) -> HistogramDataPoint {
    HistogramDataPoint {
        start_time_unix_nano: start * SECOND,
        time_unix_nano: end * SECOND,
        count: counts.iter().sum(),
        sum: Some(1.5),
        bucket_counts: counts.to_vec(),
        explicit_bounds: vec![0.5, 10.0],
        ..HistogramDataPoint::default()
    }
}

fn histogram(aggregation_temporality: i32, point: HistogramDataPoint) -> Metric {
    let data_points = vec![point];
    metric("t", "s", Data::Histogram(Histogram { data_points, aggregation_temporality }))
}

#[test]
fn explicit_histograms_become_classic_series() {
    let receiver = receiver(|_| {});
    let check = |metric: Metric, expected: [&str; 5]| {
        let decoded = receiver.metrics(request(&[], vec![metric]));
        let told = told(&decoded);
        assert_eq!(told[told.len() - 5..], expected);
    };
    let cumulative = [
        "t_seconds_sum{} 1.5 @2000",
        "t_seconds_count{} 6 @2000",
        "t_seconds_bucket{le=\"0.5\"} 1 @2000",
        "t_seconds_bucket{le=\"10\"} 3 @2000",
        "t_seconds_bucket{le=\"+Inf\"} 6 @2000",
    ];
    check(histogram(2, classic(1, 2, &[1, 2, 3])), cumulative);
    check(histogram(1, classic(1, 2, &[1, 2, 3])), cumulative);
    let summed = [
        "t_seconds_sum{} 3 @3000",
        "t_seconds_count{} 7 @3000",
        "t_seconds_bucket{le=\"0.5\"} 2 @3000",
        "t_seconds_bucket{le=\"10\"} 4 @3000",
        "t_seconds_bucket{le=\"+Inf\"} 7 @3000",
    ];
    check(histogram(1, classic(2, 3, &[1, 0, 0])), summed);
}

#[test]
fn a_point_without_recorded_value_ends_its_series() {
    let flags = 1;
    let told_of =
        |data: Data| told(&receiver(|_| {}).metrics(request(&[], vec![metric("x", "", data)])));
    let point = NumberDataPoint { flags, value: None, ..number(0, 2, 0.0) };
    assert_eq!(told_of(gauge(point)), ["x{} stale @2000"]);
    let point =
        HistogramDataPoint { flags, count: 0, bucket_counts: vec![], ..classic(0, 2, &[0; 3]) };
    let data = histogram(2, point).data.unwrap();
    assert_eq!(
        told_of(data),
        ["x_sum{} stale @2000", "x_count{} stale @2000", "x_bucket{le=\"+Inf\"} stale @2000"]
    );
}

#[test]
fn summaries_keep_their_quantiles() {
    let point = SummaryDataPoint {
        time_unix_nano: SECOND,
        count: 4,
        sum: 2.0,
        quantile_values: vec![ValueAtQuantile { quantile: 0.99, value: 1.5 }],
        ..SummaryDataPoint::default()
    };
    let data = Data::Summary(Summary { data_points: vec![point] });
    let decoded = receiver(|_| {}).metrics(request(&[], vec![metric("q", "ms", data)]));
    let expected = [
        "q_milliseconds_sum{} 2 @1000",
        "q_milliseconds_count{} 4 @1000",
        "q_milliseconds{quantile=\"0.99\"} 1.5 @1000",
    ];
    assert_eq!(told(&decoded), expected);
}

#[test]
fn points_that_cannot_be_kept_are_counted() {
    let check = |metric: Metric, kind: &str| {
        let decoded = receiver(|_| {}).metrics(request(&[], vec![metric]));
        assert_eq!((decoded.samples, decoded.rejected), (0, 1), "{kind}");
        assert!(decoded.rejection().unwrap().contains(kind), "{:?}", decoded.rejection());
    };
    check(metric("x", "", gauge(number(0, 0, 1.0))), "data point without a time");
    let no_value = NumberDataPoint { value: None, ..number(0, 1, 1.0) };
    check(metric("x", "", gauge(no_value)), "data point without a value");
    check(metric("x", "", sum(0, true, number(0, 1, 1.0))), "metric without a temporality");
    check(metric("", "", gauge(number(0, 1, 1.0))), "metric without a name");
    check(
        metric("...", "", gauge(number(0, 1, 1.0))),
        "metric whose name holds no letter or digit",
    );
    let long = "v".repeat(20_000);
    let point = NumberDataPoint { attributes: attributes(&[("k", &long)]), ..number(0, 1, 1.0) };
    check(metric("x", "", gauge(point)), "label value is too long");
    let short = HistogramDataPoint { explicit_bounds: vec![1.0], ..classic(0, 1, &[1, 2, 3]) };
    check(histogram(2, short), "histogram whose bounds and counts disagree");
    let falls = HistogramDataPoint { explicit_bounds: vec![2.0, 1.0], ..classic(0, 1, &[1, 2, 3]) };
    check(histogram(2, falls), "histogram whose bounds do not rise");
    let few = HistogramDataPoint { count: 1, ..classic(0, 1, &[1, 2, 3]) };
    check(histogram(2, few), "histogram with fewer observations than its buckets");
}

#[test]
fn one_request_is_bounded_in_series() {
    let limits = ReceiveLimits { series: 4, ..ReceiveLimits::default() };
    let settings = OtlpOptions::default().validate(&limits).unwrap();
    let receiver = OtlpReceiver::new(settings, Arc::new(FixedClock::at(0)));
    let metrics =
        vec![histogram(2, classic(0, 1, &[1, 2, 3])), metric("x", "", gauge(number(0, 1, 1.0)))];
    let decoded = receiver.metrics(request(&[], metrics));
    assert_eq!((decoded.samples, decoded.rejected, decoded.faults.len()), (4, 1, 2));
}

/// One of everything, as the exporters send it.
fn rich() -> ExportMetricsServiceRequest {
    let exponential = ExponentialHistogramDataPoint {
        time_unix_nano: 5 * SECOND,
        count: 6,
        sum: Some(9.0),
        scale: 3,
        zero_count: 1,
        positive: Some(Buckets { offset: -2, bucket_counts: vec![1, 0, 4] }),
        zero_threshold: 0.25,
        ..ExponentialHistogramDataPoint::default()
    };
    let int = NumberDataPoint {
        value: Some(Value::AsInt(i64::MAX)),
        attributes: attributes(&[("a", "1")]),
        ..number(1, 5, 0.0)
    };
    let exponential =
        ExponentialHistogram { data_points: vec![exponential], aggregation_temporality: 2 };
    request(
        &[("service.name", "s")],
        vec![
            metric("g", "1", gauge(number(0, 5, 0.5))),
            metric("c", "", sum(2, true, int)),
            histogram(2, classic(1, 5, &[1, 2, 3])),
            metric("e", "s", Data::ExponentialHistogram(exponential)),
        ],
    )
}

#[test]
fn json_says_the_same_as_protobuf() {
    let limits = ReceiveLimits::default();
    let request = rich();
    let json = serde_json::to_vec(&request).unwrap();
    assert_eq!(OtlpReceiver::decode_json(&json, &limits).unwrap(), request);
    let body = request.encode_to_vec();
    assert_eq!(OtlpReceiver::decode_protobuf(&body, &limits).unwrap(), request);
}

#[test]
fn json_is_read_as_senders_write_it() {
    let check = |point: &str, expected: Option<&str>| {
        let body = format!(
            r#"{{"resourceMetrics":[{{"later":{{"x":[1]}},"scopeMetrics":[{{"metrics":[{{
            "name":"n","sum":{{"isMonotonic":true,
            "aggregationTemporality":"AGGREGATION_TEMPORALITY_CUMULATIVE","dataPoints":[{point}]}}}}]}}]}}]}}"#
        );
        let got = OtlpReceiver::decode_json(body.as_bytes(), &ReceiveLimits::default());
        let got = got.ok().map(|request| told(&receiver(|_| {}).metrics(request)).concat());
        assert_eq!(got.as_deref(), expected, "{point}");
    };
    check(r#"{"timeUnixNano":"5000000000","asInt":"7"}"#, Some("n_total{} 7 @5000"));
    check(r#"{"timeUnixNano":5000000000,"asInt":7}"#, Some("n_total{} 7 @5000"));
    check(r#"{"time_unix_nano":5e9,"as_double":"7.5"}"#, Some("n_total{} 7.5 @5000"));
    check(r#"{"timeUnixNano":"5000000000","asDouble":"NaN"}"#, Some("n_total{} NaN @5000"));
    check(r#"{"timeUnixNano":"5000000000","asDouble":7,"flags":null}"#, Some("n_total{} 7 @5000"));
    let attributes = r#"{"timeUnixNano":"1000000000","asInt":1,"attributes":[
        {"key":"a","value":{"intValue":"3"}},{"key":"b","value":{"boolValue":true}},
        {"key":"c","value":{"arrayValue":{"values":[{"doubleValue":0.5},{"stringValue":"x"}]}}},
        {"key":"d","value":{"kvlistValue":{"values":[{"key":"k","value":{}}]}}},
        {"key":"e","value":{"bytesValue":"Zm9v"}},{"key":"f","value":{"futureValue":{"y":[]}}}]}"#;
    let labels = r#"a="3",b="true",c="[0.5,\"x\"]",d="{\"k\":null}",e="Zm9v""#;
    check(attributes, Some(&format!("n_total{{{labels}}} 1 @1000")));
    check(r#"{"timeUnixNano":"soon"}"#, None);
    check(r#"{"timeUnixNano":-1}"#, None);
    check(r#"{"attributes":{}}"#, None);
    check("[]", None);
}

#[test]
fn small_bodies_that_would_take_much_memory_are_refused() {
    let limits = ReceiveLimits { decoded_bytes: 100_000, ..ReceiveLimits::default() };
    let points = vec![NumberDataPoint::default(); 2000];
    let body = request(&[], vec![metric("x", "", Data::Gauge(Gauge { data_points: points }))]);
    let body = body.encode_to_vec();
    assert!(body.len() < 5000);
    let error = OtlpReceiver::decode_protobuf(&body, &limits).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { what: "bytes in memory", .. }), "{error}");
    let limits = ReceiveLimits { samples: 100, ..ReceiveLimits::default() };
    let error = OtlpReceiver::decode_json(&b"[{},".repeat(50), &limits).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { what: "JSON values", .. }), "{error}");
}

#[test]
fn bodies_cut_anywhere_never_panic() {
    let limits = ReceiveLimits::default();
    let receiver = receiver(|_| {});
    let json = serde_json::to_vec(&rich()).unwrap();
    for end in 0..json.len() {
        assert!(OtlpReceiver::decode_json(&json[..end], &limits).is_err());
    }
    let body = rich().encode_to_vec();
    for end in 0..body.len() {
        // Only the empty body is a whole message: all of it is one field.
        let decoded = OtlpReceiver::decode_protobuf(&body[..end], &limits);
        assert_eq!(decoded.is_ok(), end == 0);
        for request in decoded {
            assert_eq!(receiver.metrics(request).samples, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_bytes_never_panic(
        at in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let limits = ReceiveLimits::default();
        let mut body = rich().encode_to_vec();
        for (at, byte) in at {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(request) = OtlpReceiver::decode_protobuf(&body, &limits) {
            let decoded = receiver(|_| {}).metrics(request);
            let samples: usize = decoded.batches.iter().map(|batch| batch.samples.len()).sum();
            prop_assert_eq!(samples as u64, decoded.samples);
        }
    }
}

//! Samples by remote write: what is on the wire, and what the receiver's answers mean.

use std::sync::Arc;

use strata_model::{
    Batch, HistogramSample, Labels, Metadata, MetricKind, NativeHistogram, STALE_NAN, Span,
};

use super::*;

const DOWN: Answer = ("500 Internal Server Error", b"");
const UNORDERED: Answer = ("400 Bad Request", b"out of order sample");

#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<MetricMetadata>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<SampleSent>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<HistogramSent>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SampleSent {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    at_ms: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HistogramSent {
    #[prost(double, optional, tag = "2")]
    count: Option<f64>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(message, repeated, tag = "11")]
    spans: Vec<SpanSent>,
    #[prost(double, repeated, tag = "13")]
    counts: Vec<f64>,
    #[prost(int64, tag = "15")]
    at_ms: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SpanSent {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MetricMetadata {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(string, tag = "2")]
    family: String,
}

fn writing(url: &str) -> ForwardOptions {
    let remote_write = Some(format!("{url}/api/v1/write"));
    ForwardOptions { remote_write, ..ForwardOptions::default() }
}

/// A batch with so many series of one sample.
fn batch(series: usize) -> Batch {
    let mut batch = Batch::new(Arc::from("test"));
    for number in 0..series {
        let number = number.to_string();
        let labels = Labels::from_pairs([("__name__", "m"), ("n", number.as_str())]);
        batch.push(&labels, 1_000, 1.0);
    }
    batch
}

fn tell(forwarder: &Forwarder, batch: &Batch) {
    forwarder.samples(forwarder.write(batch));
}

fn read(body: &[u8]) -> WriteRequest {
    WriteRequest::decode(body).unwrap()
}

#[tokio::test]
async fn samples_arrive_by_series_in_their_order_and_histograms_apart() {
    let (url, got) = receiver(&[]).await;
    let forwarder = forwarder(&writing(&url));
    let mut batch = Batch::new(Arc::from("test"));
    let up = batch.series_of(&Labels::from_pairs([("instance", "a"), ("__name__", "up")]));
    let other = batch.series_of(&Labels::from_pairs([("__name__", "other")]));
    for (series, at_ms, value) in [(up, 3_000, STALE_NAN), (other, 1_000, 5.0), (up, 2_000, 1.0)] {
        batch.samples.push(strata_model::Sample { series, at_ms, value });
    }
    batch.metadata.push(Metadata {
        family: "up".to_owned(),
        kind: MetricKind::Gauge,
        unit: String::new(),
        help: "Whether it answers.".to_owned(),
    });
    let histogram = NativeHistogram {
        schema: 3,
        count: 4.0,
        sum: 9.0,
        positive_spans: vec![Span { offset: -2, length: 2 }],
        positive_buckets: vec![1.0, 3.0],
        ..NativeHistogram::default()
    };
    let series = batch.series_of(&Labels::from_pairs([("__name__", "h")]));
    batch.histograms.push(HistogramSample { series, at_ms: 4_000, histogram: Arc::new(histogram) });
    let written = forwarder.write(&batch);
    let apart: Vec<u64> = written.iter().map(|one| one.samples).collect();
    assert_eq!(apart, [3, 1], "who takes no histograms refuses them alone");
    forwarder.samples(written);
    let state = settled(&forwarder, 4).await;
    assert_eq!((state.sent, state.dropped, state.trouble), (4, 0, None));
    let (head, body) = got.lock().unwrap().remove(0);
    for part in [
        "post /api/v1/write http/1.1",
        "content-type: application/x-protobuf",
        "content-encoding: snappy",
        "x-prometheus-remote-write-version: 0.1.0",
        "user-agent: stratascope/",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
    let all = read(&body);
    let names: Vec<String> = all.series[0].labels.iter().map(|one| one.name.clone()).collect();
    assert_eq!(names, ["__name__", "instance"], "in the order of their names");
    let times: Vec<i64> = all.series[0].samples.iter().map(|one| one.at_ms).collect();
    assert_eq!(times, [2_000, 3_000]);
    assert_eq!(
        all.series[0].samples[1].value.to_bits(),
        STALE_NAN.to_bits(),
        "the end of a series"
    );
    assert_eq!((all.metadata[0].kind, all.metadata[0].family.as_str()), (2, "up"));
    let sent = &all.series[2].histograms[0];
    assert_eq!((sent.count, sent.sum, sent.schema, sent.at_ms), (Some(4.0), 9.0, 3, 4_000));
    assert_eq!(sent.spans, [SpanSent { offset: -2, length: 2 }]);
    assert_eq!(sent.counts, [1.0, 3.0]);
}

#[tokio::test]
async fn a_large_batch_goes_in_bodies_that_receivers_take() {
    let written = crate::remote_write::write(&batch(20_000));
    assert!(written.len() > 2, "{}", written.len());
    assert!(written.iter().all(|one| one.body.len() < 300 << 10));
    assert_eq!(written.iter().map(|one| one.samples).sum::<u64>(), 20_000);
    assert_eq!(read(&written[0].body).series.len() as u64, written[0].samples);
}

#[tokio::test]
async fn a_server_that_fails_is_asked_again_and_one_that_refuses_is_not() {
    let (url, got) = receiver(&[DOWN, OK, UNORDERED]).await;
    let forwarder = forwarder(&writing(&url));
    tell(&forwarder, &batch(3));
    let state = settled(&forwarder, 3).await;
    assert_eq!((state.sent, state.dropped), (3, 0), "500 is no refusal to remote write");
    tell(&forwarder, &batch(2));
    let state = settled(&forwarder, 5).await;
    assert_eq!((state.sent, state.dropped), (3, 2));
    assert!(state.trouble.unwrap().contains("400 Bad Request: out of order sample"));
    let got = got.lock().unwrap();
    assert_eq!((got.len(), &got[0].1), (3, &got[1].1), "the same again");
}

#[tokio::test]
async fn what_is_too_much_is_dropped_and_counted_and_nothing_goes_where_nobody_asked() {
    let (url, got) = receiver(&[]).await;
    let options = ForwardOptions { queue: "8KiB".to_owned(), ..writing(&url) };
    let forwarder = forwarder(&options);
    for _ in 0..100 {
        tell(&forwarder, &batch(10));
    }
    let state = settled(&forwarder, 1_000).await;
    assert_eq!(state.sent + state.dropped, 1_000);
    assert!(state.dropped > 500, "{state:?}");
    assert!(!got.lock().unwrap().is_empty());
    let spans_only = super::forwarder(&to(&url));
    assert!(spans_only.write(&batch(1)).is_empty());
}

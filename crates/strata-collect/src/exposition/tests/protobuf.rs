//! Protobuf pages, written by `prost` from our own copy of the message layout.

use prost::Message;
use strata_model::{CounterResetHint, Span};

use super::*;

#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<Label>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Number>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
    #[prost(int64, tag = "6")]
    timestamp_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<Quantile>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantile {
    #[prost(double, tag = "1")]
    quantile: f64,
    #[prost(double, tag = "2")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    bound: f64,
}

#[derive(Clone, PartialEq, Message)]
struct WireSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "4")]
    count_float: f64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(double, tag = "8")]
    zero_count_float: f64,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<WireSpan>,
    #[prost(sint64, repeated, tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<WireSpan>,
    // Prometheus writes proto2: one by one; prost's default is packed. Both must be read.
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(double, repeated, tag = "14")]
    positive_count: Vec<f64>,
}

fn page(families: &[Family]) -> Vec<u8> {
    families.iter().flat_map(Message::encode_length_delimited_to_vec).collect()
}

fn family(name: &str, kind: i32, metric: Metric) -> Family {
    let help = format!("help of {name}");
    Family { name: name.to_owned(), help, kind, metric: vec![metric], ..Family::default() }
}

fn histogram(kind: i32, histogram: Histogram) -> (Listing, PageEnd) {
    let metric = Metric { histogram: Some(histogram), ..Metric::default() };
    list(Format::Protobuf, &page(&[family("h", kind, metric)]), Arrival::Whole)
}

/// Counts 2, 3, 1 at indexes -1, 0 and 3, and 4 below zero.
fn native() -> Histogram {
    let span = |offset, length| WireSpan { offset, length };
    Histogram {
        count: 11,
        sum: 18.5,
        schema: 3,
        zero_threshold: 1e-10,
        zero_count: 1,
        positive_span: vec![span(-1, 2), span(2, 1)],
        positive_delta: vec![2, 1, -2],
        negative_span: vec![span(0, 1)],
        negative_delta: vec![4],
        ..Histogram::default()
    }
}

#[test]
fn every_type_becomes_the_series_of_the_text_format() {
    let number = |value| Some(Number { value });
    let labels = vec![Label { name: "x".to_owned(), value: "1".to_owned() }];
    let quantile =
        vec![Quantile { quantile: 0.5, value: 2.0 }, Quantile { quantile: 1.0, value: 3.0 }];
    let bucket = vec![Bucket { count: 1, bound: 1.0 }, Bucket { count: 2, bound: 1e6 }];
    let classic = Histogram { count: 3, sum: 4.5, bucket, ..Histogram::default() };
    let families = [
        family("c_total", 0, Metric { counter: number(5.0), label: labels, ..Metric::default() }),
        family("g", 1, Metric { gauge: number(-1.5), timestamp_ms: 77, ..Metric::default() }),
        family(
            "u",
            3,
            Metric { untyped: number(f64::from_bits(0x7ff0_0000_0000_0002)), ..Metric::default() },
        ),
        family(
            "s",
            2,
            Metric { summary: Some(Summary { count: 2, sum: 5.0, quantile }), ..Metric::default() },
        ),
        family("h", 4, Metric { histogram: Some(classic), ..Metric::default() }),
    ];
    let (mut listing, end) = list(Format::Protobuf, &page(&families), Arrival::Whole);
    assert_eq!(listing.faults.take(), []);
    let expected = [
        "c_total{x=\"1\"} 5",
        "g{} -1.5 @77",
        "u{} NaN",
        "s_count{} 2",
        "s_sum{} 5",
        "s{quantile=\"0.5\"} 2",
        "s{quantile=\"1.0\"} 3",
        "h_count{} 3",
        "h_sum{} 4.5",
        "h_bucket{le=\"1.0\"} 1",
        "h_bucket{le=\"1e+06\"} 2",
        "h_bucket{le=\"+Inf\"} 3",
    ];
    assert_eq!(listing.series, expected);
    assert_eq!(end.samples, 12);
    assert_eq!(
        listing.facts[..3],
        ["c_total Kind(Counter)", "c_total Help(\"help of c_total\")", "c_total Unit(\"\")"]
    );
}

#[test]
fn integer_deltas_become_absolute_counts() {
    let (listing, _) = histogram(4, native());
    assert_eq!(listing.series, ["h{}"]);
    let expected = NativeHistogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 3,
        zero_threshold: 1e-10,
        zero_count: 1.0,
        count: 11.0,
        sum: 18.5,
        positive_spans: vec![Span { offset: -1, length: 2 }, Span { offset: 2, length: 1 }],
        negative_spans: vec![Span { offset: 0, length: 1 }],
        positive_buckets: vec![2.0, 3.0, 1.0],
        negative_buckets: vec![4.0],
        custom_values: vec![],
    };
    assert_eq!(listing.natives, [expected]);
}

#[test]
fn float_gauge_and_empty_histograms_keep_their_nature() {
    let span = vec![WireSpan { offset: 1, length: 2 }];
    let float = Histogram {
        count_float: 4.0,
        zero_count_float: 0.5,
        positive_span: span,
        positive_count: vec![1.5, 2.0],
        ..Histogram::default()
    };
    let (listing, _) = histogram(5, float);
    let got = &listing.natives[0];
    assert_eq!((got.count, got.zero_count), (4.0, 0.5));
    assert_eq!(got.positive_buckets, [1.5, 2.0]);
    assert_eq!(got.counter_reset_hint, CounterResetHint::Gauge);
    // No observation yet: an empty span says that it is native nevertheless.
    let empty = Histogram { positive_span: vec![WireSpan::default()], ..Histogram::default() };
    let (listing, _) = histogram(4, empty);
    assert_eq!(listing.natives.len(), 1);
    assert_eq!(listing.natives[0].positive_spans, []);
}

#[test]
fn classic_buckets_stand_beside_native_ones_when_asked() {
    let both = Histogram { bucket: vec![Bucket { count: 11, bound: 1.0 }], ..native() };
    let metric = Metric { histogram: Some(both), ..Metric::default() };
    let body = page(&[family("h", 4, metric)]);
    let check = |native, classic_beside_native, expected: &[&str]| {
        let options = Histograms { native, classic_beside_native, buckets_max: 100 };
        let mut listing = Listing::default();
        read_page(Format::Protobuf, &body, Arrival::Whole, options, &mut listing);
        assert_eq!(listing.series, expected);
    };
    let classic =
        ["h_count{} 11", "h_sum{} 18.5", "h_bucket{le=\"1.0\"} 11", "h_bucket{le=\"+Inf\"} 11"];
    check(true, false, &["h{}"]);
    check(true, true, &[&classic[..], &["h{}"]].concat());
    check(false, false, &classic);
}

#[test]
fn histograms_that_contradict_themselves_are_refused() {
    let check = |histogram_wire: Histogram, expected: &str| {
        let (mut listing, end) = histogram(4, histogram_wire);
        let faults = listing.faults.take();
        assert_eq!((listing.natives.len(), end.unreadable), (0, 1), "{expected}");
        assert!(faults[0].message.contains(expected), "{faults:?}");
    };
    let span = |offset, length| WireSpan { offset, length };
    check(Histogram { schema: 53, ..native() }, "unknown schema");
    check(Histogram { count: 3, ..native() }, "buckets and count disagree");
    check(Histogram { positive_delta: vec![2, 1], ..native() }, "buckets and count disagree");
    check(Histogram { positive_delta: vec![2, -3, 1], ..native() }, "bucket count below zero");
    check(Histogram { positive_delta: vec![i64::MAX, 1, 0], ..native() }, "overflow");
    check(Histogram { positive_span: vec![span(0, 2), span(-1, 1)], ..native() }, "overlap");
    check(Histogram { zero_threshold: -1.0, ..native() }, "zero bucket");
    let many = Histogram {
        count: 2_000,
        positive_span: vec![span(0, 2_000)],
        positive_delta: vec![0; 2_000],
        ..native()
    };
    check(many, "too many buckets");
}

#[test]
fn a_message_that_breaks_off_is_flagged_and_the_ones_before_it_count() {
    let gauge = |name: &str| {
        family(name, 1, Metric { gauge: Some(Number { value: 1.0 }), ..Metric::default() })
    };
    let whole = page(&[gauge("a"), gauge("b")]);
    let (listing, end) = list(Format::Protobuf, &whole[..whole.len() - 3], Arrival::Cut);
    assert_eq!((listing.series.len(), end.truncated), (1, true));
    let (listing, end) = list(Format::Protobuf, &whole, Arrival::Whole);
    assert_eq!((listing.series.len(), end.truncated), (2, false));
    let mut wrong = gauge("c");
    wrong.kind = 0;
    let (listing, end) = list(Format::Protobuf, &page(&[wrong, gauge("d")]), Arrival::Whole);
    assert_eq!((listing.series, end.unreadable), (vec!["d{} 1".to_owned()], 1));
}

proptest! {
    #[test]
    fn a_page_with_a_flipped_byte_does_not_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let metric = Metric { histogram: Some(native()), ..Metric::default() };
        let mut body = page(&[family("h", 4, metric)]);
        let at = at.index(body.len());
        body[at] = byte;
        let (listing, _) = list(Format::Protobuf, &body, Arrival::Unframed);
        for histogram in listing.natives {
            let buckets: u64 = histogram.positive_spans.iter().map(|s| u64::from(s.length)).sum();
            prop_assert_eq!(buckets, histogram.positive_buckets.len() as u64);
        }
    }
}

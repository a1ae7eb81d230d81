//! Captured bodies, every repair and refusal, and round trips of both versions.

use proptest::prelude::*;
use strata_model::{CounterResetHint, Labels, Span};

use super::super::tests::{fixtures, lines, summary};
use super::encode::{Sent, SentHistogram, message, snappy, v1, v2};
use super::*;

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Sent {
    Sent {
        labels: labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        samples: samples.to_vec(),
        ..Sent::default()
    }
}

fn decode_both(sent: &[Sent]) -> [Decoded; 2] {
    let limits = ReceiveLimits::default();
    let one = decode_v1(&snappy(&v1(sent)), &limits).unwrap();
    let two = decode_v2(&snappy(&v2(sent)), &limits).unwrap();
    [one, two]
}

#[test]
fn captured_bodies_of_prometheus() {
    let read = |name: &str| std::fs::read(fixtures("remote-write").join(name)).unwrap();
    let limits = ReceiveLimits::default();
    let one = decode_v1(&read("rw1-prometheus-3.5.3-vllm-scrape.snappy"), &limits).unwrap();
    insta::assert_snapshot!("rw1-prometheus-3.5.3", summary(&one, 40));
    let two = decode_v2(&read("rw2-prometheus-3.5.3-vllm-scrape.snappy"), &limits).unwrap();
    insta::assert_snapshot!("rw2-prometheus-3.5.3", summary(&two, 40));
}

#[test]
fn content_type_names_the_message() {
    let check = |content_type: &str, expected: Option<Protocol>| {
        assert_eq!(protocol_of(content_type).ok(), expected, "{content_type}");
    };
    check("", Some(Protocol::RemoteWriteV1));
    check("application/x-protobuf", Some(Protocol::RemoteWriteV1));
    check("application/x-protobuf;proto=prometheus.WriteRequest", Some(Protocol::RemoteWriteV1));
    check(
        "application/x-protobuf; proto=io.prometheus.write.v2.Request",
        Some(Protocol::RemoteWriteV2),
    );
    check("application/x-protobuf;proto=io.prometheus.write.v3.Request", None);
    check("application/json", None);
}

#[test]
fn labels_are_repaired_or_refused() {
    let check = |labels: &[(&str, &str)], expected: Result<&str, &str>| {
        for decoded in decode_both(&[series(labels, &[(7, 1.5), (8, 2.5)])]) {
            match expected {
                Ok(series) => {
                    let first = format!("receive/remote_write {series} 1.5 @7");
                    assert_eq!(lines(&decoded)[0], first);
                    assert_eq!((decoded.samples, decoded.rejected), (2, 0));
                    assert_eq!(decoded.faults, []);
                }
                Err(kind) => {
                    assert_eq!(decoded.faults.len(), 1, "{labels:?}");
                    assert!(decoded.faults[0].message.starts_with(kind), "{decoded:?}");
                    assert_eq!((decoded.samples, decoded.rejected), (0, 2));
                    assert_eq!(decoded.batches.len(), 0);
                }
            }
        }
    };
    check(&[("__name__", "up"), ("a", "1")], Ok("up{a=\"1\"}"));
    check(&[("b", "2"), ("__name__", "up"), ("a", "1")], Ok("up{a=\"1\",b=\"2\"}"));
    check(&[("__name__", "up"), ("a", "")], Ok("up{}"));
    check(&[("__name__", "up"), ("zone", "Z\u{fc}rich")], Ok("up{zone=\"Z\u{fc}rich\"}"));
    check(&[("a", "1")], Err("series without a metric name"));
    check(&[("__name__", ""), ("a", "1")], Err("series without a metric name"));
    check(&[], Err("series without a metric name"));
    check(&[("__name__", "up"), ("", "x")], Err("label with an empty name"));
    check(&[("__name__", "up"), ("a", "1"), ("a", "1")], Err("label name twice in one series"));
    check(&[("__name__", "up"), ("a", "1"), ("a", "2")], Err("label name twice in one series"));
    let long = "n".repeat(1025);
    check(&[("__name__", "up"), (&long, "1")], Err("label name is too long"));
    let long = "v".repeat(16_385);
    check(&[("__name__", "up"), ("a", &long)], Err("label value is too long"));
    let names: Vec<String> = (0..128).map(|index| format!("a{index:03}")).collect();
    let mut many: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    many.push(("z", "1"));
    check(&many, Err("too many labels in one series"));
}

#[test]
fn texts_of_any_length_arrive_whole() {
    // Around the sizes of a copied chunk and of one-byte lengths.
    for length in [1, 30, 31, 32, 33, 126, 127, 128, 129, 1000] {
        let (name, value) = ("n".repeat(length), "v".repeat(length));
        let labels = [("__name__", "up"), (&name, &value), ("z", "end")];
        let expected = format!("receive/remote_write up{{{name}={value:?},z=\"end\"}} 1 @1");
        for decoded in decode_both(&[series(&labels, &[(1, 1.0)])]) {
            assert_eq!(lines(&decoded), std::slice::from_ref(&expected));
        }
    }
}

#[test]
fn fields_may_come_in_any_order_and_from_later_versions() {
    let label = |name: &[u8], value: &[u8]| {
        let mut label = Vec::new();
        message(2, value, &mut label);
        message(9, b"later", &mut label);
        message(1, name, &mut label);
        label
    };
    let mut body = Vec::new();
    // Timestamp 5 before value 1.0, and the sample before the labels.
    let sample = [0x10, 5, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
    message(2, &sample, &mut body);
    message(1, &label(b"__name__", b"up"), &mut body);
    message(17, b"later", &mut body);
    message(1, &label(b"job", b"x"), &mut body);
    let mut request = Vec::new();
    message(1, &body, &mut request);
    let decoded = decode_v1(&snappy(&request), &ReceiveLimits::default()).unwrap();
    assert_eq!(lines(&decoded), ["receive/remote_write/x/ up{job=\"x\"} 1 @5"]);
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let mut label = Vec::new();
    message(1, b"__name__", &mut label);
    message(2, b"up\xff", &mut label);
    let mut body = Vec::new();
    message(1, &label, &mut body);
    message(2, &[], &mut body);
    let mut request = Vec::new();
    message(1, &body, &mut request);
    let decoded = decode_v1(&snappy(&request), &ReceiveLimits::default()).unwrap();
    assert_eq!(decoded.rejected, 1);
    assert!(decoded.faults[0].message.starts_with("label is not UTF-8"), "{decoded:?}");
}

#[test]
fn series_of_one_target_share_a_batch() {
    let target = |name: &str, job: &str| {
        series(&[("__name__", name), ("instance", "gpu-1:9400"), ("job", job)], &[(1, 1.0)])
    };
    let sent = [
        target("a", "dcgm"),
        target("b", "vllm"),
        target("c", "dcgm"),
        series(&[("__name__", "lonely")], &[(1, 1.0)]),
    ];
    for decoded in decode_both(&sent) {
        let got: Vec<_> =
            decoded.batches.iter().map(|b| (b.source.to_string(), b.series_count())).collect();
        let expected = [
            ("receive/remote_write", 1),
            ("receive/remote_write/dcgm/gpu-1:9400", 2),
            ("receive/remote_write/vllm/gpu-1:9400", 1),
        ];
        assert_eq!(got, expected.map(|(source, count)| (source.to_owned(), count)));
    }
}

#[test]
fn histograms_become_absolute_floats() {
    let plain = SentHistogram {
        at_ms: 9,
        schema: 3,
        sum: 12.5,
        spans: vec![(-2, 2), (3, 1)],
        counts: vec![4, 1, 7],
        reset_hint: 2,
        ..SentHistogram::default()
    };
    for float in [false, true] {
        let sent = Sent {
            histograms: vec![SentHistogram { float, ..plain.clone() }],
            exemplars: 1,
            ..series(&[("__name__", "ttft")], &[])
        };
        for decoded in decode_both(&[sent]) {
            assert_eq!((decoded.samples, decoded.histograms, decoded.exemplars), (0, 1, 1));
            let sample = &decoded.batches[0].histograms[0];
            let got = &sample.histogram;
            assert_eq!((sample.at_ms, got.count, got.sum, got.schema), (9, 12.0, 12.5, 3));
            assert_eq!(got.positive_buckets, [4.0, 1.0, 7.0]);
            let spans = [Span { offset: -2, length: 2 }, Span { offset: 3, length: 1 }];
            assert_eq!(got.positive_spans, spans);
            assert_eq!(got.counter_reset_hint, CounterResetHint::NotReset);
        }
    }
}

#[test]
fn contradictory_histograms_are_refused() {
    let good = SentHistogram {
        schema: 0,
        spans: vec![(0, 2)],
        counts: vec![1, 2],
        ..SentHistogram::default()
    };
    let custom = SentHistogram { schema: -53, custom_values: vec![0.5, 1.0], ..good.clone() };
    let check = |sent: SentHistogram, expected: Option<&str>| {
        let sent = Sent { histograms: vec![sent], ..series(&[("__name__", "h")], &[(1, 1.0)]) };
        for decoded in decode_both(&[sent]) {
            assert_eq!(decoded.samples, 1);
            let got = decoded.faults.first().map(|fault| fault.message.as_str());
            match expected {
                None => assert_eq!((got, decoded.histograms), (None, 1)),
                Some(kind) => {
                    assert!(got.unwrap().starts_with(kind), "{got:?}");
                    assert_eq!((decoded.histograms, decoded.rejected), (0, 1));
                }
            }
        }
    };
    check(good.clone(), None);
    check(custom.clone(), None);
    let disagree = "native histogram whose spans and buckets disagree";
    let overlap = "native histogram whose spans overlap";
    let range = "native histogram with a bucket out of range";
    check(SentHistogram { spans: vec![(0, 3)], ..good.clone() }, Some(disagree));
    check(SentHistogram { spans: vec![(0, 1), (-1, 1)], ..good.clone() }, Some(overlap));
    check(SentHistogram { spans: vec![(i32::MAX, 2)], ..good.clone() }, Some(range));
    let unknown = "native histogram of an unknown schema";
    check(SentHistogram { schema: 53, ..good.clone() }, Some(unknown));
    check(SentHistogram { schema: -5, ..good.clone() }, Some(unknown));
    let bounds = "native histogram with contradictory bounds";
    check(SentHistogram { custom_values: vec![1.0], ..good }, Some(bounds));
    check(SentHistogram { custom_values: vec![1.0, 0.5], ..custom.clone() }, Some(bounds));
    let infinite = vec![0.5, f64::INFINITY];
    check(SentHistogram { custom_values: infinite, ..custom.clone() }, Some(bounds));
    check(SentHistogram { spans: vec![(2, 2)], ..custom }, Some(bounds));
}

#[test]
fn metadata_comes_once_per_family() {
    let of = |name: &str, kind: u32| Sent {
        metadata: Some((kind, "Helpful.".to_owned())),
        ..series(&[("__name__", name)], &[(1, 1.0)])
    };
    let sent = [of("t_bucket", 3), of("t_sum", 3), of("t_count", 3), of("n_total", 1), of("q", 5)];
    let [_, decoded] = decode_both(&sent);
    let got: Vec<_> =
        decoded.batches[0].metadata.iter().map(|m| (m.family.as_str(), m.kind.name())).collect();
    assert_eq!(got, [("t", "histogram"), ("n_total", "counter"), ("q", "summary")]);
    assert_eq!(decoded.batches[0].metadata[0].help, "Helpful.");
}

#[test]
fn one_long_help_of_every_family_is_bounded() {
    let help = "h".repeat(10_000);
    let sent: Vec<Sent> = (0..20)
        .map(|index| Sent {
            metadata: Some((1, help.clone())),
            ..series(&[("__name__", &format!("m{index}"))], &[(1, 1.0)])
        })
        .collect();
    let limits = ReceiveLimits { decoded_bytes: 100_000, ..ReceiveLimits::default() };
    let decoded = decode_v2(&snappy(&v2(&sent)), &limits).unwrap();
    assert_eq!((decoded.samples, decoded.batches[0].metadata.len()), (20, 9));
}

#[test]
fn symbols_that_are_not_there_cost_only_their_series() {
    let mut body = v2(&[series(&[("__name__", "up")], &[(1, 1.0)])]);
    let mut lost = Vec::new();
    message(1, &[1, 99], &mut lost);
    message(2, &[], &mut lost);
    message(5, &lost, &mut body);
    let mut odd = Vec::new();
    message(1, &[1, 2, 1], &mut odd);
    message(5, &odd, &mut body);
    let decoded = decode_v2(&snappy(&body), &ReceiveLimits::default()).unwrap();
    assert_eq!((decoded.samples, decoded.rejected, decoded.faults.len()), (1, 1, 2));
}

#[test]
fn bodies_beyond_a_bound_are_refused() {
    let sent: Vec<Sent> =
        (0..10).map(|at_ms| series(&[("__name__", "up")], &[(at_ms, 1.0); 5])).collect();
    let check = |limits: ReceiveLimits, expected: Option<&str>| {
        for result in
            [decode_v1(&snappy(&v1(&sent)), &limits), decode_v2(&snappy(&v2(&sent)), &limits)]
        {
            let got = match result {
                Ok(_) => None,
                Err(DecodeError::TooLarge { what, .. }) => Some(what),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(got, expected);
        }
    };
    let limits = ReceiveLimits::default();
    check(limits, None);
    check(ReceiveLimits { body_bytes: 20, ..limits }, Some("compressed bytes"));
    check(ReceiveLimits { decoded_bytes: 200, ..limits }, Some("decompressed bytes"));
    check(ReceiveLimits { series: 9, ..limits }, Some("series"));
    check(ReceiveLimits { samples: 40, ..limits }, Some("samples and buckets"));
}

#[test]
fn one_long_symbol_in_every_series_is_bounded() {
    let value = "v".repeat(10_000);
    let sent: Vec<Sent> = (0..20)
        .map(|index| series(&[("__name__", &format!("m{index}")), ("a", &value)], &[(1, 1.0)]))
        .collect();
    let limits = ReceiveLimits { decoded_bytes: 100_000, ..ReceiveLimits::default() };
    let error = decode_v2(&snappy(&v2(&sent)), &limits).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { what: "label bytes", .. }), "{error}");
}

#[test]
fn snappy_bombs_are_refused_before_anything_is_allocated() {
    let check = |body: &[u8], expected: &str| {
        let error = decode_v1(body, &ReceiveLimits::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x00], "too large: 4294967295");
    check(&[0xff, 0xff, 0xff, 0x7f, 0x00, 0x00], "6 bytes cannot hold the 268435455 they promise");
    check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "snappy");
    check(&[], "snappy");
}

#[test]
fn bodies_cut_anywhere_are_refused_or_partly_read() {
    let sent = Sent {
        histograms: vec![SentHistogram {
            spans: vec![(0, 2)],
            counts: vec![1, 2],
            ..SentHistogram::default()
        }],
        metadata: Some((1, "help".to_owned())),
        ..series(&[("__name__", "up"), ("job", "x")], &[(1, 1.0)])
    };
    let limits = ReceiveLimits::default();
    for body in [v1(std::slice::from_ref(&sent)), v2(std::slice::from_ref(&sent))] {
        let packed = snappy(&body);
        for end in 0..packed.len() {
            assert!(decode_v1(&packed[..end], &limits).is_err());
            assert!(decode_v2(&packed[..end], &limits).is_err());
        }
        // The outermost fields are the only places where a message may end early.
        let read = (0..body.len())
            .filter(|&end| {
                let cut = snappy(&body[..end]);
                decode_v1(&cut, &limits).is_ok() && decode_v2(&cut, &limits).is_ok()
            })
            .count();
        assert!(read < 10, "{read} of {} cuts were read", body.len());
    }
}

/// Whatever the bytes: an error, or batches that hold what the counts say.
fn check_counts(body: &[u8]) {
    let limits = ReceiveLimits::default();
    for decoded in [decode_v1(body, &limits), decode_v2(body, &limits)].into_iter().flatten() {
        let samples: usize = decoded.batches.iter().map(|batch| batch.samples.len()).sum();
        let histograms: usize = decoded.batches.iter().map(|batch| batch.histograms.len()).sum();
        assert_eq!((samples as u64, histograms as u64), (decoded.samples, decoded.histograms));
    }
}

prop_compose! {
    fn any_series()(
        labels in proptest::collection::btree_map("[a-z_]{1,6}", "\\PC{1,12}", 0..6),
        name in "[a-z]{1,9}",
        samples in proptest::collection::vec((any::<i64>(), any::<f64>()), 0..4),
        counts in proptest::collection::vec(0_u32..1000, 0..6),
        float in any::<bool>(),
    ) -> Sent {
        let mut labels = labels;
        labels.insert("__name__".to_owned(), name);
        let histogram = SentHistogram {
            spans: vec![(-3, counts.len() as u32)],
            counts,
            float,
            ..SentHistogram::default()
        };
        Sent {
            labels: labels.into_iter().collect(),
            samples,
            histograms: vec![histogram],
            ..Sent::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sent_is_what_is_read(sent in proptest::collection::vec(any_series(), 0..5)) {
        for decoded in decode_both(&sent) {
            let mut expected = Vec::new();
            for one in &sent {
                let labels = Labels::from_pairs(one.labels.iter().map(|(n, v)| (n, v)));
                expected.extend(one.samples.iter().map(|&(at_ms, value)| (labels.clone(), at_ms, value.to_bits())));
            }
            let mut got: Vec<_> = decoded.batches.iter().flat_map(|batch| {
                batch.samples.iter().map(|s| (batch.labels(s.series), s.at_ms, s.value.to_bits()))
            }).collect();
            expected.sort();
            got.sort();
            prop_assert_eq!(got, expected);
            prop_assert_eq!(decoded.histograms as usize, sent.len());
            prop_assert_eq!(decoded.rejected, 0);
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_counts(&bytes);
        check_counts(&snappy(&bytes));
    }

    #[test]
    fn one_changed_byte_never_panics(
        sent in proptest::collection::vec(any_series(), 1..4),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for mut body in [v1(&sent), v2(&sent)] {
            let at = at.index(body.len());
            body[at] = byte;
            check_counts(&snappy(&body));
        }
    }
}

//! Pages as they are and pages as they should not be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use strata_model::NativeHistogram;

use super::*;

mod protobuf;

/// Writes down everything a page says.
#[derive(Default)]
struct Listing {
    series: Vec<String>,
    facts: Vec<String>,
    kinds: BTreeMap<&'static str, usize>,
    faults: FaultFold,
    natives: Vec<NativeHistogram>,
}

impl Listing {
    fn name(series: &RawSeries<'_>) -> Result<String, &'static str> {
        let pairs = series.decode()?;
        let label = |(name, value): &(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            (name != "__name__").then(|| format!("{name}={value:?}"))
        };
        let named = pairs.iter().find(|(name, _)| name == "__name__").expect("decode checks");
        let labels: Vec<_> = pairs.iter().filter_map(label).collect();
        Ok(format!("{}{{{}}}", named.1, labels.join(",")))
    }
}

impl PageVisitor for Listing {
    fn expects(&self, _line: &[u8]) -> Option<(usize, u32)> {
        None
    }

    fn knows_comment(&self, _line: &[u8]) -> bool {
        false
    }

    fn learn_comment(&mut self, _line: &[u8]) {}

    fn describe(&mut self, family: &str, fact: Fact<'_>) {
        if let Fact::Kind(kind) = fact {
            *self.kinds.entry(kind.name()).or_default() += 1;
        }
        self.facts.push(format!("{family} {fact:?}"));
    }

    fn float(&mut self, series: RawSeries<'_>, at_ms: Option<i64>, value: f64) {
        let mut line = match Self::name(&series) {
            Ok(name) => format!("{name} {value}"),
            Err(reason) => format!("error: {reason}"),
        };
        if let Some(at_ms) = at_ms {
            write!(line, " @{at_ms}").expect("a string takes it");
        }
        self.series.push(line);
    }

    fn native(&mut self, series: RawSeries<'_>, _at_ms: Option<i64>, histogram: NativeHistogram) {
        self.series.push(Self::name(&series).expect("test data"));
        self.natives.push(histogram);
    }

    fn faults(&mut self) -> &mut FaultFold {
        &mut self.faults
    }
}

fn list(format: Format, body: &[u8], arrival: Arrival) -> (Listing, PageEnd) {
    let mut listing = Listing::default();
    let end = read_page(format, body, arrival, Histograms::default(), &mut listing);
    (listing, end)
}

#[test]
fn lines_read_as_prometheus_reads_them() {
    let check = |line: &str, expected: &str| {
        let (mut listing, _) = list(Format::Text, line.as_bytes(), Arrival::Whole);
        let faults = listing.faults.take();
        let got = listing.series.first().cloned().or(faults.first().map(|f| f.message.clone()));
        assert_eq!(got.as_deref(), Some(expected), "{line}");
    };
    check("up 1", "up{} 1");
    check("  up\t1  ", "up{} 1");
    check(
        "vllm:num_requests_running{engine=\"0\"} 3.0",
        "vllm:num_requests_running{engine=\"0\"} 3",
    );
    check("a{x=\"1\",} 1.1e+011", "a{x=\"1\"} 110000000000");
    check("a { x = \"1\" , y = \"2\" } 5", "a{x=\"1\",y=\"2\"} 5");
    check("a{x=\"a\\\\b\\\"c\\nd\\e\"} 5", "a{x=\"a\\\\b\\\"c\\nd\\\\e\"} 5");
    check("a{x=\"} 1 {\"} 5", "a{x=\"} 1 {\"} 5");
    check("a{x=\"\u{e9}\"} 5", "a{x=\"\u{e9}\"} 5");
    check("a{x=\"\"} 5", "a{x=\"\"} 5");
    check("a NaN", "a{} NaN");
    check("a -nan", "a{} NaN");
    check("a +Inf", "a{} inf");
    check("a -Inf", "a{} -inf");
    check(
        "a 1e-320",
        "a{} 0.00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
    );
    check("a 1 1700000000123", "a{} 1 @1700000000123");
    check("a 1 -5", "a{} 1 @-5");
    check("a 1 # {trace_id=\"x\"} 0.5 1.2", "a{} 1");
    check("{\"my.name\",label=\"x\"} 5", "my.name{label=\"x\"} 5");
    check("{label=\"x\",\"my.name\"} 5", "my.name{label=\"x\"} 5");
    check("{\"my.name\",\"my.label\"=\"x\"} 5", "my.name{my.label=\"x\"} 5");
    check("{label=\"x\"} 5", "error: the metric has no name");
    check("a{x=\"1\",x=\"2\"} 5", "error: a label name is repeated");
    check("a{{x=\"1\"} 5", "error: a label name is missing or malformed");
    check("a{x=1} 5", "error: a quote is missing");
    check("a{x=\"1\"y=\"2\"} 5", "error: labels are not separated by a comma");
    check("1a 5", "error: the metric's name has a character that is not allowed");
    check("a", "line 1: the value is missing: \"a\"");
    check("a abc", "line 1: the value is not a number: \"a abc\"");
    check("a 0x10", "line 1: the value is not a number: \"a 0x10\"");
    check("a 1 2.5", "line 1: the timestamp is not a number: \"a 1 2.5\"");
    check("a 1 2 3", "line 1: the timestamp is not a number: \"a 1 2 3\"");
    check("a{x=\"1} 5", "line 1: a quote is not closed: \"a{x=\\\"1} 5\"");
    check("a{x=\"1\" 5", "line 1: a brace is not closed: \"a{x=\\\"1\\\" 5\"");
}

#[test]
fn labels_that_are_not_utf_8_cost_their_line_only() {
    let page = b"a{x=\"\xff\"} 1\na{x=\"ok\"} 2\n";
    let (listing, end) = list(Format::Text, page, Arrival::Whole);
    assert_eq!(listing.series, ["error: a label is not UTF-8", "a{x=\"ok\"} 2"]);
    assert_eq!(end.unreadable, 0);
}

#[test]
fn bounds_are_written_one_way() {
    let page = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1e6\"} 1\nh_bucket{le=\"+Inf\"} 1\n\
        # TYPE s summary\ns{quantile=\"0.50\"} 1\n# TYPE g gauge\ng{le=\"1\",quantile=\"1\"} 1\n";
    let (listing, _) = list(Format::Text, page.as_bytes(), Arrival::Whole);
    assert_eq!(
        listing.series,
        [
            "h_bucket{le=\"1.0\"} 1",
            "h_bucket{le=\"1e+06\"} 1",
            "h_bucket{le=\"+Inf\"} 1",
            "s{quantile=\"0.5\"} 1",
            "g{le=\"1\",quantile=\"1\"} 1",
        ]
    );
    let check = |bound: f64, expected: &str| assert_eq!(format_bound(bound), expected);
    check(0.0, "0.0");
    check(-1.0, "-1.0");
    check(2560.0, "2560.0");
    check(123_456.0, "123456.0");
    check(1_234_567.0, "1.234567e+06");
    check(0.0001, "0.0001");
    check(0.00001, "1e-05");
    check(1e100, "1e+100");
    check(f64::NEG_INFINITY, "-Inf");
}

#[test]
fn comments_tell_about_families() {
    let page = "# HELP a first \\\\ line\\nsecond\n# TYPE a counter\n# HELP a again\n#comment\n# free text\n\
        # TYPE b wrong\n# HELP \"my.name\" dotted\n# HELP empty\n";
    let (mut listing, end) = list(Format::Text, page.as_bytes(), Arrival::Whole);
    assert_eq!(
        listing.facts,
        [
            "a Help(\"first \\\\ line\\nsecond\")",
            "a Kind(Counter)",
            "a Help(\"again\")",
            "my.name Help(\"dotted\")",
            "empty Help(\"\")",
        ]
    );
    assert_eq!(end.unreadable, 1);
    assert_eq!(listing.faults.take().len(), 1);
}

#[test]
fn openmetrics_ends_and_has_exemplars_and_seconds() {
    let page = "# TYPE a counter\n# UNIT a seconds\na_total 1 1.5 # {trace_id=\"x # y\"} 0.5\n\
        a_created 1.7e9\n# EOF\n";
    let (listing, end) = list(Format::OpenMetrics, page.as_bytes(), Arrival::Whole);
    assert_eq!(listing.series, ["a_total{} 1 @1500", "a_created{} 1700000000"]);
    assert_eq!(listing.facts, ["a Kind(Counter)", "a Unit(\"seconds\")"]);
    assert_eq!(end, PageEnd { samples: 2, unreadable: 0, exemplars: 1, truncated: false });
}

#[test]
fn a_page_that_breaks_off_says_so_and_loses_its_half_line() {
    let check = |format, page: &str, arrival, samples: u64, truncated: bool| {
        let (mut listing, end) = list(format, page.as_bytes(), arrival);
        assert_eq!((end.samples, end.truncated), (samples, truncated), "{page:?}");
        assert_eq!(listing.faults.take().is_empty(), !truncated);
    };
    check(Format::Text, "a 1\nb 123", Arrival::Whole, 2, false);
    check(Format::Text, "a 1\nb 123", Arrival::Unframed, 1, true);
    check(Format::Text, "a 1\nb 123\n", Arrival::Unframed, 2, false);
    check(Format::Text, "a 1\nb 12", Arrival::Cut, 1, true);
    check(Format::Text, "a 1\nb 123\n", Arrival::Cut, 2, true);
    check(Format::OpenMetrics, "a 1\n", Arrival::Whole, 1, true);
    check(Format::OpenMetrics, "a 1\n# EOF", Arrival::Whole, 1, false);
    let (_, end) = list(Format::OpenMetrics, b"a 1\n# EOF\nb 2\n", Arrival::Whole);
    assert_eq!((end.samples, end.unreadable, end.truncated), (1, 1, false));
}

#[test]
fn content_types_name_their_format() {
    let check = |content_type: &str, expected: Option<Format>| {
        assert_eq!(Format::of_content_type(content_type), expected, "{content_type}");
    };
    check("text/plain; version=0.0.4; charset=utf-8", Some(Format::Text));
    check("text/plain;version=1.0.0;escaping=underscores", Some(Format::Text));
    check("application/openmetrics-text; version=1.0.0", Some(Format::OpenMetrics));
    let protobuf =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=";
    check(&format!("{protobuf}delimited"), Some(Format::Protobuf));
    // Headers come in lower case from whoever fetched the page.
    check(&format!("{protobuf}delimited").to_lowercase(), Some(Format::Protobuf));
    check(&format!("{protobuf}text"), None);
    check("application/json", None);
    check("", None);
}

/// Every captured page: how many series, of which kinds, and how the first lines read.
#[test]
fn captured_pages_read_without_a_fault() {
    insta::glob!("../../../../../fixtures/metrics", "*.prom", |path| {
        let body = std::fs::read(path).expect("a fixture");
        let (mut listing, end) = list(Format::Text, &body, Arrival::Whole);
        assert_eq!(listing.faults.take(), []);
        let mut summary = format!("{end:?}\nfamilies: {:?}\n", listing.kinds);
        for line in listing.facts.iter().take(4).chain(listing.series.iter().take(8)) {
            writeln!(summary, "{line}").expect("a string takes it");
        }
        insta::assert_snapshot!(summary);
    });
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        format in prop_oneof![Just(Format::Text), Just(Format::OpenMetrics), Just(Format::Protobuf)],
        arrival in prop_oneof![Just(Arrival::Whole), Just(Arrival::Unframed), Just(Arrival::Cut)],
    ) {
        let mut listing = Listing::default();
        read_page(format, &bytes, arrival, Histograms::default(), &mut listing);
    }

    #[test]
    fn lines_made_of_the_formats_own_pieces_do_not_panic(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("a"), Just("{"), Just("}"), Just("\""), Just("\\"), Just("="), Just(","),
                Just(" "), Just("1"), Just("#"), Just("# TYPE "), Just("# EOF"), Just("\n"),
                Just("le"), Just("\u{e9}"), Just("NaN"), Just("histogram"),
            ],
            0..60,
        ),
    ) {
        let (_, end) = list(Format::OpenMetrics, pieces.concat().as_bytes(), Arrival::Whole);
        prop_assert!(end.samples <= 60);
    }

    #[test]
    fn written_series_read_back(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
        value in "[^\u{0}]{1,40}",
        number in any::<f64>(),
        at_ms in any::<i64>(),
    ) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let page = format!("{name}{{label=\"{escaped}\"}} {number:?} {at_ms}\n");
        let (listing, end) = list(Format::Text, page.as_bytes(), Arrival::Whole);
        prop_assert_eq!(end.samples, 1, "{}", page);
        let expected = if number.is_nan() { f64::NAN } else { number };
        prop_assert_eq!(&listing.series[0], &format!("{name}{{label={value:?}}} {expected} @{at_ms}"));
    }

    #[test]
    fn bounds_read_back(bound in any::<f64>()) {
        let text = format_bound(bound);
        prop_assert!(bound.is_nan() || text.parse::<f64>() == Ok(bound), "{} {}", bound, text);
    }
}

//! Readers of the pages that programs expose: Prometheus text, OpenMetrics and Prometheus protobuf.
//!
//! A reader walks the bytes of a page without copying and tells a [`PageVisitor`] what it sees.
//! What cannot be read is counted as a fault with its line and left out; the rest of the page
//! counts. Series are handed over as raw bytes, so that a visitor that has seen them before does no
//! label work at all; [`RawSeries::decode`] does that work when it is needed.

mod faults;
mod number;
mod protobuf;
mod series;
mod text;
mod wire;

#[cfg(test)]
mod tests;

use strata_model::{MetricKind, NativeHistogram};

pub use faults::FaultFold;
pub use number::format_bound;
pub use series::{Decoded, RawSeries};

/// The format of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4 and 1.0.0.
    Text,
    /// OpenMetrics text 0.0.1 and 1.0.0: ends with `# EOF`, timestamps in seconds.
    OpenMetrics,
    /// Length-delimited `io.prometheus.client.MetricFamily` messages.
    Protobuf,
}

impl Format {
    /// The format a `Content-Type` header promises; `None` when it names none of ours.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        match media.as_str() {
            "text/plain" => Some(Self::Text),
            "application/openmetrics-text" => Some(Self::OpenMetrics),
            "application/vnd.google.protobuf" => {
                let family = "io.prometheus.client.MetricFamily";
                let ours = parts.all(|part| match part.split_once('=') {
                    Some(("proto", name)) => name.trim_matches('"').eq_ignore_ascii_case(family),
                    Some(("encoding", encoding)) => encoding.trim_matches('"') == "delimited",
                    _ => true,
                });
                ours.then_some(Self::Protobuf)
            }
            _ => None,
        }
    }
}

/// What is known about whether the whole page arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The transport says so (content length, chunked encoding, checksum).
    Whole,
    /// The transport cannot tell: a last line without its end may be half a line.
    Unframed,
    /// The connection broke: the last line is half a line.
    Cut,
}

/// One thing a page says about a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'a> {
    Kind(MetricKind),
    Help(&'a str),
    Unit(&'a str),
}

/// Is told what a page contains, in the order of the page.
pub trait PageVisitor {
    /// The visitor's guess that `line` begins with a series it knows: the length of the series'
    /// text and the visitor's own number for it. The byte after it must be a space or a tab.
    fn expects(&self, line: &[u8]) -> Option<(usize, u32)>;
    /// Whether this exact comment line was learned before, so that it need not be read again.
    fn knows_comment(&self, line: &[u8]) -> bool;
    /// A comment line was read without a fault.
    fn learn_comment(&mut self, line: &[u8]);
    /// A fact about a family.
    fn describe(&mut self, family: &str, fact: Fact<'_>);
    /// A float sample. `at_ms` is the time written on the page.
    fn float(&mut self, series: RawSeries<'_>, at_ms: Option<i64>, value: f64);
    /// A native-histogram sample.
    fn native(&mut self, series: RawSeries<'_>, at_ms: Option<i64>, histogram: NativeHistogram);
    /// Where faults are counted.
    fn faults(&mut self) -> &mut FaultFold;
}

/// How the reading of a page ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageEnd {
    /// Samples handed to the visitor.
    pub samples: u64,
    /// Lines or messages that could not be read.
    pub unreadable: u64,
    /// Exemplars seen; they are not kept.
    pub exemplars: u64,
    /// The end of the page is missing.
    pub truncated: bool,
}

/// Native histograms: which of them a protobuf page yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histograms {
    /// Read native histograms. Without it only classic buckets are read.
    pub native: bool,
    /// Read the classic buckets of a histogram that also has native ones.
    pub classic_beside_native: bool,
    /// A native histogram with more populated buckets than this is refused.
    pub buckets_max: usize,
}

impl Default for Histograms {
    fn default() -> Self {
        // 160 is the usual bound of an instrumentation library; ten times that is a mistake.
        Self { native: true, classic_beside_native: true, buckets_max: 1_600 }
    }
}

/// Read a page from beginning to end.
pub fn read_page<V: PageVisitor>(
    format: Format,
    body: &[u8],
    arrival: Arrival,
    histograms: Histograms,
    visitor: &mut V,
) -> PageEnd {
    match format {
        Format::Text | Format::OpenMetrics => text::read(format, body, arrival, visitor),
        Format::Protobuf => protobuf::read(body, arrival, histograms, visitor),
    }
}

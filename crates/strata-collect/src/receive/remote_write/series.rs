//! What both versions share: the state of a body being read, samples, and the end of a series.

use strata_model::{FaultCode, HistogramSample, MetricKind, Sample};

use super::histogram;
use super::labels::LabelBuffer;
use crate::receive::tally::Tally;
use crate::receive::targets::{Targets, UnitAndHelp};
use crate::receive::wire::Fields;
use crate::receive::{DecodeError, Decoded, ReceiveLimits, bound};

/// Source of the common batch.
const SOURCE: &str = "receive/remote_write";

/// What a histogram weighs besides its buckets, in samples: its allocation and its entry.
const HISTOGRAM_WEIGHT: usize = 4;

/// A body while it is read.
#[derive(Debug)]
pub(super) struct Reading<'l, 'b> {
    pub(super) limits: &'l ReceiveLimits,
    pub(super) targets: Targets,
    pub(super) tally: Tally,
    pub(super) labels: LabelBuffer,
    pub(super) floats: Vec<(i64, f64)>,
    pub(super) histograms: Vec<HistogramSample>,
    pub(super) exemplars: u64,
    /// What version 2.0 says about the current series.
    pub(super) metadata: Option<(MetricKind, UnitAndHelp<'b>)>,
    series_count: usize,
    float_count: usize,
    histogram_count: usize,
    /// Samples so far; a histogram weighs as many floats as it holds.
    weight: usize,
    label_bytes: usize,
}

impl<'l> Reading<'l, '_> {
    pub(super) fn new(limits: &'l ReceiveLimits) -> Self {
        Self {
            limits,
            targets: Targets::new(SOURCE),
            tally: Tally::default(),
            labels: LabelBuffer::default(),
            floats: Vec::new(),
            histograms: Vec::new(),
            exemplars: 0,
            metadata: None,
            series_count: 0,
            float_count: 0,
            histogram_count: 0,
            weight: 0,
            label_bytes: 0,
        }
    }

    /// Start the next series.
    #[inline]
    pub(super) fn begin(&mut self) -> Result<(), DecodeError> {
        self.series_count += 1;
        bound("series", self.series_count, self.limits.series)?;
        self.labels.clear();
        self.floats.clear();
        self.histograms.clear();
        self.metadata = None;
        Ok(())
    }

    /// Read a `Sample` message of the current series. Both versions number the fields alike.
    #[inline]
    pub(super) fn float(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        bound("samples and buckets", self.weight, self.limits.samples)?;
        let mut at_ms = 0;
        let mut value = 0.0;
        let mut fields = Fields::new(message);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => value = field.double(number)?,
                2 => at_ms = field.varint(number)? as i64,
                _ => {}
            }
        }
        self.floats.push((at_ms, value));
        self.weight += 1;
        Ok(())
    }

    /// Read a `Histogram` message of the current series.
    pub(super) fn histogram(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        bound("samples and buckets", self.weight, self.limits.samples)?;
        match histogram::read(message, self.limits)? {
            Ok(sample) => {
                self.weight += HISTOGRAM_WEIGHT + sample.histogram.bytes() / size_of::<f64>();
                self.histograms.push(sample);
            }
            Err(fault) => {
                self.tally.reject(1, fault.code(), fault.kind(), || fault.to_string());
            }
        }
        Ok(())
    }

    /// End the current series: enter it, or count why not.
    #[inline]
    pub(super) fn end(&mut self) -> Result<(), DecodeError> {
        let (floats, histograms) = (self.floats.len(), self.histograms.len());
        bound("samples and buckets", self.weight, self.limits.samples)?;
        match self.labels.finish(self.limits) {
            Ok(series) => {
                // Version 2.0 may refer to one long symbol from every series.
                self.label_bytes += series.encoded.len();
                bound("label bytes", self.label_bytes, self.limits.decoded_bytes)?;
                if let Some((kind, rest)) = self.metadata.take() {
                    let family = family_of(series.metric_name, kind, histograms > 0);
                    self.targets.describe(kind, family, rest, self.limits.series);
                }
                if floats + histograms > 0 {
                    let batch = self.targets.batch(series.job, series.instance);
                    let series = batch.series_of_encoded(series.encoded);
                    let floats = self.floats.drain(..);
                    batch.samples.extend(floats.map(|(at_ms, value)| Sample {
                        series,
                        at_ms,
                        value,
                    }));
                    let histograms = self.histograms.drain(..);
                    batch
                        .histograms
                        .extend(histograms.map(|one| HistogramSample { series, ..one }));
                }
                self.float_count += floats;
                self.histogram_count += histograms;
            }
            Err(fault) => {
                let lost = (floats + histograms) as u64;
                self.tally.reject(lost, fault.code(), fault.kind(), || fault.to_string());
            }
        }
        Ok(())
    }

    /// Count and drop the current series because of a fault that its version found.
    pub(super) fn refuse(&mut self, kind: &'static str, message: impl FnOnce() -> String) {
        let lost = (self.floats.len() + self.histograms.len()) as u64;
        self.tally.reject(lost, FaultCode::Malformed, kind, message);
    }

    /// Everything that was read.
    pub(super) fn finish(self) -> Decoded {
        Decoded {
            batches: self.targets.into_batches(),
            samples: self.float_count as u64,
            histograms: self.histogram_count as u64,
            exemplars: self.exemplars,
            rejected: self.tally.rejected,
            faults: self.tally.into_faults(),
        }
    }
}

/// The metric type of an enum value; both versions number them alike.
pub(super) fn kind_of(number: u64) -> MetricKind {
    match number {
        1 => MetricKind::Counter,
        2 => MetricKind::Gauge,
        3 => MetricKind::Histogram,
        4 => MetricKind::Gaugehistogram,
        5 => MetricKind::Summary,
        6 => MetricKind::Info,
        7 => MetricKind::Stateset,
        _ => MetricKind::Unknown,
    }
}

/// The family that a series belongs to: classic histograms and summaries are several series each.
/// The series of a native histogram bears the family's own name.
fn family_of(metric_name: &[u8], kind: MetricKind, native: bool) -> &[u8] {
    let suffixes: &[&str] = match kind {
        MetricKind::Histogram | MetricKind::Gaugehistogram if !native => {
            &["_bucket", "_count", "_sum", "_gcount", "_gsum"]
        }
        MetricKind::Summary => &["_count", "_sum"],
        _ => &[],
    };
    suffixes
        .iter()
        .find_map(|suffix| metric_name.strip_suffix(suffix.as_bytes()))
        .unwrap_or(metric_name)
}

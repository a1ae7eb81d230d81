//! What a request has brought so far: batches, counts, faults, and the bound on them.

use strata_model::{FaultCode, HistogramSample, Labels, LabelsBuilder, METRIC_NAME, STALE_NAN};

use super::delta::{Classic, Total};
use super::exponential;
use super::identity::Target;
use crate::receive::tally::Tally;
use crate::receive::targets::Targets;
use crate::receive::{Decoded, ReceiveLimits};

/// Source of the common batch.
const SOURCE: &str = "receive/otlp";

/// The result of one request while it grows.
#[derive(Debug)]
pub(super) struct Output<'a> {
    pub(super) limits: &'a ReceiveLimits,
    pub(super) targets: Targets,
    pub(super) tally: Tally,
    pub(super) exemplars: u64,
    samples: u64,
    histograms: u64,
    series: usize,
    label_bytes: usize,
}

/// Where a point's samples go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) target: &'a Target,
    /// The metric's Prometheus name.
    pub(super) name: &'a str,
    pub(super) at_ms: i64,
    /// The series ends here: staleness markers instead of values.
    pub(super) stale: bool,
}

impl<'a> Output<'a> {
    pub(super) fn new(limits: &'a ReceiveLimits) -> Self {
        Self {
            limits,
            targets: Targets::new(SOURCE),
            tally: Tally::default(),
            exemplars: 0,
            samples: 0,
            histograms: 0,
            series: 0,
            label_bytes: 0,
        }
    }

    /// Whether the request has used up what one may bring. A point of a few bytes can stand for
    /// thousands of series (its buckets) that all repeat its labels.
    pub(super) fn is_full(&self) -> bool {
        self.series >= self.limits.series || self.label_bytes >= self.limits.decoded_bytes
    }

    /// Write a point as one or more samples. `labels` come without the metric's name.
    pub(super) fn write(&mut self, place: Place<'_>, labels: &LabelsBuilder, total: &Total) {
        let mut labels = labels.clone();
        match total {
            Total::Number(value) => {
                labels.set(METRIC_NAME, place.name);
                self.float(place, &labels.build(), *value);
            }
            Total::Classic(classic) => self.classic(place, labels, classic),
            Total::Exponential(total) => {
                let histogram = if place.stale { exponential::stale() } else { total.clone() };
                labels.set(METRIC_NAME, place.name);
                let labels = labels.build();
                if !self.has_room(&labels) {
                    return;
                }
                let batch = self
                    .targets
                    .batch(place.target.job.as_bytes(), place.target.instance.as_bytes());
                let series = batch.series_of(&labels);
                batch.histograms.push(HistogramSample {
                    series,
                    at_ms: place.at_ms,
                    histogram: histogram.into(),
                });
                self.histograms += 1;
            }
        }
    }

    /// Write one float sample.
    pub(super) fn float(&mut self, place: Place<'_>, labels: &Labels, value: f64) {
        if !self.has_room(labels) {
            return;
        }
        let value = if place.stale { STALE_NAN } else { value };
        let batch =
            self.targets.batch(place.target.job.as_bytes(), place.target.instance.as_bytes());
        batch.push(labels, place.at_ms, value);
        self.samples += 1;
    }

    /// `_sum` if known, `_count` and cumulative `_bucket`s.
    fn classic(&mut self, place: Place<'_>, mut labels: LabelsBuilder, classic: &Classic) {
        if let Some(sum) = classic.sum {
            labels.set(METRIC_NAME, &format!("{}_sum", place.name));
            self.float(place, &labels.build(), sum);
        }
        labels.set(METRIC_NAME, &format!("{}_count", place.name));
        self.float(place, &labels.build(), classic.count);
        labels.set(METRIC_NAME, &format!("{}_bucket", place.name));
        let mut below = 0.0;
        for (bound, count) in classic.bounds.iter().zip(&classic.counts) {
            below += count;
            labels.set("le", &bound.to_string());
            self.float(place, &labels.build(), below);
        }
        labels.set("le", "+Inf");
        self.float(place, &labels.build(), classic.count);
    }

    fn has_room(&mut self, labels: &Labels) -> bool {
        if self.is_full() {
            self.tally.fault(FaultCode::OverLimit, "too many series in one request", || {
                format!("{} with {} bytes of labels", self.series, self.label_bytes)
            });
            return false;
        }
        self.series += 1;
        self.label_bytes += labels.encoded().len();
        true
    }

    pub(super) fn finish(self) -> Decoded {
        Decoded {
            batches: self.targets.into_batches(),
            samples: self.samples,
            histograms: self.histograms,
            exemplars: self.exemplars,
            rejected: self.tally.rejected,
            faults: self.tally.into_faults(),
        }
    }
}

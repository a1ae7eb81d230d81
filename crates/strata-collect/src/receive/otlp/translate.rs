//! Walks a request: resource by resource, metric by metric, point by point.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, SummaryDataPoint,
};
use strata_model::{FaultCode, LabelsBuilder, METRIC_NAME, MetricKind};
use xxhash_rust::xxh3::xxh3_128;

use super::delta::{Classic, Deltas, Interval, Total};
use super::exponential;
use super::identity::{Target, over_limits, scope_labels};
use super::names::{Shape, metric_name, plain_metric_name};
use super::options::OtlpSettings;
use super::output::{Output, Place};
use crate::receive::Decoded;
use crate::receive::tally::quote;
use crate::receive::targets::UnitAndHelp;

/// `target_info` is repeated at half of the five minutes that a query looks back, so that points
/// which were buffered for long still find it.
const INFO_STEP_MS: i64 = 150_000;

/// Repetitions of `target_info` per request: 40 minutes of buffered points.
const INFO_REPEATS_MAX: usize = 16;

/// Translate everything that can be translated. `now` is the monotonic clock's.
pub(super) fn request(
    request: ExportMetricsServiceRequest,
    settings: &OtlpSettings,
    now: Duration,
    deltas: &Mutex<Deltas>,
) -> Decoded {
    let mut translation =
        Translation { settings, now, deltas, out: Output::new(&settings.limits), times: None };
    for resource in request.resource_metrics {
        translation.resource(&resource);
    }
    translation.out.finish()
}

struct Translation<'a> {
    settings: &'a OtlpSettings,
    now: Duration,
    deltas: &'a Mutex<Deltas>,
    out: Output<'a>,
    /// Earliest and latest millisecond of the current resource's points.
    times: Option<(i64, i64)>,
}

/// What all points of one metric share.
struct Family<'a> {
    name: String,
    target: &'a Target,
    scope: &'a [(String, String)],
    delta: bool,
    /// It counts from zero: its beginning may be written.
    rises: bool,
}

/// What points of all types begin with.
struct Head<'a> {
    attributes: &'a [KeyValue],
    interval: Interval,
    stale: bool,
}

/// Why one point is dropped: code, constant under which alike ones are folded, evidence.
type PointFault = (FaultCode, &'static str, String);

impl Translation<'_> {
    fn resource(&mut self, resource: &ResourceMetrics) {
        let target = Target::of(resource.resource.as_ref(), self.settings, &mut self.out.tally);
        self.times = None;
        for scope in &resource.scope_metrics {
            let labels = scope_labels(scope.scope.as_ref(), &scope.schema_url, self.settings);
            for metric in &scope.metrics {
                self.metric(metric, &target, &labels);
            }
        }
        self.target_info(&target);
    }

    /// Write `target_info` over the time of the resource's points.
    fn target_info(&mut self, target: &Target) {
        let (Some((earliest, latest)), Some(info)) = (self.times, &target.info) else { return };
        if let Some(reason) = over_limits(info, self.out.limits) {
            self.out.tally.fault(FaultCode::OverLimit, "target_info", || reason.to_owned());
            return;
        }
        let mut at_ms = latest;
        for _ in 0..INFO_REPEATS_MAX {
            let place = Place { target, name: "target_info", at_ms, stale: false };
            self.out.float(place, info, 1.0);
            at_ms = at_ms.saturating_sub(INFO_STEP_MS);
            if at_ms < earliest {
                break;
            }
        }
    }

    fn metric(&mut self, metric: &Metric, target: &Target, scope: &[(String, String)]) {
        let Some(data) = &metric.data else {
            self.out.tally.fault(FaultCode::Malformed, "metric without data", || {
                quote(metric.name.as_bytes())
            });
            return;
        };
        let Ok(about) = About::of(metric, data).map_err(|(points, code, kind)| {
            self.out.tally.reject(points as u64, code, kind, || quote(metric.name.as_bytes()));
        }) else {
            return;
        };
        let namespace = &self.settings.namespace;
        let name = if self.settings.suffixes {
            metric_name(&metric.name, &metric.unit, about.shape, namespace)
        } else {
            plain_metric_name(&metric.name, namespace)
        };
        if name.is_empty() {
            let kind = "metric whose name holds no letter or digit";
            let points = about.points as u64;
            self.out
                .tally
                .reject(points, FaultCode::Malformed, kind, || quote(metric.name.as_bytes()));
            return;
        }
        let rest =
            UnitAndHelp { unit: metric.unit.as_bytes(), help: metric.description.as_bytes() };
        self.out.targets.describe(about.kind, name.as_bytes(), rest, self.out.limits);
        let rises = about.kind != MetricKind::Gauge;
        let family = Family { name, target, scope, delta: about.delta, rises };
        match data {
            Data::Gauge(gauge) => gauge.data_points.iter().for_each(|p| self.number(&family, p)),
            Data::Sum(sum) => sum.data_points.iter().for_each(|p| self.number(&family, p)),
            Data::Histogram(classic) => {
                classic.data_points.iter().for_each(|p| self.classic(&family, p));
            }
            Data::ExponentialHistogram(exponential) => {
                exponential.data_points.iter().for_each(|p| self.exponential(&family, p));
            }
            Data::Summary(summary) => {
                summary.data_points.iter().for_each(|p| self.summary(&family, p));
            }
        }
    }

    fn number(&mut self, family: &Family<'_>, point: &NumberDataPoint) {
        self.out.exemplars += point.exemplars.len() as u64;
        let head = head(
            &point.attributes,
            (point.start_time_unix_nano, point.time_unix_nano),
            point.flags,
        );
        let total = match point.value {
            Some(Value::AsDouble(value)) => Ok(Total::Number(value)),
            Some(Value::AsInt(value)) => Ok(Total::Number(value as f64)),
            None if head.stale => Ok(Total::Number(0.0)),
            None => Err((FaultCode::Malformed, "data point without a value", family.name.clone())),
        };
        self.point(family, &head, total);
    }

    fn classic(&mut self, family: &Family<'_>, point: &HistogramDataPoint) {
        self.out.exemplars += point.exemplars.len() as u64;
        let head = head(
            &point.attributes,
            (point.start_time_unix_nano, point.time_unix_nano),
            point.flags,
        );
        let total = read_classic(point, self.out.limits.buckets)
            .map(Total::Classic)
            .map_err(|(code, kind)| (code, kind, family.name.clone()));
        self.point(family, &head, total);
    }

    fn exponential(&mut self, family: &Family<'_>, point: &ExponentialHistogramDataPoint) {
        self.out.exemplars += point.exemplars.len() as u64;
        let head = head(
            &point.attributes,
            (point.start_time_unix_nano, point.time_unix_nano),
            point.flags,
        );
        let total = exponential::read(point, self.out.limits.buckets)
            .map(Total::Exponential)
            .map_err(|fault| (fault.code(), fault.kind(), format!("{}: {fault}", family.name)));
        self.point(family, &head, total);
    }

    /// Quantiles are series of their own and are never summed up.
    fn summary(&mut self, family: &Family<'_>, point: &SummaryDataPoint) {
        let head = head(&point.attributes, (0, point.time_unix_nano), point.flags);
        match self.place(family, &head) {
            Ok((place, mut labels)) => {
                for (suffix, value) in [("_sum", point.sum), ("_count", point.count as f64)] {
                    labels.set(METRIC_NAME, &format!("{}{suffix}", family.name));
                    self.out.float(place, &labels.build(), value);
                }
                labels.set(METRIC_NAME, &family.name);
                for quantile in &point.quantile_values {
                    labels.set("quantile", &quantile.quantile.to_string());
                    self.out.float(place, &labels.build(), quantile.value);
                }
            }
            Err((code, kind, evidence)) => self.out.tally.reject(1, code, kind, || evidence),
        }
    }

    /// Write a point that has been read, summed up if it is a delta.
    fn point(&mut self, family: &Family<'_>, head: &Head<'_>, total: Result<Total, PointFault>) {
        let result = total.and_then(|total| {
            let (place, labels) = self.place(family, head)?;
            if family.delta {
                return self.delta(family, head.interval, place, labels, total);
            }
            self.out.write(place, &labels, &total);
            Ok(())
        });
        if let Err((code, kind, evidence)) = result {
            self.out.tally.reject(1, code, kind, || evidence);
        }
    }

    fn delta(
        &mut self,
        family: &Family<'_>,
        interval: Interval,
        place: Place<'_>,
        mut labels: LabelsBuilder,
        total: Total,
    ) -> Result<(), PointFault> {
        labels.set(METRIC_NAME, &family.name);
        let key = xxh3_128(labels.build().encoded());
        let mut deltas = self.deltas.lock().unwrap_or_else(PoisonError::into_inner);
        if place.stale {
            deltas.forget(key);
            self.out.write(place, &labels, &total);
            return Ok(());
        }
        let sum = deltas
            .add(key, interval, total, self.now, self.settings.delta)
            .map_err(|fault| (fault.code(), fault.kind(), format!("{}: {fault}", family.name)))?;
        // A millisecond later than the beginning: there the interval before may have ended.
        let began_ms = sum.began.filter(|_| family.rises).map(|nanos| millis(nanos) + 1);
        if let Some(at_ms) = began_ms.filter(|&at_ms| at_ms < place.at_ms) {
            self.out.write(Place { at_ms, ..place }, &labels, &sum.total.zeroed());
        }
        self.out.write(place, &labels, sum.total);
        Ok(())
    }

    /// Where a point's samples go, and its labels without the metric's name.
    fn place<'f>(
        &mut self,
        family: &'f Family<'_>,
        head: &Head<'_>,
    ) -> Result<(Place<'f>, LabelsBuilder), PointFault> {
        if head.interval.end == 0 {
            return Err((FaultCode::Malformed, "data point without a time", family.name.clone()));
        }
        if self.out.is_full() {
            let kind = "data point beyond the bound on one request";
            return Err((FaultCode::OverLimit, kind, family.name.clone()));
        }
        let tally = &mut self.out.tally;
        let labels = family.target.labels_of(head.attributes, family.scope, tally);
        if let Some(kind) = over_limits(&labels.build(), self.out.limits) {
            return Err((FaultCode::OverLimit, kind, family.name.clone()));
        }
        let at_ms = millis(head.interval.end);
        let (earliest, latest) = self.times.unwrap_or((at_ms, at_ms));
        self.times = Some((earliest.min(at_ms), latest.max(at_ms)));
        let place = Place { target: family.target, name: &family.name, at_ms, stale: head.stale };
        Ok((place, labels))
    }
}

/// What a metric's type says about its points.
struct About {
    points: usize,
    kind: MetricKind,
    shape: Shape,
    delta: bool,
}

impl About {
    /// The error says how many points are lost, and why.
    fn of(metric: &Metric, data: &Data) -> Result<Self, (usize, FaultCode, &'static str)> {
        let (points, temporality) = match data {
            Data::Gauge(gauge) => (gauge.data_points.len(), None),
            Data::Sum(sum) => (sum.data_points.len(), Some(sum.aggregation_temporality)),
            Data::Histogram(one) => (one.data_points.len(), Some(one.aggregation_temporality)),
            Data::ExponentialHistogram(one) => {
                (one.data_points.len(), Some(one.aggregation_temporality))
            }
            Data::Summary(summary) => (summary.data_points.len(), None),
        };
        if metric.name.is_empty() {
            return Err((points, FaultCode::Malformed, "metric without a name"));
        }
        let delta = match temporality.map(AggregationTemporality::try_from) {
            Some(Ok(AggregationTemporality::Delta)) => true,
            None | Some(Ok(AggregationTemporality::Cumulative)) => false,
            _ => return Err((points, FaultCode::Malformed, "metric without a temporality")),
        };
        let (kind, shape) = match data {
            Data::Gauge(_) => (MetricKind::Gauge, Shape::Gauge),
            Data::Sum(sum) if sum.is_monotonic => (MetricKind::Counter, Shape::Counter),
            Data::Sum(_) => (MetricKind::Gauge, Shape::Other),
            Data::Histogram(_) | Data::ExponentialHistogram(_) => {
                (MetricKind::Histogram, Shape::Other)
            }
            Data::Summary(_) => (MetricKind::Summary, Shape::Other),
        };
        Ok(Self { points, kind, shape, delta })
    }
}

fn head(attributes: &[KeyValue], (start, end): (u64, u64), flags: u32) -> Head<'_> {
    let stale = flags & DataPointFlags::NoRecordedValueMask as u32 != 0;
    Head { attributes, interval: Interval { start, end }, stale }
}

/// Nanoseconds to milliseconds since the Unix epoch.
fn millis(nanos: u64) -> i64 {
    (nanos / 1_000_000) as i64
}

fn read_classic(
    point: &HistogramDataPoint,
    buckets_max: usize,
) -> Result<Classic, (FaultCode, &'static str)> {
    let (bounds, counts) = (&point.explicit_bounds, &point.bucket_counts);
    if bounds.len() > buckets_max {
        return Err((FaultCode::OverLimit, "histogram with too many buckets"));
    }
    if !counts.is_empty() && counts.len() != bounds.len() + 1 {
        return Err((FaultCode::Malformed, "histogram whose bounds and counts disagree"));
    }
    let rises = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !rises || bounds.iter().any(|bound| !bound.is_finite()) {
        return Err((FaultCode::Malformed, "histogram whose bounds do not rise"));
    }
    let counts: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
    let count = point.count as f64;
    if counts.iter().sum::<f64>() > count {
        return Err((FaultCode::Malformed, "histogram with fewer observations than its buckets"));
    }
    let bounds = if counts.is_empty() { Vec::new() } else { bounds.clone() };
    Ok(Classic { bounds, counts, count, sum: point.sum })
}

//! Prometheus protobuf: length-delimited `io.prometheus.client.MetricFamily` messages.
//!
//! Source: `io/prometheus/client/metrics.proto`. Classic histograms and summaries become the same
//! series as on a text page, so a target may change its format without losing its series.

use strata_model::{CounterResetHint, FaultCode, MetricKind, Span};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::number::ordinary;
use super::series::{RawSeries, Text};
use super::wire::{self, Message, TOO_MANY, Value};
use super::{Arrival, Fact, Histograms, PageEnd, PageVisitor};
use crate::native::Wire;

/// Read a whole protobuf page.
pub(crate) fn read<V: PageVisitor>(
    body: &[u8],
    arrival: Arrival,
    histograms: Histograms,
    visitor: &mut V,
) -> PageEnd {
    let mut reader = Reader { visitor, histograms, family: 0, end: PageEnd::default() };
    let mut rest = body;
    while !rest.is_empty() {
        reader.family += 1;
        let family = wire::varint(&mut rest)
            .and_then(|length| usize::try_from(length).ok())
            .and_then(|length| rest.split_at_checked(length));
        let Some((family, tail)) = family else {
            reader.end.truncated = true;
            break;
        };
        rest = tail;
        if let Err(reason) = reader.read_family(family) {
            reader.unreadable(reason, "");
        }
    }
    reader.end.truncated |= arrival == Arrival::Cut;
    let (end, family) = (reader.end, reader.family);
    if end.truncated {
        visitor.faults().add(FaultCode::Malformed, "truncated", || {
            format!("the page breaks off in or after family {family}")
        });
    }
    end
}

struct Reader<'v, V> {
    visitor: &'v mut V,
    histograms: Histograms,
    family: u64,
    end: PageEnd,
}

/// One `Metric` and what is needed to emit its series.
struct Metric<'a> {
    name: &'a str,
    raw: &'a [u8],
    /// Hash of the label bytes, to be mixed with name and bound into a series key.
    labels: u64,
    at_ms: Option<i64>,
}

impl<V: PageVisitor> Reader<'_, V> {
    fn unreadable(&mut self, reason: &'static str, name: &str) {
        self.end.unreadable += 1;
        let family = self.family;
        let code = if reason == TOO_MANY { FaultCode::OverLimit } else { FaultCode::Malformed };
        self.visitor.faults().add(code, reason, || format!("family {family} {name:?}: {reason}"));
    }

    fn read_family(&mut self, family: &[u8]) -> Result<(), &'static str> {
        let (mut name, mut help, mut unit, mut kind) = ("", "", "", 0);
        for field in Message::of(family) {
            match field? {
                (1, value) => name = value.text()?,
                (2, value) => help = value.text()?,
                (3, value) => kind = value.unsigned()?,
                (5, value) => unit = value.text()?,
                _ => {}
            }
        }
        if name.is_empty() {
            return Err("a family has no name");
        }
        let kind = match kind {
            0 => MetricKind::Counter,
            1 => MetricKind::Gauge,
            2 => MetricKind::Summary,
            3 => MetricKind::Unknown,
            4 => MetricKind::Histogram,
            5 => MetricKind::Gaugehistogram,
            _ => return Err("the type of a metric is not known"),
        };
        self.visitor.describe(name, Fact::Kind(kind));
        self.visitor.describe(name, Fact::Help(help));
        self.visitor.describe(name, Fact::Unit(unit));
        let names = [format!("{name}_sum"), format!("{name}_count"), format!("{name}_bucket")];
        for field in Message::of(family) {
            if let (4, Value::Bytes(metric)) = field?
                && let Err(reason) = self.read_metric(name, &names, kind, metric)
            {
                self.unreadable(reason, name);
            }
        }
        Ok(())
    }

    fn read_metric(
        &mut self,
        name: &str,
        names: &[String; 3],
        kind: MetricKind,
        raw: &[u8],
    ) -> Result<(), &'static str> {
        let mut metric = Metric { name, raw, labels: 0, at_ms: None };
        let mut body: Option<(u32, &[u8])> = None;
        for field in Message::of(raw) {
            match field? {
                (1, value) => metric.labels = xxh3_64_with_seed(value.bytes()?, metric.labels),
                (6, value) => {
                    // Proto3 cannot tell 0 from absent; nobody samples 1970.
                    let at_ms = value.unsigned()? as i64;
                    metric.at_ms = (at_ms != 0).then_some(at_ms);
                }
                (number @ (2..=5 | 7), value) => body = Some((number, value.bytes()?)),
                _ => {}
            }
        }
        let Some((number, body)) = body else { return Err("a metric has no value") };
        match (kind, number) {
            (MetricKind::Gauge, 2) | (MetricKind::Counter, 3) | (MetricKind::Unknown, 5) => {
                let mut value = 0.0;
                for field in Message::of(body) {
                    match field? {
                        (1, field) => value = field.double()?,
                        (2, _) => self.end.exemplars += 1,
                        _ => {}
                    }
                }
                self.float(&metric, name, None, value);
                Ok(())
            }
            (MetricKind::Summary, 4) => self.read_summary(&metric, names, body),
            (MetricKind::Histogram | MetricKind::Gaugehistogram, 7) => {
                self.read_histogram(&metric, names, kind, body)
            }
            _ => Err("a metric's value is not of its family's type"),
        }
    }

    fn read_summary(
        &mut self,
        metric: &Metric<'_>,
        [sum_name, count_name, _]: &[String; 3],
        body: &[u8],
    ) -> Result<(), &'static str> {
        let (mut count, mut sum) = (0, 0.0);
        let mut quantiles = Vec::new();
        for field in Message::of(body) {
            match field? {
                (1, value) => count = value.unsigned()?,
                (2, value) => sum = value.double()?,
                (3, value) => {
                    let (mut quantile, mut at) = (0.0, 0.0);
                    for part in Message::of(value.bytes()?) {
                        match part? {
                            (1, value) => quantile = value.double()?,
                            (2, value) => at = value.double()?,
                            _ => {}
                        }
                    }
                    quantiles.push((quantile, at));
                }
                _ => {}
            }
        }
        self.float(metric, count_name, None, count as f64);
        self.float(metric, sum_name, None, sum);
        for (quantile, value) in quantiles {
            self.float(metric, metric.name, Some(("quantile", quantile)), value);
        }
        Ok(())
    }

    fn read_histogram(
        &mut self,
        metric: &Metric<'_>,
        [sum_name, count_name, bucket_name]: &[String; 3],
        kind: MetricKind,
        body: &[u8],
    ) -> Result<(), &'static str> {
        let mut buckets = Vec::new();
        let mut wire = self.histogram_fields(body, &mut buckets)?;
        let (count, sum) = (wire.total(), wire.sum);
        let native = self.histograms.native && wire.is_native();
        if !native || (self.histograms.classic_beside_native && !buckets.is_empty()) {
            self.float(metric, count_name, None, count);
            self.float(metric, sum_name, None, sum);
            let mut infinity = false;
            for &(bound, cumulative) in &buckets {
                infinity |= bound == f64::INFINITY;
                self.float(metric, bucket_name, Some(("le", bound)), cumulative);
            }
            // The last bucket is optional on the wire, and equals the count.
            if !infinity {
                self.float(metric, bucket_name, Some(("le", f64::INFINITY)), count);
            }
        }
        if native {
            if kind == MetricKind::Gaugehistogram {
                wire.counter_reset_hint = CounterResetHint::Gauge;
            }
            wire.sum = ordinary(sum);
            let histogram = wire.into_histogram().map_err(|error| error.kind())?;
            let text = metric.text(metric.name, None);
            self.end.samples += 1;
            let series = RawSeries { text, known: None, line: self.family };
            self.visitor.native(series, metric.at_ms, histogram);
        }
        Ok(())
    }

    fn histogram_fields(
        &mut self,
        body: &[u8],
        buckets: &mut Vec<(f64, f64)>,
    ) -> Result<Wire, &'static str> {
        let max = self.histograms.buckets_max;
        let mut wire = Wire::default();
        for field in Message::of(body) {
            match field? {
                (1, value) => wire.count = value.unsigned()?,
                (2, value) => wire.sum = value.double()?,
                (3, value) => {
                    let (bucket, exemplar) = classic_bucket(value.bytes()?)?;
                    self.end.exemplars += u64::from(exemplar);
                    buckets.push(bucket);
                }
                (4, value) => wire.count_float = value.double()?,
                (5, value) => {
                    wire.schema = i32::try_from(value.signed()?).map_err(|_range| TOO_WIDE)?;
                }
                (6, value) => wire.zero_threshold = value.double()?,
                (7, value) => wire.zero_count = value.unsigned()?,
                (8, value) => wire.zero_count_float = value.double()?,
                (9, value) => push_span(value, &mut wire.negative.spans, max)?,
                (10, value) => wire::zigzags(value, &mut wire.negative.deltas, max)?,
                (11, value) => wire::doubles(value, &mut wire.negative.counts, max)?,
                (12, value) => push_span(value, &mut wire.positive.spans, max)?,
                (13, value) => wire::zigzags(value, &mut wire.positive.deltas, max)?,
                (14, value) => wire::doubles(value, &mut wire.positive.counts, max)?,
                (16, _) => self.end.exemplars += 1,
                _ => {}
            }
        }
        Ok(wire)
    }

    fn float(
        &mut self,
        metric: &Metric<'_>,
        name: &str,
        bound: Option<(&'static str, f64)>,
        value: f64,
    ) {
        self.end.samples += 1;
        let series = RawSeries { text: metric.text(name, bound), known: None, line: self.family };
        self.visitor.float(series, metric.at_ms, ordinary(value));
    }
}

const TOO_WIDE: &str = "a number is outside its range";

impl<'a> Metric<'a> {
    fn text<'b>(&self, name: &'b str, bound: Option<(&'static str, f64)>) -> Text<'b>
    where
        'a: 'b,
    {
        let named = xxh3_64_with_seed(name.as_bytes(), self.labels);
        let key = match bound {
            Some((_, bound)) => xxh3_64_with_seed(&bound.to_bits().to_le_bytes(), named),
            None => named,
        };
        Text::Labels { name, metric: self.raw, bound, key }
    }
}

/// Upper bound and cumulative count of a classic bucket, and whether it carries an exemplar.
fn classic_bucket(bytes: &[u8]) -> Result<((f64, f64), bool), &'static str> {
    let (mut whole, mut float, mut bound, mut exemplar) = (0_u64, 0.0, 0.0, false);
    for field in Message::of(bytes) {
        match field? {
            (1, value) => whole = value.unsigned()?,
            (2, value) => bound = value.double()?,
            (3, _) => exemplar = true,
            (4, value) => float = value.double()?,
            _ => {}
        }
    }
    let count = if float > 0.0 { float } else { whole as f64 };
    Ok(((bound, count), exemplar))
}

fn push_span(value: Value<'_>, spans: &mut Vec<Span>, max: usize) -> Result<(), &'static str> {
    if spans.len() >= max {
        return Err(TOO_MANY);
    }
    let mut span = Span::default();
    for field in Message::of(value.bytes()?) {
        match field? {
            (1, value) => {
                span.offset = i32::try_from(value.signed()?).map_err(|_range| TOO_WIDE)?;
            }
            (2, value) => {
                span.length = u32::try_from(value.unsigned()?).map_err(|_range| TOO_WIDE)?;
            }
            _ => {}
        }
    }
    spans.push(span);
    Ok(())
}

//! The JSON of the API's answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use strata_model::{Labels, MetricKind};

use super::histogram::{self, BucketRow};
use crate::engine::{AnswerSeries, QueryValue, Value};

/// `data` of `/query` and `/query_range`.
#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum Data {
    Vector(Vec<Row>),
    Matrix(Vec<Row>),
    Scalar((f64, Number)),
    String((f64, String)),
}

/// One series.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<(f64, Number)>,
    histogram: Option<(f64, Histogram)>,
    #[serde(default)]
    values: Vec<(f64, Number)>,
    #[serde(default)]
    histograms: Vec<(f64, Histogram)>,
}

/// A native histogram.
#[derive(Debug, Deserialize)]
pub(super) struct Histogram {
    count: Number,
    sum: Number,
    #[serde(default)]
    buckets: Option<Vec<(u8, Number, Number, Number)>>,
}

/// `data` of `/metadata`: family to what its sources declare.
pub(super) type MetadataData = BTreeMap<String, Vec<Declared>>;

/// What one source declares of a family.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Declared {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) unit: String,
    pub(super) help: String,
}

/// A float, which JSON holds as text because it may be no number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in quotes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                let number = text.parse::<f64>();
                number.map(Number).map_err(|error| E::custom(format!("{text:?}: {error}")))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Milliseconds of a time in seconds.
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

impl Data {
    /// The value in our words.
    ///
    /// # Errors
    /// A histogram whose buckets fit no layout.
    pub(super) fn into_value(self) -> Result<QueryValue, serde_json::Error> {
        let series =
            |rows: Vec<Row>| rows.into_iter().map(Row::into_series).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Self::Vector(rows) => QueryValue::Vector(series(rows)?),
            Self::Matrix(rows) => QueryValue::Matrix(series(rows)?),
            Self::Scalar((at, Number(value))) => QueryValue::Scalar(millis(at), value),
            Self::String((at, text)) => QueryValue::String(millis(at), text),
        })
    }
}

impl Row {
    fn into_series(self) -> Result<AnswerSeries, serde_json::Error> {
        let labels = labels(&self.metric);
        let floats = self.value.into_iter().chain(self.values);
        let mut points: Vec<(i64, Value)> =
            floats.map(|(at, Number(value))| (millis(at), Value::Float(value))).collect();
        let histograms: Vec<_> = self.histogram.into_iter().chain(self.histograms).collect();
        if !histograms.is_empty() {
            for (at, histogram) in histograms {
                points.push((millis(at), histogram.into_value()?));
            }
            points.sort_by_key(|(at, _)| *at);
        }
        Ok(AnswerSeries { labels, points })
    }
}

impl Histogram {
    fn into_value(self) -> Result<Value, serde_json::Error> {
        let rows = self.buckets.unwrap_or_default().into_iter();
        let rows: Vec<BucketRow> = rows
            .map(|(rule, Number(lower), Number(upper), Number(count))| BucketRow {
                rule,
                lower,
                upper,
                count,
            })
            .collect();
        histogram::from_rows(self.count.0, self.sum.0, &rows)
            .map(|histogram| Value::Histogram(Arc::new(histogram)))
            .map_err(serde_json::Error::custom)
    }
}

/// Labels of a JSON object; an empty value means that there is no label.
pub(super) fn labels(pairs: &BTreeMap<String, String>) -> Labels {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// A kind as the API writes it.
pub(super) fn metric_kind(text: &str) -> MetricKind {
    match text {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" | "gaugehistogram" => MetricKind::Histogram,
        "summary" => MetricKind::Summary,
        "info" => MetricKind::Info,
        _ => MetricKind::Unknown,
    }
}

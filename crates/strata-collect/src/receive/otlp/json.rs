//! OTLP/JSON, read by hand into the protobuf types.
//!
//! Senders write 64-bit integers as strings or numbers, enums as numbers or names, floats as
//! numbers or `"NaN"`, field names in camel or snake case, and fields of versions to come; the
//! protobuf types' own serde accepts only part of that.
//! Encoding: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value};

use super::values::from_base64;
use crate::receive::{DecodeError, ReceiveLimits, bound};

/// JSON values of one body: each takes up to 72 bytes in memory, so this bounds some 300 MB.
const VALUES_MAX: usize = 4 << 20;

/// Decode a body.
pub(super) fn decode(
    body: &[u8],
    limits: &ReceiveLimits,
) -> Result<ExportMetricsServiceRequest, DecodeError> {
    read_body(body, limits, |request| {
        Ok(ExportMetricsServiceRequest {
            resource_metrics: request.list("resourceMetrics", resource_metrics)?,
        })
    })
}

/// Read a body whose message `read` knows.
pub(super) fn read_body<T>(
    body: &[u8],
    limits: &ReceiveLimits,
    read: impl Fn(Object<'_>) -> Read<T>,
) -> Result<T, DecodeError> {
    // Every value but the first follows one of these. Text may hold them too: the bound is ample.
    let values = memchr::memchr3_iter(b',', b'[', b'{', body).count();
    bound("JSON values", values, VALUES_MAX.min(limits.samples))?;
    let json: Value = serde_json::from_slice(body)
        .map_err(|error| DecodeError::Malformed(format!("JSON: {error}")))?;
    let Value::Object(request) = &json else {
        return Err(DecodeError::Malformed("JSON: the body is not an object".to_owned()));
    };
    read(Object(request))
        .map_err(|field| DecodeError::Malformed(format!("JSON: {field} has another type")))
}

/// The error is the name of the field whose value does not fit.
pub(super) type Read<T> = Result<T, &'static str>;

/// A JSON object seen as a message. Fields are named in camel case, as the specification wants.
#[derive(Clone, Copy)]
pub(super) struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    pub(super) fn get(self, name: &'static str) -> Option<&'a Value> {
        let value = self.0.get(name).or_else(|| self.0.get(&snake(name)));
        value.filter(|value| !value.is_null())
    }

    pub(super) fn text(self, name: &'static str) -> Read<String> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(name),
        }
    }

    fn flag(self, name: &'static str) -> Read<bool> {
        self.get(name).map_or(Ok(false), |value| value.as_bool().ok_or(name))
    }

    pub(super) fn unsigned(self, name: &'static str) -> Read<u64> {
        self.get(name).map_or(Ok(0), |value| unsigned(value).ok_or(name))
    }

    fn signed(self, name: &'static str) -> Read<i64> {
        self.get(name).map_or(Ok(0), |value| signed(value).ok_or(name))
    }

    pub(super) fn small(self, name: &'static str) -> Read<i32> {
        i32::try_from(self.signed(name)?).or(Err(name))
    }

    fn float(self, name: &'static str) -> Read<Option<f64>> {
        self.get(name).map(|value| float(value).ok_or(name)).transpose()
    }

    pub(super) fn message<T>(
        self,
        name: &'static str,
        read: impl Fn(Object<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => read(Object(object)).map(Some),
            Some(_) => Err(name),
        }
    }

    pub(super) fn list<T>(
        self,
        name: &'static str,
        read: impl Fn(Object<'a>) -> Read<T>,
    ) -> Read<Vec<T>> {
        self.values(name)?.iter().map(|item| read(Object(item.as_object().ok_or(name)?))).collect()
    }

    fn numbers<T>(self, name: &'static str, read: fn(&Value) -> Option<T>) -> Read<Vec<T>> {
        self.values(name)?.iter().map(|item| read(item).ok_or(name)).collect()
    }

    fn values(self, name: &'static str) -> Read<&'a [Value]> {
        self.get(name).map_or(Ok(&[]), |value| value.as_array().map(Vec::as_slice).ok_or(name))
    }
}

/// `timeUnixNano` as `time_unix_nano`, which protobuf's JSON rules accept as well.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => {
            other.as_u64().or_else(|| whole(other).and_then(|whole| u64::try_from(whole).ok()))
        }
    }
}

fn signed(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64().or_else(|| whole(other)),
    }
}

/// A whole number that was written as a float, such as `1e3`. Exact up to 2^53.
fn whole(value: &Value) -> Option<i64> {
    value
        .as_f64()
        .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)
        .map(|float| float as i64)
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            number => number.parse().ok(),
        },
        other => other.as_f64(),
    }
}

fn resource_metrics(object: Object<'_>) -> Read<ResourceMetrics> {
    Ok(ResourceMetrics {
        resource: object.message("resource", |resource| {
            Ok(Resource {
                attributes: resource.list("attributes", key_value)?,
                ..Resource::default()
            })
        })?,
        scope_metrics: object.list("scopeMetrics", scope_metrics)?,
        schema_url: object.text("schemaUrl")?,
    })
}

fn scope_metrics(object: Object<'_>) -> Read<ScopeMetrics> {
    Ok(ScopeMetrics {
        scope: object.message("scope", |scope| {
            Ok(InstrumentationScope {
                name: scope.text("name")?,
                version: scope.text("version")?,
                attributes: scope.list("attributes", key_value)?,
                ..InstrumentationScope::default()
            })
        })?,
        metrics: object.list("metrics", metric)?,
        schema_url: object.text("schemaUrl")?,
    })
}

fn metric(object: Object<'_>) -> Read<Metric> {
    let points = "dataPoints";
    let gauge = object.message("gauge", |gauge| {
        Ok(Data::Gauge(Gauge { data_points: gauge.list(points, number)? }))
    })?;
    let sum = object.message("sum", |sum| {
        Ok(Data::Sum(Sum {
            data_points: sum.list(points, number)?,
            aggregation_temporality: temporality(sum)?,
            is_monotonic: sum.flag("isMonotonic")?,
        }))
    })?;
    let classic = object.message("histogram", |histogram| {
        Ok(Data::Histogram(Histogram {
            data_points: histogram.list(points, classic)?,
            aggregation_temporality: temporality(histogram)?,
        }))
    })?;
    let exponential = object.message("exponentialHistogram", |histogram| {
        Ok(Data::ExponentialHistogram(ExponentialHistogram {
            data_points: histogram.list(points, exponential)?,
            aggregation_temporality: temporality(histogram)?,
        }))
    })?;
    let summary = object.message("summary", |one| {
        Ok(Data::Summary(Summary { data_points: one.list(points, summary)? }))
    })?;
    Ok(Metric {
        name: object.text("name")?,
        description: object.text("description")?,
        unit: object.text("unit")?,
        metadata: Vec::new(),
        data: gauge.or(sum).or(classic).or(exponential).or(summary),
    })
}

fn temporality(object: Object<'_>) -> Read<i32> {
    let name = "aggregationTemporality";
    match object.get(name).and_then(Value::as_str) {
        Some("AGGREGATION_TEMPORALITY_DELTA") => Ok(1),
        Some("AGGREGATION_TEMPORALITY_CUMULATIVE") => Ok(2),
        Some("AGGREGATION_TEMPORALITY_UNSPECIFIED") => Ok(0),
        _ => object.small(name),
    }
}

fn number(object: Object<'_>) -> Read<NumberDataPoint> {
    use number_data_point::Value::{AsDouble, AsInt};
    let int = object.get("asInt").map(|value| signed(value).ok_or("asInt")).transpose()?;
    Ok(NumberDataPoint {
        attributes: object.list("attributes", key_value)?,
        start_time_unix_nano: object.unsigned("startTimeUnixNano")?,
        time_unix_nano: object.unsigned("timeUnixNano")?,
        exemplars: object.list("exemplars", exemplar)?,
        flags: flags(object)?,
        value: object.float("asDouble")?.map(AsDouble).or(int.map(AsInt)),
    })
}

fn classic(object: Object<'_>) -> Read<HistogramDataPoint> {
    Ok(HistogramDataPoint {
        attributes: object.list("attributes", key_value)?,
        start_time_unix_nano: object.unsigned("startTimeUnixNano")?,
        time_unix_nano: object.unsigned("timeUnixNano")?,
        count: object.unsigned("count")?,
        sum: object.float("sum")?,
        bucket_counts: object.numbers("bucketCounts", unsigned)?,
        explicit_bounds: object.numbers("explicitBounds", float)?,
        exemplars: object.list("exemplars", exemplar)?,
        flags: flags(object)?,
        min: object.float("min")?,
        max: object.float("max")?,
    })
}

fn exponential(object: Object<'_>) -> Read<ExponentialHistogramDataPoint> {
    let buckets = |side: Object<'_>| {
        Ok(Buckets {
            offset: side.small("offset")?,
            bucket_counts: side.numbers("bucketCounts", unsigned)?,
        })
    };
    Ok(ExponentialHistogramDataPoint {
        attributes: object.list("attributes", key_value)?,
        start_time_unix_nano: object.unsigned("startTimeUnixNano")?,
        time_unix_nano: object.unsigned("timeUnixNano")?,
        count: object.unsigned("count")?,
        sum: object.float("sum")?,
        scale: object.small("scale")?,
        zero_count: object.unsigned("zeroCount")?,
        positive: object.message("positive", buckets)?,
        negative: object.message("negative", buckets)?,
        flags: flags(object)?,
        exemplars: object.list("exemplars", exemplar)?,
        min: object.float("min")?,
        max: object.float("max")?,
        zero_threshold: object.float("zeroThreshold")?.unwrap_or(0.0),
    })
}

fn summary(object: Object<'_>) -> Read<SummaryDataPoint> {
    Ok(SummaryDataPoint {
        attributes: object.list("attributes", key_value)?,
        start_time_unix_nano: object.unsigned("startTimeUnixNano")?,
        time_unix_nano: object.unsigned("timeUnixNano")?,
        count: object.unsigned("count")?,
        sum: object.float("sum")?.unwrap_or(0.0),
        quantile_values: object.list("quantileValues", |value| {
            Ok(ValueAtQuantile {
                quantile: value.float("quantile")?.unwrap_or(0.0),
                value: value.float("value")?.unwrap_or(0.0),
            })
        })?,
        flags: flags(object)?,
    })
}

fn flags(object: Object<'_>) -> Read<u32> {
    u32::try_from(object.unsigned("flags")?).or(Err("flags"))
}

fn exemplar(object: Object<'_>) -> Read<Exemplar> {
    let int = object.get("asInt").map(|value| signed(value).ok_or("asInt")).transpose()?;
    let double = object.float("asDouble")?.map(exemplar::Value::AsDouble);
    Ok(Exemplar {
        filtered_attributes: object.list("filteredAttributes", key_value)?,
        time_unix_nano: object.unsigned("timeUnixNano")?,
        value: double.or(int.map(exemplar::Value::AsInt)),
        ..Exemplar::default()
    })
}

pub(super) fn key_value(object: Object<'_>) -> Read<KeyValue> {
    Ok(KeyValue {
        key: object.text("key")?,
        value: object.message("value", any_value)?,
        ..KeyValue::default()
    })
}

pub(super) fn any_value(object: Object<'_>) -> Read<AnyValue> {
    let value = if let Some(value) = object.get("stringValue") {
        Some(Any::StringValue(value.as_str().ok_or("stringValue")?.to_owned()))
    } else if object.get("boolValue").is_some() {
        Some(Any::BoolValue(object.flag("boolValue")?))
    } else if object.get("intValue").is_some() {
        Some(Any::IntValue(object.signed("intValue")?))
    } else if let Some(value) = object.float("doubleValue")? {
        Some(Any::DoubleValue(value))
    } else if object.get("bytesValue").is_some() {
        let text = object.text("bytesValue")?;
        Some(Any::BytesValue(from_base64(&text).ok_or("bytesValue")?))
    } else if let Some(values) =
        object.message("arrayValue", |array| array.list("values", any_value))?
    {
        Some(Any::ArrayValue(ArrayValue { values }))
    } else {
        object
            .message("kvlistValue", |map| map.list("values", key_value))?
            .map(|values| Any::KvlistValue(KeyValueList { values }))
    };
    Ok(AnyValue { value })
}

//! The data of a query's answer: vectors, matrices, scalars and native histograms, in pieces.
//!
//! A big matrix is written series by series while it is being sent, so that the answer is never
//! held twice.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use strata_model::NativeHistogram;
use strata_query::engine::{AnswerSeries, Value};
use strata_query::{Annotations, Answer, QueryValue};
use tonic::codegen::tokio_stream;

use super::envelope::{OPENING, json_response, push_closing};
use super::number::{push_float, push_plain, push_seconds, push_text};
use super::text::{push_labels, push_string};

/// A piece is sent once it has this size: large enough that the cost per piece vanishes, small
/// enough that writing one does not hold up other tasks (about 0.2 ms).
const PIECE_BYTES: usize = 64 * 1024;

/// What is known about how a query was run (`stats` of the answer), in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryStats {
    pub(crate) queue_seconds: f64,
    pub(crate) evaluation_seconds: f64,
}

/// The whole answer of `/query` and `/query_range`.
pub(crate) fn answer_response(answer: Answer, stats: Option<QueryStats>) -> Response {
    let mut pieces = Pieces::new(answer, stats);
    let first = pieces.next().unwrap_or_default();
    if pieces.finished() {
        return json_response(StatusCode::OK, Body::from(first));
    }
    let all = std::iter::once(first).chain(pieces).map(Ok::<_, Infallible>);
    json_response(StatusCode::OK, Body::from_stream(tokio_stream::iter(all)))
}

/// Which word the points of a series stand under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One point per series: `value` or `histogram`.
    Vector,
    /// Many: `values` and `histograms`.
    Matrix,
}

/// Writes an answer piece by piece.
struct Pieces {
    opening: Option<Vec<u8>>,
    series: std::vec::IntoIter<AnswerSeries>,
    shape: Shape,
    first: bool,
    /// `None` once the envelope is closed.
    closing: Option<(Annotations, Option<QueryStats>)>,
}

impl Pieces {
    fn new(answer: Answer, stats: Option<QueryStats>) -> Self {
        let mut opening = OPENING.to_vec();
        let word = match answer.value {
            QueryValue::Vector(_) => "vector",
            QueryValue::Matrix(_) => "matrix",
            QueryValue::Scalar(..) => "scalar",
            QueryValue::String(..) => "string",
        };
        push_text(&mut opening, format_args!(r#"{{"resultType":"{word}","result":["#));
        let (shape, series) = match answer.value {
            QueryValue::Vector(series) => (Shape::Vector, series),
            QueryValue::Matrix(series) => (Shape::Matrix, series),
            QueryValue::Scalar(at_ms, value) => {
                push_text(&mut opening, format_args!("{},\"", at_ms as f64 / 1000.0));
                push_plain(&mut opening, value);
                opening.push(b'"');
                (Shape::Vector, Vec::new())
            }
            QueryValue::String(at_ms, text) => {
                push_text(&mut opening, format_args!("{},", at_ms as f64 / 1000.0));
                push_string(&mut opening, &text);
                (Shape::Vector, Vec::new())
            }
        };
        Self {
            opening: Some(opening),
            series: series.into_iter(),
            shape,
            first: true,
            closing: Some((answer.annotations, stats)),
        }
    }

    fn finished(&self) -> bool {
        self.closing.is_none()
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.closing.as_ref()?;
        let mut buffer = self.opening.take().unwrap_or_default();
        while buffer.len() < PIECE_BYTES {
            let Some(series) = self.series.next() else {
                if let Some((annotations, stats)) = self.closing.take() {
                    buffer.push(b']');
                    push_stats(&mut buffer, stats);
                    buffer.push(b'}');
                    push_closing(&mut buffer, &annotations);
                }
                break;
            };
            if !std::mem::take(&mut self.first) {
                buffer.push(b',');
            }
            push_series(&mut buffer, &series, self.shape);
        }
        Some(Bytes::from(buffer))
    }
}

/// Only what is measured here is said; Prometheus's other timings have no counterpart.
fn push_stats(buffer: &mut Vec<u8>, stats: Option<QueryStats>) {
    let Some(stats) = stats else { return };
    let QueryStats { queue_seconds, evaluation_seconds } = stats;
    let total = queue_seconds + evaluation_seconds;
    push_text(
        buffer,
        format_args!(
            r#","stats":{{"timings":{{"evalTotalTime":{evaluation_seconds},"execQueueTime":{queue_seconds},"execTotalTime":{total}}}}}"#
        ),
    );
}

fn push_series(buffer: &mut Vec<u8>, series: &AnswerSeries, shape: Shape) {
    buffer.extend_from_slice(br#"{"metric":"#);
    push_labels(buffer, &series.labels);
    match shape {
        Shape::Vector => {
            if let Some((at_ms, value)) = series.points.first() {
                buffer.extend_from_slice(match value {
                    Value::Float(_) => br#","value":"#.as_slice(),
                    Value::Histogram(_) => br#","histogram":"#.as_slice(),
                });
                push_point(buffer, *at_ms, value);
            }
        }
        Shape::Matrix => {
            push_points(buffer, "values", series, |value| matches!(value, Value::Float(_)));
            push_points(buffer, "histograms", series, |value| matches!(value, Value::Histogram(_)));
        }
    }
    buffer.push(b'}');
}

/// The points of one kind under their word; nothing when there are none.
fn push_points(
    buffer: &mut Vec<u8>,
    word: &str,
    series: &AnswerSeries,
    wanted: impl Fn(&Value) -> bool,
) {
    let mut any = false;
    for (at_ms, value) in series.points.iter().filter(|(_, value)| wanted(value)) {
        if any {
            buffer.push(b',');
        } else {
            push_text(buffer, format_args!(r#","{word}":["#));
            any = true;
        }
        push_point(buffer, *at_ms, value);
    }
    if any {
        buffer.push(b']');
    }
}

fn push_point(buffer: &mut Vec<u8>, at_ms: i64, value: &Value) {
    buffer.push(b'[');
    push_seconds(buffer, at_ms);
    buffer.push(b',');
    match value {
        Value::Float(value) => push_quoted(buffer, *value),
        Value::Histogram(histogram) => push_histogram(buffer, histogram),
    }
    buffer.push(b']');
}

fn push_quoted(buffer: &mut Vec<u8>, value: f64) {
    buffer.push(b'"');
    push_float(buffer, value);
    buffer.push(b'"');
}

/// `{"count":"42","sum":"1.5","buckets":[[rule,"lower","upper","count"],..]}`; empty buckets are
/// left out, and so is an empty list of them.
fn push_histogram(buffer: &mut Vec<u8>, histogram: &NativeHistogram) {
    buffer.extend_from_slice(br#"{"count":"#);
    push_quoted(buffer, histogram.count);
    buffer.extend_from_slice(br#","sum":"#);
    push_quoted(buffer, histogram.sum);
    let mut any = false;
    for (rule, lower, upper, count) in histogram.api_buckets() {
        buffer.extend_from_slice(if any { b"," } else { br#","buckets":["#.as_slice() });
        any = true;
        push_text(buffer, format_args!("[{rule},"));
        push_quoted(buffer, lower);
        buffer.push(b',');
        push_quoted(buffer, upper);
        buffer.push(b',');
        push_quoted(buffer, count);
        buffer.push(b']');
    }
    if any {
        buffer.push(b']');
    }
    buffer.push(b'}');
}

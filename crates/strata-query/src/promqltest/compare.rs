//! Whether an answer is the expected one.

use std::collections::BTreeMap;

use strata_model::histogram::{HistogramLiteral, almost_equal, format_number};
use strata_model::{NativeHistogram, is_stale};

use super::expectation::Expectation;
use super::numbers::Written;
use crate::engine::{AnswerSeries, QueryValue, Value};

/// Relative error allowed, as in Prometheus's own runner.
const TOLERANCE: f64 = 0.000_001;

/// Where the expected values of a series stand in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) step: i64,
}

/// Compare an answer with what was written; `times` place the values of a matrix.
pub(super) fn compare(
    expect: &Expectation,
    value: &QueryValue,
    times: Option<Times>,
) -> Result<(), String> {
    match value {
        QueryValue::String(_, text) => match &expect.string {
            Some(wanted) if wanted == text => Ok(()),
            wanted => Err(format!("expected string {wanted:?}, got {text:?}")),
        },
        QueryValue::Scalar(_, got) => match expect.scalar {
            Some(wanted) if equal(wanted, *got) => Ok(()),
            wanted => Err(format!("expected scalar {wanted:?}, got {got}")),
        },
        QueryValue::Vector(series) | QueryValue::Matrix(series) => {
            if let Some(wanted) = expect.scalar {
                return Err(format!("expected scalar {wanted}, got {}", describe(series)));
            }
            compare_series(expect, series, times)
        }
    }
}

fn compare_series(
    expect: &Expectation,
    got: &[AnswerSeries],
    times: Option<Times>,
) -> Result<(), String> {
    let wanted: BTreeMap<_, _> = expect
        .series
        .iter()
        .enumerate()
        .map(|(at, (labels, values))| (labels, (at, values)))
        .collect();
    for (position, series) in got.iter().enumerate() {
        let Some((wanted_position, values)) = wanted.get(&series.labels) else {
            return Err(format!("unexpected series in {}", describe(got)));
        };
        if expect.ordered && position != *wanted_position {
            return Err(format!("{} is at the wrong position in {}", series.labels, describe(got)));
        }
        let points = match times {
            None => values
                .first()
                .map(|value| (series.points.first().map_or(0, |(time, _)| *time), value))
                .into_iter()
                .collect(),
            Some(times) => placed(values, times)?,
        };
        compare_points(&points, series)?;
    }
    if let Some((missing, _)) =
        wanted.iter().find(|(labels, _)| !got.iter().any(|series| series.labels == ***labels))
    {
        return Err(format!("missing series {missing} in {}", describe(got)));
    }
    Ok(())
}

fn placed(values: &[Written], times: Times) -> Result<Vec<(i64, &Written)>, String> {
    let mut out = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let time = times.start + at as i64 * times.step;
        if time > times.end {
            return Err(format!("{} values do not fit the range", values.len()));
        }
        if !matches!(value, Written::Omitted) {
            out.push((time, value));
        }
    }
    Ok(out)
}

fn compare_points(wanted: &[(i64, &Written)], series: &AnswerSeries) -> Result<(), String> {
    let length = wanted.len() == series.points.len();
    let all_same = length
        && wanted.iter().zip(&series.points).all(|((time, wanted), (got_time, got))| {
            time == got_time
                && match (wanted, got) {
                    (Written::Float(wanted), Value::Float(got)) => equal(*wanted, *got),
                    (Written::Histogram(wanted), Value::Histogram(got)) => same(wanted, got),
                    _ => false,
                }
        });
    if all_same {
        return Ok(());
    }
    let wanted: Vec<String> = wanted.iter().map(|(time, value)| show(*time, value)).collect();
    Err(format!("expected {} {wanted:?}, got {}", series.labels, describe_one(series)))
}

fn show(time: i64, value: &Written) -> String {
    match value {
        Written::Omitted => "_".to_owned(),
        Written::Float(value) => format!("{}@{time}", format_number(*value)),
        Written::Histogram(literal) => format!("{}@{time}", literal.histogram.to_literal()),
    }
}

fn same(wanted: &HistogramLiteral, got: &NativeHistogram) -> bool {
    let hint = !wanted.hint_given || wanted.histogram.counter_reset_hint == got.counter_reset_hint;
    hint && wanted.histogram.almost_equals(got, TOLERANCE)
}

fn equal(wanted: f64, got: f64) -> bool {
    if is_stale(wanted) || is_stale(got) {
        return is_stale(wanted) && is_stale(got);
    }
    almost_equal(wanted, got, TOLERANCE)
}

/// Most series shown in a failure.
const SHOWN: usize = 10;

fn describe(series: &[AnswerSeries]) -> String {
    let mut parts: Vec<String> = series.iter().take(SHOWN).map(describe_one).collect();
    if series.len() > SHOWN {
        parts.push(format!("and {} more", series.len() - SHOWN));
    }
    format!("[{}]", parts.join("; "))
}

fn describe_one(series: &AnswerSeries) -> String {
    let points: Vec<String> = series
        .points
        .iter()
        .map(|(time, value)| match value {
            Value::Float(value) => format!("{}@{time}", format_number(*value)),
            Value::Histogram(value) => {
                format!("{} ({:?})@{time}", value.to_literal(), value.counter_reset_hint)
            }
        })
        .collect();
    format!("{} {}", series.labels, points.join(" "))
}

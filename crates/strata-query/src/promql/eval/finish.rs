//! From columns to an answer: names that no longer fit go, equal series become one.

use rustc_hash::FxHashMap;
use strata_model::Labels;

use super::{Outcome, SAME_LABELSET, failed};
use crate::engine::{AnswerSeries, QueryValue, Value as AnswerValue};
use crate::promql::value::{Cell, Row, Steps, Value, is_metadata, without_metadata};

fn answer(cell: Cell) -> AnswerValue {
    match cell {
        Cell::Float(value) => AnswerValue::Float(value),
        Cell::Histogram(value) => AnswerValue::Histogram(value),
    }
}

/// Drop the names that must go and merge series that are equal then. Keeps the order.
fn named(mut rows: Vec<Row>) -> Outcome<Vec<Row>> {
    for row in &mut rows {
        // Groups seldom have what must go: their labels stay where they are.
        if row.drop_name && row.labels.iter().any(|(name, _)| is_metadata(name)) {
            row.labels = without_metadata(&row.labels);
        }
    }
    merged(rows)
}

/// Merge rows with equal labels.
///
/// # Errors
/// Two of them have a value at one step.
pub(super) fn merged(rows: Vec<Row>) -> Outcome<Vec<Row>> {
    let mut at: FxHashMap<Labels, usize> = FxHashMap::default();
    at.reserve(rows.len());
    let mut out: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let next = out.len();
        let slot = *at.entry(row.labels.clone()).or_insert(next);
        if slot == next {
            out.push(row);
        } else if !out[slot].column.absorb(&row.column) {
            return Err(failed(SAME_LABELSET));
        }
    }
    Ok(out)
}

/// The answer of an instant query.
pub(super) fn instant_value(value: Value, at: i64) -> Outcome<QueryValue> {
    Ok(match value {
        Value::Scalar(values) => {
            QueryValue::Scalar(at, values.first().copied().unwrap_or(f64::NAN))
        }
        Value::Text(text) => QueryValue::String(at, text),
        Value::Vector(rows) => {
            let rows = named(rows)?;
            let series = rows.into_iter().filter_map(|row| {
                let cell = row.column.cell(0)?;
                Some(AnswerSeries { labels: row.labels, points: vec![(at, answer(cell))] })
            });
            QueryValue::Vector(series.collect())
        }
    })
}

/// The answer of a range query, ordered by labels.
pub(super) fn range_value(value: Value, steps: Steps) -> Outcome<QueryValue> {
    let rows = match value {
        Value::Scalar(values) => {
            let column = crate::promql::value::Column::floats(values);
            vec![Row { labels: Labels::empty(), drop_name: false, column }]
        }
        Value::Vector(rows) => named(rows)?,
        Value::Text(_) => return Err(failed("a string has no range")),
    };
    let series = rows.into_iter().map(|row| {
        let points = steps.times().enumerate();
        let points = points.filter_map(|(i, time)| Some((time, answer(row.column.cell(i)?))));
        AnswerSeries { labels: row.labels, points: points.collect() }
    });
    let series: Vec<AnswerSeries> = series.filter(|one| !one.points.is_empty()).collect();
    Ok(matrix_value(series))
}

/// Series as a matrix, ordered by labels.
pub(super) fn matrix_value(mut series: Vec<AnswerSeries>) -> QueryValue {
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    QueryValue::Matrix(series)
}

//! Two answers as values: any order of series, numbers to a tolerance.

use std::collections::BTreeMap;

use strata_model::Labels;
use strata_query::engine::{AnswerSeries, Value};
use strata_query::{Answer, QueryValue};

/// Largest relative difference of two equal numbers. VictoriaMetrics keeps 12 digits.
pub(super) const TOLERANCE: f64 = 1e-9;

/// Points of each series by its labels.
pub(super) type Table = BTreeMap<String, Vec<(i64, f64)>>;

/// The answer as a table. A histogram stands as its count.
pub(super) fn table(answer: &Answer) -> Table {
    match &answer.value {
        QueryValue::Scalar(at, value) => {
            BTreeMap::from([("scalar".to_owned(), vec![(*at, *value)])])
        }
        QueryValue::String(at, text) => BTreeMap::from([(text.clone(), vec![(*at, 0.0)])]),
        QueryValue::Vector(series) | QueryValue::Matrix(series) => {
            series.iter().map(|one| (name(&one.labels), points(one))).collect()
        }
    }
}

/// The labels as text. An edge is a number: a distant engine keeps the spelling of its source (`5`,
/// `1e+06`), the embedded one has a single spelling.
fn name(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(name, value)| {
        let edge = if name == "le" { value.parse::<f64>().ok() } else { None };
        let edge = edge.filter(|edge| edge.is_finite()).map(|edge| format!("{edge:?}"));
        (name.to_owned(), edge.unwrap_or_else(|| value.to_owned()))
    });
    Labels::from_pairs(pairs).to_string()
}

fn points(series: &AnswerSeries) -> Vec<(i64, f64)> {
    let number = |value: &Value| match value {
        Value::Float(value) => *value,
        Value::Histogram(histogram) => histogram.count,
    };
    series.points.iter().map(|(at, value)| (*at, number(value))).collect()
}

/// The first thing that is different, if any.
pub(super) fn difference(expected: &Table, got: &Table, tolerance: f64) -> Option<String> {
    for (labels, points) in expected {
        let Some(others) = got.get(labels) else {
            let instead = got.keys().find(|labels| !expected.contains_key(*labels));
            let instead = instead.map_or("nothing", String::as_str);
            return Some(format!("{labels} is missing, there is {instead}"));
        };
        if points.len() != others.len() {
            return Some(format!("{labels} has {} points, not {}", others.len(), points.len()));
        }
        for ((at, value), (other_at, other)) in points.iter().zip(others) {
            if at != other_at {
                return Some(format!("{labels} has a point at {other_at}, not at {at}"));
            }
            if !near(*value, *other, tolerance) {
                return Some(format!("{labels} at {at} is {other}, not {value}"));
            }
        }
    }
    let more = got.keys().find(|labels| !expected.contains_key(*labels));
    more.map(|labels| format!("{labels} is too much"))
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_is_seen() {
        let table = |labels: &str, points: &[(i64, f64)]| {
            Table::from([(labels.to_owned(), points.to_vec())])
        };
        let base = table("{a=\"b\"}", &[(1, 100.0)]);
        let check = |other: &Table, same: bool| {
            assert_eq!(difference(&base, other, 1e-3).is_none(), same, "{other:?}");
        };
        check(&table("{a=\"b\"}", &[(1, 100.05)]), true);
        check(&table("{a=\"b\"}", &[(1, 101.0)]), false);
        check(&table("{a=\"b\"}", &[(2, 100.0)]), false);
        check(&table("{a=\"b\"}", &[]), false);
        check(&table("{a=\"c\"}", &[(1, 100.0)]), false);
        check(&Table::new(), false);
        assert!(difference(&Table::new(), &base, 1.0).is_some());
    }
}

//! Functions of scalars and instant vectors that look at one cell at a time.

use std::f64::consts::PI;

use strata_model::Labels;

use super::windows::absent_labels;
use super::{Evaluator, Outcome, dates, failed};
use crate::promql::prepare::{max_of, min_of};
use crate::promql::syntax::{Call, Expr};
use crate::promql::value::{Column, Kind, Row, Steps, Value};

/// Minus the value; the name goes.
pub(super) fn negate(value: Value) -> Value {
    match value {
        Value::Scalar(values) => Value::Scalar(values.into_iter().map(|v| -v).collect()),
        Value::Vector(mut rows) => {
            for row in &mut rows {
                row.drop_name = true;
                for at in 0..row.column.len() {
                    match row.column.kind(at) {
                        Kind::Float => row.column.values[at] = -row.column.values[at],
                        Kind::Histogram => {
                            if let Some(histogram) = row.column.histogram(at) {
                                let negative = super::histograms::scaled(histogram, -1.0);
                                row.column.set_histogram(at, negative);
                            }
                        }
                        Kind::Absent => {}
                    }
                }
            }
            Value::Vector(rows)
        }
        text @ Value::Text(_) => text,
    }
}

/// Apply `f` to floats; histograms have no place in the result and go.
fn map_floats(rows: &mut Vec<Row>, f: impl Fn(usize, f64) -> Option<f64>) {
    for row in rows.iter_mut() {
        row.drop_name = true;
        for at in 0..row.column.len() {
            match row.column.kind(at) {
                Kind::Float => match f(at, row.column.values[at]) {
                    Some(value) => row.column.values[at] = value,
                    None => row.column.clear(at),
                },
                Kind::Histogram => row.column.clear(at),
                Kind::Absent => {}
            }
        }
    }
    rows.retain(|row| !row.column.is_empty());
}

/// Functions of one number.
fn simple(name: &str) -> Option<fn(f64) -> f64> {
    let function: fn(f64) -> f64 = match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "sqrt" => f64::sqrt,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        "rad" => |v| v * PI / 180.0,
        "deg" => |v| v * 180.0 / PI,
        "sgn" => |v| {
            if v < 0.0 {
                -1.0
            } else if v > 0.0 {
                1.0
            } else {
                v
            }
        },
        _ => return None,
    };
    Some(function)
}

/// `v` raised or lowered to the bounds; NaN in any of them is NaN, as in Go's `math.Min`.
fn clamp(v: f64, low: f64, high: f64) -> Option<f64> {
    // Bounds the wrong way round leave nothing.
    (high >= low || high.is_nan() || low.is_nan()).then(|| max_of(low, min_of(high, v)))
}

impl Evaluator<'_> {
    pub(super) fn vector_function(&mut self, node: &Call, steps: Steps) -> Outcome<Value> {
        let name = node.func.name;
        if let Some(function) = simple(name) {
            let mut rows = self.rows(&node.args[0], steps)?;
            map_floats(&mut rows, |_, v| Some(function(v)));
            return Ok(Value::Vector(rows));
        }
        if let Some(part) = dates::part(name) {
            return self.date_function(node, steps, part).map(Value::Vector);
        }
        match name {
            "time" => Ok(Value::Scalar(steps.times().map(|t| t as f64 / 1000.0).collect())),
            "pi" => Ok(Value::Scalar(vec![PI; steps.count])),
            "max_of" | "min_of" => {
                let pick = if name == "max_of" { max_of } else { min_of };
                let left = self.scalars(&node.args[0], steps)?;
                let right = self.scalars(&node.args[1], steps)?;
                Ok(Value::Scalar(left.iter().zip(&right).map(|(a, b)| pick(*a, *b)).collect()))
            }
            "scalar" => {
                let rows = self.rows(&node.args[0], steps)?;
                Ok(Value::Scalar(only_floats(&rows, steps.count)))
            }
            "vector" => {
                let column = Column::floats(self.scalars(&node.args[0], steps)?);
                Ok(Value::Vector(vec![Row { labels: Labels::empty(), drop_name: false, column }]))
            }
            "clamp" | "clamp_min" | "clamp_max" | "round" => {
                self.bounded(node, steps).map(Value::Vector)
            }
            "timestamp" => self.timestamp(node, steps).map(Value::Vector),
            "start_timestamp" => match node.args[0].unwrapped() {
                Expr::Vector(selector) => self.sample_starts(selector, steps).map(Value::Vector),
                // What is computed from samples has no start.
                other => {
                    self.rows(other, steps)?;
                    Ok(Value::Vector(Vec::new()))
                }
            },
            "absent" => self.absent(node, steps).map(Value::Vector),
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => {
                self.sorted(node, steps).map(Value::Vector)
            }
            _ => self.histogram_function(node, steps).map(Value::Vector),
        }
    }

    fn date_function(
        &mut self,
        node: &Call,
        steps: Steps,
        part: fn(jiff::civil::DateTime) -> f64,
    ) -> Outcome<Vec<Row>> {
        let Some(arg) = node.args.first() else {
            let values = steps.times().map(|t| t.div_euclid(1000) as f64);
            let values = values.map(|s| dates::date(s).map_or(f64::NAN, part));
            let column = Column::floats(values.collect());
            return Ok(vec![Row { labels: Labels::empty(), drop_name: false, column }]);
        };
        let mut rows = self.rows(arg, steps)?;
        map_floats(&mut rows, |_, v| Some(dates::date(v).map_or(f64::NAN, part)));
        Ok(rows)
    }

    /// `clamp`, `clamp_min`, `clamp_max` and `round`.
    fn bounded(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        let mut rows = self.rows(&node.args[0], steps)?;
        let mut params = Vec::new();
        for arg in node.args.iter().skip(1) {
            params.push(self.scalars(arg, steps)?);
        }
        let param = |index: usize, at: usize, default: f64| {
            params.get(index).and_then(|values| values.get(at)).copied().unwrap_or(default)
        };
        match node.func.name {
            "clamp" => map_floats(&mut rows, |at, v| {
                clamp(v, param(0, at, f64::NEG_INFINITY), param(1, at, f64::INFINITY))
            }),
            "clamp_min" => map_floats(&mut rows, |at, v| {
                clamp(v, param(0, at, f64::NEG_INFINITY), f64::INFINITY)
            }),
            "clamp_max" => map_floats(&mut rows, |at, v| {
                clamp(v, f64::NEG_INFINITY, param(0, at, f64::INFINITY))
            }),
            _ => map_floats(&mut rows, |at, v| {
                // Multiplying by the inverse loses less precision than dividing twice.
                let inverse = 1.0 / param(0, at, 1.0);
                Some((v * inverse + 0.5).floor() / inverse)
            }),
        }
        Ok(rows)
    }

    fn timestamp(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        let inner = match &node.args[0] {
            Expr::StepInvariant(inner) => inner,
            other => other,
        };
        if let Expr::Vector(selector) = inner {
            return self.sample_times(selector, steps);
        }
        let mut rows = self.rows(&node.args[0], steps)?;
        for row in &mut rows {
            row.drop_name = true;
            for at in 0..steps.count {
                if row.column.is_present(at) {
                    row.column.clear(at);
                    row.column.set_float(at, steps.at(at) as f64 / 1000.0);
                }
            }
        }
        Ok(rows)
    }

    fn absent(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        let rows = self.rows(&node.args[0], steps)?;
        let mut column = Column::floats(vec![1.0; steps.count]);
        for row in &rows {
            for at in 0..steps.count {
                if row.column.is_present(at) {
                    column.clear(at);
                }
            }
        }
        if column.is_empty() {
            return Ok(Vec::new());
        }
        let arg = match &node.args[0] {
            Expr::StepInvariant(inner) => inner,
            other => other,
        };
        Ok(vec![Row { labels: absent_labels(arg), drop_name: false, column }])
    }

    /// Only an instant query has an order other than that of labels.
    fn sorted(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        if steps.count > 1 {
            self.notes.sort_in_range_query(node.span);
        }
        let mut rows = self.rows(&node.args[0], steps)?;
        let by_value = matches!(node.func.name, "sort" | "sort_desc");
        if by_value {
            // Histograms have no order.
            for row in &mut rows {
                for at in 0..steps.count {
                    if row.column.kind(at) == Kind::Histogram {
                        row.column.clear(at);
                    }
                }
            }
            rows.retain(|row| !row.column.is_empty());
        }
        if steps.count != 1 {
            return Ok(rows);
        }
        if by_value {
            let descending = node.func.name == "sort_desc";
            rows.sort_by(|a, b| {
                let (a, b) = (a.column.values[0], b.column.values[0]);
                // NaN goes last in either direction.
                a.is_nan().cmp(&b.is_nan()).then_with(|| {
                    let order = a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal);
                    if descending { order.reverse() } else { order }
                })
            });
        } else {
            let names: Vec<&str> = node.args.iter().skip(1).map(super::text_of).collect();
            super::labels::sort_by_labels(&mut rows, &names);
            if node.func.name == "sort_by_label_desc" {
                rows.reverse();
            }
        }
        Ok(rows)
    }
}

/// The value of the only float at each step, NaN where there is none or several.
fn only_floats(rows: &[Row], count: usize) -> Vec<f64> {
    let at = |at: usize| {
        let mut floats = rows.iter().filter_map(|row| row.column.float(at));
        match (floats.next(), floats.next()) {
            (Some(value), None) => value,
            _ => f64::NAN,
        }
    };
    (0..count).map(at).collect()
}

/// The error for a function that the evaluator does not have, although the parser knows it.
pub(super) fn unknown(name: &str) -> crate::engine::QueryError {
    failed(format_args!("unknown function with name {}", crate::promql::syntax::quote(name)))
}

//! From a source's values to canonical ones: value rules as arithmetic, at one moment and through
//! functions over ranges.

use strata_model::Matcher;
use strata_model::catalog::{Catalog, ValueRule};

use super::Unsupported;
use super::build::{binary, number, scaled};
use crate::promql::syntax::{BinaryOp, Expr};

/// How a function over a range behaves when the values of the range are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Of a sum the sum, of a multiple the multiple.
    Linear,
    /// Of a positive multiple the multiple.
    Scaling,
    /// Of a positive multiple the multiple of the square.
    Square,
    /// The same for every positive multiple.
    Blind,
}

impl Nature {
    /// Of the function with this name; none when it is not a function over a range that is known.
    pub(super) fn of(function: &str) -> Option<Self> {
        Some(match function {
            "rate" | "increase" | "delta" | "irate" | "idelta" | "deriv" | "predict_linear"
            | "sum_over_time" | "avg_over_time" | "last_over_time" | "first_over_time" => {
                Self::Linear
            }
            "min_over_time"
            | "max_over_time"
            | "quantile_over_time"
            | "stddev_over_time"
            | "mad_over_time"
            | "double_exponential_smoothing" => Self::Scaling,
            "stdvar_over_time" => Self::Square,
            "count_over_time"
            | "present_over_time"
            | "changes"
            | "resets"
            | "ts_of_first_over_time"
            | "ts_of_last_over_time"
            | "ts_of_max_over_time"
            | "ts_of_min_over_time" => Self::Blind,
            _ => return None,
        })
    }
}

/// Comparisons that keep values which mean "no value" out; more are not written.
const SENTINELS_MAX: usize = 2;

/// The conditions under which a value of `family` is one: left out by our own collectors, so
/// they have to be said where somebody else collected. None for DCGM's many blanks, which its exporter
/// leaves out itself.
pub(super) fn real(catalog: &Catalog, source: &str, family: &str) -> Vec<(BinaryOp, f64)> {
    let Some(source) = catalog.source(source) else { return Vec::new() };
    let mut conditions = Vec::new();
    for rule in source.sentinels_of(family) {
        conditions.extend(rule.below.map(|limit| (BinaryOp::GreaterEqual, limit)));
        conditions.extend(rule.values.iter().map(|value| (BinaryOp::NotEqual, *value)));
    }
    if conditions.len() > SENTINELS_MAX { Vec::new() } else { conditions }
}

/// The values that fulfil all conditions.
pub(super) fn only(expr: Expr, conditions: &[(BinaryOp, f64)]) -> Expr {
    conditions.iter().fold(expr, |expr, (op, limit)| binary(*op, expr, number(*limit)))
}

/// Apply value rules at one moment. `select` makes the selector of another family of the source;
/// `factors` are the numbers that stand for the label rules, in their order.
pub(super) fn at_one_moment(
    mut expr: Expr,
    rules: &[ValueRule],
    factors: &[f64],
    select: &dyn Fn(&str) -> Expr,
) -> Expr {
    let mut factors = factors.iter();
    for rule in rules {
        let not_zero = |expr| binary(BinaryOp::NotEqual, expr, number(0.0));
        expr = match rule {
            ValueRule::Scale(scale) => scaled(expr, *scale),
            ValueRule::Label(_) => scaled(expr, factors.next().copied().unwrap_or(f64::NAN)),
            ValueRule::Invert => binary(BinaryOp::Div, number(1.0), not_zero(expr)),
            ValueRule::Multiply(family) => binary(BinaryOp::Mul, expr, select(family)),
            ValueRule::Divide(family) => binary(BinaryOp::Div, expr, not_zero(select(family))),
            ValueRule::Plus(family) => binary(BinaryOp::Add, expr, select(family)),
            ValueRule::Minus(family) => binary(BinaryOp::Sub, expr, select(family)),
        };
    }
    expr
}

/// Apply value rules outside of a function over a range; `expr` is the function of the mapping's
/// own family and `apply` makes that of another one.
pub(super) fn over_a_range(
    mut expr: Expr,
    nature: Nature,
    rules: &[ValueRule],
    factors: &[f64],
    apply: &dyn Fn(&str) -> Expr,
) -> Result<Expr, Unsupported> {
    let mut factors = factors.iter();
    for rule in rules {
        expr = match rule {
            ValueRule::Scale(scale) => multiple(expr, nature, *scale)?,
            ValueRule::Label(_) => {
                multiple(expr, nature, factors.next().copied().unwrap_or(f64::NAN))?
            }
            ValueRule::Plus(family) if nature == Nature::Linear => {
                binary(BinaryOp::Add, expr, apply(family))
            }
            ValueRule::Minus(family) if nature == Nature::Linear => {
                binary(BinaryOp::Sub, expr, apply(family))
            }
            other => return Err(Unsupported::pullable(needs_samples(other))),
        };
    }
    Ok(expr)
}

fn multiple(expr: Expr, nature: Nature, factor: f64) -> Result<Expr, Unsupported> {
    match nature {
        Nature::Linear => Ok(scaled(expr, factor)),
        _ if factor <= 0.0 || factor.is_nan() => {
            Err(Unsupported::pullable(format!("values times {factor}")))
        }
        Nature::Scaling => Ok(scaled(expr, factor)),
        Nature::Square => Ok(scaled(expr, factor * factor)),
        Nature::Blind => Ok(expr),
    }
}

fn needs_samples(rule: &ValueRule) -> String {
    match rule {
        ValueRule::Invert => "one over each value".to_owned(),
        ValueRule::Multiply(family) => format!("each value times {family}"),
        ValueRule::Divide(family) => format!("each value per {family}"),
        ValueRule::Plus(family) => format!("each value plus {family}"),
        ValueRule::Minus(family) => format!("each value minus {family}"),
        ValueRule::Scale(factor) => format!("each value times {factor}"),
        ValueRule::Label(label) => format!("each value times the label {label}"),
    }
}

/// The labels whose numbers are factors, in the order of the rules.
pub(super) fn label_rules(rules: &[ValueRule]) -> Vec<String> {
    let labels = rules.iter().filter_map(|rule| match rule {
        ValueRule::Label(label) => Some(label.clone()),
        _ => None,
    });
    labels.collect()
}

/// The numbers in a combination of label values; none when one is no number: such series have no
/// canonical value.
pub(super) fn numbers(tuple: &[String]) -> Option<Vec<f64>> {
    let number = |text: &String| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    tuple.iter().map(number).collect()
}

/// The condition that a series has this combination.
pub(super) fn has_tuple(labels: &[String], tuple: &[String]) -> Vec<Matcher> {
    labels.iter().zip(tuple).map(|(name, value)| Matcher::equal(name, value.as_str())).collect()
}

//! What is done to a tree once the query's times are known and before it is evaluated.

use super::syntax::{
    AtModifier, BinaryOp, DurationExpr, DurationOp, Expr, NumberLiteral, VectorSelector, When,
};
use crate::engine::{QueryError, QueryErrorKind};

/// The times of a query in milliseconds. For an instant query the step is 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryTimes {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) step: i64,
}

/// Functions whose value changes with the evaluation time even if their arguments do not.
const TIME_DEPENDENT: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
    "year",
];

/// Whether the function's value changes with the evaluation time whatever its arguments do.
pub(crate) fn follows_time(name: &str) -> bool {
    TIME_DEPENDENT.contains(&name)
}

/// Replace what depends only on the query's times, and mark what is the same at every step.
///
/// # Errors
/// A duration expression has no usable value.
pub(crate) fn prepare(mut expr: Expr, times: QueryTimes) -> Result<Expr, QueryError> {
    mark_stats(&mut expr, false);
    resolve(&mut expr, times)?;
    let (_, wrap) = mark(&mut expr);
    Ok(if wrap { Expr::StepInvariant(Box::new(expr)) } else { expr })
}

/// Make the query the same for an engine that knows neither this one's defaults nor the newer ways to
/// write a duration: `step()`, `start()` and computed durations become numbers, and a subquery
/// without a step gets `subquery_step_ms`.
///
/// # Errors
/// A duration expression has no usable value.
pub(crate) fn settle(
    expr: &mut Expr,
    times: QueryTimes,
    subquery_step_ms: i64,
) -> Result<(), QueryError> {
    resolve(expr, times)?;
    write_out(expr, subquery_step_ms);
    Ok(())
}

/// Drop the expressions whose values are known, and name every step.
fn write_out(expr: &mut Expr, subquery_step_ms: i64) {
    let below = |expr: &mut Expr| write_out(expr, subquery_step_ms);
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(node) => node.when.offset_expr = None,
        Expr::Matrix(node) => {
            node.range_expr = None;
            node.selector.when.offset_expr = None;
        }
        Expr::Subquery(node) => {
            below(&mut node.expr);
            node.range_expr = None;
            node.step_expr = None;
            node.when.offset_expr = None;
            if node.step_ms == 0 {
                node.step_ms = subquery_step_ms;
            }
        }
        Expr::Call(node) => node.args.iter_mut().for_each(below),
        Expr::Aggregate(node) => {
            below(&mut node.expr);
            node.param.iter_mut().for_each(below);
        }
        Expr::Binary(node) => {
            below(&mut node.lhs);
            below(&mut node.rhs);
        }
        Expr::Unary(node) => below(&mut node.expr),
        Expr::Paren(inner, _) | Expr::StepInvariant(inner) => below(inner),
    }
}

fn resolve(expr: &mut Expr, times: QueryTimes) -> Result<(), QueryError> {
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(node) => resolve_selector(node, times)?,
        Expr::Matrix(node) => {
            resolve_length(&mut node.range_ms, node.range_expr.as_ref(), times)?;
            resolve_selector(&mut node.selector, times)?;
        }
        Expr::Subquery(node) => {
            resolve_when(&mut node.when, times)?;
            resolve_length(&mut node.step_ms, node.step_expr.as_ref(), times)?;
            resolve_length(&mut node.range_ms, node.range_expr.as_ref(), times)?;
            resolve(&mut node.expr, times)?;
        }
        Expr::Call(node) => {
            let seconds = match node.func.name {
                "start" => Some(times.start as f64 / 1000.0),
                "end" => Some(times.end as f64 / 1000.0),
                "range" => Some(times.end.saturating_sub(times.start) as f64 / 1000.0),
                "step" if times.start == times.end => Some(0.0),
                "step" => Some(times.step as f64 / 1000.0),
                _ => None,
            };
            if let Some(value) = seconds {
                let span = node.span;
                *expr = Expr::Number(NumberLiteral { value, duration: false, span });
                return Ok(());
            }
            for arg in &mut node.args {
                unwrap_parens(arg);
                resolve(arg, times)?;
            }
        }
        Expr::Aggregate(node) => {
            unwrap_parens(&mut node.expr);
            resolve(&mut node.expr, times)?;
            if let Some(param) = &mut node.param {
                unwrap_parens(param);
                resolve(param, times)?;
            }
        }
        Expr::Binary(node) => {
            resolve(&mut node.lhs, times)?;
            resolve(&mut node.rhs, times)?;
        }
        Expr::Unary(node) => resolve(&mut node.expr, times)?,
        Expr::Paren(inner, _) | Expr::StepInvariant(inner) => resolve(inner, times)?,
    }
    Ok(())
}

/// Find the selectors of whose histograms only count and sum are used: below a function that needs
/// no more, and with nothing around them that needs all buckets.
fn mark_stats(expr: &mut Expr, below_stats: bool) {
    match expr {
        Expr::Number(_) | Expr::String(_) | Expr::Subquery(_) => {}
        Expr::Vector(node) => node.stats_only = below_stats,
        Expr::Matrix(node) => node.selector.stats_only = below_stats,
        Expr::Call(node) => {
            let below = match node.func.name {
                "histogram_count" | "histogram_sum" | "histogram_avg" => true,
                "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => return,
                _ => below_stats,
            };
            node.args.iter_mut().for_each(|arg| mark_stats(arg, below));
        }
        Expr::Aggregate(node) => mark_stats(&mut node.expr, below_stats),
        Expr::Binary(node) => {
            if !matches!(node.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) {
                mark_stats(&mut node.lhs, below_stats);
                mark_stats(&mut node.rhs, below_stats);
            }
        }
        Expr::Unary(node) => mark_stats(&mut node.expr, below_stats),
        Expr::Paren(inner, _) | Expr::StepInvariant(inner) => mark_stats(inner, below_stats),
    }
}

fn unwrap_parens(expr: &mut Expr) {
    while let Expr::Paren(inner, span) = expr {
        let placeholder = NumberLiteral { value: 0.0, duration: false, span: *span };
        *expr = std::mem::replace(inner.as_mut(), Expr::Number(placeholder));
    }
}

fn resolve_selector(node: &mut VectorSelector, times: QueryTimes) -> Result<(), QueryError> {
    resolve_when(&mut node.when, times)
}

fn resolve_when(when: &mut When, times: QueryTimes) -> Result<(), QueryError> {
    match when.at {
        Some(AtModifier::Start) => when.at = Some(AtModifier::Time(times.start)),
        Some(AtModifier::End) => when.at = Some(AtModifier::Time(times.end)),
        Some(AtModifier::Time(_)) | None => {}
    }
    if let Some(expr) = &when.offset_expr {
        when.offset_ms = duration_ms(expr, times, true)?;
    }
    Ok(())
}

fn resolve_length(
    ms: &mut i64,
    expr: Option<&DurationExpr>,
    times: QueryTimes,
) -> Result<(), QueryError> {
    if let Some(expr) = expr {
        *ms = duration_ms(expr, times, false)?;
    }
    Ok(())
}

fn duration_ms(expr: &DurationExpr, times: QueryTimes, signed: bool) -> Result<i64, QueryError> {
    let span = expr.span();
    let seconds = duration_seconds(expr, times)?;
    let problem = if !seconds.is_finite() {
        "duration is NaN or infinite"
    } else if seconds <= 0.0 && !signed {
        "duration must be greater than 0"
    } else if seconds.abs() > i64::MAX as f64 / 1e9 {
        "duration is out of range"
    } else {
        return Ok((seconds * 1000.0) as i64);
    };
    // Prometheus prints byte positions here, not line and column.
    Err(bad_duration(span.start, span.end, problem))
}

fn bad_duration(start: usize, end: usize, problem: &str) -> QueryError {
    QueryError::new(QueryErrorKind::BadData, format!("{start}:{end}: {problem}"))
}

fn duration_seconds(expr: &DurationExpr, times: QueryTimes) -> Result<f64, QueryError> {
    Ok(match expr {
        DurationExpr::Number(node) => node.value,
        DurationExpr::Step(_) => times.step as f64 / 1000.0,
        DurationExpr::Range(_) => times.end.saturating_sub(times.start) as f64 / 1000.0,
        DurationExpr::Paren(inner, _) => duration_seconds(inner, times)?,
        DurationExpr::Unary { negate, inner, .. } => {
            let value = duration_seconds(inner, times)?;
            if *negate { -value } else { value }
        }
        DurationExpr::Binary { op, lhs, rhs, span } => {
            let (l, r) = (duration_seconds(lhs, times)?, duration_seconds(rhs, times)?);
            match op {
                DurationOp::Add => l + r,
                DurationOp::Sub => l - r,
                DurationOp::Mul => l * r,
                DurationOp::Div if r == 0.0 => {
                    return Err(bad_duration(span.start, span.end, "division by zero"));
                }
                DurationOp::Div => l / r,
                DurationOp::Mod if r == 0.0 => {
                    return Err(bad_duration(span.start, span.end, "modulo by zero"));
                }
                DurationOp::Mod => l % r,
                DurationOp::Pow => l.powf(r),
                DurationOp::MinOf => min_of(l, r),
                DurationOp::MaxOf => max_of(l, r),
            }
        }
    })
}

/// The smaller one; NaN when either is, except that minus infinity wins (as in Go's `math.Min`).
pub(crate) fn min_of(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

/// The larger one; NaN when either is, except that infinity wins (as in Go's `math.Max`).
pub(crate) fn max_of(a: f64, b: f64) -> f64 {
    -min_of(-a, -b)
}

/// Whether the value is the same at every step, and whether it pays to wrap the node.
/// Children that are while their parent is not are wrapped on the way.
fn mark(expr: &mut Expr) -> (bool, bool) {
    match expr {
        Expr::Number(_) | Expr::String(_) => (true, false),
        Expr::Vector(node) => (node.when.at.is_some(), node.when.at.is_some()),
        Expr::Matrix(node) => (node.selector.when.at.is_some(), false),
        Expr::Subquery(node) => {
            if mark(&mut node.expr).0 {
                wrap(&mut node.expr);
            }
            (node.when.at.is_some(), false)
        }
        Expr::Call(node) => {
            let marks: Vec<(bool, bool)> = node.args.iter_mut().map(mark).collect();
            let args = marks.iter().all(|(same, _)| *same);
            let time_dependent = follows_time(node.func.name);
            let timestamps = node.func.name == "timestamp"
                && node.args.iter().all(|arg| matches!(arg, Expr::Vector(_)));
            if args && (!time_dependent || timestamps) {
                return (true, true);
            }
            for (arg, (_, wanted)) in node.args.iter_mut().zip(marks) {
                if wanted {
                    wrap(arg);
                }
            }
            (false, false)
        }
        Expr::Aggregate(node) => {
            let (same, wanted) = mark(&mut node.expr);
            let param = node.param.as_mut().map_or((true, false), mark);
            if same && param.0 {
                return (true, wanted);
            }
            if wanted {
                wrap(&mut node.expr);
            }
            (false, false)
        }
        Expr::Binary(node) => {
            let (l, wrap_l) = mark(&mut node.lhs);
            let (r, wrap_r) = mark(&mut node.rhs);
            if l && r {
                return (true, true);
            }
            if wrap_l {
                wrap(&mut node.lhs);
            }
            if wrap_r {
                wrap(&mut node.rhs);
            }
            (false, false)
        }
        Expr::Unary(node) => mark(&mut node.expr),
        Expr::Paren(inner, _) | Expr::StepInvariant(inner) => mark(inner),
    }
}

fn wrap(expr: &mut Expr) {
    let span = expr.span();
    let placeholder = Expr::Number(NumberLiteral { value: 0.0, duration: false, span });
    let inner = std::mem::replace(expr, placeholder);
    *expr = Expr::StepInvariant(Box::new(inner));
}

//! The evaluator: one visit per node, all steps at once.

mod aggregate;
mod binary;
mod dates;
mod distribution;
mod elementwise;
mod extended;
mod finish;
mod frames;
mod histograms;
mod info;
mod instant;
mod kahan;
mod labels;
mod matching;
mod over_time;
mod quantile;
mod range;
mod ranked;
mod rate;
mod regression;
mod shared;
mod starts;
mod stream;
mod windows;

use std::fmt;

use strata_model::{Grouping, SelectError, SeriesSource};

use super::notes::Notes;
use super::prepare::{QueryTimes, prepare};
use super::syntax::{Call, Expr, ValueType, parse};
use super::value::{Row, Steps, Value};
use crate::engine::{Answer, QueryError, QueryErrorKind, QueryValue};
pub use crate::projected::Projections;
pub use shared::SharedResults;

/// Why an evaluation should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// Nobody waits for the answer any more.
    Canceled,
    /// The time allowed is over.
    TimedOut,
}

/// Bounds and defaults of an evaluation. Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvalOptions {
    /// How far back an instant selector looks for a sample.
    pub lookback_ms: i64,
    /// Step of a subquery that names none.
    pub subquery_step_ms: i64,
    /// Samples held in memory at one time.
    pub max_samples: u64,
    /// Series one selector may return.
    pub max_series: usize,
}

impl Default for EvalOptions {
    /// Prometheus's defaults; the bound on series keeps one careless selector from taking the
    /// memory of all others (a million label sets of 300 bytes are 300 MB).
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            subquery_step_ms: 60_000,
            max_samples: 50_000_000,
            max_series: 1_000_000,
        }
    }
}

/// What to evaluate, and when.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    pub text: &'a str,
    pub start_ms: i64,
    pub end_ms: i64,
    /// `None` evaluates once, at `start_ms`.
    pub step_ms: Option<i64>,
}

/// Asked whether to stop, by every thread that takes part in an evaluation.
pub type Interrupt<'a> = dyn Fn() -> Option<Interrupted> + Sync + 'a;

/// Evaluate a query over a source. `interrupt` is asked often and cheaply.
///
/// # Errors
/// The text is not a query, the query cannot be evaluated or exceeds a bound, or the source fails.
pub fn evaluate(
    source: &dyn SeriesSource,
    query: &Query<'_>,
    options: &EvalOptions,
    interrupt: &Interrupt<'_>,
) -> Result<Answer, QueryError> {
    evaluate_shared(source, query, options, interrupt, None)
}

/// As [`evaluate`], using and adding to what other queries of the same moment have evaluated. A
/// warning about a shared part is given with the first query that evaluates it.
///
/// # Errors
/// Those of [`evaluate`].
pub fn evaluate_shared(
    source: &dyn SeriesSource,
    query: &Query<'_>,
    options: &EvalOptions,
    interrupt: &Interrupt<'_>,
    shared: Option<&SharedResults>,
) -> Result<Answer, QueryError> {
    let expr = parse(query.text)
        .map_err(|error| QueryError::new(QueryErrorKind::BadData, error.to_string()))?;
    let (start, end) = (query.start_ms, query.end_ms);
    let times = match query.step_ms {
        Some(step) => QueryTimes { start, end, step },
        None => QueryTimes { start, end: start, step: 0 },
    };
    let value_type = expr.value_type();
    if query.step_ms.is_some() && !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
        let name = super::syntax::quote(value_type.documented());
        let message = format!(
            "invalid expression type {name} for range query, must be Scalar or instant Vector"
        );
        return Err(QueryError::new(QueryErrorKind::BadData, message));
    }
    let expr = prepare(expr, times)?;
    let notes = Notes::default();
    let shared = shared.filter(|_| !shared::reads_less(query.text));
    let sums = Vec::new();
    let any_order = false;
    let mut evaluator =
        Evaluator { source, options, interrupt, notes, live: 0, sums, shared, any_order };
    let value = match query.step_ms {
        None => evaluator.instant_answer(&expr, start)?,
        Some(step) => {
            let steps = Steps::between(start, end, step);
            let value = evaluator.eval(&expr, steps)?;
            finish::range_value(value, steps)?
        }
    };
    Ok(Answer { value, annotations: evaluator.notes.into_annotations(query.text) })
}

pub(super) type Outcome<T> = Result<T, QueryError>;

/// An evaluation error in Prometheus's words.
pub(super) fn failed(message: impl fmt::Display) -> QueryError {
    QueryError::new(QueryErrorKind::Execution, message.to_string())
}

const SAME_LABELSET: &str = "vector cannot contain metrics with the same labelset";

/// Stop when nobody waits any more or time is up.
fn poll(interrupt: &Interrupt<'_>) -> Outcome<()> {
    let (kind, what) = match interrupt() {
        None => return Ok(()),
        Some(Interrupted::Canceled) => (QueryErrorKind::Canceled, "was canceled"),
        Some(Interrupted::TimedOut) => (QueryErrorKind::Timeout, "timed out"),
    };
    Err(QueryError::new(kind, format!("query {what} in expression evaluation")))
}

/// Refuse to hold more than `most` samples in memory.
fn check_held(live: u64, most: u64) -> Outcome<()> {
    if live > most {
        let message = "query processing would load too many samples into memory in query execution";
        return Err(failed(message));
    }
    Ok(())
}

/// One query being evaluated.
pub(super) struct Evaluator<'a> {
    source: &'a dyn SeriesSource,
    options: &'a EvalOptions,
    interrupt: &'a Interrupt<'a>,
    notes: Notes,
    /// Samples held in memory now.
    live: u64,
    /// The aggregations around the node that is being evaluated, outermost first.
    sums: Vec<Grouping>,
    shared: Option<&'a SharedResults>,
    /// Whether what is selected now is added up, so that its order says nothing.
    any_order: bool,
}

impl Evaluator<'_> {
    fn instant_answer(&mut self, expr: &Expr, at: i64) -> Outcome<QueryValue> {
        match expr.unwrapped() {
            Expr::Matrix(node) => {
                let input = self.range_selector(node, Steps::one(at))?;
                Ok(finish::matrix_value(input.into_points()))
            }
            Expr::Subquery(node) => {
                let input = self.subquery(node, Steps::one(at))?;
                Ok(finish::matrix_value(input.into_points()))
            }
            other => {
                let value = self.eval(other, Steps::one(at))?;
                finish::instant_value(value, at)
            }
        }
    }

    /// Stop when nobody waits any more or time is up.
    fn poll(&self) -> Outcome<()> {
        poll(self.interrupt)
    }

    /// Count samples taken into memory.
    fn hold(&mut self, samples: u64) -> Outcome<()> {
        self.live = self.live.saturating_add(samples);
        check_held(self.live, self.options.max_samples)
    }

    fn select_failed(error: &SelectError) -> QueryError {
        let kind = match error {
            SelectError::Limit(_) => QueryErrorKind::Execution,
            SelectError::Storage(_) => QueryErrorKind::Internal,
        };
        QueryError::new(kind, format!("expanding series: {error}"))
    }

    /// The value of a node at all steps.
    fn eval(&mut self, expr: &Expr, steps: Steps) -> Outcome<Value> {
        self.poll()?;
        let before = self.live;
        let value = self.eval_node(expr, steps)?;
        // What the children held is gone; the value stays.
        self.live = before;
        self.hold(value.samples())?;
        Ok(value)
    }

    fn eval_node(&mut self, expr: &Expr, steps: Steps) -> Outcome<Value> {
        match expr {
            Expr::Number(node) => Ok(Value::Scalar(vec![node.value; steps.count])),
            Expr::String(node) => Ok(Value::Text(node.value.clone())),
            expr if aggregate::is_selection(expr) => {
                self.selection(expr.unwrapped(), steps).map(Value::Vector)
            }
            Expr::Call(node) => self.call(node, steps),
            Expr::Aggregate(node) => self.shared_aggregate(node, expr, steps).map(Value::Vector),
            Expr::Binary(node) => self.binary(node, steps),
            Expr::Unary(node) => {
                let value = self.eval(&node.expr, steps)?;
                Ok(if node.negate { elementwise::negate(value) } else { value })
            }
            Expr::Paren(inner, _) => self.eval(inner, steps),
            Expr::StepInvariant(inner) => self.step_invariant(inner, steps),
            Expr::Vector(_) | Expr::Matrix(_) | Expr::Subquery(_) => {
                // Selectors are selections. The type check lets ranges stand only as arguments and
                // at the top.
                Err(failed("a range vector cannot be evaluated here"))
            }
        }
    }

    fn step_invariant(&mut self, inner: &Expr, steps: Steps) -> Outcome<Value> {
        if steps.count == 0 {
            return self.eval(inner, steps);
        }
        let value = self.eval(inner, Steps::one(steps.start))?;
        Ok(match value {
            Value::Scalar(values) => {
                Value::Scalar(vec![values.first().copied().unwrap_or(f64::NAN); steps.count])
            }
            Value::Vector(rows) => {
                self.hold(rows.len() as u64 * steps.count as u64)?;
                Value::Vector(
                    rows.into_iter()
                        .map(|row| Row { column: row.column.repeated(steps.count), ..row })
                        .collect(),
                )
            }
            text @ Value::Text(_) => text,
        })
    }

    /// The value of an expression of type instant vector.
    fn rows(&mut self, expr: &Expr, steps: Steps) -> Outcome<Vec<Row>> {
        match self.eval(expr, steps)? {
            Value::Vector(rows) => Ok(rows),
            _ => Err(failed("expected an instant vector")),
        }
    }

    /// The value of an expression of type scalar.
    fn scalars(&mut self, expr: &Expr, steps: Steps) -> Outcome<Vec<f64>> {
        match self.eval(expr, steps)? {
            Value::Scalar(values) => Ok(values),
            _ => Err(failed("expected a scalar")),
        }
    }

    fn call(&mut self, node: &Call, steps: Steps) -> Outcome<Value> {
        let ranged =
            node.args.iter().position(|arg| matches!(arg, Expr::Matrix(_) | Expr::Subquery(_)));
        if let Some(at) = ranged {
            return self.range_function(node, at, steps).map(Value::Vector);
        }
        match node.func.name {
            "label_replace" => self.label_replace(node, steps).map(Value::Vector),
            "label_join" => self.label_join(node, steps).map(Value::Vector),
            "info" => self.info(node, steps).map(Value::Vector),
            _ => self.vector_function(node, steps),
        }
    }
}

/// A string argument that names a label, unless it cannot.
fn label_of(expr: &Expr) -> Option<&str> {
    match expr.unwrapped() {
        Expr::String(node) if node.not_utf8.is_none() && !node.value.is_empty() => {
            Some(&node.value)
        }
        _ => None,
    }
}

/// The text of a string argument.
fn text_of(expr: &Expr) -> &str {
    match expr.unwrapped() {
        Expr::String(node) => &node.value,
        _ => "",
    }
}

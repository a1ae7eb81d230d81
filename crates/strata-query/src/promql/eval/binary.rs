//! Binary operators between scalars, vectors, and one of each.

use super::{Evaluator, Outcome, histograms};
use crate::promql::notes::Notes;
use crate::promql::syntax::{Binary, BinaryOp, Span, ValueType};
use crate::promql::value::{Cell, Kind, Row, Steps, Value};

/// What an operator does with two floats.
#[derive(Clone, Copy)]
pub(super) enum FloatOp {
    Arithmetic(fn(f64, f64) -> f64),
    Comparison(fn(&f64, &f64) -> bool),
    /// Operators that are only for histograms.
    None,
}

/// The meaning of an operator for floats. Set operators have none.
pub(super) fn float_op(op: BinaryOp) -> FloatOp {
    match op {
        BinaryOp::Add => FloatOp::Arithmetic(|a, b| a + b),
        BinaryOp::Sub => FloatOp::Arithmetic(|a, b| a - b),
        BinaryOp::Mul => FloatOp::Arithmetic(|a, b| a * b),
        BinaryOp::Div => FloatOp::Arithmetic(|a, b| a / b),
        BinaryOp::Mod => FloatOp::Arithmetic(|a, b| a % b),
        BinaryOp::Pow => FloatOp::Arithmetic(f64::powf),
        BinaryOp::Atan2 => FloatOp::Arithmetic(f64::atan2),
        BinaryOp::Equal => FloatOp::Comparison(f64::eq),
        BinaryOp::NotEqual => FloatOp::Comparison(f64::ne),
        BinaryOp::Greater => FloatOp::Comparison(f64::gt),
        BinaryOp::Less => FloatOp::Comparison(f64::lt),
        BinaryOp::GreaterEqual => FloatOp::Comparison(f64::ge),
        BinaryOp::LessEqual => FloatOp::Comparison(f64::le),
        BinaryOp::TrimUpper
        | BinaryOp::TrimLower
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Unless => FloatOp::None,
    }
}

/// The result of two cells, and whether a comparison keeps it; `None` when the kinds do not fit.
pub(super) fn cells(
    notes: &mut Notes,
    op: BinaryOp,
    left: &Cell,
    right: &Cell,
    span: Span,
) -> Option<(Cell, bool)> {
    match (left, right) {
        (Cell::Float(a), Cell::Float(b)) => match float_op(op) {
            FloatOp::Arithmetic(f) => Some((Cell::Float(f(*a, *b)), true)),
            FloatOp::Comparison(f) => Some((Cell::Float(*a), f(a, b))),
            FloatOp::None => {
                notes.incompatible_types("float", op.text(), "float", span);
                None
            }
        },
        _ => histograms::binary(notes, op, left, right, span),
    }
}

fn as_number(truth: bool) -> f64 {
    if truth { 1.0 } else { 0.0 }
}

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, node: &Binary, steps: Steps) -> Outcome<Value> {
        let scalar = |expr: &crate::promql::syntax::Expr| expr.value_type() == ValueType::Scalar;
        match (scalar(&node.lhs), scalar(&node.rhs)) {
            (true, true) => {
                let left = self.scalars(&node.lhs, steps)?;
                let right = self.scalars(&node.rhs, steps)?;
                Ok(Value::Scalar(scalars(node.op, left, &right)))
            }
            (false, true) => {
                let rows = self.rows(&node.lhs, steps)?;
                let right = self.scalars(&node.rhs, steps)?;
                Ok(Value::Vector(self.with_scalar(node, rows, &right, false)))
            }
            (true, false) => {
                let left = self.scalars(&node.lhs, steps)?;
                let rows = self.rows(&node.rhs, steps)?;
                Ok(Value::Vector(self.with_scalar(node, rows, &left, true)))
            }
            (false, false) => {
                let left = self.rows(&node.lhs, steps)?;
                if self.is_enough(node, &left) {
                    return Ok(Value::Vector(left));
                }
                let right = self.rows(&node.rhs, steps)?;
                let rows = if node.op.is_set() {
                    super::matching::set_operation(self.projections(), node, left, right, steps)?
                } else {
                    self.vectors(node, &left, &right, steps)?
                };
                Ok(Value::Vector(rows))
            }
        }
    }

    /// A vector and a scalar; `scalar_left` when the scalar is the left operand.
    fn with_scalar(
        &mut self,
        node: &Binary,
        mut rows: Vec<Row>,
        scalars: &[f64],
        scalar_left: bool,
    ) -> Vec<Row> {
        let span = node.span();
        let operation = float_op(node.op);
        for row in &mut rows {
            row.drop_name |= node.op.changes_meaning() || node.return_bool;
            for (at, scalar) in scalars.iter().enumerate() {
                if row.column.kind(at) == Kind::Float {
                    let value = row.column.values[at];
                    let (a, b) = if scalar_left { (*scalar, value) } else { (value, *scalar) };
                    match operation {
                        FloatOp::Arithmetic(f) => row.column.values[at] = f(a, b),
                        FloatOp::Comparison(f) if node.return_bool => {
                            row.column.values[at] = as_number(f(&a, &b));
                        }
                        FloatOp::Comparison(f) => {
                            if !f(&a, &b) {
                                row.column.clear(at);
                            }
                        }
                        FloatOp::None => {
                            self.notes.incompatible_types("float", node.op.text(), "float", span);
                            row.column.clear(at);
                        }
                    }
                } else if let Some(cell) = row.column.cell(at) {
                    let scalar = Cell::Float(*scalar);
                    let (a, b) = if scalar_left { (&scalar, &cell) } else { (&cell, &scalar) };
                    row.column.clear(at);
                    match cells(&mut self.notes, node.op, a, b, span) {
                        Some((_, keep)) if node.return_bool => {
                            row.column.set_float(at, as_number(keep));
                        }
                        Some((value, true)) => row.column.set(at, value),
                        Some((_, false)) | None => {}
                    }
                }
            }
        }
        rows.retain(|row| !row.column.is_empty());
        rows
    }
}

fn scalars(op: BinaryOp, mut left: Vec<f64>, right: &[f64]) -> Vec<f64> {
    for (a, b) in left.iter_mut().zip(right) {
        *a = match float_op(op) {
            FloatOp::Arithmetic(f) => f(*a, *b),
            FloatOp::Comparison(f) => as_number(f(a, b)),
            FloatOp::None => f64::NAN,
        };
    }
    left
}

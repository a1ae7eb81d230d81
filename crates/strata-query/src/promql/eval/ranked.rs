//! Aggregations that pick series of a group: `topk`, `bottomk`, `limitk`, `limit_ratio`.

use std::cmp::Ordering;

use strata_model::histogram::format_number;

use super::aggregate::Groups;
use super::{Evaluator, Outcome, failed};
use crate::promql::syntax::{Aggregate, AggregateOp, Expr};
use crate::promql::value::{Column, Kind, Row, Steps};

/// Where a whole number no longer fits a signed 64-bit one.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

impl Evaluator<'_> {
    pub(super) fn ranked(
        &mut self,
        node: &Aggregate,
        rows: &[Row],
        groups: &Groups,
        params: &[f64],
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        if !self.check_params(node, params)? {
            return Ok(Vec::new());
        }
        let mut members = vec![Vec::new(); groups.labels.len()];
        for (row, group) in groups.of_row.iter().enumerate() {
            members[*group].push(row);
        }
        let mut columns: Vec<Option<Column>> = vec![None; rows.len()];
        // Rows in the order they were picked, which is the order of an instant query's answer.
        let mut order = Vec::new();
        for group in &members {
            for at in 0..steps.count {
                let param = params.get(at).copied().unwrap_or(f64::NAN);
                for row in self.pick(node, rows, group, at, param) {
                    let column = columns[row].get_or_insert_with(|| {
                        order.push(row);
                        Column::absent(steps.count)
                    });
                    if let Some(cell) = rows[row].column.cell(at) {
                        column.set(at, cell);
                    }
                }
            }
        }
        let row = |at: usize| {
            let column = columns[at].take()?;
            Some(Row { labels: rows[at].labels.clone(), drop_name: rows[at].drop_name, column })
        };
        Ok(order.into_iter().filter_map(row).collect())
    }

    /// False when no step can pick anything.
    fn check_params(&mut self, node: &Aggregate, params: &[f64]) -> Outcome<bool> {
        let most = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = params.iter().copied().fold(f64::INFINITY, f64::min);
        let any_nan = params.iter().any(|param| param.is_nan());
        if node.op == AggregateOp::LimitRatio {
            if any_nan {
                return Err(failed("Ratio value is NaN"));
            }
            let span = node.param.as_ref().map(Expr::span).unwrap_or_default();
            if most > 1.0 {
                self.notes.invalid_ratio(most, 1.0, span);
            }
            if least < -1.0 {
                self.notes.invalid_ratio(least, -1.0, span);
            }
            return Ok(most != 0.0 || least != 0.0);
        }
        if !any_nan && most < 1.0 {
            return Ok(false);
        }
        if any_nan {
            return Err(failed("Parameter value is NaN"));
        }
        if least <= -TOO_LARGE {
            let value = format_number(least);
            return Err(failed(format_args!("Scalar value {value} underflows int64")));
        }
        if most >= TOO_LARGE {
            let value = format_number(most);
            return Err(failed(format_args!("Scalar value {value} overflows int64")));
        }
        Ok(true)
    }

    /// The rows of a group that are picked at a step, best first.
    fn pick(
        &mut self,
        node: &Aggregate,
        rows: &[Row],
        group: &[usize],
        at: usize,
        param: f64,
    ) -> Vec<usize> {
        let mut present: Vec<usize> =
            group.iter().copied().filter(|row| rows[*row].column.is_present(at)).collect();
        if node.op == AggregateOp::LimitRatio {
            present.retain(|row| in_ratio(&rows[*row], param.clamp(-1.0, 1.0)));
            return present;
        }
        if param < 1.0 {
            return Vec::new();
        }
        if node.op != AggregateOp::Limitk {
            let all = present.len();
            present.retain(|row| rows[*row].column.kind(at) == Kind::Float);
            if present.len() < all {
                self.notes.ignored_in_aggregation(node.op.text(), node.span);
            }
            let descending = node.op == AggregateOp::Topk;
            present.sort_by(|a, b| {
                let (a, b) = (rows[*a].column.values[at], rows[*b].column.values[at]);
                a.is_nan().cmp(&b.is_nan()).then_with(|| {
                    let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
                    if descending { order.reverse() } else { order }
                })
            });
        }
        present.truncate(param as usize);
        present
    }
}

/// Whether the hash of a series, as a fraction of all hashes, lies in the ratio; a negative ratio
/// takes the complement. Prometheus hashes its own encoding of labels with XXH64; up to 127 bytes a
/// text it is the same as ours, so that the same series are picked.
fn in_ratio(row: &Row, ratio: f64) -> bool {
    let hash = xxhash_rust::xxh64::xxh64(row.labels.encoded(), 0);
    let fraction = hash as f64 / u64::MAX as f64;
    if ratio >= 0.0 { ratio != 0.0 && fraction < ratio } else { fraction >= 1.0 + ratio }
}

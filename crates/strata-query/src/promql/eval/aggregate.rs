//! Aggregations that make one series of a group.

use rustc_hash::FxHashMap;
use strata_model::{Grouping, Labels};

use super::kahan::{KahanSum, Mean};
use super::quantile::quantile;
use super::shared::Shareable;
use super::{Evaluator, Outcome, failed, histograms};
use crate::projected::{Counting, Order, Projected, Projections, project};
use crate::promql::syntax::{Aggregate, AggregateOp, Expr, format_float, quote};
use crate::promql::value::{Cell, Column, Kind, Row, Steps};

/// Which group each row belongs to.
pub(super) struct Groups {
    pub(super) of_row: Vec<usize>,
    pub(super) labels: Vec<Labels>,
}

impl Groups {
    pub(super) fn new(
        memo: Option<&Projections>,
        rows: &[Row],
        (grouping, without): (&[String], bool),
        order: Order,
    ) -> Self {
        let counting = Counting { labels: grouping, only: !without };
        if grouping.is_empty() && !without {
            // One group of all; that of none has no labels either.
            let labels = if rows.is_empty() { Vec::new() } else { vec![Labels::empty()] };
            return Self { of_row: vec![0; rows.len()], labels };
        }
        let labels = rows.iter().map(|row| &row.labels);
        let Projected { of_row, labels } = project(memo, (labels, rows.len()), counting, order);
        Self { of_row, labels }
    }
}

fn group_labels(labels: &Labels, grouping: &[String], without: bool) -> Labels {
    Counting { labels: grouping, only: !without }.of(labels)
}

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, node: &Aggregate, steps: Steps) -> Outcome<Vec<Row>> {
        if node.op == AggregateOp::CountValues {
            return self.count_values(node, steps);
        }
        let params = match &node.param {
            Some(param) => self.scalars(param, steps)?,
            None => Vec::new(),
        };
        // Those that choose series add nothing up.
        let chooses = matches!(
            node.op,
            AggregateOp::Topk
                | AggregateOp::Bottomk
                | AggregateOp::Limitk
                | AggregateOp::LimitRatio
        );
        if !chooses {
            self.sums.push(Grouping { labels: node.grouping.clone(), without: node.without });
        }
        let any_order = !chooses && is_selection(&node.expr);
        let outer = std::mem::replace(&mut self.any_order, any_order);
        let rows = if any_order {
            self.held_selection(node.expr.unwrapped(), steps)
        } else {
            self.rows(&node.expr, steps).map(Shareable::Own)
        };
        self.any_order = outer;
        if !chooses {
            self.sums.pop();
        }
        // Rows in no order are put in order by their groups.
        let order = if any_order { Order::Labels } else { Order::Met };
        self.grouped(node, &rows?, (&params, order), steps)
    }

    /// A selection that is looked at where it lies.
    fn held_selection(&mut self, expr: &Expr, steps: Steps) -> Outcome<Shareable> {
        let before = self.live;
        let rows = self.selected(expr, steps)?;
        self.live = before;
        self.hold(rows.iter().map(|row| row.column.len() as u64).sum())?;
        Ok(rows)
    }

    fn grouped(
        &mut self,
        node: &Aggregate,
        rows: &[Row],
        (params, order): (&[f64], Order),
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        let grouping = (&*node.grouping, node.without);
        let groups = Groups::new(self.projections(), rows, grouping, order);
        match node.op {
            AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => self.ranked(node, rows, &groups, params, steps),
            AggregateOp::Quantile => {
                self.note_quantiles(params, node);
                Ok(self.gathered(node, rows, &groups, params, steps))
            }
            _ if rows.iter().any(|row| row.column.has_histograms()) => {
                Ok(self.gathered(node, rows, &groups, params, steps))
            }
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                Ok(self.gathered(node, rows, &groups, params, steps))
            }
            _ => Ok(columnar(node.op, rows, &groups, steps)),
        }
    }

    fn note_quantiles(&mut self, params: &[f64], node: &Aggregate) {
        let span = node.param.as_ref().map(Expr::span).unwrap_or_default();
        if params.iter().any(|q| q.is_nan()) {
            self.notes.invalid_quantile(f64::NAN, span);
        }
        let most = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = params.iter().copied().fold(f64::INFINITY, f64::min);
        if most > 1.0 {
            self.notes.invalid_quantile(most, span);
        }
        if least < 0.0 {
            self.notes.invalid_quantile(least, span);
        }
    }

    /// Aggregate by looking at all cells of a group and step together.
    fn gathered(
        &mut self,
        node: &Aggregate,
        rows: &[Row],
        groups: &Groups,
        params: &[f64],
        steps: Steps,
    ) -> Vec<Row> {
        let mut members = vec![Vec::new(); groups.labels.len()];
        for (row, group) in groups.of_row.iter().enumerate() {
            members[*group].push(row);
        }
        let mut out = Vec::with_capacity(members.len());
        let mut floats = Vec::new();
        for (group, member_rows) in members.iter().enumerate() {
            let mut column = Column::absent(steps.count);
            let mut drop_name = false;
            for at in 0..steps.count {
                floats.clear();
                let mut with_histogram = Vec::new();
                for row in member_rows.iter().map(|row| &rows[*row]) {
                    match row.column.kind(at) {
                        Kind::Absent => continue,
                        Kind::Float => floats.push(row.column.values[at]),
                        Kind::Histogram => with_histogram.push(row),
                    }
                    drop_name |= row.drop_name;
                }
                let q = params.get(at).copied().unwrap_or(f64::NAN);
                if let Some(cell) = self.aggregate_cells(node, &mut floats, &with_histogram, at, q)
                {
                    column.set(at, cell);
                }
            }
            if !column.is_empty() {
                out.push(Row { labels: groups.labels[group].clone(), drop_name, column });
            }
        }
        out
    }

    fn aggregate_cells(
        &mut self,
        node: &Aggregate,
        floats: &mut [f64],
        with_histogram: &[&Row],
        at: usize,
        q: f64,
    ) -> Option<Cell> {
        let op = node.op;
        let span = node.expr.span();
        let all = floats.len() + with_histogram.len();
        if all == 0 {
            return None;
        }
        match op {
            AggregateOp::Count => return Some(Cell::Float(all as f64)),
            AggregateOp::Group => return Some(Cell::Float(1.0)),
            AggregateOp::Sum | AggregateOp::Avg if !with_histogram.is_empty() => {
                if !floats.is_empty() {
                    self.notes.mixed_in_aggregation(span);
                    return None;
                }
                let mean = op == AggregateOp::Avg;
                return histograms::aggregate(&mut self.notes, with_histogram, at, mean, span);
            }
            _ => {}
        }
        if !with_histogram.is_empty() {
            self.notes.ignored_in_aggregation(op.text(), span);
        }
        let (first, rest) = floats.split_first()?;
        let value = match op {
            AggregateOp::Sum => {
                let mut total = KahanSum::starting_at(*first);
                for value in rest {
                    total.add(*value);
                }
                total.sum + total.lost
            }
            AggregateOp::Avg => {
                let mut mean = Mean::starting_at(*first);
                for value in rest {
                    mean.add(*value);
                }
                mean.value()
            }
            AggregateOp::Min => rest.iter().fold(*first, |best, v| smaller(best, *v)),
            AggregateOp::Max => rest.iter().fold(*first, |best, v| larger(best, *v)),
            AggregateOp::Stdvar => variance(floats),
            AggregateOp::Stddev => variance(floats).sqrt(),
            _ => quantile(q, floats),
        };
        Some(Cell::Float(value))
    }

    fn count_values(&mut self, node: &Aggregate, steps: Steps) -> Outcome<Vec<Row>> {
        let label = match node.param.as_ref().map(Expr::unwrapped) {
            Some(Expr::String(literal)) => {
                if literal.value.is_empty() || literal.not_utf8.is_some() {
                    let quoted = literal.not_utf8.clone();
                    let quoted = quoted.unwrap_or_else(|| quote(&literal.value));
                    return Err(failed(format_args!("invalid label name {quoted}")));
                }
                literal.value.as_str()
            }
            _ => return Err(failed("count_values expects the name of a label")),
        };
        let mut grouping = node.grouping.clone();
        if !node.without {
            grouping.push(label.to_owned());
        }
        let rows = self.rows(&node.expr, steps)?;
        let mut known: FxHashMap<Labels, usize> = FxHashMap::default();
        let mut out: Vec<Row> = Vec::new();
        for row in &rows {
            self.poll()?;
            for at in 0..steps.count {
                let text = match row.column.cell(at) {
                    None => continue,
                    Some(Cell::Float(value)) => format_float(value),
                    Some(Cell::Histogram(value)) => histograms::text(&value),
                };
                let labels = row.labels.to_builder().set(label, &text).build();
                let key = group_labels(&labels, &grouping, node.without);
                let group = *known.entry(key).or_insert_with_key(|key| {
                    let column = Column::absent(steps.count);
                    out.push(Row { labels: key.clone(), drop_name: false, column });
                    out.len() - 1
                });
                let column = &mut out[group].column;
                let count = column.float(at).unwrap_or(0.0);
                column.set_float(at, count + 1.0);
            }
        }
        Ok(out)
    }
}

/// Whether the expression is a selector, or a function of one and of numbers: nothing in it looks at
/// the order of series. To put ten thousand in order costs as much as to add them up.
pub(super) fn is_selection(expr: &Expr) -> bool {
    match expr.unwrapped() {
        Expr::Vector(_) => true,
        Expr::Call(call) => {
            let args = call.args.iter();
            args.clone().any(|arg| matches!(arg, Expr::Matrix(_)))
                && args.clone().all(|arg| matches!(arg, Expr::Matrix(_) | Expr::Number(_)))
        }
        _ => false,
    }
}

fn smaller(best: f64, value: f64) -> f64 {
    if best > value || best.is_nan() { value } else { best }
}

fn larger(best: f64, value: f64) -> f64 {
    if best < value || best.is_nan() { value } else { best }
}

/// Population variance; NaN once the first value is not finite.
fn variance(values: &[f64]) -> f64 {
    let Some((first, rest)) = values.split_first() else { return f64::NAN };
    let mut squares = if first.is_finite() { 0.0 } else { f64::NAN };
    let mut mean = *first;
    let mut count = 1.0;
    for value in rest {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
    }
    squares / count
}

/// Aggregate floats row by row, all steps of a row in one pass.
fn columnar(op: AggregateOp, rows: &[Row], groups: &Groups, steps: Steps) -> Vec<Row> {
    let cells = groups.labels.len() * steps.count;
    let mut kinds = vec![Kind::Absent; cells];
    let mut values = vec![0.0; cells];
    // What rounding took from sums; for averages the whole state.
    let mut lost = vec![0.0; if op == AggregateOp::Sum { cells } else { 0 }];
    let mut means: Vec<Option<Mean>> = vec![None; if op == AggregateOp::Avg { cells } else { 0 }];
    let mut drop_name = vec![false; groups.labels.len()];
    for (row, group) in rows.iter().zip(&groups.of_row) {
        drop_name[*group] |= row.drop_name;
        let base = group * steps.count;
        for at in 0..steps.count {
            if row.column.kinds[at] == Kind::Absent {
                continue;
            }
            let value = row.column.values[at];
            let cell = base + at;
            let first = kinds[cell] == Kind::Absent;
            kinds[cell] = Kind::Float;
            let slot = &mut values[cell];
            match op {
                AggregateOp::Sum if first => *slot = value,
                AggregateOp::Sum => {
                    let total = KahanSum { sum: *slot, lost: lost[cell] }.plus(value);
                    (*slot, lost[cell]) = (total.sum, total.lost);
                }
                AggregateOp::Avg => match &mut means[cell] {
                    Some(mean) => mean.add(value),
                    empty => *empty = Some(Mean::starting_at(value)),
                },
                AggregateOp::Count => *slot += 1.0,
                AggregateOp::Min if !first => *slot = smaller(*slot, value),
                AggregateOp::Max if !first => *slot = larger(*slot, value),
                AggregateOp::Group => *slot = 1.0,
                _ => *slot = value,
            }
        }
    }
    for (value, lost) in values.iter_mut().zip(&lost) {
        *value += lost;
    }
    for (value, mean) in values.iter_mut().zip(&means) {
        if let Some(mean) = mean {
            *value = mean.value();
        }
    }
    let mut out = Vec::with_capacity(groups.labels.len());
    for (group, labels) in groups.labels.iter().enumerate() {
        let range = group * steps.count..(group + 1) * steps.count;
        let mut column = Column::absent(steps.count);
        column.values.copy_from_slice(&values[range.clone()]);
        column.kinds.copy_from_slice(&kinds[range]);
        if !column.is_empty() {
            out.push(Row { labels: labels.clone(), drop_name: drop_name[group], column });
        }
    }
    out
}

//! Vector matching: which series of two vectors belong together, and operations on the pairs.

use rustc_hash::{FxHashMap, FxHashSet};
use strata_model::Labels;

use super::binary::{FloatOp, cells, float_op};
use super::finish::merged;
use super::{Evaluator, Outcome, SAME_LABELSET, failed};
use crate::projected::{Counting, Order, Projected, Projections, project};
use crate::promql::syntax::{Binary, BinaryOp, Cardinality, Matching, Span, quote};
use crate::promql::value::{Cell, Column, Row, Steps, is_metadata};

/// The labels by which series find each other.
fn counting(matching: &Matching) -> Counting<'_> {
    Counting { labels: &matching.labels, only: matching.on }
}

fn signature(labels: &Labels, matching: &Matching) -> Labels {
    counting(matching).of(labels)
}

/// The signature of each row of two vectors, as small numbers.
struct Signatures {
    left: Vec<usize>,
    right: Vec<usize>,
    count: usize,
}

impl Signatures {
    fn of(memo: Option<&Projections>, left: &[Row], right: &[Row], matching: &Matching) -> Self {
        let rows = left.iter().chain(right).map(|row| &row.labels);
        let count = left.len() + right.len();
        let Projected { of_row, labels } =
            project(memo, (rows, count), counting(matching), Order::Met);
        let mut of_left = of_row;
        let of_right = of_left.split_off(left.len());
        Self { left: of_left, right: of_right, count: labels.len() }
    }

    /// Rows by signature.
    fn groups(&self, side: &[usize]) -> Vec<Vec<usize>> {
        let mut groups = vec![Vec::new(); self.count];
        for (row, signature) in side.iter().enumerate() {
            groups[*signature].push(row);
        }
        groups
    }
}

/// `and`, `or`, `unless`.
pub(super) fn set_operation(
    memo: Option<&Projections>,
    node: &Binary,
    mut left: Vec<Row>,
    mut right: Vec<Row>,
    steps: Steps,
) -> Outcome<Vec<Row>> {
    let signatures = Signatures::of(memo, &left, &right, &node.matching);
    let present = |rows: &[Row], side: &[usize]| {
        let mut table = vec![false; signatures.count * steps.count];
        for (row, signature) in rows.iter().zip(side) {
            for at in 0..steps.count {
                table[signature * steps.count + at] |= row.column.is_present(at);
            }
        }
        table
    };
    let mask = |rows: &mut Vec<Row>, side: &[usize], table: &[bool], keep: bool| {
        for (row, signature) in rows.iter_mut().zip(side) {
            for at in 0..steps.count {
                if table[signature * steps.count + at] != keep {
                    row.column.clear(at);
                }
            }
        }
        rows.retain(|row| !row.column.is_empty());
    };
    if node.op == BinaryOp::Or {
        let table = present(&left, &signatures.left);
        mask(&mut right, &signatures.right, &table, false);
        left.append(&mut right);
        return merged(left);
    }
    let table = present(&right, &signatures.right);
    mask(&mut left, &signatures.left, &table, node.op == BinaryOp::And);
    Ok(left)
}

/// One operand of a pair: a row, or a fill value in its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Row(usize),
    Fill,
}

/// Collects the result of an operation between two vectors.
struct Pairing<'a> {
    node: &'a Binary,
    /// The side that may have many series per signature, and the other one.
    many: &'a [Row],
    one: &'a [Row],
    span: Span,
    steps: usize,
    labels: FxHashMap<(Side, Side), Labels>,
    rows: Vec<Row>,
    at: FxHashMap<Labels, usize>,
}

impl Evaluator<'_> {
    /// An operation between two vectors that is not a set operation.
    pub(super) fn vectors(
        &mut self,
        node: &Binary,
        left: &[Row],
        right: &[Row],
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        let swapped = node.matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let signatures = Signatures::of(self.projections(), many, one, &node.matching);
        let many_groups = signatures.groups(&signatures.left);
        let one_groups = signatures.groups(&signatures.right);
        let mut pairing = Pairing {
            node,
            many,
            one,
            span: node.span(),
            steps: steps.count,
            labels: FxHashMap::default(),
            rows: Vec::new(),
            at: FxHashMap::default(),
        };
        for (many_rows, one_rows) in many_groups.iter().zip(&one_groups) {
            self.poll()?;
            if let ([many_row], [one_row]) = (&many_rows[..], &one_rows[..])
                && pairing.match_floats(*many_row, *one_row)?
            {
                continue;
            }
            for at in 0..steps.count {
                self.match_group(&mut pairing, many_rows, one_rows, at)?;
            }
        }
        let rows = pairing.rows;
        Ok(rows.into_iter().filter(|row| !row.column.is_empty()).collect())
    }

    /// The pairs of one signature at one step.
    fn match_group(
        &mut self,
        pairing: &mut Pairing<'_>,
        many: &[usize],
        one: &[usize],
        at: usize,
    ) -> Outcome<()> {
        let matching = &pairing.node.matching;
        let (fill_many, fill_one) = (matching.fill_left, matching.fill_right);
        let mut single = None;
        for row in one.iter().filter(|row| pairing.one[**row].column.is_present(at)) {
            if let Some(earlier) = single.replace(*row)
                && pairing.is_evaluated(at)
            {
                return Err(pairing.duplicates(earlier, *row));
            }
        }
        let other = single.and_then(|row| pairing.one[row].column.cell(at));
        let mut matched = false;
        let mut seen: FxHashSet<usize> = FxHashSet::default();
        for row in many {
            let Some(cell) = pairing.many[*row].column.cell(at) else { continue };
            let (side, value) = match (single, &other, fill_one) {
                (Some(row), Some(cell), _) => (Side::Row(row), cell.clone()),
                (_, _, Some(fill)) => (Side::Fill, Cell::Float(fill)),
                _ => continue,
            };
            self.pair(pairing, (Side::Row(*row), side), (cell, value), at, &mut seen)?;
            matched = true;
        }
        if let (false, Some(row), Some(value), Some(fill)) = (matched, single, other, fill_many) {
            let sides = (Side::Fill, Side::Row(row));
            self.pair(pairing, sides, (Cell::Float(fill), value), at, &mut seen)?;
        }
        Ok(())
    }

    /// Operate on one pair and keep the result. `seen` are result rows of this signature and step.
    fn pair(
        &mut self,
        pairing: &mut Pairing<'_>,
        sides: (Side, Side),
        (many, one): (Cell, Cell),
        at: usize,
        seen: &mut FxHashSet<usize>,
    ) -> Outcome<()> {
        let node = pairing.node;
        let swapped = node.matching.cardinality == Cardinality::OneToMany;
        let (left, right) = if swapped { (&one, &many) } else { (&many, &one) };
        let Some((value, keep)) = cells(&mut self.notes, node.op, left, right, pairing.span) else {
            return Ok(());
        };
        let row = pairing.row(sides);
        if node.matching.cardinality == Cardinality::OneToOne {
            if !seen.is_empty() {
                return Err(failed(
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)",
                ));
            }
            seen.insert(row);
        } else if !seen.insert(row) {
            return Err(failed(
                "multiple matches for labels: grouping labels must ensure unique matches",
            ));
        }
        if !keep && !node.return_bool {
            return Ok(());
        }
        let value = if node.return_bool { Cell::Float(f64::from(u8::from(keep))) } else { value };
        let column = &mut pairing.rows[row].column;
        if column.is_present(at) {
            return Err(failed(SAME_LABELSET));
        }
        column.set(at, value);
        Ok(())
    }
}

impl Pairing<'_> {
    /// The common case of one row of floats on each side, all steps in one pass; false when it is
    /// not that case.
    fn match_floats(&mut self, many: usize, one: usize) -> Outcome<bool> {
        let node = self.node;
        let matching = &node.matching;
        let (left, right) = (&self.many[many].column, &self.one[one].column);
        let operation = float_op(node.op);
        if matching.fill_left.is_some()
            || matching.fill_right.is_some()
            || left.has_histograms()
            || right.has_histograms()
            || matches!(operation, FloatOp::None)
        {
            return Ok(false);
        }
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (left, right) = if swapped { (right, left) } else { (left, right) };
        if (0..self.steps).all(|at| !(left.is_present(at) && right.is_present(at))) {
            return Ok(true);
        }
        let row = self.row((Side::Row(many), Side::Row(one)));
        let column = &mut self.rows[row].column;
        for at in 0..self.steps {
            let (Some(a), Some(b)) = (left.float(at), right.float(at)) else { continue };
            let value = match operation {
                FloatOp::Arithmetic(f) => f(a, b),
                FloatOp::Comparison(f) if node.return_bool => f64::from(u8::from(f(&a, &b))),
                FloatOp::Comparison(f) if f(&a, &b) => a,
                _ => continue,
            };
            if column.is_present(at) {
                return Err(failed(SAME_LABELSET));
            }
            column.set_float(at, value);
        }
        Ok(true)
    }

    /// Whether there is anything to evaluate at a step: both sides, or one with a fill value.
    fn is_evaluated(&self, at: usize) -> bool {
        let matching = &self.node.matching;
        let filled = matching.fill_left.is_some() || matching.fill_right.is_some();
        let any = |rows: &[Row]| rows.iter().any(|row| row.column.is_present(at));
        filled || (any(self.many) && any(self.one))
    }

    fn duplicates(&self, a: usize, b: usize) -> crate::engine::QueryError {
        let matching = &self.node.matching;
        let side = if matching.cardinality == Cardinality::OneToMany { "left" } else { "right" };
        let group = braces(&signature(&self.one[a].labels, matching));
        let mut names = [braces(&self.one[a].labels), braces(&self.one[b].labels)];
        names.sort_unstable();
        let [first, second] = names;
        failed(format_args!(
            "found duplicate series for the match group {group} on the {side} hand-side of the \
             operation: [{first}, {second}];many-to-many matching not allowed: matching labels \
             must be unique on one side"
        ))
    }

    /// The index of the result row of a pair.
    fn row(&mut self, sides: (Side, Side)) -> usize {
        let labels = if let Some(labels) = self.labels.get(&sides) {
            labels.clone()
        } else {
            let labels = self.result_labels(sides);
            self.labels.insert(sides, labels.clone());
            labels
        };
        if let Some(at) = self.at.get(&labels) {
            return *at;
        }
        let drop_name =
            self.node.return_bool || matches!(sides.0, Side::Row(row) if self.many[row].drop_name);
        let at = self.rows.len();
        self.at.insert(labels.clone(), at);
        self.rows.push(Row { labels, drop_name, column: Column::absent(self.steps) });
        at
    }

    fn result_labels(&self, (many, one): (Side, Side)) -> Labels {
        let matching = &self.node.matching;
        let own = |side: Side, rows: &[Row], other: Side, others: &[Row]| match (side, other) {
            (Side::Row(row), _) => rows[row].labels.clone(),
            (Side::Fill, Side::Row(row)) => signature(&others[row].labels, matching),
            (Side::Fill, Side::Fill) => Labels::empty(),
        };
        let base = own(many, self.many, one, self.one);
        let other = own(one, self.one, many, self.many);
        let changes = self.node.op.changes_meaning();
        let named = |name: &str| matching.labels.iter().any(|label| label == name);
        let one_to_one = matching.cardinality == Cardinality::OneToOne;
        let kept = base.filtered(|name| {
            !(changes && is_metadata(name)) && (!one_to_one || named(name) == matching.on)
        });
        if matching.include.is_empty() {
            return kept;
        }
        let mut builder = kept.to_builder();
        for name in &matching.include {
            builder.set(name, other.get(name).unwrap_or(""));
        }
        builder.build()
    }
}

/// All labels in braces, the name among them.
pub(super) fn braces(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

//! Selections and aggregations that several queries of one reader have in common are evaluated once.
//!
//! A page asks a hundred questions at one moment, and many of them differ only in what they do with
//! the same series or the same sums: the power of every GPU is added up by node, by model and over
//! all. Whoever comes first evaluates, the others wait for it. An instant that lies on the grid of a
//! range that is already being evaluated is read off it.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use strata_model::Grouping;

use super::{Evaluator, Outcome, failed};
use crate::projected::Projections;
use crate::promql::syntax::{Aggregate, AggregateOp, Binary, BinaryOp, Expr, ValueType};
use crate::promql::value::{Column, Row, Steps, Value};

/// Cells kept at most: what a page of 10,000 GPUs selects and sums up by GPU over an hour.
const CELLS_MAX: usize = 16_000_000;
/// What a row weighs beside its cells, in cells.
const ROW_CELLS: usize = 8;
/// What a native histogram weighs, in cells: some dozen buckets.
const HISTOGRAM_CELLS: usize = 64;

/// `None` where they are not kept, being too many or not had: each query evaluates by itself. What
/// went wrong may be the first query's own affair, as its deadline is.
type Rows = Option<Arc<Vec<Row>>>;

/// One evaluation, finished or under way.
#[derive(Debug, Clone)]
struct Slot {
    steps: Steps,
    rows: Arc<OnceLock<Rows>>,
}

/// What the queries of one reader at one moment have evaluated so far. Drop it with the moment: it
/// knows nothing of samples that arrive later.
#[derive(Debug, Default)]
pub struct SharedResults {
    slots: Mutex<HashMap<String, Vec<Slot>>>,
    cells: AtomicUsize,
    /// What was made of labels, for this moment and others.
    projections: Arc<Projections>,
}

impl SharedResults {
    /// Nothing evaluated so far.
    pub fn new(projections: Arc<Projections>) -> Self {
        Self { projections, ..Self::default() }
    }

    /// Whether there is room to keep these rows, which is taken then.
    fn has_room(&self, rows: &[Row], steps: Steps) -> bool {
        let histograms = rows.iter().filter(|row| row.column.has_histograms()).count();
        let cells =
            rows.len() * (steps.count + ROW_CELLS) + histograms * steps.count * HISTOGRAM_CELLS;
        let taken = self.cells.fetch_add(cells, Ordering::Relaxed) + cells;
        if taken > CELLS_MAX {
            self.cells.fetch_sub(cells, Ordering::Relaxed);
        }
        taken <= CELLS_MAX
    }

    /// The slot of this expression at these steps, made when there is none. For a single step a
    /// grid that contains it will do.
    fn slot(&self, key: String, steps: Steps) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.entry(key).or_default();
        let fits = |slot: &&Slot| {
            slot.steps == steps || (steps.count == 1 && place(slot.steps, steps.start).is_some())
        };
        if let Some(slot) = known.iter().find(fits) {
            return slot.clone();
        }
        let slot = Slot { steps, rows: Arc::default() };
        known.push(slot.clone());
        slot
    }
}

/// Rows of this query alone, or of others too.
#[derive(Debug)]
pub(super) enum Shareable {
    Own(Vec<Row>),
    Shared(Arc<Vec<Row>>),
}

impl Shareable {
    pub(super) fn into_rows(self) -> Vec<Row> {
        match self {
            Self::Own(rows) => rows,
            Self::Shared(rows) => Arc::unwrap_or_clone(rows),
        }
    }
}

impl Deref for Shareable {
    type Target = [Row];

    fn deref(&self) -> &[Row] {
        match self {
            Self::Own(rows) => rows,
            Self::Shared(rows) => rows,
        }
    }
}

/// Which step of a grid a time is.
fn place(steps: Steps, at: i64) -> Option<usize> {
    let back = at.checked_sub(steps.start).filter(|back| *back >= 0 && back % steps.step == 0)?;
    let place = usize::try_from(back / steps.step).ok()?;
    (place < steps.count).then_some(place)
}

/// The rows that have a value at one step, with it alone.
fn at_step(rows: &[Row], place: usize) -> Vec<Row> {
    let rows = rows.iter().filter_map(|row| {
        let mut column = Column::absent(1);
        column.set(0, row.column.cell(place)?);
        Some(Row { labels: row.labels.clone(), drop_name: row.drop_name, column })
    });
    rows.collect()
}

/// What an expression is known by; `None` where its value depends on times that a modifier fixes,
/// which are those of the query. The aggregations around a histogram decide at which edges its
/// buckets meet, so they belong to it.
fn key_of(expr: &Expr, lookback_ms: i64, around: &[Grouping]) -> Option<String> {
    let text = format!("{lookback_ms} {expr}");
    if text.contains('@') {
        return None;
    }
    Some(if text.contains("_bucket") { format!("{text} in {around:?}") } else { text })
}

/// Functions below which a histogram is read without its buckets ([`crate::promql::prepare`]): the
/// same text means less there.
pub(super) fn reads_less(query: &str) -> bool {
    let functions = ["count", "sum", "avg", "stddev", "stdvar"];
    functions.iter().any(|name| query.contains(&format!("histogram_{name}")))
}

/// Whether every sample of the value has no labels, whatever is stored.
fn is_bare(expr: &Expr) -> bool {
    match expr.unwrapped() {
        Expr::Aggregate(node) => {
            let chooses = matches!(
                node.op,
                AggregateOp::Topk
                    | AggregateOp::Bottomk
                    | AggregateOp::Limitk
                    | AggregateOp::LimitRatio
                    | AggregateOp::CountValues
            );
            !chooses && !node.without && node.grouping.is_empty()
        }
        Expr::Binary(node) => {
            let operand = |expr: &Expr| expr.value_type() == ValueType::Scalar || is_bare(expr);
            operand(&node.lhs) && operand(&node.rhs)
        }
        _ => false,
    }
}

impl Evaluator<'_> {
    /// What was made of labels by other queries of the same reader.
    pub(super) fn projections(&self) -> Option<&Projections> {
        Some(&*self.shared?.projections)
    }

    /// Whether the left side of `or` leaves nothing to the right one: both are one series without
    /// labels, and the left one has a value at every step. Alternatives of one number are asked for
    /// in this way, and most often the first is there. Only where queries are shared: whoever asks
    /// by himself is told of a fault in the right side.
    pub(super) fn is_enough(&self, node: &Binary, left: &[Row]) -> bool {
        let [row] = left else { return false };
        self.shared.is_some()
            && node.op == BinaryOp::Or
            && row.labels.is_empty()
            && (0..row.column.len()).all(|at| row.column.is_present(at))
            && is_bare(&node.rhs)
    }

    /// The value of an aggregation, from another query where one has evaluated the same.
    pub(super) fn shared_aggregate(
        &mut self,
        node: &Aggregate,
        expr: &Expr,
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        let rows = self.shared(expr, steps, |evaluator, steps| evaluator.aggregate(node, steps))?;
        Ok(rows.into_rows())
    }

    /// The rows of a selector or of a function of one, in any order, from another query where one
    /// has read the same.
    pub(super) fn selected(&mut self, expr: &Expr, steps: Steps) -> Outcome<Shareable> {
        self.shared(expr, steps, |evaluator, steps| {
            // The next to ask may need no order; who does puts its own copy in order.
            let any_order = evaluator.any_order || evaluator.shared.is_some();
            let outer = std::mem::replace(&mut evaluator.any_order, any_order);
            let rows = match expr {
                Expr::Vector(node) => evaluator.vector_selector(node, steps),
                Expr::Call(node) => match evaluator.call(node, steps) {
                    Ok(Value::Vector(rows)) => Ok(rows),
                    Ok(_) => Err(failed("expected an instant vector")),
                    Err(error) => Err(error),
                },
                _ => Err(failed("expected a selector")),
            };
            evaluator.any_order = outer;
            rows
        })
    }

    /// As [`Self::selected`], each query with its own, in order of their labels unless any will do.
    pub(super) fn selection(&mut self, expr: &Expr, steps: Steps) -> Outcome<Vec<Row>> {
        let mut rows = self.selected(expr, steps)?.into_rows();
        if self.shared.is_some() && !self.any_order {
            rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        Ok(rows)
    }

    fn shared(
        &mut self,
        expr: &Expr,
        steps: Steps,
        work: impl Fn(&mut Self, Steps) -> Outcome<Vec<Row>>,
    ) -> Outcome<Shareable> {
        let key = key_of(expr, self.options.lookback_ms, &self.sums);
        let (Some(shared), Some(key)) = (self.shared, key) else {
            return work(self, steps).map(Shareable::Own);
        };
        let slot = shared.slot(key, steps);
        let mut own = None;
        let kept = slot.rows.get_or_init(|| match work(self, slot.steps) {
            Ok(rows) if shared.has_room(&rows, slot.steps) => Some(Arc::new(rows)),
            outcome => {
                own = Some(outcome);
                None
            }
        });
        match (kept, own) {
            (Some(rows), _) if slot.steps == steps => Ok(Shareable::Shared(Arc::clone(rows))),
            (Some(rows), _) => {
                let place = place(slot.steps, steps.start);
                let rows = place.map(|place| at_step(rows, place));
                Ok(Shareable::Own(rows.unwrap_or_default()))
            }
            (None, Some(outcome)) if slot.steps == steps => outcome.map(Shareable::Own),
            // What is wrong with another step says nothing of this one.
            _ => work(self, steps).map(Shareable::Own),
        }
    }
}

//! Intermediate results: columns with one cell per step.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use strata_model::{Labels, METRIC_NAME, NativeHistogram};

/// The times an expression is evaluated at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) start: i64,
    /// Positive.
    pub(crate) step: i64,
    pub(crate) count: usize,
}

impl Steps {
    pub(crate) fn one(at: i64) -> Self {
        Self { start: at, step: 1, count: 1 }
    }

    pub(crate) fn between(start: i64, end: i64, step: i64) -> Self {
        let step = step.max(1);
        let count = if end < start { 0 } else { (end.abs_diff(start) / step as u64) as usize + 1 };
        Self { start, step, count }
    }

    pub(crate) fn at(&self, index: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(index as i64))
    }

    pub(crate) fn times(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |index| self.at(index))
    }
}

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Kind {
    #[default]
    Absent,
    Float,
    Histogram,
}

/// A value of one series at one step.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Float(f64),
    Histogram(Arc<NativeHistogram>),
}

/// Of one step, or of the last step and the moment after it, a column holds its cells itself: a page
/// that is looked at again asks for these only, of ten thousand series a question.
const FEW: usize = 2;

/// The values of one series at all steps.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) kinds: SmallVec<[Kind; FEW]>,
    pub(crate) values: SmallVec<[f64; FEW]>,
    /// Empty as long as the column has no histogram, else as long as `kinds`.
    histograms: Vec<Option<Arc<NativeHistogram>>>,
}

impl Column {
    pub(crate) fn absent(count: usize) -> Self {
        let (kinds, values) = (smallvec![Kind::Absent; count], smallvec![0.0; count]);
        Self { kinds, values, histograms: Vec::new() }
    }

    pub(crate) fn floats(values: Vec<f64>) -> Self {
        let kinds = smallvec![Kind::Float; values.len()];
        Self { kinds, values: SmallVec::from_vec(values), histograms: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn kind(&self, at: usize) -> Kind {
        self.kinds[at]
    }

    pub(crate) fn is_present(&self, at: usize) -> bool {
        self.kinds[at] != Kind::Absent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.iter().all(|kind| *kind == Kind::Absent)
    }

    pub(crate) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    pub(crate) fn float(&self, at: usize) -> Option<f64> {
        (self.kinds[at] == Kind::Float).then(|| self.values[at])
    }

    pub(crate) fn histogram(&self, at: usize) -> Option<&Arc<NativeHistogram>> {
        self.histograms.get(at).and_then(Option::as_ref)
    }

    pub(crate) fn cell(&self, at: usize) -> Option<Cell> {
        match self.kinds[at] {
            Kind::Absent => None,
            Kind::Float => Some(Cell::Float(self.values[at])),
            Kind::Histogram => self.histogram(at).map(|h| Cell::Histogram(Arc::clone(h))),
        }
    }

    pub(crate) fn set_float(&mut self, at: usize, value: f64) {
        self.kinds[at] = Kind::Float;
        self.values[at] = value;
    }

    pub(crate) fn set_histogram(&mut self, at: usize, value: Arc<NativeHistogram>) {
        if self.histograms.is_empty() {
            self.histograms = vec![None; self.kinds.len()];
        }
        self.kinds[at] = Kind::Histogram;
        self.histograms[at] = Some(value);
    }

    pub(crate) fn set(&mut self, at: usize, cell: Cell) {
        match cell {
            Cell::Float(value) => self.set_float(at, value),
            Cell::Histogram(value) => self.set_histogram(at, value),
        }
    }

    pub(crate) fn clear(&mut self, at: usize) {
        self.kinds[at] = Kind::Absent;
        if let Some(slot) = self.histograms.get_mut(at) {
            *slot = None;
        }
    }

    /// Take the cells of `other` where it has any; false when both have one at a step.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        for at in 0..self.len() {
            if let Some(cell) = other.cell(at) {
                if self.is_present(at) {
                    return false;
                }
                self.set(at, cell);
            }
        }
        true
    }

    /// The cell of the first step at all of `count` steps.
    pub(crate) fn repeated(&self, count: usize) -> Self {
        let mut out = Self::absent(count);
        if let Some(cell) = self.cell(0) {
            for at in 0..count {
                out.set(at, cell.clone());
            }
        }
        out
    }
}

/// One series of an instant vector at all steps.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    /// The metric's name no longer fits the values and goes when the query ends.
    pub(crate) drop_name: bool,
    pub(crate) column: Column,
}

/// The value of an expression at all steps.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Scalar(Vec<f64>),
    Vector(Vec<Row>),
    Text(String),
}

impl Value {
    /// How many samples the value holds in memory.
    pub(crate) fn samples(&self) -> u64 {
        match self {
            Self::Scalar(values) => values.len() as u64,
            Self::Vector(rows) => rows.iter().map(|row| row.column.len() as u64).sum(),
            Self::Text(_) => 0,
        }
    }
}

/// The labels without those that describe the metric itself.
pub(crate) fn without_metadata(labels: &Labels) -> Labels {
    labels.filtered(|name| !is_metadata(name))
}

/// `__name__`, and type and unit where they are labels.
pub(crate) fn is_metadata(name: &str) -> bool {
    matches!(name, METRIC_NAME | "__type__" | "__unit__")
}

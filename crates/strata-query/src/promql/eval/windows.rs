//! Functions of ranges: which one sees the windows, and what becomes of their series.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use strata_model::METRIC_NAME;
use strata_model::selector::MatchOp;
use strata_model::{Labels, Matcher};

use super::frames::Frames;
use super::range::{RangeInput, RangeSeries, Window, Windows};
use super::stream::Room;
use super::{Evaluator, Interrupt, Outcome, failed, over_time, rate};
use crate::promql::notes::Notes;
use crate::promql::syntax::{Call, Expr, RangeKind, Span};
use crate::promql::value::{Cell, Column, Row, Steps, Value};

/// What a range function may say and know beside its window.
pub(super) struct Context<'a> {
    pub(super) notes: &'a mut Notes,
    pub(super) metric: &'a str,
    /// Of the range argument.
    pub(super) span: Span,
    pub(super) kind: RangeKind,
    pub(super) range_ms: i64,
}

/// Scalar arguments of a range function, in order, one value per step.
pub(super) struct Scalars {
    columns: Vec<(Vec<f64>, Span)>,
}

impl Scalars {
    /// The value of argument `index` at a step, NaN when there is none.
    pub(super) fn at(&self, index: usize, step: usize) -> f64 {
        let column = self.columns.get(index);
        column.and_then(|(values, _)| values.get(step)).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn span(&self, index: usize) -> Span {
        self.columns.get(index).map(|(_, span)| *span).unwrap_or_default()
    }
}

/// Steps of one series evaluated without asking whether to stop.
const STEPS_BETWEEN_POLLS: usize = 64;

/// Threads that evaluate one range function, the query's own included. Queries run side by side as
/// well; more threads for each would only take them from one another.
const MAX_LANES: usize = 4;

/// Samples and steps that repay a thread of their own: about half a millisecond of `rate`, several
/// times what starting a thread costs.
const WORK_PER_LANE: usize = 65_536;

const ANCHORED_SAFE: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];
const SMOOTHED_SAFE: [&str; 3] = ["delta", "increase", "rate"];

impl Evaluator<'_> {
    pub(super) fn range_function(
        &mut self,
        node: &Call,
        ranged: usize,
        steps: Steps,
    ) -> Outcome<Vec<Row>> {
        let name = node.func.name;
        let mut columns = Vec::new();
        for (at, arg) in node.args.iter().enumerate() {
            if at != ranged {
                match self.eval(arg, steps)? {
                    Value::Scalar(values) => columns.push((values, arg.span())),
                    _ => return Err(failed(format_args!("{name}: expected a scalar argument"))),
                }
            }
        }
        let scalars = Scalars { columns };
        let input = match &node.args[ranged] {
            Expr::Matrix(selector) => {
                check_kind(name, selector.selector.kind)?;
                let (input, selection) = self.range_selection(selector, steps, Some(name));
                if let Some(selection) = selection
                    && name != "absent_over_time"
                    && self.streams(&selection)
                {
                    let (interrupt, input) = (self.interrupt, &input);
                    let pass = Pass { name, input, scalars: &scalars, interrupt };
                    let selector = &selector.selector;
                    let about = (selector.span, selector.stats_only);
                    return self.stream(&selection, about, &|one, room| {
                        pass.row(&RangeSeries::new(one), room)
                    });
                }
                self.range_selector_for(selector, steps, Some(name))?
            }
            Expr::Subquery(subquery) => self.subquery(subquery, steps)?,
            _ => return Err(failed("expected a range vector")),
        };
        if name == "absent_over_time" {
            return Ok(absent_over_time(&input, &node.args[ranged]));
        }
        let pass = Pass { name, input: &input, scalars: &scalars, interrupt: self.interrupt };
        let live = AtomicU64::new(self.live);
        let held = Held { live: &live, most: self.options.max_samples };
        let outcome = pass.rows(held, &mut self.notes);
        self.live = live.into_inner();
        outcome
    }
}

/// A range function being applied to all series of its argument.
struct Pass<'a> {
    name: &'a str,
    input: &'a RangeInput,
    scalars: &'a Scalars,
    interrupt: &'a Interrupt<'a>,
}

/// Samples the query holds in memory, over all threads, and how many it may.
#[derive(Clone, Copy)]
struct Held<'a> {
    live: &'a AtomicU64,
    most: u64,
}

impl Pass<'_> {
    /// The series in order, cut into runs, one to a thread. What the runs note is put together in
    /// their order, so that the answer is that of one thread.
    fn rows(&self, held: Held<'_>, notes: &mut Notes) -> Outcome<Vec<Row>> {
        let series = &self.input.series;
        let run = series.len().div_ceil(self.lanes()).max(1);
        let mut runs = series.chunks(run);
        let first = runs.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> = runs.map(|run| scope.spawn(move || self.run(run, held))).collect();
            let (mut rows, noted) = self.run(first, held)?;
            notes.absorb(noted);
            for other in others {
                let (more, noted) = other.join().unwrap_or_else(|panic| resume_unwind(panic))?;
                rows.extend(more);
                notes.absorb(noted);
            }
            Ok(rows)
        })
    }

    /// Threads worth having.
    fn lanes(&self) -> usize {
        static CORES: LazyLock<usize> =
            LazyLock::new(|| available_parallelism().map_or(1, NonZero::get));
        let steps = self.input.reference.steps().count;
        let samples = |one: &RangeSeries| one.points.times.len() + one.points.histograms.len();
        let work: usize = self.input.series.iter().map(|one| samples(one) + steps).sum();
        (work / WORK_PER_LANE).clamp(1, MAX_LANES.min(*CORES))
    }

    fn run(&self, series: &[RangeSeries], held: Held<'_>) -> Outcome<(Vec<Row>, Notes)> {
        let mut rows = Vec::with_capacity(series.len());
        let mut room = Room::default();
        for one in series {
            super::poll(self.interrupt)?;
            if let Some(row) = self.row(one, &mut room)? {
                let more = row.column.len() as u64;
                let live = held.live.fetch_add(more, Ordering::Relaxed).saturating_add(more);
                super::check_held(live, held.most)?;
                rows.push(row);
            }
        }
        Ok((rows, room.notes))
    }

    fn row(&self, one: &RangeSeries, room: &mut Room) -> Outcome<Option<Row>> {
        let keeps_name = matches!(self.name, "last_over_time" | "first_over_time");
        let column = self.column(one, &mut room.notes, &mut room.frames)?;
        let drop_name = one.drop_name || !keeps_name;
        let row = Row { labels: one.labels.clone(), drop_name, column };
        Ok((!row.column.is_empty()).then_some(row))
    }

    /// The values of one series at all steps.
    fn column(
        &self,
        series: &RangeSeries,
        notes: &mut Notes,
        frames: &mut Frames,
    ) -> Outcome<Column> {
        let Self { name, input, .. } = *self;
        // A name that no longer fits is not worth a note.
        let metric = if series.drop_name { "" } else { series.labels.metric_name() };
        let mut context =
            Context { notes, metric, span: input.span, kind: input.kind, range_ms: input.range_ms };
        let column = match name {
            "rate" | "increase" | "delta" if input.kind == RangeKind::Plain => {
                rate::extrapolated(&mut context, input, series, name, frames)
            }
            _ => self.windowed(series, &mut context)?,
        };
        note_non_counter(&mut context, name, &column);
        Ok(column)
    }

    fn windowed(&self, series: &RangeSeries, context: &mut Context<'_>) -> Outcome<Column> {
        let steps = self.input.reference.steps();
        let mut column = Column::absent(steps.count);
        let mut windows = Windows::new(self.input, &series.points);
        for step in 0..steps.count {
            // A window can hold all samples of a series; ask between some.
            if step % STEPS_BETWEEN_POLLS == 0 {
                super::poll(self.interrupt)?;
            }
            let window = windows.at(step);
            if window.is_empty() {
                continue;
            }
            if let Some(cell) = apply(self.name, context, &window, self.scalars)? {
                column.set(step, cell);
            }
        }
        Ok(column)
    }
}

/// 1 at the steps where no series has a sample in the window.
fn absent_over_time(input: &RangeInput, arg: &Expr) -> Vec<Row> {
    let steps = input.reference.steps();
    let mut column = Column::floats(vec![1.0; steps.count]);
    for series in &input.series {
        let mut windows = Windows::new(input, &series.points);
        for step in 0..steps.count {
            if !windows.at(step).is_empty() {
                column.clear(step);
            }
        }
    }
    if column.is_empty() {
        return Vec::new();
    }
    vec![Row { labels: absent_labels(arg), drop_name: true, column }]
}

fn check_kind(name: &str, kind: RangeKind) -> Outcome<()> {
    let (word, safe): (&str, &[&str]) = match kind {
        RangeKind::Plain => return Ok(()),
        RangeKind::Anchored => ("anchored", &ANCHORED_SAFE),
        RangeKind::Smoothed => ("smoothed", &SMOOTHED_SAFE),
    };
    if safe.contains(&name) {
        return Ok(());
    }
    let list = safe.join(", ");
    Err(failed(format_args!("{word} modifier can only be used with: {list} - not with {name}")))
}

/// `rate` and `increase` of floats hint at metrics whose name is not a counter's.
fn note_non_counter(context: &mut Context<'_>, name: &str, column: &Column) {
    let counter = ["_total", "_sum", "_count", "_bucket"];
    if matches!(name, "rate" | "increase")
        && !context.metric.is_empty()
        && !counter.iter().any(|suffix| context.metric.ends_with(suffix))
        && (0..column.len()).any(|at| column.float(at).is_some())
    {
        context.notes.possible_non_counter(context.metric, context.span);
    }
}

/// The value of a function over one window that is not empty.
fn apply(
    name: &str,
    context: &mut Context<'_>,
    window: &Window<'_>,
    scalars: &Scalars,
) -> Outcome<Option<Cell>> {
    Ok(match name {
        "rate" | "increase" | "delta" => super::extended::rate(context, window, name),
        "irate" | "idelta" => rate::instant(context, window, name == "irate"),
        "deriv" => super::regression::deriv(context, window),
        "predict_linear" => {
            super::regression::predict_linear(context, window, scalars.at(0, window.step))
        }
        "double_exponential_smoothing" => {
            let (smoothing, trend) = (scalars.at(0, window.step), scalars.at(1, window.step));
            super::regression::double_exponential(context, window, smoothing, trend)?
        }
        "quantile_over_time" => {
            let q = scalars.at(0, window.step);
            over_time::quantile_over_time(context, window, q, scalars.span(0))
        }
        _ => over_time::apply(name, context, window),
    })
}

/// The labels an absent series would have: those that its selector fixes.
pub(super) fn absent_labels(arg: &Expr) -> Labels {
    let matchers: &[Matcher] = match arg {
        Expr::Vector(node) => &node.matchers,
        Expr::Matrix(node) => &node.selector.matchers,
        _ => &[],
    };
    let named = |m: &Matcher| -> Vec<MatchOp> {
        matchers.iter().filter(|other| other.name == m.name).map(|other| other.op).collect()
    };
    let fixed = matchers.iter().filter(|m| {
        // The last condition on a label must be the only one that names a value.
        let ops = named(m);
        m.name != METRIC_NAME
            && ops.last() == Some(&MatchOp::Equal)
            && ops.iter().filter(|op| **op == MatchOp::Equal).count() == 1
            && m.op == MatchOp::Equal
    });
    Labels::from_pairs(fixed.map(|m| (&m.name, &m.value)))
}

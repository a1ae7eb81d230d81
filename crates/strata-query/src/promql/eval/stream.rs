//! Series evaluated as they are read, on the threads that read them: the samples of a series are
//! used while they are at hand, and only the result stays.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use strata_model::{Selection, Series, TakeSeries};

use super::frames::Frames;
use super::instant::too_many_series;
use super::{Evaluator, Outcome, check_held, histograms, poll};
use crate::promql::notes::Notes;
use crate::promql::syntax::Span;
use crate::promql::value::Row;

/// What one thread keeps from series to series.
#[derive(Default)]
pub(super) struct Room {
    pub(super) notes: Notes,
    pub(super) frames: Frames,
}

/// Makes the row of one series, or none.
pub(super) type Work<'a> = dyn Fn(Series, &mut Room) -> Outcome<Option<Row>> + Sync + 'a;

/// What one thread made of its series, or why it stopped, and what it noted.
type Made = (Outcome<Vec<Row>>, Notes);

/// What the threads of one selection share.
struct Shared<'a> {
    work: &'a Work<'a>,
    /// Samples the query holds, and series seen, over all threads.
    live: AtomicU64,
    series: AtomicUsize,
    /// By number of the thread.
    done: Mutex<BTreeMap<usize, Made>>,
}

/// One thread's share; found in `done` once it is dropped.
struct Lane<'a> {
    number: usize,
    shared: &'a Shared<'a>,
    rows: Outcome<Vec<Row>>,
    room: Room,
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let rows = std::mem::replace(&mut self.rows, Ok(Vec::new()));
        let notes = std::mem::take(&mut self.room.notes);
        let mut done = self.shared.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(self.number, (rows, notes));
    }
}

impl Evaluator<'_> {
    /// Whether the source hands the series of this selection over as it reads them.
    pub(super) fn streams(&self, selection: &Selection) -> bool {
        self.source.streams(selection)
    }

    /// The rows that `work` makes of the series, in order of their labels unless any will do.
    pub(super) fn stream(
        &mut self,
        selection: &Selection,
        (span, stats_only): (Span, bool),
        work: &Work<'_>,
    ) -> Outcome<Vec<Row>> {
        self.poll()?;
        let (interrupt, options) = (self.interrupt, self.options);
        let shared = Shared {
            work,
            live: AtomicU64::new(self.live),
            series: AtomicUsize::new(0),
            done: Mutex::default(),
        };
        let hold = |samples: usize| {
            let samples = samples as u64;
            let live = shared.live.fetch_add(samples, Ordering::Relaxed).saturating_add(samples);
            check_held(live, options.max_samples)
        };
        let row = |mut series: Series, room: &mut Room| {
            poll(interrupt)?;
            if shared.series.fetch_add(1, Ordering::Relaxed) >= options.max_series {
                return Err(too_many_series(options.max_series));
            }
            let samples = series.points.times.len() + series.points.histograms.len();
            hold(samples)?;
            if stats_only {
                histograms::settle_hints(&mut series.points.histograms);
            }
            let row = (shared.work)(series, room)?;
            // The samples are gone with their series; the row stays.
            shared.live.fetch_sub(samples as u64, Ordering::Relaxed);
            if let Some(row) = &row {
                hold(row.column.len())?;
            }
            Ok(row)
        };
        let takers = |number: usize| -> TakeSeries<'_> {
            let mut lane =
                Lane { number, shared: &shared, rows: Ok(Vec::new()), room: Room::default() };
            let row = &row;
            Box::new(move |series| {
                let Ok(rows) = &mut lane.rows else { return false };
                match row(series, &mut lane.room) {
                    Ok(made) => rows.extend(made),
                    Err(error) => lane.rows = Err(error),
                }
                lane.rows.is_ok()
            })
        };
        let mut said = Vec::new();
        let outcome = self.source.visit(selection, &takers, &mut said);
        for text in said {
            self.notes.source_says(&text, span);
        }
        self.live = shared.live.into_inner();
        let mut all = Vec::new();
        let done = shared.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (rows, notes) in done.into_values() {
            all.extend(rows?);
            self.notes.absorb(notes);
        }
        outcome.map_err(|error| Self::select_failed(&error))?;
        if !self.any_order {
            all.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        Ok(all)
    }
}

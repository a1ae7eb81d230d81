//! Runs every collector on its own clock, contains what goes wrong, and ends series that are gone.
//!
//! Each source has a task of its own: rounds never overlap, a round has a deadline shorter than the
//! interval, a panic or a read that never returns costs only its source. Sources come and go while
//! the program runs. Stopping the program writes no staleness markers, as in Prometheus: a restart
//! is not the end of a series.

mod report;
mod round;
mod source;
mod ticks;
mod tracker;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strata_model::meter::Meter;
use strata_model::{Clock, Sink};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::book::SourceBook;
use crate::collector::Collector;
pub(crate) use round::timed_out;
use source::{Source, Stop};
pub use tracker::Tracker;

/// How long [`Scheduler::stop`] waits for a round in progress.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// What every source works with.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) book: SourceBook,
    pub(crate) meter: Meter,
    pub(crate) clock: Arc<dyn Clock>,
}

struct Running {
    stop: oneshot::Sender<Stop>,
    task: JoinHandle<()>,
}

/// Runs sources until they are removed or the program stops. Cheap to clone; every clone runs the
/// same sources. Needs a tokio runtime with time enabled.
#[derive(Clone)]
pub struct Scheduler {
    surroundings: Surroundings,
    running: Arc<Mutex<BTreeMap<String, Running>>>,
}

impl Scheduler {
    /// A scheduler without sources.
    pub fn new(sink: Arc<dyn Sink>, book: SourceBook, meter: Meter, clock: Arc<dyn Clock>) -> Self {
        let surroundings = Surroundings { sink, book, meter, clock };
        Self { surroundings, running: Arc::default() }
    }

    /// Begin to run a source. Its first round comes within a second, later ones on its own phase of
    /// the interval. Returns `false`, and drops the collector, when its id is already running.
    pub fn add(&self, collector: Box<dyn Collector>) -> bool {
        let id = collector.id().to_owned();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&id) {
            return false;
        }
        self.surroundings.book.register(&id, collector.kind(), collector.layer());
        let (stop, stopped) = oneshot::channel();
        let source = Source::new(collector, self.surroundings.clone());
        let task = tokio::spawn(source.run(stopped));
        running.insert(id, Running { stop, task });
        true
    }

    /// Stop a source and end its series. Returns whether it was running.
    pub fn remove(&self, id: &str) -> bool {
        let removed = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some(running) = removed else { return false };
        self.surroundings.book.remove(id);
        running.stop.send(Stop::Remove).is_ok()
    }

    /// The ids of the running sources, in order.
    pub fn ids(&self) -> Vec<String> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Stop all sources for the end of the program; their series stay open.
    pub async fn stop(&self) {
        let all = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let mut tasks = Vec::with_capacity(all.len());
        for running in all.into_values() {
            if running.stop.send(Stop::Shutdown).is_ok() {
                tasks.push(running.task);
            }
        }
        let abort: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let all_ended = async {
            for task in tasks {
                drop(task.await);
            }
        };
        if tokio::time::timeout(STOP_WAIT, all_ended).await.is_err() {
            abort.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }
}

//! The book of sources: who was asked, how it went, what a person can do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use strata_model::{Fault, Layer, SourceKind, SourceState, SourceStatus};

/// Faults kept per source as evidence; older ones only count.
const RECENT_FAULTS_MAX: usize = 5;

/// The state of every source of this process. Cheap to clone; every clone is the same book.
#[derive(Clone, Default)]
pub struct SourceBook {
    rows: Arc<Mutex<BTreeMap<String, SourceStatus>>>,
    addendum: Arc<OnceLock<Addendum>>,
}

/// Completes the rows with what was found out behind the collectors' backs.
pub type Addendum = Box<dyn Fn(&mut BTreeMap<String, SourceStatus>) + Send + Sync>;

/// The outcome of one try.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub state: SourceState,
    /// When the try ended, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    pub duration_seconds: f64,
    /// Samples brought home; `None` when the try failed as a whole.
    pub samples: Option<u64>,
    pub faults: Vec<Fault>,
    pub hint: String,
}

impl SourceBook {
    /// Enter a source that has not been tried yet. Does nothing when it is already known.
    pub fn register(&self, id: &str, kind: SourceKind, layer: Option<Layer>) {
        let mut book = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        book.entry(id.to_owned()).or_insert_with(|| SourceStatus {
            id: id.to_owned(),
            kind,
            layer,
            state: SourceState::Pending,
            last_success_ms: None,
            last_duration_seconds: None,
            last_samples: None,
            samples_total: 0,
            faults_total: 0,
            recent_faults: Vec::new(),
            hint: String::new(),
        });
    }

    /// Record the outcome of one try of a registered source.
    pub fn record(&self, id: &str, outcome: Outcome) {
        let mut book = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(status) = book.get_mut(id) else { return };
        status.state = outcome.state;
        status.last_duration_seconds = Some(outcome.duration_seconds);
        if let Some(samples) = outcome.samples {
            status.last_success_ms = Some(outcome.at_ms);
            status.last_samples = Some(samples);
            status.samples_total += samples;
        }
        status.faults_total += outcome.faults.iter().map(|fault| fault.count).sum::<u64>();
        status.recent_faults.extend(outcome.faults);
        let excess = status.recent_faults.len().saturating_sub(RECENT_FAULTS_MAX);
        status.recent_faults.drain(..excess);
        status.hint = outcome.hint;
    }

    /// Enter a source that is not there, with what would bring it.
    pub fn absent(&self, id: &str, layer: Layer, at_ms: i64, hint: &str) {
        self.register(id, SourceKind::Native, Some(layer));
        let outcome = Outcome {
            state: SourceState::Absent,
            at_ms,
            duration_seconds: 0.0,
            samples: None,
            faults: Vec::new(),
            hint: hint.to_owned(),
        };
        self.record(id, outcome);
    }

    /// Have every snapshot completed by `addendum`. Only the first one given counts.
    pub fn complete_with(&self, addendum: Addendum) {
        // A book has one owner, who says this once.
        drop(self.addendum.set(addendum));
    }

    /// Set only the layer, once a page has told what it is.
    pub fn set_layer(&self, id: &str, layer: Layer) {
        let mut book = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = book.get_mut(id) {
            status.layer = Some(layer);
        }
    }

    /// Remove a source that discovery no longer names.
    pub fn remove(&self, id: &str) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// All rows in order of id.
    pub fn snapshot(&self) -> Vec<SourceStatus> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(complete) = self.addendum.get() else { return rows.values().cloned().collect() };
        let mut completed = rows.clone();
        drop(rows);
        complete(&mut completed);
        completed.into_values().collect()
    }
}

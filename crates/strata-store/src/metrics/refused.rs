//! What was refused or shed, by source: whoever offers a batch without waiting learns it here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use strata_model::Receipt;

/// Sources told apart; those beyond are counted together under an empty name. Twice as many as
/// targets one list may have.
const SOURCES_MAX: usize = 40_000;

/// What was not stored of one source since the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceRefusals {
    /// As its batches name it; empty for those that have no name.
    pub source: Arc<str>,
    /// Samples by reason. Only what counts as refused is filled.
    pub refused: Receipt,
    /// Samples dropped unseen because the queue was full.
    pub shed: u64,
    /// When something was last refused or shed, in milliseconds since the Unix epoch.
    pub last_ms: i64,
}

/// The book of it.
#[derive(Default)]
pub(crate) struct Refused(Mutex<BTreeMap<Arc<str>, SourceRefusals>>);

impl Refused {
    /// Enter what a receipt says was refused.
    pub(crate) fn note(&self, source: &Arc<str>, receipt: &Receipt, now_ms: i64) {
        let refused = Receipt { appended: 0, duplicate: 0, ..*receipt };
        self.enter(source, now_ms, |entry| entry.refused.merge(&refused));
    }

    /// Enter samples that found no room in the queue.
    pub(crate) fn note_shed(&self, source: &Arc<str>, samples: u64, now_ms: i64) {
        self.enter(source, now_ms, |entry| entry.shed += samples);
    }

    fn enter(&self, source: &Arc<str>, now_ms: i64, count: impl FnOnce(&mut SourceRefusals)) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = book.contains_key(source) || book.len() < SOURCES_MAX;
        let source = if known { Arc::clone(source) } else { Arc::from("") };
        let entry = book.entry(Arc::clone(&source)).or_default();
        entry.source = source;
        entry.last_ms = now_ms;
        count(entry);
    }

    pub(crate) fn snapshot(&self) -> Vec<SourceRefusals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

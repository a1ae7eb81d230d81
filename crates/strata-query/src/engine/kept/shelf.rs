//! Answers by question, those that were not asked for longest going first.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::{Annotations, AnswerSeries};

/// Points kept at most over all answers: about 64 MB.
pub(super) const POINTS_MAX: usize = 2_000_000;
/// Answers kept at most.
const ANSWERS_MAX: usize = 4_096;

/// What one question is known by. The text holds its windows; the phase is where its grid lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) step_ms: i64,
    pub(super) phase_ms: i64,
    pub(super) lookback_ms: Option<i64>,
}

/// What is kept of an answer.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) start_ms: i64,
    /// The last step of it.
    pub(super) end_ms: i64,
    pub(super) version: Option<u64>,
    /// When the oldest part of it was asked for, in milliseconds.
    pub(super) asked_ms: i64,
    pub(super) series: Arc<Vec<AnswerSeries>>,
    pub(super) annotations: Annotations,
    pub(super) points: usize,
    /// Number of the last use.
    pub(super) used: u64,
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    answers: HashMap<Key, Kept>,
    points: usize,
    uses: u64,
}

impl Shelf {
    pub(super) fn put(&mut self, key: Key, mut kept: Kept) {
        self.uses += 1;
        kept.used = self.uses;
        self.points += kept.points;
        if let Some(old) = self.answers.insert(key, kept) {
            self.points -= old.points;
        }
        while self.points > POINTS_MAX || self.answers.len() > ANSWERS_MAX {
            let oldest = self.answers.iter().min_by_key(|(_, kept)| kept.used);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            if let Some(old) = self.answers.remove(&key) {
                self.points -= old.points;
            }
        }
    }

    pub(super) fn take(&mut self, key: &Key) -> Option<Kept> {
        self.uses += 1;
        let kept = self.answers.get_mut(key)?;
        kept.used = self.uses;
        Some(kept.clone())
    }
}

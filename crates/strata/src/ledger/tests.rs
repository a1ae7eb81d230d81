//! The service over samples in memory.

use std::sync::Arc;

use strata_model::Labels;
use strata_model::catalog::Catalog;
use strata_model::clock::FixedClock;
use strata_query::canonical::CanonicalSource;
use strata_query::promqltest::MemorySource;
use strata_query::{EmbeddedEngine, QuerySettings};

use super::LedgerService;
use crate::config::CostOptions;

/// 2026-11-26 00:00 UTC.
pub(super) const DAY: i64 = 1_795_651_200_000;
pub(super) const HOUR: i64 = 3_600_000;

pub(super) fn service(source: MemorySource, options: &CostOptions, now_ms: i64) -> LedgerService {
    let clock = Arc::new(FixedClock::at(now_ms));
    let source = CanonicalSource::new(Arc::new(source), Catalog::builtin());
    let engine =
        EmbeddedEngine::new(Arc::new(source), Arc::clone(&clock) as _, QuerySettings::default());
    LedgerService::new(Arc::new(engine), options.validate().unwrap(), clock).unwrap()
}

/// A sample each minute from the beginning of the day on.
pub(super) fn push(
    source: &mut MemorySource,
    labels: &[(&str, &str)],
    hours: i64,
    value: impl Fn(i64) -> f64,
) {
    let labels = Labels::from_pairs(labels.iter().copied());
    for at in (0..=hours * HOUR).step_by(60_000) {
        source.push_float(&labels, DAY + at, value(at));
    }
}

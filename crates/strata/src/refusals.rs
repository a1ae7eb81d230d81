//! What the store did not take, told in `strata sources` beside the source it came from, and the
//! store itself as a row of that table.

use std::path::Path;
use std::sync::Arc;

use strata_collect::book::Addendum;
use strata_model::{Clock, Fault, FaultCode, SourceKind, SourceState, SourceStatus};
use strata_store::{MetricStore, SourceRefusals, StoreStats};

/// The store's row.
const STORE: &str = "store";
/// Refusals older than this are counted, and colour the state no more.
const FRESH_MS: i64 = 600_000;

/// Completes the book of sources with what `store` says.
pub(crate) fn addendum(store: &MetricStore, dir: &Path, clock: &Arc<dyn Clock>) -> Addendum {
    let (store, dir, clock) = (store.clone(), dir.to_owned(), Arc::clone(clock));
    Box::new(move |rows| {
        let mut row = store_row(&store.stats(), &dir);
        for refused in store.refusals() {
            match rows.get_mut(&*refused.source) {
                // Whoever waits for an answer has been told, and has it in the row already.
                Some(source) if source.kind == SourceKind::Receive => {}
                Some(source) => add(source, &refused, clock.now_ms()),
                None if refused.source.starts_with("receive/") => {}
                None => add(&mut row, &refused, clock.now_ms()),
            }
        }
        rows.insert(row.id.clone(), row);
    })
}

/// Enter refusals into the row of a source.
fn add(row: &mut SourceStatus, refused: &SourceRefusals, now_ms: i64) {
    let told = faults(refused);
    row.faults_total += told.iter().map(|(fault, _)| fault.count).sum::<u64>();
    let fresh = now_ms.saturating_sub(refused.last_ms) < FRESH_MS;
    if fresh && row.state == SourceState::Ok {
        row.state = SourceState::Partial;
    }
    if fresh
        && row.hint.is_empty()
        && let Some((fault, hint)) = told.first()
    {
        row.hint = format!("{}: {hint}", fault.message);
    }
    row.recent_faults.extend(told.into_iter().map(|(fault, _)| fault));
}

/// One fault for each reason, the gravest first, with what to do about it.
fn faults(refused: &SourceRefusals) -> Vec<(Fault, &'static str)> {
    let receipt = &refused.refused;
    let reasons = [
        (
            refused.shed,
            FaultCode::OverLimit,
            "dropped because the store did not keep up",
            "see the row `store`: a disk that is full or slow, or more samples than it can take",
        ),
        (
            receipt.over_series_limit,
            FaultCode::OverLimit,
            "refused: of series beyond the limit",
            "raise series_limit of [store], or drop metrics or labels at the source",
        ),
        (
            receipt.too_old,
            FaultCode::Malformed,
            "refused: too old",
            "look at the clock of the source, or raise out_of_order_window of [store]",
        ),
        (
            receipt.too_new,
            FaultCode::Malformed,
            "refused: too far in the future",
            "look at the time service on both machines, or raise future_tolerance of [store]",
        ),
        (
            receipt.conflicting,
            FaultCode::Duplicate,
            "refused: another value for a time already stored",
            "two senders write the same series: tell them apart by a label",
        ),
        (
            receipt.invalid,
            FaultCode::Malformed,
            "refused: malformed",
            "the names, labels or histograms of the source are no valid ones",
        ),
    ];
    let told = reasons.into_iter().filter(|(count, ..)| *count > 0);
    told.map(|(count, code, reason, hint)| {
        (Fault { code, message: format!("{count} samples {reason}"), count }, hint)
    })
    .collect()
}

/// How the store itself does. Its samples are those it holds now.
fn store_row(stats: &StoreStats, dir: &Path) -> SourceStatus {
    let mut recent_faults = Vec::new();
    let mut hint = String::new();
    let mut state = SourceState::Ok;
    if stats.damaged > 0 {
        state = SourceState::Partial;
        let message = format!("{} files or rows are damaged or lost", stats.damaged);
        recent_faults.push(Fault { count: stats.damaged, ..Fault::new(FaultCode::Io, message) });
        hint = format!("stop it and run `strata store verify {}`", dir.display());
    }
    if let Some(reason) = &stats.read_only {
        state = SourceState::Failing;
        recent_faults.push(Fault::new(FaultCode::Io, reason.clone()));
        hint = format!(
            "{reason}: make {} writable or make room there; it goes on by itself",
            dir.display()
        );
    }
    let held = stats.head_samples + stats.sealed_samples;
    SourceStatus {
        id: STORE.to_owned(),
        kind: SourceKind::Native,
        layer: None,
        state,
        last_success_ms: stats.newest_ms,
        last_duration_seconds: None,
        last_samples: Some(held),
        samples_total: held,
        faults_total: recent_faults.iter().map(|fault| fault.count).sum(),
        recent_faults,
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> SourceStatus {
        SourceStatus { id: id.to_owned(), ..store_row(&StoreStats::default(), Path::new("")) }
    }

    #[test]
    fn every_reason_is_told_with_what_to_do() {
        let mut refused = SourceRefusals { shed: 7, last_ms: 1_000, ..SourceRefusals::default() };
        refused.refused.too_old = 2;
        refused.refused.too_new = 1;
        let mut told = row("scrape/x");
        add(&mut told, &refused, 2_000);
        assert_eq!((told.state, told.faults_total), (SourceState::Partial, 10));
        let words: Vec<_> = told.recent_faults.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            words,
            [
                "7 samples dropped because the store did not keep up",
                "2 samples refused: too old",
                "1 samples refused: too far in the future",
            ]
        );
        assert!(told.hint.contains("row `store`"), "{}", told.hint);
    }

    #[test]
    fn what_is_long_past_is_counted_only() {
        let mut refused = SourceRefusals::default();
        refused.refused.conflicting = 3;
        let mut told = row("scrape/x");
        add(&mut told, &refused, FRESH_MS);
        assert_eq!((told.state, told.faults_total, told.hint.as_str()), (SourceState::Ok, 3, ""));
    }

    #[test]
    fn a_store_that_cannot_write_is_failing_and_says_why() {
        let reason = "cannot write the log: No space left on device";
        let stats =
            StoreStats { read_only: Some(reason.to_owned()), damaged: 1, ..StoreStats::default() };
        let told = store_row(&stats, Path::new("data"));
        assert_eq!((told.state, told.faults_total), (SourceState::Failing, 2));
        assert!(told.hint.starts_with(reason) && told.hint.contains("data"), "{}", told.hint);
    }
}

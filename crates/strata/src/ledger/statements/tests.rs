//! Statements over samples in memory.

use serde_json::{Value as Json, json};
use strata_model::Labels;
use strata_query::promqltest::MemorySource;
use strata_serve::ReportSource as _;

use super::*;
use crate::config::CostOptions;
use crate::ledger::LedgerReports;
use crate::ledger::tests::{DAY, HOUR, push, service};

/// One GPU that a pod of a namespace holds for four hours.
fn source() -> MemorySource {
    let mut source = MemorySource::new();
    let gpu = |name: &'static str| {
        vec![
            ("__name__", name),
            ("gpu_uuid", "GPU-1"),
            ("node", "n"),
            ("gpu_model", "NVIDIA H100 80GB HBM3"),
            ("pod", "p"),
            ("namespace", "research"),
        ]
    };
    push(&mut source, &gpu("hw_gpu_memory_usage_bytes"), 4, |_| 1e9);
    push(&mut source, &gpu("hw_gpu_utilization_ratio"), 4, |_| 0.5);
    source
}

#[tokio::test]
async fn a_statement_is_closed_once_and_the_next_goes_on_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let service = service(source(), &CostOptions::default(), DAY + 4 * HOUR);
    let reports = LedgerReports(Arc::new(service.with_statements(dir.path().to_owned())));
    let asked = |until: i64, more: &[(&str, &str)]| {
        let mut asked = vec![
            ("customer".to_owned(), "research".to_owned()),
            ("of".to_owned(), "namespace".to_owned()),
            ("until".to_owned(), rfc3339(until)),
        ];
        asked.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        asked
    };
    let path = "/cost/statement/close";
    let begin = rfc3339(DAY + HOUR);
    let first = reports.act(path, asked(DAY + 2 * HOUR, &[("from", &begin)])).await.unwrap();
    let first: Json = serde_json::from_str(&first.body).unwrap();
    assert_eq!((&first["number"], &first["start"]), (&json!(1), &json!(begin)));
    // An hour of one GPU at the published figure.
    assert_eq!(first["total"], "2.950000");
    let again = reports.act(path, asked(DAY + 2 * HOUR, &[])).await.unwrap_err();
    assert_eq!(again.code, PageErrorCode::BadRequest, "{again:?}");
    let late = rfc3339(DAY + 150 * 60_000);
    let gap = reports.act(path, asked(DAY + 3 * HOUR, &[("from", &late)])).await.unwrap_err();
    assert!(gap.message.contains("the one before ends"), "{gap:?}");
    let second = reports.act(path, asked(DAY + 3 * HOUR, &[])).await.unwrap();
    let second: Json = serde_json::from_str(&second.body).unwrap();
    assert_eq!(second["previous_sha256"], first["sha256"]);
    let over = reports.act(path, asked(DAY + 5 * HOUR, &[])).await.unwrap_err();
    assert!(over.message.contains("after now"), "{over:?}");
    let draft = reports.report("/cost/statement/draft", asked(DAY + 5 * HOUR, &[]));
    let draft = draft.await.unwrap_err();
    assert!(draft.message.contains("after now"), "{draft:?}");
    let listed = reports.report("/cost/statements", Vec::new()).await.unwrap();
    let listed: Json = serde_json::from_str(&listed.body).unwrap();
    assert_eq!(listed["statements"].as_array().unwrap().len(), 2);
    let nobody = vec![("customer".to_owned(), "nobody".to_owned())];
    let unknown = reports.report("/cost/statement/draft", nobody).await.unwrap_err();
    assert!(unknown.message.contains("nothing was seen"), "{unknown:?}");
}

const MINUTE: i64 = 60_000;

/// One GPU over hours, held in each minute by a pod of the namespace that `of` names; where it names
/// none, nobody watched.
fn held(hours: i64, of: impl Fn(i64) -> Option<&'static str>) -> MemorySource {
    let mut source = MemorySource::new();
    for minute in 0..=hours * 60 {
        let Some(namespace) = of(minute) else { continue };
        let labels = Labels::from_pairs([
            ("__name__", "hw_gpu_utilization_ratio"),
            ("gpu_uuid", "GPU-1"),
            ("node", "n"),
            ("gpu_model", "NVIDIA H100 80GB HBM3"),
            ("pod", "p"),
            ("namespace", namespace),
        ]);
        source.push_float(&labels, DAY + minute * MINUTE, 0.5);
    }
    source
}

/// Statements of the first hours of the day.
fn reports(source: MemorySource, hours: i64, dir: &std::path::Path) -> LedgerReports {
    let service = service(source, &CostOptions::default(), DAY + hours * HOUR);
    LedgerReports(Arc::new(service.with_statements(dir.to_owned())))
}

/// Of a namespace, where `more` does not say of what.
pub(super) fn asked(
    name: &str,
    from: i64,
    until: i64,
    more: &[(&str, &str)],
) -> Vec<(String, String)> {
    let (from, until) = (rfc3339(from), rfc3339(until));
    let own =
        [("customer", name), ("of", "namespace"), ("from", from.as_str()), ("until", &*until)];
    let all = own.into_iter().chain(more.iter().copied());
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn a_statement_tells_holders_apart_by_the_minute() {
    let dir = tempfile::tempdir().unwrap();
    // Longer than what is billed at once; it changes hands within a step of a report.
    let source = held(13, |minute| Some(if minute <= 63 { "first" } else { "second" }));
    let reports = reports(source, 13, dir.path());
    for (name, minutes) in [("first", 63.0), ("second", 717.0)] {
        let asked = asked(name, DAY, DAY + 13 * HOUR, &[]);
        let draft = reports.report("/cost/statement/draft", asked).await.unwrap();
        let draft: Json = serde_json::from_str(&draft.body).unwrap();
        let hours = draft["lines"][0]["quantity"].as_f64().unwrap();
        assert!((hours * 60.0 - minutes).abs() < 1e-9, "{name}: {hours}");
        let total = draft["total"].as_f64().unwrap();
        assert!((total - hours * 2.95).abs() < 1e-9, "{name}: {total}");
        assert_eq!(
            (&draft["step_seconds"], &draft["assumed"]["unknown_gpu_hours"]),
            (&json!(60), &json!(0.0))
        );
    }
}

#[tokio::test]
async fn what_nobody_watched_must_be_accepted_and_stays_written() {
    let dir = tempfile::tempdir().unwrap();
    let source = held(2, |minute| (minute <= 30 || minute > 60).then_some("research"));
    let reports = reports(source, 2, dir.path());
    let path = "/cost/statement/close";
    let plain = asked("research", DAY, DAY + 2 * HOUR, &[]);
    let refused = reports.act(path, plain).await.unwrap_err();
    assert!(refused.message.contains("0.50 GPU hours nothing tells"), "{refused:?}");
    assert!(refused.hint.contains("--accept-assumed"), "{refused:?}");
    let accepted = asked("research", DAY, DAY + 2 * HOUR, &[("accept_assumed", "true")]);
    let closed = reports.act(path, accepted).await.unwrap();
    let closed: Json = serde_json::from_str(&closed.body).unwrap();
    assert_eq!(closed["assumed"]["unknown_gpu_hours"], "0.500000");
    // An hour and a half at the published figure.
    assert_eq!(closed["total"], "4.425000");
}

#[tokio::test]
async fn a_period_that_nobody_watched_is_not_closed_at_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let reports = reports(held(3, |minute| (minute <= 60).then_some("research")), 3, dir.path());
    let close = async |from: i64, until: i64| {
        let accepted = [("accept_assumed", "true")];
        let asked = asked("research", DAY + from * MINUTE, DAY + until * MINUTE, &accepted);
        reports.act("/cost/statement/close", asked).await
    };
    close(0, 90).await.unwrap();
    let refused = close(90, 180).await.unwrap_err();
    assert!(refused.message.contains("nothing was seen from 2026-"), "{refused:?}");
}

#[tokio::test]
async fn a_month_of_which_only_the_end_was_watched_is_looked_through_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let reports = reports(held(3, |_| Some("research")), 3, dir.path());
    let month = 28 * 24 * 60;
    let asked = asked("research", DAY - month * MINUTE, DAY + 30 * MINUTE, &[]);
    let refused = reports.report("/cost/statement/draft", asked).await.unwrap_err();
    // What is read at the end of a minute was there in it.
    let begin = rfc3339(DAY - MINUTE);
    assert!(refused.message.contains(&format!("nothing was seen before {begin}")), "{refused:?}");
}

#[tokio::test]
async fn a_period_has_a_bound_and_whole_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let reports = reports(MemorySource::new(), 1, dir.path());
    let check = async |from: i64, until: i64, expected: &str| {
        let asked = asked("research", from, until, &[]);
        let refused = reports.report("/cost/statement/draft", asked).await.unwrap_err();
        let told = format!("{} {}", refused.message, refused.hint);
        assert!(told.contains(expected), "{told}");
    };
    check(DAY - 74 * 24 * HOUR, DAY, "at most 105408").await;
    check(DAY - HOUR - 1000, DAY, "whole minutes").await;
    check(DAY, DAY, "ends after it begins").await;
}

#[tokio::test]
async fn the_time_of_a_draft_begins_with_its_turn() {
    let (turn, limit) = (tokio::sync::Mutex::new(()), Duration::from_millis(10));
    let before = turn.lock().await;
    let mut next = Box::pin(in_turn(&turn, limit, std::future::ready("done")));
    assert!(tokio::time::timeout(5 * limit, &mut next).await.is_err(), "it is not its turn");
    drop(before);
    assert_eq!(next.await, Ok("done"));
    assert!(in_turn(&turn, limit, std::future::pending::<()>()).await.is_err());
}

//! OpenCost's questions: its words for periods and properties, and what it asks of models.

use serde_json::{Value as Json, json};
use strata_cost::ledger::Dimension;
use strata_cost::opencost::{CostBasis, inference_set, inference_total};
use strata_cost::time::{DAY_MS, instant_ms, month_ms, rfc3339};
use strata_cost::unit::models;
use strata_model::text::parse_duration;
use strata_serve::Report;
use strata_view::PageError;

use super::asked::{Asked, bad};
use super::report::json;
use super::{LedgerReports, LedgerService, STEP_MS};

/// Steps of a time series at most: each is a ledger of its own.
const SETS_MAX: usize = 62;
const HOUR_MS: i64 = 3_600_000;
/// What a window can be.
const WINDOWS: &str = "window=24h, today, yesterday, week, lastweek, month, lastmonth, or two times: \
                       2026-04-01T00:00:00Z,2026-04-02T00:00:00Z";

/// What a window is from and until; what has not ended yet ends now. Weeks begin on Sunday, days at 0:00
/// UTC, as OpenCost has them.
///
/// # Errors
/// Where it is none, or lies in the future.
pub(super) fn window(text: &str, now_ms: i64) -> Result<(i64, i64), PageError> {
    let today = now_ms.div_euclid(DAY_MS) * DAY_MS;
    // 1970 began on a Thursday.
    let week = today - (today / DAY_MS + 4).rem_euclid(7) * DAY_MS;
    let month = month_ms(now_ms).map_or(today, |(first, _)| first);
    let (start, end) = match text {
        "today" => (today, now_ms),
        "yesterday" => (today - DAY_MS, today),
        "week" => (week, now_ms),
        "lastweek" => (week - 7 * DAY_MS, week),
        "month" => (month, now_ms),
        "lastmonth" => (month_ms(month - 1).map_or(month, |(first, _)| first), month),
        _ => {
            if let Some((start, end)) = text.split_once(',') {
                let wrong = || bad(format!("window: {text:?}"), WINDOWS);
                (instant(start).ok_or_else(wrong)?, instant(end).ok_or_else(wrong)?)
            } else {
                let length = parse_duration(text);
                let length = length.map_err(|error| bad(format!("window: {error}"), WINDOWS))?;
                let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
                (now_ms.saturating_sub(length_ms), now_ms)
            }
        }
    };
    let end = end.min(now_ms);
    if start >= end {
        return Err(bad(
            format!("window: {text:?} is empty, runs backwards or is to come"),
            WINDOWS,
        ));
    }
    Ok((start, end))
}

/// An instant, or seconds since 1970.
fn instant(text: &str) -> Option<i64> {
    let seconds = || text.trim().parse::<i64>().ok()?.checked_mul(1000);
    instant_ms(text).or_else(seconds)
}

/// Our word for a property of OpenCost's.
pub(super) fn property(word: &str) -> &str {
    match word.strip_prefix("label:").unwrap_or(word) {
        "model_name" => "model",
        "tenant_id" => "tenant",
        other => other,
    }
}

/// The parts of a period of which a time series has a set each.
fn steps(asked: &Asked) -> Result<Vec<(i64, i64)>, PageError> {
    let words = "accumulate=hour, day, week or month";
    let length_ms = match asked.text("accumulate") {
        Some("hour") => Some(HOUR_MS),
        Some("day") => Some(DAY_MS),
        Some("week") => Some(7 * DAY_MS),
        Some("month") => None,
        Some(other) => return Err(bad(format!("accumulate: {other:?}"), words)),
        None => return Err(bad("accumulate: missing".to_owned(), words)),
    };
    let (mut start, mut steps) = (asked.start_ms, Vec::new());
    while asked.end_ms - start >= STEP_MS {
        let next = match length_ms {
            Some(length_ms) => start + length_ms,
            None => month_ms(start).map_or(asked.end_ms, |(_, next)| next),
        };
        steps.push((start, next.min(asked.end_ms)));
        start = next;
        if steps.len() > SETS_MAX {
            let told = format!("more than {SETS_MAX} steps");
            return Err(bad(told, "a shorter window or a longer step"));
        }
    }
    Ok(steps)
}

fn basis(asked: &Asked) -> Result<CostBasis, PageError> {
    match asked.text("costBasis") {
        None | Some("allocation") => Ok(CostBasis::Allocation),
        Some("usage") => Ok(CostBasis::Usage),
        Some(other) => Err(bad(format!("costBasis: {other:?}"), "allocation or usage")),
    }
}

/// Models are what it is told by.
fn only_models(asked: &Asked) -> Result<(), PageError> {
    match asked.by.as_slice() {
        [] | [(_, Dimension::Model)] => Ok(()),
        [(name, _), ..] => {
            let told = format!("aggregate: {name:?}");
            Err(bad(told, "aggregate=model_name; /allocation has other properties"))
        }
    }
}

impl LedgerReports {
    pub(super) async fn inference_total(&self, asked: &Asked) -> Result<Report, PageError> {
        only_models(asked)?;
        let basis = basis(asked)?;
        let account = self.account(asked).await;
        let units = models(&account.ledger, &self.0.settings.energy);
        Ok(json(&inference_total(&account.ledger, &units, basis)))
    }

    pub(super) async fn inference_series(&self, asked: &Asked) -> Result<Report, PageError> {
        only_models(asked)?;
        let basis = basis(asked)?;
        let mut sets: Vec<Json> = Vec::new();
        // Dozens of ledgers: one reader's after the other's, beside nobody's statement.
        let _turn = self.0.drafting.lock().await;
        for (start_ms, end_ms) in steps(asked)? {
            let period = LedgerService::period(start_ms, end_ms);
            // Where no step divides the part, what is told begins before it, and says so.
            let (from_ms, until_ms) = (period.start_ms.min(start_ms), period.end_ms());
            let account = self.0.account(period).await;
            let units = models(&account.ledger, &self.0.settings.energy);
            let mut set = inference_set(&account.ledger, &units, basis);
            set["window"] = json!({ "start": rfc3339(from_ms), "end": rfc3339(until_ms) });
            sets.push(set);
        }
        let window = json!({ "start": rfc3339(asked.start_ms), "end": rfc3339(asked.end_ms) });
        let data = json!({ "inferenceCostSets": sets, "window": window });
        Ok(json(&json!({ "code": 200, "data": data })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{DAY, HOUR};

    #[test]
    fn windows_are_those_of_opencost() {
        let check = |text: &str, expected: [&str; 2]| {
            // A Thursday.
            let (start, end) = window(text, DAY + 10 * HOUR).unwrap();
            assert_eq!(
                [rfc3339(start), rfc3339(end)],
                expected.map(|at| format!("{at}:00Z")),
                "{text}"
            );
        };
        let now = "2026-11-26T10:00";
        check("90m", ["2026-11-26T08:30", now]);
        check("2d", ["2026-11-24T10:00", now]);
        check("today", ["2026-11-26T00:00", now]);
        check("yesterday", ["2026-11-25T00:00", "2026-11-26T00:00"]);
        check("week", ["2026-11-22T00:00", now]);
        check("lastweek", ["2026-11-15T00:00", "2026-11-22T00:00"]);
        check("month", ["2026-11-01T00:00", now]);
        check("lastmonth", ["2026-10-01T00:00", "2026-11-01T00:00"]);
        check(
            "2026-11-25T00:00:00Z,2026-11-26T00:00:00Z",
            ["2026-11-25T00:00", "2026-11-26T00:00"],
        );
        check("1795651200,1795654800", ["2026-11-26T00:00", "2026-11-26T01:00"]);
        // What is not over ends now.
        check("2026-11-26,2026-11-27", ["2026-11-26T00:00", now]);
        for wrong in
            ["soon", "2026-11-26,", "1795654800,1795651200", "2027-01-01,2027-01-02", "", "0s"]
        {
            assert!(window(wrong, DAY + 10 * HOUR).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_series_has_a_set_for_each_part_and_a_bound() {
        let of = |window: &str, step: &str| {
            let params = [("window", window), ("accumulate", step)];
            let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let asked = Asked::read("/inferenceCost/timeseries", &params, DAY + 10 * HOUR)?;
            steps(&asked)
        };
        assert_eq!(of("yesterday", "hour").unwrap().len(), 24);
        let parts = of("week", "day").unwrap();
        assert_eq!((parts.len(), parts[4]), (5, (DAY, DAY + 10 * HOUR)));
        let months = of("2026-09-15,2026-11-26", "month").unwrap();
        let starts: Vec<_> = months.iter().map(|(start, _)| rfc3339(*start)).collect();
        assert_eq!(starts[1..], ["2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"]);
        assert!(of("month", "hour").unwrap_err().message.contains("62 steps"));
        assert!(of("month", "blue").is_err() && of("month", "").is_err());
    }
}

//! How the budgets of the configuration stand, by the ledger's own series.

mod report;

use std::time::Duration;

use strata_cost::budget::{Budget, Spending, Standing};
use strata_model::catalog::Catalog;
use strata_query::engine::Value;
use strata_query::{QueryValue, RangeQuery};
use strata_view::rooms::BudgetLine;

use super::LedgerService;
use crate::config::{BudgetPeriod, BudgetSettings};

const HOUR_MS: i64 = 3_600_000;
const DEADLINE: Duration = Duration::from_secs(10);

/// Burning is judged by three days and the hours of the week are learned in two weeks, whatever the
/// period of a budget is.
const LOOK_BACK_HOURS: i64 = 14 * 24;

impl LedgerService {
    /// Every budget and how it stands, or why that is not known.
    pub(crate) async fn budgets(&self) -> Vec<BudgetLine> {
        let now_ms = self.now_ms();
        // The hour that goes on is left out: its money so far is a part of an hour's.
        let whole_ms = now_ms.div_euclid(HOUR_MS) * HOUR_MS;
        let mut lines = Vec::new();
        for settings in &self.settings.budgets {
            let Some((start_ms, end_ms)) = span(settings.period, now_ms) else { continue };
            let owner = settings.name.clone();
            let budget = Budget { owner, amount: settings.amount, start_ms, end_ms };
            lines.push(BudgetLine {
                name: settings.name.clone(),
                amount: settings.amount,
                period: settings.period.name().to_owned(),
                namespace: settings.namespace.clone(),
                model: settings.model.clone(),
                start_ms,
                end_ms,
                counted_ms: whole_ms,
                standing: self.standing(settings, &budget, whole_ms).await,
            });
        }
        lines
    }

    /// How a budget stands at the end of the last whole hour.
    async fn standing(
        &self,
        settings: &BudgetSettings,
        budget: &Budget,
        whole_ms: i64,
    ) -> Result<Standing, String> {
        let start_ms = budget.start_ms;
        if whole_ms <= start_ms {
            return Err("no whole hour of its period is over".to_owned());
        }
        let from_ms = start_ms.min(whole_ms - LOOK_BACK_HOURS * HOUR_MS);
        let hours = usize::try_from((whole_ms - from_ms) / HOUR_MS).unwrap_or_default();
        let range = |text| RangeQuery {
            text,
            start_ms: from_ms + HOUR_MS,
            end_ms: whole_ms,
            step_ms: HOUR_MS,
            timeout: DEADLINE,
            lookback_ms: None,
        };
        let nobody = "the ledger's own series could not be read";
        let [money, unpriced] = SERIES.map(|series| grown(settings, series, "1h"));
        let mut steps = self.by_hour(range(money), hours).await.ok_or(nobody)?;
        let unpriced = self.by_hour(range(unpriced), hours).await.ok_or(nobody)?;
        // Of an hour in which somebody's GPUs had no price, what is known is not all.
        let without: Vec<bool> = unpriced.iter().map(|seconds| *seconds > 0.0).collect();
        // Hours before the first that was counted were not the ledger's to count.
        let counted =
            steps.iter().zip(&without).map(|(money, without)| money.is_finite() || *without);
        let counted: Vec<bool> = counted.collect();
        let in_span = usize::try_from((start_ms - from_ms) / HOUR_MS).unwrap_or_default();
        let is_any = |flags: &[bool]| flags.iter().skip(in_span).any(|flag| *flag);
        let first = counted.iter().position(|counted| *counted).filter(|_| is_any(&counted));
        let first = first.ok_or_else(|| uncounted(settings))?;
        for (money, _) in steps.iter_mut().zip(&without).filter(|(_, without)| **without) {
            *money = f64::NAN;
        }
        if steps.iter().skip(in_span).all(|money| !money.is_finite()) {
            return Err("of no hour of its period all GPUs have a price".to_owned());
        }
        // Counting began somewhere within the first.
        let begun = usize::from(first > 0);
        let known = steps.get(first..).unwrap_or_default();
        let start_ms = from_ms + HOUR_MS * i64::try_from(first).unwrap_or_default();
        let spending = Spending { start_ms, step_ms: HOUR_MS, steps: known, begun };
        budget.standing(spending).ok_or_else(|| "its amount or its period is no budget".to_owned())
    }

    /// One value for each of `hours` hours, NaN where there is none; None where nobody answered.
    async fn by_hour(&self, query: RangeQuery, hours: usize) -> Option<Vec<f64>> {
        let first_ms = query.start_ms;
        let mut steps = vec![f64::NAN; hours];
        let QueryValue::Matrix(series) = self.engine.range(query).await.ok()?.value else {
            return None;
        };
        for (at_ms, value) in series.iter().flat_map(|one| &one.points) {
            let place = usize::try_from((at_ms - first_ms) / HOUR_MS).ok();
            if let (Some(step), Value::Float(value)) =
                (place.and_then(|place| steps.get_mut(place)), value)
            {
                *step = *value;
            }
        }
        Some(steps)
    }
}

/// Why nothing is counted for a budget: mostly a name that nobody has.
fn uncounted(settings: &BudgetSettings) -> String {
    let named = [("namespace", &settings.namespace), ("model", &settings.model)];
    let named =
        named.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
    match named.collect::<Vec<_>>().join(" and ") {
        of if of.is_empty() => "the ledger has counted no whole hour of its period".to_owned(),
        of => format!("nothing is counted for {of} in its period"),
    }
}

/// What is spent, and the time whose money is in no amount.
const SERIES: [&str; 2] = ["cost.amount", "cost.unpriced_time"];

/// The query for what a counter of a budget's holders grew by within a time.
fn grown(settings: &BudgetSettings, metric: &str, within: &str) -> String {
    let series = Catalog::builtin().metric(metric).map_or(metric, |metric| &metric.prometheus);
    let quoted = |name: &str, value: &Option<String>| {
        let value = value.as_ref()?;
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        Some(format!("{name}=\"{value}\""))
    };
    let matchers = [quoted("namespace", &settings.namespace), quoted("model", &settings.model)];
    let matchers: Vec<String> = matchers.into_iter().flatten().collect();
    format!("sum(increase({series}{{{}}}[{within}]))", matchers.join(","))
}

/// The period of a budget that a moment lies in, in UTC.
fn span(period: BudgetPeriod, now_ms: i64) -> Option<(i64, i64)> {
    use jiff::{ToSpan as _, Unit};
    let now = jiff::Timestamp::from_millisecond(now_ms).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let day = now.round(jiff::ZonedRound::new().smallest(Unit::Day).mode(jiff::RoundMode::Trunc));
    let day = day.ok()?;
    let (start, length) = match period {
        BudgetPeriod::Day => (day, 1.day()),
        BudgetPeriod::Week => {
            let back = i64::from(day.weekday().to_monday_zero_offset());
            (day.checked_sub(back.days()).ok()?, 7.days())
        }
        BudgetPeriod::Month => (day.first_of_month().ok()?, 1.month()),
    };
    let end = start.checked_add(length).ok()?;
    Some((start.timestamp().as_millisecond(), end.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_the_calendar() {
        let check = |period, now: &str, expected: [&str; 2]| {
            let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
            assert_eq!(span(period, at(now)), Some((at(expected[0]), at(expected[1]))), "{now}");
        };
        let leap = "2028-02-29T13:00:00Z";
        check(BudgetPeriod::Month, leap, ["2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"]);
        check(BudgetPeriod::Day, leap, ["2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"]);
        // A Thursday.
        let thursday = "2026-11-26T20:00:00Z";
        check(BudgetPeriod::Week, thursday, ["2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"]);
    }

    #[test]
    fn a_change_of_clocks_is_none_for_a_budget() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let hours = |period, now: &str| {
            let (start, end) = span(period, at(now)).unwrap();
            (end - start) / HOUR_MS
        };
        // Clocks in Berlin go forward and back on these nights: their days have 23 and 25 hours there.
        for now in ["2026-03-29T00:30:00Z", "2026-03-29T21:59:00Z", "2026-10-25T23:30:00Z"] {
            assert_eq!(hours(BudgetPeriod::Day, now), 24, "{now}");
            assert_eq!(hours(BudgetPeriod::Week, now), 168, "{now}");
            assert_eq!(hours(BudgetPeriod::Month, now), 31 * 24, "{now}");
        }
        // What is already Sunday's in Berlin is Saturday's here.
        let late = at("2026-03-28T23:30:00Z");
        let saturday = at("2026-03-28T00:00:00Z");
        assert_eq!(span(BudgetPeriod::Day, late).unwrap().0, saturday);
    }

    #[test]
    fn names_are_quoted() {
        let settings = BudgetSettings {
            name: "b".to_owned(),
            amount: 1.0,
            period: BudgetPeriod::Day,
            namespace: Some("a\"b".to_owned()),
            model: None,
        };
        assert_eq!(
            grown(&settings, "cost.amount", "1h"),
            r#"sum(increase(cost_amount_total{namespace="a\"b"}[1h]))"#
        );
    }

    #[tokio::test]
    async fn hours_without_a_price_are_unknown_and_not_free() {
        use strata_query::promqltest::MemorySource;

        use crate::config::{BudgetOptions, CostOptions};
        use crate::ledger::tests::{DAY, HOUR, push, service};

        let mut source = MemorySource::new();
        // One of money a minute; in the second hour some GPUs have no price.
        let money = [("__name__", "cost_amount_total"), ("namespace", "a")];
        push(&mut source, &money, 4, |at| at as f64 / 60_000.0);
        let unpriced = [("__name__", "cost_unpriced_time_seconds_total"), ("namespace", "a")];
        push(&mut source, &unpriced, 4, |at| (at.clamp(HOUR, 2 * HOUR) - HOUR) as f64 / 1000.0);
        let budget = |name: &str, namespace: &str| BudgetOptions {
            name: name.to_owned(),
            amount: 1440.0,
            period: BudgetPeriod::Day,
            namespace: Some(namespace.to_owned()),
            model: None,
        };
        let options = CostOptions {
            budget: vec![budget("a", "a"), budget("nobody", "b")],
            ..CostOptions::default()
        };
        let lines = service(source, &options, DAY + 4 * HOUR).budgets().await;
        let standing = lines[0].standing.as_ref().unwrap().clone();
        assert!((standing.unknown - 0.25).abs() < 1e-9, "{standing:?}");
        assert!((standing.spent - 180.0).abs() < 1.0, "{standing:?}");
        let why = lines[1].standing.as_ref().unwrap_err();
        assert_eq!(why, "nothing is counted for namespace b in its period");
    }
}

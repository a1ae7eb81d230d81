//! `/api/v1/cost/budgets`: every budget with what is left of it.

use serde_json::{Value as Json, json};
use strata_cost::budget::{Burn, Standing};
use strata_cost::time::rfc3339;
use strata_serve::Report;
use strata_view::rooms::BudgetLine;

use crate::ledger::LedgerReports;
use crate::ledger::report::json;

/// What to do where there is none.
const NONE: &str = "no budget is set: write [[cost.budget]] with name, amount and period into \
    strata.toml";

impl LedgerReports {
    /// The budgets of the configuration; where there are none, how one is set.
    pub(in crate::ledger) async fn budget_report(&self) -> Report {
        let lines = self.0.budgets().await;
        json(&json!({
            "currency": self.0.settings.ledger.currency,
            "budgets": lines.iter().map(line).collect::<Vec<_>>(),
            "hint": lines.is_empty().then_some(NONE),
        }))
    }
}

fn line(budget: &BudgetLine) -> Json {
    let standing = budget.standing.as_ref().ok();
    let of = |value: fn(&Standing) -> f64| standing.map(value);
    json!({
        "name": budget.name,
        "namespace": budget.namespace,
        "model": budget.model,
        "period": budget.period,
        "start": rfc3339(budget.start_ms),
        "end": rfc3339(budget.end_ms),
        "counted_until": rfc3339(budget.counted_ms),
        "amount": budget.amount,
        "spent": of(|one| one.spent),
        "left": of(|one| one.spent).map(|spent| budget.amount - spent),
        "used": of(|one| one.used),
        "unknown_share": of(|one| one.unknown),
        "forecast": standing.and_then(|one| one.forecast),
        "exhausted": standing.and_then(|one| one.exhausted_ms).map(rfc3339),
        "reached": standing.map(|one| one.reached.clone()),
        "burn": standing.map(|one| one.burns.iter().map(burn).collect::<Vec<_>>()),
        "unknown": budget.standing.as_ref().err(),
    })
}

fn burn(burn: &Burn) -> Json {
    json!({
        "rule": burn.rule.name,
        "rate": burn.rate,
        "limit": burn.rule.factor,
        "over_seconds": burn.rule.long_ms / 1000,
        "is_urgent": burn.rule.is_urgent,
        "is_firing": burn.is_firing,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strata_query::promqltest::MemorySource;

    use super::*;
    use crate::config::{BudgetOptions, BudgetPeriod, CostOptions};
    use crate::ledger::tests::{DAY, HOUR, push, service};

    async fn report(options: &CostOptions, hours: i64) -> Json {
        let mut source = MemorySource::new();
        let money = [("__name__", "cost_amount_total"), ("namespace", "a"), ("model", "m")];
        push(&mut source, &money, hours, |at| at as f64 / 60_000.0);
        let service = service(source, options, DAY + hours * HOUR + 60_000);
        let report = LedgerReports(Arc::new(service)).budget_report().await;
        serde_json::from_str(&report.body).unwrap()
    }

    fn options(amount: f64, period: BudgetPeriod) -> CostOptions {
        let budget = BudgetOptions {
            name: "agents".to_owned(),
            amount,
            period,
            namespace: Some("a".to_owned()),
            model: None,
        };
        CostOptions { budget: vec![budget], ..CostOptions::default() }
    }

    #[tokio::test]
    async fn a_budget_is_told_with_what_is_left_when_it_ends_and_what_burns() {
        // Sixty an hour of 720 a day: twice the even rate, used up at noon.
        let answer = report(&options(720.0, BudgetPeriod::Day), 8).await;
        let one = &answer["budgets"][0];
        let near = |name: &str, expected: f64| {
            let told = one[name].as_f64().unwrap_or(f64::NAN);
            assert!((told - expected).abs() < 0.01 * expected, "{name}: {told} {one}");
        };
        near("spent", 480.0);
        near("left", 240.0);
        near("forecast", 1440.0);
        let exhausted = one["exhausted"].as_str().unwrap();
        assert!(exhausted.starts_with("2026-11-26T1") && exhausted < "2026-11-26T12:10", "{one}");
        assert_eq!(one["end"], "2026-11-27T00:00:00Z");
        assert_eq!(one["counted_until"], "2026-11-26T08:00:00Z");
        assert_eq!(one["reached"], json!([0.5]));
        let rules: Vec<_> = (0..3).map(|at| one["burn"][at]["rule"].as_str().unwrap()).collect();
        assert_eq!(rules, ["fast_burn", "steady_burn", "slow_burn"]);
        assert!((one["burn"][1]["rate"].as_f64().unwrap() - 2.0).abs() < 0.02, "{one}");
        assert_eq!(one["burn"][2]["rate"], Json::Null, "of three days eight hours are known");
        assert_eq!(one["burn"][1]["is_firing"], false);
        assert_eq!(answer["hint"], Json::Null);
        let hot = report(&options(90.0, BudgetPeriod::Day), 8).await;
        assert_eq!(hot["budgets"][0]["burn"][0]["is_firing"], true, "{hot}");
        assert!(hot["budgets"][0]["left"].as_f64().unwrap() < 0.0, "{hot}");
    }

    #[tokio::test]
    async fn without_a_budget_the_answer_says_how_to_set_one() {
        let answer = report(&CostOptions::default(), 2).await;
        assert_eq!(answer["budgets"], json!([]));
        assert!(answer["hint"].as_str().unwrap().contains("[[cost.budget]]"), "{answer}");
        let young = report(&options(1.0, BudgetPeriod::Day), 0).await;
        let one = &young["budgets"][0];
        assert_eq!((&one["spent"], &one["burn"]), (&Json::Null, &Json::Null));
        assert_eq!(one["unknown"], "no whole hour of its period is over");
    }
}

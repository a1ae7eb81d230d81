//! Documents of the ledger: for `strata cost`, for scripts, for what reads OpenCost.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use strata_cost::change::{ChangeError, explain};
use strata_cost::focus::{FocusOptions, export, to_csv, validate};
use strata_cost::ledger::{Dimension, Ledger, Line, State};
use strata_cost::opencost::allocation;
use strata_cost::time::{day, rfc3339};
use strata_cost::unit::{Energy, by_tenant, cache_loss, energy, fleet, hit_rates, models, waste};
use strata_model::sink::BoxFuture;
use strata_serve::{Report, ReportParams, ReportSource};
use strata_view::{PageError, PageErrorCode};

use super::asked::{Asked, bad};
use super::charged::Charging;
use super::units::{cache, energy_of, model};
use super::{Account, LedgerService};

/// Documents over the ledger.
pub(crate) struct LedgerReports(pub(crate) Arc<LedgerService>);

impl ReportSource for LedgerReports {
    fn report(
        &self,
        path: &'static str,
        params: ReportParams,
    ) -> BoxFuture<'_, Result<Report, PageError>> {
        Box::pin(async move {
            let asked = Asked::read(path, &params, self.0.now_ms())?;
            match path {
                "/cost/why" => self.why(&asked).await,
                "/cost/focus" => self.focus(&asked).await,
                "/cost" => self.cost(&asked).await,
                "/cost/calls" => self.call_costs(&asked).await,
                "/cost/breakeven" => self.breakeven(&asked).await,
                "/cost/advice" => self.advice(&asked).await,
                "/cost/budgets" => Ok(self.budget_report().await),
                "/cost/tariff" => Ok(self.tariff(&asked).await),
                "/cost/prices" => Ok(self.prices(&asked).await),
                "/cost/statements" => self.statements(&asked).await,
                "/cost/statement" => self.statement(&asked).await,
                "/cost/statement/draft" => self.draft(&asked).await,
                "/inferenceCost/total" => self.inference_total(&asked).await,
                "/inferenceCost/timeseries" => self.inference_series(&asked).await,
                _ => {
                    let by = asked.by.first().map_or(Dimension::Namespace, |(_, by)| *by);
                    let account = self.account(&asked).await;
                    Ok(json(&allocation(&account.ledger, by)))
                }
            }
        })
    }

    fn act(
        &self,
        path: &'static str,
        params: ReportParams,
    ) -> BoxFuture<'_, Result<Report, PageError>> {
        Box::pin(async move {
            let asked = Asked::read(path, &params, self.0.now_ms())?;
            self.close(&asked).await
        })
    }
}

pub(super) fn json(value: &Json) -> Report {
    Report { content_type: "application/json", body: value.to_string() }
}

pub(super) fn period(ledger: &Ledger) -> Json {
    json!({
        "start": rfc3339(ledger.start_ms),
        "end": rfc3339(ledger.end_ms()),
        "step_seconds": ledger.step_ms / 1000,
    })
}

fn line(keys: &[String], line: &Line) -> Json {
    let states = State::ALL.into_iter().filter(|state| line.seconds_in(*state) > 0.0);
    let states = states.map(|state| {
        let told = json!({
            "gpu_hours": line.seconds_in(state) / 3600.0,
            "amount": (line.unpriced_s <= 0.0).then(|| line.money_in(state)),
        });
        (state.name().to_owned(), told)
    });
    json!({
        "keys": keys,
        "gpu_hours": line.gpu_s() / 3600.0,
        // A line of which a part has no price has no amount.
        "amount": line.amount(),
        "unpriced_gpu_hours": line.unpriced_s / 3600.0,
        "equal_share_gpu_hours": line.assumed_s / 3600.0,
        // Of a line whose GPUs were not read for a part of its time the sum is not its energy.
        "energy_joules": energy(line, None, &Energy::default()).map(|one| one.gpu_j),
        "states": states.collect::<serde_json::Map<_, _>>(),
    })
}

/// Lines of tenants under the keys that were asked for.
fn grouped(
    lines: Vec<((String, String), Line)>,
    keys: impl Fn((String, String)) -> Vec<String>,
) -> Vec<Json> {
    let mut groups: BTreeMap<Vec<String>, Vec<Line>> = BTreeMap::new();
    for (both, one) in lines {
        groups.entry(keys(both)).or_default().push(one);
    }
    groups.iter().map(|(keys, lines)| line(keys, &Line::merged("", lines))).collect()
}

pub(super) fn prices(ledger: &Ledger, now_ms: i64) -> Json {
    let rows = ledger.rates.iter().flat_map(|rate| {
        rate.timeline.iter().map(move |(from_ms, quote)| match quote {
            Ok(quote) => json!({
                "gpu": rate.wanted.gpu,
                "from": rfc3339(*from_ms),
                "per_gpu_hour": quote.per_gpu_hour,
                "currency": quote.currency,
                "source": quote.source,
                "as_of": day(quote.date_ms),
                "age_days": quote.age_days(now_ms).floor(),
                "confidence": quote.confidence.name(),
                "assumed": quote.assumed,
            }),
            Err(why) => json!({ "gpu": rate.wanted.gpu, "unpriced": why.to_string() }),
        })
    });
    rows.collect()
}

impl LedgerReports {
    /// Records are read only where tenants are shown.
    pub(super) async fn account(&self, asked: &Asked) -> Account {
        if asked.by.iter().any(|(_, by)| *by == Dimension::Tenant) {
            self.0.with_tenants(asked.period()).await
        } else {
            self.0.account(asked.period()).await
        }
    }

    pub(super) async fn cost(&self, asked: &Asked) -> Result<Report, PageError> {
        let charging = Charging::asked(asked)?;
        let Account { ledger, notes, .. } = self.account(asked).await;
        let energy = &self.0.settings.energy;
        let units = models(&ledger, energy);
        let lines: Vec<Json> = match asked.by.as_slice() {
            // Tenants of a shared replica are told apart by their tokens.
            [(_, Dimension::Tenant)] => grouped(by_tenant(&ledger), |(tenant, _)| vec![tenant]),
            [(_, Dimension::Tenant), (_, Dimension::Model)] => {
                grouped(by_tenant(&ledger), |(tenant, model)| vec![tenant, model])
            }
            [(_, Dimension::Model), (_, Dimension::Tenant)] => {
                grouped(by_tenant(&ledger), |(tenant, model)| vec![model, tenant])
            }
            by if by.iter().any(|(_, by)| *by == Dimension::Tenant) => {
                return Err(bad("by: a tenant goes with model only".to_owned(), "by=tenant,model"));
            }
            [(_, first), (_, second)] => {
                let rows = ledger.by_two(*first, *second);
                rows.iter().map(|((a, b), row)| line(&[a.clone(), b.clone()], row)).collect()
            }
            by => {
                let by = by.first().map_or(Dimension::Namespace, |(_, by)| *by);
                ledger.by(by).iter().map(|row| line(std::slice::from_ref(&row.key), row)).collect()
            }
        };
        let names: Vec<_> = asked.by.iter().map(|(name, _)| *name).collect();
        let by = if names.is_empty() { vec!["namespace"] } else { names };
        let level = ledger.options.level;
        let useful = fleet(&ledger, &units).get(level.place()).copied().flatten();
        let wasted = waste(&ledger, Dimension::Team).into_iter().map(|one| {
            json!({
                "cause": one.cause.name(),
                "team": one.owner,
                "gpu_hours": one.gpu_s / 3600.0,
                "amount": (one.unpriced_s <= 0.0).then_some(one.money),
            })
        });
        let checked = ledger.reconciliation();
        let mut notes = [notes, ledger.remarks()].concat();
        let mut total = line(&[], &ledger.total());
        if ledger.gpus.is_empty() {
            // Nobody watched: that is not a time that cost nothing.
            total["amount"] = Json::Null;
            notes.push("nothing was seen in this period".to_owned());
        }
        Ok(json(&json!({
            "period": period(&ledger),
            "currency": ledger.options.currency,
            "total": total,
            "reconciles": checked.holds(),
            "unattributed_share": checked.unattributed,
            "unknown_share": checked.unknown,
            "unpriced_share": checked.unpriced,
            "useful_level": level.name(),
            "per_million_useful_tokens": useful.map(|cost| cost.cost * 1e6),
            "by": by,
            "lines": lines,
            "charges": charging.map(|charging| charging.report(&ledger)),
            "models": units.iter().map(|units| model(units, energy)).collect::<Vec<_>>(),
            "energy": energy_of(&ledger.total(), None, energy),
            "training": super::trained::runs(&ledger),
            "waste": wasted.collect::<Vec<_>>(),
            "prices": prices(&ledger, self.0.now_ms()),
            "notes": notes,
        })))
    }

    async fn why(&self, asked: &Asked) -> Result<Report, PageError> {
        let now = asked.period();
        let before = LedgerService::before(&now);
        let (before, after) =
            (self.0.account(before).await.ledger, self.0.account(now).await.ledger);
        let change = explain(&before, &after).map_err(|error| PageError {
            hint: match error {
                ChangeError::Lengths { .. } => {
                    "take a shorter --since: this one begins before \
                                                the first GPU was seen"
                }
                ChangeError::Currencies(..) | ChangeError::Unpriced { .. } => {
                    "strata cost shows what has no price"
                }
            }
            .to_owned(),
            code: PageErrorCode::TooMuch,
            message: error.to_string(),
        })?;
        let lost = cache_loss(&after, &hit_rates(&before));
        let terms = change.terms.iter();
        let terms =
            terms.map(|(factor, money)| json!({ "factor": factor.name(), "amount": money }));
        Ok(json(&json!({
            "currency": after.options.currency,
            "before": { "period": period(&before), "amount": change.before },
            "after": { "period": period(&after), "amount": change.after },
            "terms": terms.collect::<Vec<_>>(),
            "cache_loss": lost.iter().map(cache).collect::<Vec<_>>(),
            "residual": change.residual(),
        })))
    }

    async fn focus(&self, asked: &Asked) -> Result<Report, PageError> {
        let Account { ledger, .. } = self.account(asked).await;
        let options = FocusOptions {
            billing_account: "strata".to_owned(),
            provider: self.0.settings.terms.provider.clone().unwrap_or_else(|| "own".to_owned()),
            is_billed: false,
        };
        let export = export(&ledger, &options);
        let body = to_csv(&export.rows);
        let problems = validate(&body);
        if let Some(problem) = problems.first() {
            return Err(PageError {
                code: PageErrorCode::Internal,
                message: format!("the export does not keep to FOCUS: {problem}"),
                hint: "this is a fault of strata".to_owned(),
            });
        }
        Ok(Report { content_type: "text/csv; charset=utf-8", body })
    }
}

//! Documents of the ledger: for `strata cost`, for scripts, for what reads OpenCost.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use strata_cost::change::{ChangeError, explain};
use strata_cost::focus::{FocusOptions, export, to_csv, validate};
use strata_cost::ledger::{Dimension, Ledger, Line, State};
use strata_cost::opencost::{CostBasis, allocation, inference_total};
use strata_cost::time::{day, rfc3339};
use strata_cost::unit::{Units, fleet, models, waste};
use strata_cost::useful::Level;
use strata_model::sink::BoxFuture;
use strata_model::text::parse_duration;
use strata_serve::{Report, ReportParams, ReportSource};
use strata_view::{PageError, PageErrorCode};
use strata_world::bill::Period;

use super::{Account, LedgerService};

/// What can be grouped by, with the words for it.
const DIMENSIONS: [(&str, Dimension); 10] = [
    ("namespace", Dimension::Namespace),
    ("pod", Dimension::Pod),
    ("team", Dimension::Team),
    ("app", Dimension::App),
    ("model", Dimension::Model),
    ("tenant", Dimension::Tenant),
    ("replica", Dimension::Replica),
    ("node", Dimension::Node),
    ("sku", Dimension::Sku),
    ("gpu", Dimension::Gpu),
];

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
                "/inferenceCost/total" => {
                    let account = self.account(&asked).await;
                    let units = models(&account.ledger, &self.0.settings.energy);
                    Ok(json(&inference_total(&account.ledger, &units, CostBasis::Allocation)))
                }
                _ => {
                    let account = self.account(&asked).await;
                    let by = asked.by.first().map_or(Dimension::Namespace, |(_, by)| *by);
                    Ok(json(&allocation(&account.ledger, by)))
                }
            }
        })
    }
}

/// The parameters of a request.
struct Asked {
    start_ms: i64,
    end_ms: i64,
    by: Vec<(&'static str, Dimension)>,
}

fn bad(message: String, hint: &str) -> PageError {
    PageError { code: PageErrorCode::BadRequest, message, hint: hint.to_owned() }
}

impl Asked {
    fn read(path: &str, params: &ReportParams, now_ms: i64) -> Result<Self, PageError> {
        let mut asked = Self { start_ms: 0, end_ms: now_ms, by: Vec::new() };
        let mut since_ms = 3_600_000;
        for (name, value) in params {
            match name.as_str() {
                // OpenCost's name for it.
                "since" | "window" => {
                    let since = parse_duration(value)
                        .map_err(|error| bad(format!("{name}: {error}"), "since=24h"))?;
                    since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
                }
                "end" => {
                    let end = strata_cost::time::instant_ms(value);
                    asked.end_ms =
                        end.ok_or_else(|| bad(format!("end: {value:?}"), "end=2026-04-01"))?;
                }
                "by" | "aggregate" => {
                    for word in value.split(',').filter(|word| !word.is_empty()) {
                        let known = DIMENSIONS.iter().find(|(name, _)| *name == word);
                        let names = DIMENSIONS.map(|(name, _)| name).join(", ");
                        let unknown = || bad(format!("by: {word:?}"), &format!("one of {names}"));
                        asked.by.push(*known.ok_or_else(unknown)?);
                    }
                }
                other if path.starts_with("/cost") => {
                    let message = format!("there is no parameter {other:?}");
                    return Err(bad(message, "since, end and by"));
                }
                _ => {}
            }
        }
        if asked.by.len() > 2 {
            return Err(bad("by: more than two".to_owned(), "by=team,model"));
        }
        if !(60_000..=366 * 86_400_000).contains(&since_ms) {
            return Err(bad("since: out of range".to_owned(), "from a minute to a year"));
        }
        asked.start_ms = asked.end_ms - since_ms;
        Ok(asked)
    }

    fn period(&self) -> Period {
        LedgerService::period(self.start_ms, self.end_ms)
    }
}

fn json(value: &Json) -> Report {
    Report { content_type: "application/json", body: value.to_string() }
}

fn period(ledger: &Ledger) -> Json {
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
        "energy_joules": line.energy_j,
        "states": states.collect::<serde_json::Map<_, _>>(),
    })
}

fn model(units: &Units) -> Json {
    let useful = Level::ALL.into_iter().zip(units.per_useful_token).filter_map(|(level, cost)| {
        let cost = cost?;
        Some((
            level.name().to_owned(),
            json!({ "per_million": cost.cost * 1e6, "tokens": cost.count, "covered": cost.covered }),
        ))
    });
    let classes = units.classes.iter().map(|class| {
        json!({
            "class": class.class.name(),
            "count": class.count,
            "per_million": class.full * 1e6,
            "per_million_busy": class.busy * 1e6,
            "interval": class.interval.map(|(low, high)| [low * 1e6, high * 1e6]),
        })
    });
    let methods = units.methods.iter().map(|(method, quality)| {
        json!({
            "method": method.name(),
            "r_squared": quality.map(|quality| quality.r_squared),
        })
    });
    json!({
        "model": units.model,
        "amount": units.line.amount(),
        "gpu_hours": units.line.gpu_s() / 3600.0,
        "per_gpu_hour": units.per_gpu_hour,
        "useful": useful.collect::<serde_json::Map<_, _>>(),
        "classes": classes.collect::<Vec<_>>(),
        "methods": methods.collect::<Vec<_>>(),
        "per_request": units.per_request.map(|cost| cost.cost),
        "per_million_at_saturation": units.at_saturation.map(|cost| cost * 1e6),
        "cache_savings": units.cache_savings,
        "tokens_per_joule": units.energy.and_then(|energy| energy.tokens_per_joule),
    })
}

fn prices(ledger: &Ledger, now_ms: i64) -> Json {
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
    async fn account(&self, asked: &Asked) -> Account {
        self.0.account(asked.period()).await
    }

    async fn cost(&self, asked: &Asked) -> Result<Report, PageError> {
        let Account { ledger, notes } = self.account(asked).await;
        let units = models(&ledger, &self.0.settings.energy);
        let lines: Vec<Json> = match asked.by.as_slice() {
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
        Ok(json(&json!({
            "period": period(&ledger),
            "currency": ledger.options.currency,
            "total": line(&[], &ledger.total()),
            "reconciles": checked.holds(),
            "unattributed_share": checked.unattributed,
            "unknown_share": checked.unknown,
            "unpriced_share": checked.unpriced,
            "useful_level": level.name(),
            "per_million_useful_tokens": useful.map(|cost| cost.cost * 1e6),
            "by": by,
            "lines": lines,
            "models": units.iter().map(model).collect::<Vec<_>>(),
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
        let terms = change.terms.iter();
        let terms =
            terms.map(|(factor, money)| json!({ "factor": factor.name(), "amount": money }));
        Ok(json(&json!({
            "currency": after.options.currency,
            "before": { "period": period(&before), "amount": change.before },
            "after": { "period": period(&after), "amount": change.after },
            "terms": terms.collect::<Vec<_>>(),
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

//! What calls to models cost, by the records of requests.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use strata_cost::calls::{
    CallGroup, CallPrices, CallTotals, CallWaste, LevelCost, PricedBy, levels, total, wasted,
};
use strata_cost::provider::PriceMap;
use strata_cost::time::{day, rfc3339};
use strata_cost::unit::{Units, models};
use strata_cost::useful::{LEVELS, Level};
use strata_serve::Report;
use strata_view::PageError;
use strata_view::rooms::{CallBooks, CallModel};
use strata_world::bill::Period;

use self::read::{CallQuery, Calls, calls};
use super::asked::{Asked, bad};
use super::report::json;
use super::{LedgerReports, LedgerService};

pub(crate) use read::CALL_DIMENSIONS;

/// Lines that a document has at most; the dearest are told.
const LINES_MAX: usize = 1000;
/// A page reads the records of so much time at most, ms: it is asked for again and again.
const PAGE_MS: i64 = 86_400_000;

impl LedgerService {
    /// The calls of a period; in words, why they are not known.
    async fn calls(&self, period: &Period, by: Vec<&'static str>) -> Result<Calls, String> {
        let Some(records) = self.records.clone() else {
            return Err("this server keeps no records of requests".to_owned());
        };
        let objective_us = i64::try_from(self.settings.ttft_objective.as_micros());
        let query = CallQuery {
            range_us: period.start_ms.saturating_mul(1000)..period.end_ms().saturating_mul(1000),
            by,
            objective_us: objective_us.unwrap_or(i64::MAX),
            thresholds: self.map.as_ref().map(PriceMap::thresholds).unwrap_or_default(),
        };
        let told = tokio::task::spawn_blocking(move || calls(&*records, &query)).await;
        told.map_err(|error| error.to_string())
            .flatten()
            .map_err(|why| format!("calls by request records: {why}"))
    }

    fn call_prices<'a>(&'a self, units: &'a [Units]) -> CallPrices<'a> {
        let currency = &self.settings.ledger.currency;
        CallPrices { units, map: self.map.as_ref(), currency }
    }

    /// What the cost page says of calls; in words, why it says nothing.
    pub(super) async fn call_books(
        &self,
        period: &Period,
        units: &[Units],
    ) -> Result<CallBooks, String> {
        if period.end_ms() - period.start_ms > PAGE_MS {
            let told = "a page reads the calls of a day at most: strata cost calls --since";
            return Err(told.to_owned());
        }
        let found = self.calls(period, Vec::new()).await?;
        let prices = self.call_prices(units);
        let all = total(&found.groups, &prices);
        let waste = wasted(&found.groups, &prices);
        let models = by_model(&found.groups).into_iter().map(|(model, groups)| CallModel {
            model,
            total: total(groups.iter().copied(), &prices),
            levels: levels(groups, &prices),
        });
        let (models, conversations) = (models.collect(), found.all_conversations);
        let listed_ms = self.map.as_ref().map(|map| map.date_ms);
        Ok(CallBooks { total: all, models, waste, conversations, listed_ms })
    }
}

/// Groups by model; those that name none are under an empty name.
fn by_model(groups: &[CallGroup]) -> BTreeMap<String, Vec<&CallGroup>> {
    let mut found: BTreeMap<String, Vec<&CallGroup>> = BTreeMap::new();
    for group in groups {
        found.entry(group.model.clone().unwrap_or_default()).or_default().push(group);
    }
    found
}

/// The dimensions asked for, in words and as columns.
fn dimensions(asked: &Asked) -> Result<Vec<(&'static str, &'static str)>, PageError> {
    let mut by = Vec::new();
    for word in asked.text("by").unwrap_or("model").split(',').filter(|word| !word.is_empty()) {
        let names = CALL_DIMENSIONS.map(|(name, _)| name).join(", ");
        let known = CALL_DIMENSIONS.iter().find(|(name, _)| *name == word);
        by.push(*known.ok_or_else(|| bad(format!("by: {word:?}"), &format!("one of {names}")))?);
    }
    if by.len() > super::BY_MAX {
        return Err(bad("by: more than two".to_owned(), "by=tenant,model"));
    }
    Ok(by)
}

fn sums(totals: &CallTotals, conversations: u64) -> Json {
    let priced = totals.requests - totals.unpriced;
    let per = |money: Option<f64>, count: f64| money.filter(|_| count > 0.0).map(|all| all / count);
    json!({
        "requests": totals.requests,
        "unpriced_requests": totals.unpriced,
        "untimed_requests": totals.untimed,
        "conversations": conversations,
        "prompt_tokens": totals.fresh,
        "cached_tokens": totals.cached,
        "generated_tokens": totals.generated,
        // Where some have no price: of the others.
        "amount": totals.amount,
        "per_request": per(totals.amount, priced),
        "per_conversation": per(totals.in_conversations, conversations as f64),
        "priced_by": totals.by.iter().map(|by| by.name()).collect::<Vec<_>>(),
        "unknown": totals.unknown,
    })
}

fn useful(levels: [Option<LevelCost>; LEVELS]) -> Map<String, Json> {
    let told = Level::ALL.into_iter().zip(levels).filter_map(|(level, cost)| {
        let cost = cost?;
        let told = json!({
            "per_million": cost.cost * 1e6,
            "tokens": cost.tokens,
            "covered": cost.covered,
        });
        Some((level.name().to_owned(), told))
    });
    told.collect()
}

fn model(name: &str, groups: &[&CallGroup], prices: &CallPrices<'_>) -> Json {
    let totals = total(groups.iter().copied(), prices);
    let units = prices.units.iter().find(|units| units.model == name);
    let whole = units.and_then(|units| units.line.amount()).filter(|amount| *amount > 0.0);
    json!({
        "model": name,
        "requests": totals.requests,
        "amount": totals.amount,
        // Of the money of the model's GPUs: what calls through no door of these cost is missing.
        "explained": totals.amount.zip(whole).map(|(amount, whole)| amount / whole),
        "priced_by": totals.by.iter().map(|by: &PricedBy| by.name()).collect::<Vec<_>>(),
        "useful": useful(levels(groups.iter().copied(), prices)),
        "unknown": totals.unknown,
    })
}

fn waste(one: &CallWaste) -> Json {
    json!({
        "cause": one.cause.name(),
        "team": one.team,
        "requests": one.requests,
        "generated_tokens": one.generated,
        "amount": one.amount,
        "unpriced_requests": one.unpriced,
    })
}

impl LedgerReports {
    pub(super) async fn call_costs(&self, asked: &Asked) -> Result<Report, PageError> {
        let by = dimensions(asked)?;
        // Reads records of up to a year: one at a time.
        let _turn = self.0.drafting.lock().await;
        let account = self.0.account(asked.period()).await;
        let ledger = &account.ledger;
        // Of a time before the first GPU was seen there may be calls all the same: to an API.
        let period = asked.period();
        let found = self.0.calls(&period, by.iter().map(|(_, column)| *column).collect()).await;
        let found = found.map_err(|why| bad(why, "see [records] in the configuration"))?;
        let units = models(ledger, &self.0.settings.energy);
        let prices = self.0.call_prices(&units);
        let mut lines: BTreeMap<&[String], Vec<&CallGroup>> = BTreeMap::new();
        for group in &found.groups {
            lines.entry(&group.keys).or_default().push(group);
        }
        let mut lines: Vec<_> =
            lines.into_iter().map(|(keys, groups)| (keys, total(groups, &prices))).collect();
        let size = |totals: &CallTotals| totals.amount.unwrap_or(-1.0);
        lines.sort_by(|(_, a), (_, b)| size(b).total_cmp(&size(a)));
        let mut notes = account.notes.clone();
        if lines.len() > LINES_MAX {
            notes.push(format!("{} lines, of which the dearest {LINES_MAX} are told", lines.len()));
        }
        if found.is_split {
            notes.push(
                "a conversation is counted once in each week that it has calls in".to_owned(),
            );
        }
        let lines = lines.iter().take(LINES_MAX).map(|(keys, totals)| {
            let talks = found.conversations.get(*keys).copied().unwrap_or_default();
            let mut line = sums(totals, talks);
            line["keys"] = json!(keys);
            line
        });
        let told = by_model(&found.groups);
        let told = told.iter().map(|(name, groups)| model(name, groups, &prices));
        let map = self.0.map.as_ref();
        Ok(json(&json!({
            "period": { "start": rfc3339(period.start_ms), "end": rfc3339(period.end_ms()) },
            "currency": self.0.settings.ledger.currency,
            "by": by.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            "total": sums(&total(&found.groups, &prices), found.all_conversations),
            "lines": lines.collect::<Vec<_>>(),
            "models": told.collect::<Vec<_>>(),
            "waste": wasted(&found.groups, &prices).iter().map(waste).collect::<Vec<_>>(),
            "price_map": map.map(|map| json!({
                "sha256": map.hash, "models": map.len(), "as_of": day(map.date_ms),
            })),
            "notes": notes,
        })))
    }
}

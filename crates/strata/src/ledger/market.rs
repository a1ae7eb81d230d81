//! Own GPUs beside an API, advice, and the price book.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use strata_cost::advice::{Advised, Evidence, Inputs, advise};
use strata_cost::breakeven::{ApiPrices, BreakEven, Load};
use strata_cost::ledger::Ledger;
use strata_cost::price::{Origin, Per, Price};
use strata_cost::time::{day, rfc3339};
use strata_cost::unit::{Units, models};
use strata_serve::Report;
use strata_view::PageError;
use strata_view::rooms::Comparison;
use strata_world::bill::Period;

use super::asked::Asked;
use super::nodes::{RATIO_SOURCE, node};
use super::report::json;
use super::{Account, LedgerReports, LedgerService};

/// Tokens that API prices are told for.
const MILLION: f64 = 1e6;

/// What own models are compared with.
pub(super) struct Against {
    /// Its name for a reader.
    name: String,
    prices: Result<ApiPrices, String>,
}

impl LedgerService {
    /// The prices of a model in the operator's map.
    fn mapped(&self, name: &str) -> Against {
        let prices = match &self.map {
            None => Err("no price map is named: api_prices under [cost]".to_owned()),
            Some(_) if self.settings.ledger.currency != "USD" => {
                Err(format!("the map is in USD, the ledger in {}", self.settings.ledger.currency))
            }
            Some(map) => match map.get(None, name) {
                Some(price) => Ok(ApiPrices::of_provider(price)),
                None => Err(format!("the price map does not know {name}")),
            },
        };
        Against { name: name.to_owned(), prices }
    }

    /// Every model beside what it is compared with: `against` for all of them, else what the
    /// configuration says.
    pub(super) fn comparisons(
        &self,
        ledger: &Ledger,
        units: &[Units],
        against: Option<&Against>,
    ) -> Vec<Comparison> {
        let period_s = (ledger.end_ms() - ledger.start_ms) as f64 / 1000.0;
        let pairs = units.iter().filter_map(|one| {
            let chosen = || self.settings.compare.get(&one.model).map(|name| self.mapped(name));
            let own;
            let against = if let Some(against) = against {
                against
            } else {
                own = chosen()?;
                &own
            };
            let found = against.prices.clone().and_then(|prices| {
                let load = Load::of_units(one, period_s)
                    .ok_or("its cost, its tokens or what its GPUs can do at most is not known")?;
                let found = BreakEven::of(&load, &prices);
                found.ok_or_else(|| {
                    "the API has no price for a class of token that occurs".to_owned()
                })
            });
            let (model, against) = (one.model.clone(), against.name.clone());
            Some(Comparison { model, against, found })
        });
        pairs.collect()
    }

    /// All advice that the period and the configuration allow.
    pub(super) async fn advised(&self, account: &Account, units: &[Units]) -> Advised {
        let ledger = &account.ledger;
        let (start_ms, step_ms, steps) = (ledger.start_ms, ledger.step_ms, ledger.steps);
        // Nothing else needs them, and a ledger is made every minute.
        let peaks = if self.settings.capacity.is_empty() || steps == 0 {
            BTreeMap::new()
        } else {
            self.peaks(&Period { start_ms, step_ms, steps }, &account.unmeasured).await
        };
        let inputs = Inputs {
            capacity_tokens_per_gpu_s: self.settings.capacity.clone(),
            peak_tokens_per_s: peaks,
            per_kwh: self.settings.per_kwh,
            ..Inputs::default()
        };
        advise(ledger, units, &self.book, &inputs)
    }
}

impl LedgerReports {
    pub(super) async fn breakeven(&self, asked: &Asked) -> Result<Report, PageError> {
        let typed = [asked.number("prompt")?, asked.number("cached")?, asked.number("generated")?];
        let against = match (asked.text("against"), typed) {
            (None, [None, None, None]) => None,
            (Some(name), _) => Some(self.0.mapped(name)),
            (None, [prompt, cached, generated]) => Some(Against {
                name: "prices as given".to_owned(),
                prices: Ok(ApiPrices {
                    uncached_prompt: prompt.map(|price| price / MILLION),
                    // Who gives no price for cached tokens pays the full one for them.
                    cached_prompt: cached.or(prompt).map(|price| price / MILLION),
                    generated: generated.map(|price| price / MILLION),
                    request: 0.0,
                }),
            }),
        };
        let Account { ledger, notes, .. } = self.account(asked).await;
        let mut units = models(&ledger, &self.0.settings.energy);
        if let Some(model) = asked.text("model") {
            units.retain(|one| one.model == model);
        }
        let rows = self.0.comparisons(&ledger, &units, against.as_ref());
        let rows = rows.iter().map(|one| match &one.found {
            Err(why) => json!({ "model": one.model, "against": one.against, "unknown": why }),
            Ok(found) => json!({
                "model": one.model,
                "against": one.against,
                "own_per_hour": found.own_per_hour,
                "api_per_hour": found.api_per_hour,
                "api_per_hour_at_saturation": found.api_per_hour_saturated,
                "load": found.utilization,
                "break_even_load": found.break_even,
                "break_even_requests_per_second": found.break_even_requests_per_s,
                "cheaper_now": if found.is_cheaper_now() { "own" } else { "api" },
            }),
        });
        let map = self.0.map.as_ref();
        let map = map.map(
            |map| json!({ "sha256": map.hash, "models": map.len(), "as_of": day(map.date_ms) }),
        );
        Ok(json(&json!({
            "currency": ledger.options.currency,
            "start": rfc3339(ledger.start_ms),
            "end": rfc3339(ledger.end_ms()),
            "price_map": map,
            "models": rows.collect::<Vec<_>>(),
            "notes": notes,
        })))
    }

    pub(super) async fn advice(&self, asked: &Asked) -> Result<Report, PageError> {
        let account = self.account(asked).await;
        let ledger = &account.ledger;
        let found = self.0.advised(&account, &models(ledger, &self.0.settings.energy)).await;
        let advice = found.advice.iter().map(|one| {
            json!({
                "kind": one.kind.name(),
                "subject": one.subject,
                "saves_per_hour": one.saves_per_hour,
                "action": one.action,
                "command": one.command,
                "evidence": told(&one.evidence),
            })
        });
        let tryouts = found.tryouts.iter().map(|one| {
            json!({
                "kind": one.kind.name(),
                "subject": one.subject,
                "saves_at_most_per_hour": one.at_most_per_hour,
                "bound": one.bound,
                "action": one.action,
                "command": one.command,
                "evidence": told(&one.evidence),
            })
        });
        let unchecked = found.unchecked.iter().map(|one| {
            json!({ "kind": one.kind.name(), "subject": one.subject, "missing": one.missing })
        });
        Ok(json(&json!({
            "currency": ledger.options.currency,
            "start": rfc3339(ledger.start_ms),
            "end": rfc3339(ledger.end_ms()),
            "advice": advice.collect::<Vec<_>>(),
            "trials": tryouts.collect::<Vec<_>>(),
            "unchecked": unchecked.collect::<Vec<_>>(),
            "notes": account.notes,
        })))
    }

    /// Every row of the price book, the operator's first, and what nodes come to by it.
    pub(super) async fn prices(&self, asked: &Asked) -> Report {
        let ledger = self.0.account(asked.period()).await.ledger;
        let nodes = self.0.node_prices(&ledger).await;
        let mut rows: Vec<&Price> = self.0.book.rows().iter().collect();
        rows.sort_by_key(|price| std::cmp::Reverse(price.origin));
        let now_ms = self.0.now_ms();
        let rows: Vec<Json> = rows.into_iter().map(|price| row(price, now_ms)).collect();
        json(&json!({
            "currency": self.0.settings.ledger.currency,
            "prices": rows,
            "nodes": nodes.iter().map(|one| node(one, now_ms)).collect::<Vec<_>>(),
            "split_by": RATIO_SOURCE,
        }))
    }
}

fn told(evidence: &[Evidence]) -> Vec<Json> {
    let told = |one: &Evidence| json!({ "name": one.name, "value": one.value, "unit": one.unit });
    evidence.iter().map(told).collect()
}

fn row(price: &Price, now_ms: i64) -> Json {
    let origin = match price.origin {
        Origin::Embedded => "published",
        Origin::Imported => "imported",
        Origin::User => "own",
    };
    json!({
        "gpu": price.gpu,
        "node": price.node,
        "label": price.selector.as_ref().map(|(key, value)| format!("{key}={value}")),
        "provider": price.provider,
        "region": price.region,
        "term": price.term.map(strata_cost::price::Term::name),
        "per_hour": price.per_hour,
        "of": match price.per { Per::Gpu => "gpu", Per::Node => "node" },
        "currency": price.currency,
        "kind": price.kind.name(),
        "from": price.from_ms.map(day),
        "until": price.until_ms.map(day),
        "source": price.source,
        "as_of": day(price.date_ms),
        "age_days": ((now_ms - price.date_ms).max(0) as f64 / 86_400_000.0).floor(),
        "confidence": price.confidence.name(),
        "origin": origin,
        "stands_in": price.reference,
    })
}

//! What is sold and what it costs, and what a GPU hour is in tokens.

use serde_json::{Value as Json, json};
use strata_cost::split::Class;
use strata_cost::tariff::{Tariff, TariffRow, per_unit};
use strata_cost::unit::{Exchange, Units, exchange, models};
use strata_serve::Report;

use super::asked::Asked;
use super::report::{json, period, prices};
use super::{Account, LedgerReports};

/// What to do where nothing is sold.
const NONE: &str = "no tariff is set: name a file with [[sell]] rows, tariff = \"tariff.toml\" under \
    [cost]; without one statements are at cost";

impl LedgerReports {
    /// The tariff beside what it costs, and the exchange rate of each model and kind of GPU.
    pub(super) async fn tariff(&self, asked: &Asked) -> Report {
        let Account { ledger, notes, .. } = self.account(asked).await;
        let units = models(&ledger, &self.0.settings.energy);
        let tariff = self.0.tariff.as_ref();
        let currency = &self.0.settings.ledger.currency;
        let told = tariff.map(|tariff| sold(tariff, &units, currency));
        json(&json!({
            "period": period(&ledger),
            "currency": currency,
            "tariff": told,
            "hint": tariff.is_none().then_some(NONE),
            "exchange": exchange(&ledger).iter().map(rate).collect::<Vec<_>>(),
            "prices": prices(&ledger, self.0.now_ms()),
            "notes": notes,
        }))
    }
}

fn sold(tariff: &Tariff, units: &[Units], currency: &str) -> Json {
    // Money of two currencies has no margin.
    let is_same = tariff.currency == *currency;
    let rows = tariff.rows.iter().map(|row| {
        let units = units.iter().find(|one| one.model == row.model).filter(|_| is_same);
        let classes = Class::ALL.into_iter().filter_map(|class| item(row, class, units));
        json!({
            "model": row.model,
            "tier": row.tier,
            "items": classes.collect::<Vec<_>>(),
            "reserved_gpu_hour": row.per_reserved_gpu_hour,
            "per_gpu_hour": units.and_then(|units| units.per_gpu_hour),
        })
    });
    let rows: Vec<Json> = rows.collect();
    json!({ "name": tariff.name, "currency": tariff.currency, "rows": rows })
}

/// What one class is sold for and what it costs; None where it is not sold.
fn item(row: &TariffRow, class: Class, units: Option<&Units>) -> Option<Json> {
    let price = row.per_unit.get(class.place()).copied().flatten()?;
    let each = per_unit(class);
    let found = units.and_then(|units| units.classes.iter().find(|cost| cost.class == class));
    let cost = found.map(|cost| cost.full * each);
    Some(json!({
        "class": class.name(),
        "of": each,
        "price": price,
        "cost": cost,
        "margin": cost.filter(|_| price > 0.0).map(|cost| (price - cost) / price),
    }))
}

fn rate(one: &Exchange) -> Json {
    let per_million = |tokens: Option<f64>| Some(one.per_gpu_hour? / tokens? * 1e6);
    json!({
        "model": one.model,
        "sku": one.sku,
        "gpu_hours": one.gpu_hours,
        "covered": one.covered,
        "tokens_per_gpu_hour": one.now,
        "tokens_per_gpu_hour_at_saturation": one.saturated,
        "per_gpu_hour": one.per_gpu_hour,
        "per_million": per_million(one.now),
        "per_million_at_saturation": per_million(one.saturated),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strata_query::promqltest::MemorySource;

    use super::*;
    use crate::config::CostOptions;
    use crate::ledger::tests::{DAY, HOUR, push, service};

    async fn answer(options: &CostOptions) -> Json {
        let mut source = MemorySource::new();
        let model = ("gpu_model", "NVIDIA H100 80GB HBM3");
        let gpu = |name| [("__name__", name), ("gpu_uuid", "GPU-1"), ("node", "n"), model];
        push(&mut source, &gpu("hw_gpu_memory_usage_bytes"), 3, |_| 1e9);
        push(&mut source, &gpu("hw_gpu_utilization_ratio"), 3, |_| 0.5);
        let held = [("namespace", "n"), ("pod", "e"), ("method", "podresources")];
        push(&mut source, &[&gpu("gpu_allocation_info")[..], &held].concat(), 3, |_| 1.0);
        let engine = |name| {
            let place = [("namespace", "n"), ("pod", "e"), ("node", "n"), ("instance", "e:8000")];
            let labels = [("__name__", name), ("model", "m"), ("inference_engine", "vllm")];
            [&labels[..], &place].concat()
        };
        push(&mut source, &engine("inference_requests_running"), 3, |_| 1.0);
        for (name, each) in [
            ("inference_prompt_tokens_total", 400.0),
            ("inference_generation_tokens_total", 1000.0),
        ] {
            push(&mut source, &engine(name), 3, |at| each * at as f64 / 60_000.0);
        }
        let now_ms = DAY + 3 * HOUR;
        let service = service(source, options, now_ms);
        let asked = Asked::read("/cost/tariff", &Vec::new(), now_ms).unwrap();
        let report = LedgerReports(Arc::new(service)).tariff(&asked).await;
        serde_json::from_str(&report.body).unwrap()
    }

    #[tokio::test]
    async fn a_gpu_hour_is_told_in_tokens_with_the_price_it_rests_on() {
        let answer = answer(&CostOptions::default()).await;
        assert!(answer["hint"].as_str().unwrap().contains("[[sell]]"), "{answer}");
        assert_eq!(answer["tariff"], Json::Null);
        let one = &answer["exchange"][0];
        assert_eq!((&one["model"], &one["sku"]), (&json!("m"), &json!("H100 SXM")));
        let near = |name: &str, expected: f64| {
            let told = one[name].as_f64().unwrap_or(f64::NAN);
            assert!((told / expected - 1.0).abs() < 0.01, "{name}: {told} {one}");
        };
        near("tokens_per_gpu_hour", 60_000.0);
        near("per_gpu_hour", 2.95);
        near("per_million", 2.95 / 0.06);
        assert!(answer["prices"][0]["as_of"].is_string(), "{answer}");
    }

    #[tokio::test]
    async fn what_is_sold_stands_beside_what_it_costs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tariff.toml");
        let write = |currency: &str| {
            let text = format!(
                "name = \"2026-11\"\ncurrency = \"{currency}\"\n[[sell]]\nmodel = \"m\"\n\
                 generated = 100\n[[sell]]\nmodel = \"other\"\nprompt = 1\n"
            );
            std::fs::write(&path, text).unwrap();
        };
        write("USD");
        let options = CostOptions { tariff: Some(path.clone()), ..CostOptions::default() };
        let told = answer(&options).await;
        let rows = &told["tariff"]["rows"];
        let item = &rows[0]["items"][0];
        assert_eq!((&item["class"], &item["price"]), (&json!("generated"), &json!(100.0)));
        let (cost, margin) = (item["cost"].as_f64().unwrap(), item["margin"].as_f64().unwrap());
        assert!(cost > 10.0 && (margin - (100.0 - cost) / 100.0).abs() < 1e-9, "{item}");
        assert_eq!(rows[1]["items"][0]["cost"], Json::Null, "nobody serves it");
        write("EUR");
        let told = answer(&options).await;
        assert_eq!(told["tariff"]["rows"][0]["items"][0]["cost"], Json::Null, "{told}");
    }
}

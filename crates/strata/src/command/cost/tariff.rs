//! `strata cost tariff`: what a GPU hour is in tokens, and what is sold beside what it costs.

use anyhow::Result;
use serde_json::Value as Json;

use super::training::count;
use super::{ask, hours, list, money, percent, prices, text};
use crate::cli::CostRange;
use crate::out::{Out, complain};

/// Ask and print.
pub(super) async fn run(range: &CostRange, out: Out) -> Result<()> {
    let answer = ask(range, "/api/v1/cost/tariff", &[]).await?;
    if out.json {
        return Ok(out.document(&answer)?);
    }
    let currency = answer["currency"].as_str().unwrap_or("");
    let period = &answer["period"];
    out.line(format!(
        "{} to {}: generated tokens of a held GPU hour",
        text(&period["start"]),
        text(&period["end"])
    ))?;
    let rows = exchange(&answer, currency);
    if rows.len() == 1 {
        out.line("no engine that holds a GPU counts its tokens")?;
    } else {
        out.table(&rows)?;
    }
    let tariff = &answer["tariff"];
    if tariff.is_object() {
        let sold = tariff["currency"].as_str().unwrap_or("");
        out.line(format!(
            "\ntariff {}; costs of the period, idle time included",
            text(&tariff["name"])
        ))?;
        out.table(&selling(tariff, sold, currency))?;
    }
    prices(&answer, out)?;
    if let Some(hint) = answer["hint"].as_str() {
        complain(format!("note: {hint}"));
    }
    for note in list(&answer["notes"]) {
        complain(format!("note: {}", text(note)));
    }
    Ok(())
}

fn exchange(answer: &Json, currency: &str) -> Vec<Vec<String>> {
    let names = [
        "MODEL",
        "GPU",
        "GPU H",
        "COUNTED",
        "TOKENS/GPU H",
        "AT SATURATION",
        "GPU HOUR",
        "PER M",
        "PER M AT SATURATION",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    for one in list(&answer["exchange"]) {
        let sku = one["sku"].as_str().unwrap_or("unknown").to_owned();
        rows.push(vec![
            text(&one["model"]),
            sku,
            hours(&one["gpu_hours"]),
            percent(&one["covered"]),
            count(&one["tokens_per_gpu_hour"]),
            count(&one["tokens_per_gpu_hour_at_saturation"]),
            money(&one["per_gpu_hour"], currency),
            money(&one["per_million"], currency),
            money(&one["per_million_at_saturation"], currency),
        ]);
    }
    rows
}

fn selling(tariff: &Json, sold: &str, currency: &str) -> Vec<Vec<String>> {
    let names = ["MODEL", "TIER", "ITEM", "OF", "PRICE", "COST", "MARGIN"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    for row in list(&tariff["rows"]) {
        let (model, tier) = (text(&row["model"]), text(&row["tier"]));
        for item in list(&row["items"]) {
            rows.push(vec![
                model.clone(),
                tier.clone(),
                text(&item["class"]).replace('_', " "),
                count(&item["of"]),
                money(&item["price"], sold),
                money(&item["cost"], currency),
                percent(&item["margin"]),
            ]);
        }
        if !row["reserved_gpu_hour"].is_null() {
            let (price, cost) = (&row["reserved_gpu_hour"], &row["per_gpu_hour"]);
            let margin = price.as_f64().zip(cost.as_f64()).filter(|(price, _)| *price > 0.0);
            let margin = margin.map(|(price, cost)| (price - cost) / price);
            rows.push(vec![
                model,
                tier,
                "reserved GPU hour".to_owned(),
                "1".to_owned(),
                money(price, sold),
                money(cost, currency),
                percent(&margin.into()),
            ]);
        }
    }
    rows
}

//! `strata cost`: what was spent on whom, why it changed, and the export for finance.

mod budgets;
mod calls;
mod examples;
mod market;
mod models;
mod statement;
mod tariff;
mod training;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value as Json;

pub(crate) use examples::EXAMPLES;

use crate::cli::{CostArgs, CostCommand, CostRange};
use crate::client::Client;
use crate::out::{Out, complain};

/// An export of a year by pod and day fits.
const EXPORT_BYTES_MAX: usize = 256 << 20;

/// Less money than this is what rounding leaves over.
const MONEY_MIN: f64 = 1e-8;

/// Ask and print.
pub(crate) async fn run(arguments: CostArgs, out: Out) -> Result<()> {
    match arguments.command {
        None => {
            let charges = [("basis", arguments.basis), ("idle", arguments.idle)];
            let charges = charges.into_iter().filter_map(|(name, word)| Some((name, word?)));
            let mut asked: Vec<_> = charges.collect();
            let usual = if asked.is_empty() { "namespace,model" } else { "namespace" };
            asked.push(("by", arguments.by.unwrap_or_else(|| usual.to_owned())));
            let answer = ask(&arguments.range, "/api/v1/cost", &asked).await?;
            if out.json { Ok(out.document(&answer)?) } else { cost(&answer, out) }
        }
        Some(CostCommand::Why(range)) => {
            let answer = ask(&range, "/api/v1/cost/why", &[]).await?;
            if out.json { Ok(out.document(&answer)?) } else { why(&answer, out) }
        }
        Some(CostCommand::Calls(arguments)) => calls::run(&arguments, out).await,
        Some(CostCommand::Breakeven(arguments)) => market::breakeven(arguments, out).await,
        Some(CostCommand::Advice(range)) => market::advice(&range, out).await,
        Some(CostCommand::Budgets(server)) => budgets::run(&server, out).await,
        Some(CostCommand::Tariff(range)) => tariff::run(&range, out).await,
        Some(CostCommand::Prices(server)) => market::prices(&server, out).await,
        Some(CostCommand::Statement(arguments)) => statement::run(arguments.command, out).await,
        Some(CostCommand::Export(export)) => {
            let client = Client::new(&export.range.server)?;
            let parameters = [("since", export.range.since.clone())];
            let (status, body) =
                client.fetch("/api/v1/cost/focus", &parameters, EXPORT_BYTES_MAX).await?;
            let text = String::from_utf8(body).context("the export is no text")?;
            if !status.is_success() {
                bail!("{status}: {text}");
            }
            Ok(out.line(text.trim_end())?)
        }
    }
}

async fn ask(range: &CostRange, path: &str, more: &[(&str, String)]) -> Result<Json> {
    let client = Client::new(&range.server)?;
    let mut parameters = vec![("since", range.since.clone())];
    parameters.extend(more.iter().cloned());
    let answer = client.get(path, &parameters).await?;
    match answer["message"].as_str() {
        Some(message) => Err(anyhow!("{message} ({})", answer["hint"].as_str().unwrap_or(""))),
        None => Ok(answer),
    }
}

/// Money with its currency; what has no price is told.
fn money(value: &Json, currency: &str) -> String {
    match value.as_f64() {
        None => "unknown".to_owned(),
        // Three digits that say something, and never less than cents.
        Some(amount) => {
            let amount = if amount.abs() < MONEY_MIN { 0.0 } else { amount };
            let size = if amount == 0.0 { 0.0 } else { amount.abs().log10().floor() };
            let digits = (2.0 - size).clamp(if size >= 2.0 { 0.0 } else { 2.0 }, 8.0) as usize;
            format!("{amount:.digits$} {currency}")
        }
    }
}

fn hours(value: &Json) -> String {
    value.as_f64().map_or_else(|| "unknown".to_owned(), |hours| format!("{hours:.2}"))
}

fn percent(value: &Json) -> String {
    value.as_f64().map_or_else(|| "unknown".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// A value as it stands in a table. A draft has numbers, a closed statement the same in millionths.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        Json::Number(number) if number.is_f64() => {
            format!("{:.6}", number.as_f64().unwrap_or(f64::NAN))
        }
        other => other.to_string(),
    }
}

fn list(value: &Json) -> impl Iterator<Item = &Json> {
    value.as_array().into_iter().flatten()
}

fn cost(answer: &Json, out: Out) -> Result<()> {
    let currency = answer["currency"].as_str().unwrap_or("");
    let period = &answer["period"];
    let total = &answer["total"];
    out.line(format!(
        "{} to {}: {} for {} GPU hours{}",
        text(&period["start"]),
        text(&period["end"]),
        money(&total["amount"], currency),
        hours(&total["gpu_hours"]),
        if answer["reconciles"] == true { ", the bill balances" } else { ", DOES NOT BALANCE" },
    ))?;
    out.line(format!(
        "{} per million useful tokens ({}); unattributed {}, unknown {}, without a price {}",
        money(&answer["per_million_useful_tokens"], currency),
        text(&answer["useful_level"]),
        percent(&answer["unattributed_share"]),
        percent(&answer["unknown_share"]),
        percent(&answer["unpriced_share"]),
    ))?;
    if let Some(hours) = total["equal_share_gpu_hours"].as_f64().filter(|hours| *hours > 0.0) {
        out.line(format!(
            "{hours:.2} GPU hours are equal parts of shared GPUs: nothing tells shares"
        ))?;
    }
    charges(&answer["charges"], currency, out)?;
    out.line("")?;
    out.table(&lines(answer, currency))?;
    models::table(answer, currency, out)?;
    models::energy(answer, out)?;
    training::runs(answer, currency, out)?;
    training::waste(answer, currency, out)?;
    prices(answer, out)?;
    for note in list(&answer["notes"]) {
        complain(format!("note: {}", text(note)));
    }
    Ok(())
}

/// Who is charged what, where a basis or a policy was asked for.
fn charges(charges: &Json, currency: &str, out: Out) -> Result<()> {
    if charges.is_null() {
        return Ok(());
    }
    let words = ["by", "basis", "idle"].map(|name| text(&charges[name]));
    let [by, basis, idle] = words;
    out.line(format!("\ncharged by {by} on the basis {basis}, idle time by the policy {idle}"))?;
    let names = [by.to_uppercase(), "CHARGE".into(), "DIRECT".into(), "IDLE".into()];
    let mut rows = vec![names.to_vec()];
    for line in list(&charges["lines"]) {
        let money = |name: &str| money(&line[name], currency);
        rows.push(vec![text(&line["key"]), money("amount"), money("direct"), money("idle")]);
    }
    rows.push(vec!["all".to_owned(), money(&charges["amount"], currency)]);
    out.table(&rows)?;
    for note in list(&charges["notes"]) {
        complain(format!("note: {}", text(note)));
    }
    Ok(())
}

/// Columns for the states, the commonest questions first.
const STATES: [(&str, &[&str]); 5] = [
    ("USEFUL", &["busy_useful"]),
    ("WASTE", &["busy_waste"]),
    ("IDLE", &["held_idle"]),
    ("COLD", &["held_cold"]),
    ("FREE", &["unallocated", "down"]),
];

fn lines(answer: &Json, currency: &str) -> Vec<Vec<String>> {
    let mut header: Vec<String> =
        list(&answer["by"]).map(|by| by.as_str().unwrap_or("").to_uppercase()).collect();
    header.extend(["COST".to_owned(), "GPU H".to_owned()]);
    header.extend(STATES.map(|(name, _)| name.to_owned()));
    header.push("UNKNOWN".to_owned());
    let mut rows = vec![header];
    let mut found: Vec<&Json> = list(&answer["lines"]).collect();
    let size = |row: &Json| row["amount"].as_f64().or(row["gpu_hours"].as_f64()).unwrap_or(0.0);
    found.sort_by(|a, b| size(b).total_cmp(&size(a)));
    for line in found {
        let mut row: Vec<String> =
            list(&line["keys"]).map(|key| key.as_str().unwrap_or("").to_owned()).collect();
        row.push(money(&line["amount"], currency));
        row.push(hours(&line["gpu_hours"]));
        let all = line["gpu_hours"].as_f64().unwrap_or(0.0);
        let of = |names: &[&str]| -> f64 {
            let hours = names.iter().filter_map(|name| line["states"][*name]["gpu_hours"].as_f64());
            // Nothing adds up to a negative zero.
            hours.fold(0.0, |sum, hours| sum + hours)
        };
        let share = |hours: f64| if all > 0.0 { hours / all } else { 0.0 };
        let mut known = 0.0;
        for (_, names) in STATES {
            let hours = of(names);
            known += hours;
            row.push(format!("{:.0} %", share(hours) * 100.0));
        }
        row.push(format!("{:.0} %", share((all - known).max(0.0)) * 100.0));
        rows.push(row);
    }
    rows
}

fn prices(answer: &Json, out: Out) -> Result<()> {
    out.line("")?;
    for price in list(&answer["prices"]) {
        let text = |name: &str| price[name].as_str().unwrap_or("").to_owned();
        let gpu = price["gpu"].as_str().unwrap_or("GPUs of an unknown model");
        if let Some(why) = price["unpriced"].as_str() {
            out.line(format!("{gpu}: {why}"))?;
            continue;
        }
        let assumed: Vec<_> = list(&price["assumed"]).filter_map(|field| field.as_str()).collect();
        let assumed = if assumed.is_empty() {
            String::new()
        } else {
            format!(", assumed: {}", assumed.join(", "))
        };
        out.line(format!(
            "{gpu}: {:.2} {} an hour, {}, of {} ({} days old, confidence {}{assumed})",
            price["per_gpu_hour"].as_f64().unwrap_or(f64::NAN),
            text("currency"),
            text("source"),
            text("as_of"),
            price["age_days"].as_f64().unwrap_or(f64::NAN),
            text("confidence"),
        ))?;
    }
    Ok(())
}

fn why(answer: &Json, out: Out) -> Result<()> {
    let currency = answer["currency"].as_str().unwrap_or("");
    let (before, after) = (&answer["before"]["amount"], &answer["after"]["amount"]);
    out.line(format!("{} before, {} now", money(before, currency), money(after, currency)))?;
    let mut rows = vec![vec!["FACTOR".to_owned(), "CHANGE".to_owned()]];
    let mut terms: Vec<&Json> = list(&answer["terms"]).collect();
    let size = |term: &Json| term["amount"].as_f64().unwrap_or(0.0).abs();
    terms.sort_by(|a, b| size(b).total_cmp(&size(a)));
    for term in terms {
        let amount = term["amount"].as_f64().unwrap_or(0.0);
        let sign = if amount >= MONEY_MIN { "+" } else { "" };
        let name = term["factor"].as_str().unwrap_or("").to_owned();
        rows.push(vec![name, format!("{sign}{}", money(&term["amount"], currency))]);
    }
    out.table(&rows)?;
    models::cache(answer, currency, out)
}

//! `strata cost calls`: what calls to models cost, by the records of requests.

use anyhow::Result;
use serde_json::Value as Json;

use super::training::count;
use super::{ask, list, money, percent, text};
use crate::cli::CostCalls;
use crate::out::{Out, complain};

/// Lines that are shown; all are in `--json`.
const LINES_MAX: usize = 40;

/// Ask and print.
pub(super) async fn run(arguments: &CostCalls, out: Out) -> Result<()> {
    let by = [("by", arguments.by.clone())];
    let answer = ask(&arguments.range, "/api/v1/cost/calls", &by).await?;
    if out.json {
        return Ok(out.document(&answer)?);
    }
    let currency = answer["currency"].as_str().unwrap_or("");
    let (period, total) = (&answer["period"], &answer["total"]);
    out.line(format!(
        "{} to {}: {} for {} calls, {} a call; {} conversations, {} each",
        text(&period["start"]),
        text(&period["end"]),
        amount(total, currency),
        count(&total["requests"]),
        money(&total["per_request"], currency),
        count(&total["conversations"]),
        money(&total["per_conversation"], currency),
    ))?;
    out.line("")?;
    lines(&answer, currency, out)?;
    levels(&answer, currency, out)?;
    waste(&answer, currency, out)?;
    let map = &answer["price_map"];
    if map.is_object() {
        let hash: String = text(&map["sha256"]).chars().take(12).collect();
        let (models, as_of) = (text(&map["models"]), text(&map["as_of"]));
        out.line(format!("\nprices of APIs: {models} models, of {as_of}, SHA-256 {hash}"))?;
    }
    if total["untimed_requests"].as_f64().is_some_and(|requests| requests > 0.0) {
        let requests = count(&total["untimed_requests"]);
        complain(format!(
            "note: {requests} answered calls tell no time to the first token: whether they were in time, \
             first or accepted is taken from the others"
        ));
    }
    for why in list(&total["unknown"]) {
        complain(format!("note: without a price: {}", text(why)));
    }
    for note in list(&answer["notes"]) {
        complain(format!("note: {}", text(note)));
    }
    Ok(())
}

/// Money of a line; where a part has no price there is more to come.
fn amount(line: &Json, currency: &str) -> String {
    let told = money(&line["amount"], currency);
    let is_part = line["unpriced_requests"].as_f64().is_some_and(|count| count > 0.0);
    if is_part && !line["amount"].is_null() { format!("at least {told}") } else { told }
}

fn lines(answer: &Json, currency: &str, out: Out) -> Result<()> {
    let mut header: Vec<String> =
        list(&answer["by"]).map(|by| by.as_str().unwrap_or("").to_uppercase()).collect();
    let names = ["COST", "CALLS", "UNPRICED", "A CALL", "TALKS", "A TALK", "PROMPT", "CACHED"];
    header.extend(names.map(str::to_owned));
    header.extend(["GENERATED", "PRICED BY"].map(str::to_owned));
    let mut rows = vec![header];
    for line in list(&answer["lines"]).take(LINES_MAX) {
        let named = |key: &Json| match key.as_str() {
            None | Some("") => "not known".to_owned(),
            Some(name) => name.to_owned(),
        };
        let mut row: Vec<String> = list(&line["keys"]).map(named).collect();
        let by: Vec<_> = list(&line["priced_by"]).map(|by| text(by).replace('_', " ")).collect();
        row.extend([
            amount(line, currency),
            count(&line["requests"]),
            count(&line["unpriced_requests"]),
            money(&line["per_request"], currency),
            count(&line["conversations"]),
            money(&line["per_conversation"], currency),
            count(&line["prompt_tokens"]),
            count(&line["cached_tokens"]),
            count(&line["generated_tokens"]),
            by.join(", "),
        ]);
        rows.push(row);
    }
    out.table(&rows)?;
    match list(&answer["lines"]).count() {
        more if more > LINES_MAX => Ok(out.line(format!("and {} more: --json", more - LINES_MAX))?),
        _ => Ok(()),
    }
}

/// Cost of a million useful tokens at each level, with the share of the tokens that tell it.
fn levels(answer: &Json, currency: &str, out: Out) -> Result<()> {
    let names = ["U0", "U1", "U2", "U3", "U4"];
    let header = ["MODEL", "OF ITS GPUS", "GENERATED", "DELIVERED", "IN TIME", "FIRST", "ACCEPTED"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for model in list(&answer["models"]) {
        let mut row = vec![text(&model["model"])];
        let explained = &model["explained"];
        row.push(if explained.is_null() { "-".to_owned() } else { percent(explained) });
        row.extend(names.map(|level| {
            let one = &model["useful"][level];
            let cost = money(&one["per_million"], currency);
            match one["covered"].as_f64() {
                Some(covered) if covered < 0.995 => format!("{cost} ({:.0} %)", covered * 100.0),
                _ => cost,
            }
        }));
        rows.push(row);
    }
    if rows.len() > 1 {
        out.line("\nper million useful tokens; in brackets the share of the tokens that tell it")?;
        out.table(&rows)?;
    }
    Ok(())
}

fn waste(answer: &Json, currency: &str, out: Out) -> Result<()> {
    let mut rows =
        vec![["CAUSE", "TEAM", "COST", "CALLS", "GENERATED"].map(str::to_owned).to_vec()];
    for one in list(&answer["waste"]) {
        rows.push(vec![
            text(&one["cause"]),
            text(&one["team"]),
            amount(one, currency),
            count(&one["requests"]),
            count(&one["generated_tokens"]),
        ]);
    }
    if rows.len() > 1 {
        out.line("\ncalls that may have bought nothing")?;
        out.table(&rows)?;
    }
    Ok(())
}

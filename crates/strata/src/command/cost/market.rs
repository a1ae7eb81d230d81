//! `strata cost breakeven`, `advice` and `prices`.

use anyhow::Result;
use serde_json::Value as Json;
use strata_view::words;

use super::{ask, list, money, percent, text};
use crate::cli::{CostBreakeven, CostRange, ServerArgs};
use crate::client::Client;
use crate::out::{Out, complain};

/// What a piece of advice rests on, its number in words: a share is told in percent.
fn evidence(one: &Json, currency: &str) -> String {
    let unit = text(&one["unit"]).replace("{currency}", currency);
    let number = words::text(one["value"].as_f64(), &unit);
    format!("{} {number}", text(&one["name"]))
}

fn header(names: &[&str]) -> Vec<Vec<String>> {
    vec![names.iter().map(|name| (*name).to_owned()).collect()]
}

/// From which load on own GPUs pay.
pub(super) async fn breakeven(arguments: CostBreakeven, out: Out) -> Result<()> {
    let number = |value: Option<f64>| value.map(|value| value.to_string());
    let given = [
        ("model", arguments.model.clone()),
        ("against", arguments.against.clone()),
        ("prompt", number(arguments.prompt)),
        ("cached", number(arguments.cached)),
        ("generated", number(arguments.generated)),
    ];
    let given: Vec<_> =
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let answer = ask(&arguments.range, "/api/v1/cost/breakeven", &given).await?;
    if out.json {
        return Ok(out.document(&answer)?);
    }
    let currency = answer["currency"].as_str().unwrap_or("");
    let names = ["MODEL", "AGAINST", "OWN/H", "API/H", "LOAD", "BREAK-EVEN", "REQUESTS/S", "NOW"];
    let mut rows = header(&names);
    for one in list(&answer["models"]) {
        let requests = one["break_even_requests_per_second"].as_f64();
        let now = match one["unknown"].as_str() {
            Some(why) => format!("unknown: {why}"),
            None => format!("{} is cheaper", text(&one["cheaper_now"])),
        };
        rows.push(vec![
            text(&one["model"]),
            text(&one["against"]),
            money(&one["own_per_hour"], currency),
            money(&one["api_per_hour"], currency),
            percent(&one["load"]),
            percent(&one["break_even_load"]),
            requests.map_or_else(|| "unknown".to_owned(), |rate| format!("{rate:.2}")),
            now,
        ]);
    }
    if rows.len() == 1 {
        return Ok(out.line(
            "nothing is compared: give --against, or --prompt and --generated, or set api_prices and \
             compare under [cost]",
        )?);
    }
    Ok(out.table(&rows)?)
}

/// What would save money.
pub(super) async fn advice(range: &CostRange, out: Out) -> Result<()> {
    let answer = ask(range, "/api/v1/cost/advice", &[]).await?;
    if out.json {
        return Ok(out.document(&answer)?);
    }
    let currency = answer["currency"].as_str().unwrap_or("");
    for one in list(&answer["advice"]) {
        let about = text(&one["subject"]);
        let saves = money(&one["saves_per_hour"], currency);
        out.line(format!("{saves} an hour: {about}: {}", text(&one["action"])))?;
        let evidence = list(&one["evidence"]).map(|one| evidence(one, currency));
        out.line(format!("  because {}", evidence.collect::<Vec<_>>().join(", ")))?;
        if let Some(command) = one["command"].as_str() {
            out.line(format!("  {command}"))?;
        }
    }
    if list(&answer["advice"]).next().is_none() {
        out.line("nothing that is measured would save money")?;
    }
    for one in list(&answer["trials"]) {
        let at_most = money(&one["saves_at_most_per_hour"], currency);
        let (about, action) = (text(&one["subject"]), text(&one["action"]));
        out.line(format!("needs a trial, at most {at_most} an hour: {about}: {action}"))?;
        let evidence = list(&one["evidence"]).map(|one| evidence(one, currency));
        out.line(format!("  because {}", evidence.collect::<Vec<_>>().join(", ")))?;
        out.line(format!("  at most: {}", text(&one["bound"])))?;
        if let Some(command) = one["command"].as_str() {
            out.line(format!("  {command}"))?;
        }
    }
    let mut rows = header(&["NOT CHECKED", "ABOUT", "MISSING"]);
    for one in list(&answer["unchecked"]) {
        let missing: Vec<_> = list(&one["missing"]).map(text).collect();
        let kind = text(&one["kind"]).replace('_', " ");
        rows.push(vec![kind, text(&one["subject"]), missing.join(", ")]);
    }
    if rows.len() > 1 {
        out.line("")?;
        out.table(&rows)?;
    }
    for note in list(&answer["notes"]) {
        complain(format!("note: {}", text(note)));
    }
    Ok(())
}

/// The price book.
pub(super) async fn prices(server: &ServerArgs, out: Out) -> Result<()> {
    let answer = Client::new(server)?.get("/api/v1/cost/prices", &[]).await?;
    if out.json {
        return Ok(out.document(&answer)?);
    }
    let names =
        ["WHAT", "PER HOUR", "PROVIDER", "REGION", "TERM", "FROM", "AS OF", "SURE", "SOURCE"];
    let mut rows = header(&names);
    for one in list(&answer["prices"]) {
        let what = ["gpu", "node", "label"].map(|name| text(&one[name]));
        let what: Vec<_> = what.into_iter().filter(|name| !name.is_empty()).collect();
        let currency = one["currency"].as_str().unwrap_or("");
        let price = money(&one["per_hour"], currency);
        let of = if one["of"] == "node" { " a node" } else { "" };
        rows.push(vec![
            what.join(" in "),
            format!("{price}{of}"),
            text(&one["provider"]),
            text(&one["region"]),
            text(&one["term"]),
            text(&one["origin"]),
            text(&one["as_of"]),
            text(&one["confidence"]),
            text(&one["source"]),
        ]);
    }
    out.table(&rows)?;
    nodes(&answer, out)
}

/// What nodes cost for an hour, and for what.
fn nodes(answer: &Json, out: Out) -> Result<()> {
    let currency = answer["currency"].as_str().unwrap_or("");
    let names = [
        "NODES", "COUNT", "GPUS", "CORES", "MEMORY", "PER HOUR", "FOR GPUS", "CORES", "MEMORY",
        "DISK", "NETWORK", "AS OF", "DAYS OLD", "SOURCE",
    ];
    let mut rows = header(&names);
    let number = |value: &Json, unit: &str| {
        value.as_f64().map_or_else(|| "unknown".to_owned(), |value| format!("{value:.0}{unit}"))
    };
    for one in list(&answer["nodes"]) {
        let skus: Vec<_> = list(&one["skus"]).map(text).collect();
        let part = |name: &str| money(&one["parts"][name], currency);
        rows.push(vec![
            list(&one["nodes"]).take(2).map(text).collect::<Vec<_>>().join(", "),
            text(&one["count"]),
            format!("{} {}", text(&one["gpus"]), skus.join(" + ")),
            number(&one["cores"], ""),
            number(&one["memory_gib"], " GiB"),
            money(&one["per_hour"], currency),
            part("gpus"),
            part("cores"),
            part("memory"),
            part("disk"),
            part("network"),
            text(&one["as_of"]),
            number(&one["age_days"], ""),
            text(&one["source"]),
        ]);
        if let Some(why) = one["unknown"].as_str() {
            complain(format!("note: {}: {why}", text(&one["nodes"][0])));
        }
    }
    if rows.len() == 1 {
        return Ok(());
    }
    out.line("\nan hour of a node, and what of it is for what")?;
    out.table(&rows)?;
    Ok(out.line(format!("split by {}", text(&answer["split_by"])))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn evidence_has_a_unit_that_a_reader_knows() {
        let check = |value: f64, unit: &str, expected: &str| {
            let one = json!({ "name": "share of held time", "value": value, "unit": unit });
            assert_eq!(evidence(&one, "USD"), format!("share of held time {expected}"));
        };
        check(0.95, "1", "95 %");
        check(7200.0, "s", "2 h");
        check(1500.0, "{token}/s", "1500 tok/s");
        check(2.95, "{currency}/h", "2.95 USD/h");
        check(4e-6, "{currency}/{token}", "4 USD/M tok");
    }
}

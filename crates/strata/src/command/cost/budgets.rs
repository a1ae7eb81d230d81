//! `strata cost budgets`: what is spent and left, and until when it lasts.

use anyhow::Result;
use serde_json::Value as Json;

use super::{list, money, percent, text};
use crate::cli::ServerArgs;
use crate::client::Client;
use crate::out::{Out, complain};

/// Ask and print.
pub(super) async fn run(server: &ServerArgs, out: Out) -> Result<()> {
    let answer = Client::new(server)?.get("/api/v1/cost/budgets", &[]).await?;
    if out.json {
        return Ok(out.document(&answer)?);
    }
    if let Some(hint) = answer["hint"].as_str() {
        return Ok(out.line(hint)?);
    }
    out.table(&rows(&answer))?;
    for budget in list(&answer["budgets"]) {
        let name = text(&budget["name"]);
        match budget["unknown"].as_str() {
            Some(why) => complain(format!("note: {name}: not known: {why}")),
            None => out.line(burning(budget))?,
        }
        if budget["unknown_share"].as_f64().is_some_and(|share| share > 0.0) {
            let share = percent(&budget["unknown_share"]);
            complain(format!("note: {name}: of {share} of the hours nobody knows the price"));
        }
    }
    Ok(())
}

fn rows(answer: &Json) -> Vec<Vec<String>> {
    let currency = answer["currency"].as_str().unwrap_or("");
    let names = [
        "BUDGET", "OF", "PERIOD", "AMOUNT", "SPENT", "LEFT", "USED", "FORECAST", "LASTS", "FIRING",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    for budget in list(&answer["budgets"]) {
        let of = ["namespace", "model"].map(|name| text(&budget[name]));
        let of: Vec<_> = of.into_iter().filter(|name| !name.is_empty()).collect();
        let of = if of.is_empty() { "everything".to_owned() } else { of.join(", ") };
        let firing = list(&budget["burn"]).filter(|one| one["is_firing"] == true);
        let firing: Vec<_> = firing.map(|one| text(&one["rule"])).collect();
        let is_known = budget["unknown"].is_null();
        let lasts = match budget["exhausted"].as_str() {
            _ if !is_known => "unknown".to_owned(),
            Some(at) if budget["left"].as_f64().is_some_and(|left| left <= 0.0) => {
                format!("used up by {at}")
            }
            Some(at) => format!("until {at}"),
            None if budget["forecast"].is_null() => "unknown".to_owned(),
            None => "to the end".to_owned(),
        };
        let firing = match firing.as_slice() {
            _ if !is_known => "unknown".to_owned(),
            [] => "none".to_owned(),
            rules => rules.join(", "),
        };
        rows.push(vec![
            text(&budget["name"]),
            of,
            format!("{} from {}", text(&budget["period"]), text(&budget["start"])),
            money(&budget["amount"], currency),
            money(&budget["spent"], currency),
            money(&budget["left"], currency),
            percent(&budget["used"]),
            money(&budget["forecast"], currency),
            lasts,
            firing,
        ]);
    }
    rows
}

/// Burn rates in a line: times the even rate, over each window.
fn burning(budget: &Json) -> String {
    let rate = |one: &Json| {
        let hours = one["over_seconds"].as_f64().unwrap_or(f64::NAN) / 3600.0;
        let rate = one["rate"].as_f64();
        let rate = rate.map_or_else(|| "unknown".to_owned(), |rate| format!("{rate:.2}"));
        let limit = one["limit"].as_f64().unwrap_or(f64::NAN);
        format!("{rate} over {hours:.0} h ({} above {limit})", text(&one["rule"]))
    };
    let rates: Vec<_> = list(&budget["burn"]).map(rate).collect();
    let until = text(&budget["counted_until"]);
    format!(
        "{}: burn rate, 1 is the budget spread evenly: {}; counted until {until}",
        text(&budget["name"]),
        rates.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_stays_so_in_the_table() {
        let known = json!({
            "name": "agents", "namespace": "agents", "model": null, "period": "day",
            "start": "2026-11-26T00:00:00Z", "counted_until": "2026-11-26T08:00:00Z",
            "amount": 720.0, "spent": 480.0, "left": 240.0, "used": 0.667, "forecast": 1440.0,
            "exhausted": "2026-11-26T12:00:00Z", "unknown": null,
            "burn": [
                { "rule": "fast_burn", "rate": 20.0, "limit": 14.4, "over_seconds": 3600,
                  "is_firing": true },
                { "rule": "slow_burn", "rate": null, "limit": 1.0, "over_seconds": 259_200,
                  "is_firing": false },
            ],
        });
        let young = json!({
            "name": "all", "period": "month", "start": "2026-11-01T00:00:00Z", "amount": 9.0,
            "unknown": "no whole hour of its period is over",
        });
        let rows = rows(&json!({ "currency": "USD", "budgets": [known, young] }));
        assert_eq!(rows[1][1..3], ["agents", "day from 2026-11-26T00:00:00Z"]);
        assert_eq!(rows[1][4..6], ["480 USD", "240 USD"]);
        assert_eq!(rows[1][8..], ["until 2026-11-26T12:00:00Z", "fast_burn"]);
        assert_eq!(rows[2][1], "everything");
        assert_eq!(rows[2][4..6], ["unknown", "unknown"]);
        assert_eq!(rows[2][8..], ["unknown", "unknown"]);
        let told = burning(&known);
        assert!(
            told.contains("20.00 over 1 h (fast_burn above 14.4), unknown over 72 h"),
            "{told}"
        );
    }
}

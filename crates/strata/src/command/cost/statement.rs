//! `strata cost statement`: close, list and show.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value as Json;

use super::{list, text};
use crate::cli::{CustomerArgs, StatementCommand};
use crate::client::Client;
use crate::out::Out;

/// Longer than a server works on a draft: its answer says more than a connection that broke off.
const DRAFT_TIMEOUT: Duration = Duration::from_secs(630);

/// Ask and print.
pub(super) async fn run(command: StatementCommand, out: Out) -> Result<()> {
    let path = |name: &str| format!("/api/v1/cost/{name}");
    match command {
        StatementCommand::Close(close) => {
            let client = Client::patient(&close.server, DRAFT_TIMEOUT)?;
            let mut parameters = customer(&close.customer);
            let times = [("from", close.from), ("until", close.until)];
            parameters.extend(times.into_iter().filter_map(|(name, at)| Some((name, at?))));
            if close.dry_run {
                let answer = client.get(&path("statement/draft"), &parameters).await?;
                return if out.json { Ok(out.document(&answer)?) } else { draft(&answer, out) };
            }
            if close.accept_assumed {
                parameters.push(("accept_assumed", "true".to_owned()));
            }
            let answer = client.post(&path("statement/close"), &parameters).await?;
            if out.json {
                return Ok(out.document(&answer)?);
            }
            table(&[&answer], out)?;
            assumed(&answer["assumed"], out)
        }
        StatementCommand::List(asked) => {
            let named = asked.customer.map(|name| ("customer", name));
            let parameters: Vec<_> = named.into_iter().collect();
            let client = Client::new(&asked.server)?;
            let answer = client.get(&path("statements"), &parameters).await?;
            let rows: Vec<_> = list(&answer["statements"]).collect();
            if out.json {
                return Ok(out.document(&answer)?);
            }
            table(&rows, out)?;
            if answer["more"] == true {
                out.line("there are more: --customer names one, --number of show any")?;
            }
            Ok(())
        }
        StatementCommand::Show(show) => {
            let mut parameters = customer(&show.customer);
            parameters.extend(show.number.map(|number| ("number", number.to_string())));
            let client = Client::new(&show.server)?;
            let answer = client.get(&path("statement"), &parameters).await?;
            if out.json {
                return Ok(out.document(&answer)?);
            }
            table(&[&answer], out)?;
            out.line("")?;
            draft(&answer["statement"], out)
        }
    }
}

fn customer(of: &CustomerArgs) -> Vec<(&'static str, String)> {
    vec![("customer", of.customer.clone()), ("of", of.of.clone())]
}

fn table(statements: &[&Json], out: Out) -> Result<()> {
    let names = ["CUSTOMER", "NUMBER", "FROM", "UNTIL", "TOTAL", "TARIFF", "SHA-256"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    for one in statements {
        let total = format!("{} {}", text(&one["total"]), text(&one["currency"]));
        let hash = one["fault"].as_str().map_or_else(|| text(&one["sha256"]), str::to_owned);
        rows.push(vec![
            format!("{} {}", text(&one["of"]), text(&one["customer"])),
            text(&one["number"]),
            text(&one["start"]),
            text(&one["end"]),
            total,
            text(&one["tariff"]),
            hash,
        ]);
    }
    Ok(out.table(&rows)?)
}

/// The lines of a statement, closed or not.
fn draft(statement: &Json, out: Out) -> Result<()> {
    let names = ["MODEL", "TIER", "ITEM", "QUANTITY", "UNIT PRICE", "AMOUNT"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    let keys = ["model", "tier", "item", "quantity", "unit_price", "amount"];
    for line in list(&statement["lines"]) {
        rows.push(keys.map(|key| text(&line[key])).to_vec());
    }
    out.table(&rows)?;
    out.line(format!(
        "{} to {}: {} {}",
        text(&statement["start"]),
        text(&statement["end"]),
        text(&statement["total"]),
        text(&statement["currency"]),
    ))?;
    assumed(&statement["assumed"], out)
}

/// What of a statement was not measured.
fn assumed(assumed: &Json, out: Out) -> Result<()> {
    // A draft has numbers, a closed statement text.
    let hours = |name: &str| {
        let value = &assumed[name];
        value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|hours| *hours > 0.0)
    };
    if let Some(hours) = hours("equal_share_gpu_hours") {
        out.line(format!("assumed: {hours:.2} GPU hours are equal parts of shared GPUs"))?;
    }
    if let Some(hours) = hours("unknown_gpu_hours") {
        out.line(format!("assumed: of {hours:.2} GPU hours nothing tells who had them"))?;
    }
    let models: Vec<_> = list(&assumed["uncounted_models"]).map(text).collect();
    if !models.is_empty() {
        out.line(format!("assumed: not all work is counted of {}", models.join(", ")))?;
    }
    Ok(())
}

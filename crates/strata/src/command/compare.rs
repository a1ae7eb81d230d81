//! `strata compare`: two models of a running server side by side.

use anyhow::{Result, anyhow};
use serde_json::Value as Json;
use strata_model::Clock;
use strata_serve::params::parse_time;
use strata_view::words;

use super::requests::{range, range_until, word};
use crate::cli::CompareArgs;
use crate::client::Client;
use crate::out::Out;

/// Ask and print.
pub(crate) async fn run(arguments: &CompareArgs, out: Out, clock: &dyn Clock) -> Result<()> {
    let client = Client::new(&arguments.server)?;
    let mut parameters = match &arguments.end {
        None => range(&arguments.since, clock)?.to_vec(),
        Some(end) => {
            let end_ms = parse_time(end).map_err(|error| anyhow!("--end: {error}"))?;
            range_until(&arguments.since, end_ms)?.to_vec()
        }
    };
    let less = arguments.less_is_better.iter();
    parameters.extend(less.map(|name| ("less_is_better", name.clone())));
    parameters.extend([
        ("a", arguments.a.clone()),
        ("b", arguments.b.clone()),
        ("margin", arguments.margin.to_string()),
    ]);
    let answer = client.get("/api/v1/requests/compare", &parameters).await?;
    if out.json { Ok(out.document(&answer)?) } else { print(&answer, out) }
}

fn print(answer: &Json, out: Out) -> Result<()> {
    let (a, b) = (word(&answer["a"]), word(&answer["b"]));
    let can = match answer["answer"]["can_move"].as_str() {
        Some("yes") => "yes",
        Some("at_a_price") => "yes, at a price",
        Some("no") => "no",
        _ => "nobody can say yet",
    };
    out.line(format!("Can we move from {a} to {b}? {can}"))?;
    let texts = |value: &Json| {
        let texts = value.as_array().into_iter().flatten();
        texts.filter_map(Json::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    for reason in texts(&answer["answer"]["reasons"]) {
        out.line(format!("  {reason}"))?;
    }
    if let Some(count) = answer["answer"]["judgements_needed"].as_u64() {
        out.line(format!("  about {count} judgements of each model would tell"))?;
    }
    out.line("")?;
    let header = ["MEASURE", &a, "95 %", &b, "95 %", "DIFFERENCE", "95 %", "THE SECOND IS"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(answer["measures"].as_array().into_iter().flatten().map(row));
    out.table(&rows)?;
    for note in texts(&answer["notes"]) {
        out.line(format!("note: {note}"))?;
    }
    Ok(())
}

fn row(one: &Json) -> Vec<String> {
    let unit = one["unit"].as_str().unwrap_or_default();
    let written = |value: &Json| words::text(value.as_f64(), unit);
    let range = |found: &Json| match (found["low"].as_f64(), found["high"].as_f64()) {
        (Some(low), Some(high)) if low < high => {
            format!("{} to {}", words::text(Some(low), unit), words::text(Some(high), unit))
        }
        _ => "-".to_owned(),
    };
    let (a, b, gap) = (&one["a"]["value"], &one["b"]["value"], &one["difference"]);
    let verdict = word(&one["verdict"]).replace('_', " ");
    vec![
        word(&one["name"]),
        written(&a["value"]),
        range(a),
        written(&b["value"]),
        range(b),
        written(&gap["value"]),
        range(gap),
        match one["why"].as_str() {
            Some("") | None => verdict,
            Some(why) => format!("{verdict}: {why}"),
        },
    ]
}

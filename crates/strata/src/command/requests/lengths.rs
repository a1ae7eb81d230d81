//! `strata requests lengths`: how long inputs and outputs are, and what follows.

use anyhow::Result;
use serde_json::Value as Json;
use strata_cost::time::rfc3339;
use strata_model::Clock;
use strata_view::words;

use super::{range, word};
use crate::cli::RequestLengths;
use crate::client::Client;
use crate::out::{Out, complain};

/// Ask and print.
pub(super) async fn run(arguments: RequestLengths, out: Out, clock: &dyn Clock) -> Result<()> {
    let client = Client::new(&arguments.server)?;
    let mut parameters = range(&arguments.since, clock)?.to_vec();
    parameters.extend(arguments.conditions.into_iter().map(|condition| ("where", condition)));
    parameters.push(("by", arguments.by));
    let numbers = [
        ("itl_target_ms", arguments.itl_target),
        ("batch", arguments.batch),
        ("batched_tokens", arguments.batched_tokens),
        ("transfer_gbps", arguments.transfer_gbps),
    ];
    let numbers = numbers.into_iter().filter_map(|(name, value)| Some((name, value?.to_string())));
    parameters.extend(numbers);
    let answer = client.get("/api/v1/requests/lengths", &parameters).await?;
    if out.json { Ok(out.document(&answer)?) } else { print(&answer, out) }
}

fn print(answer: &Json, out: Out) -> Result<()> {
    if answer["taken"] == 0 {
        complain("no request matches");
        return Ok(());
    }
    spreads(&answer["all"], out)?;
    out.line("")?;
    joint(&answer["all"]["cells"], out)?;
    out.line("")?;
    let by = word(&answer["by"]).to_uppercase();
    let header = [by.as_str(), "REQUESTS", "INPUT P50", "P99", "OUTPUT P50", "P99"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(answer["groups"].as_array().into_iter().flatten().map(|group| {
        let lengths = &group["lengths"];
        vec![
            word(&group["name"]),
            word(&lengths["whole"]["told_by"]),
            word(&lengths["input"]["p50"]),
            word(&lengths["input"]["p99"]),
            word(&lengths["output"]["p50"]),
            word(&lengths["output"]["p99"]),
        ]
    }));
    out.table(&rows)?;
    for model in answer["models"].as_array().into_iter().flatten() {
        advice(model, out)?;
    }
    if let Some(more) = answer["more_models"].as_u64().filter(|more| *more > 0) {
        out.line(format!("\n{more} more models were asked less: see --where model=NAME"))?;
    }
    Ok(())
}

/// What follows for the engines of one model.
fn advice(model: &Json, out: Out) -> Result<()> {
    let rate = words::text(model["requests_per_second"].as_f64(), "{request}/s");
    let when = match model["busiest_hour_us"].as_i64() {
        Some(from_us) => {
            format!("in the busiest hour, from {}", rfc3339(from_us.div_euclid(1_000)))
        }
        None => "in the mean of this time".to_owned(),
    };
    let name = word(&model["model"]);
    out.line(format!("\n{name}: {} requests, {rate} {when}", word(&model["requests"])))?;
    for one in model["advice"].as_array().into_iter().flatten() {
        let setting = one["setting"].as_str().unwrap_or("nothing is advised");
        out.line(format!("  {}: {setting}", word(&one["about"])))?;
        out.line(format!("    {}", word(&one["says"])))?;
        if let Some(missing) = one["missing"].as_str().filter(|text| !text.is_empty()) {
            out.line(format!("    missing: {missing}"))?;
        }
    }
    simulated(&model["simulated"], out)
}

/// What a replay of recorded requests says.
fn simulated(replay: &Json, out: Out) -> Result<()> {
    if let Some(why) = replay["why"].as_str().filter(|why| !why.is_empty()) {
        return Ok(out.line(format!("  not simulated: {why}"))?);
    }
    let from = replay["from_us"].as_i64().map(|us| rfc3339(us.div_euclid(1_000)));
    let Some(from) = from else { return Ok(()) };
    let (requests, seconds) = (word(&replay["requests"]), replay["seconds"].as_f64());
    let seconds = words::text(seconds, "s");
    out.line(format!("  simulated, with {requests} requests of {seconds} from {from}:"))?;
    let header = ["  SETTING", "TTFT P50", "P99", "ITL P50", "P99", "ANSWERED"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for line in replay["settings"].as_array().into_iter().flatten() {
        let mut row = vec![format!("  {}", word(&line["setting"]))];
        let times = ["ttft_p50_seconds", "ttft_p99_seconds", "itl_p50_seconds", "itl_p99_seconds"];
        row.extend(times.map(|name| words::text(line[name].as_f64(), "s")));
        row.push(word(&line["ended"]));
        rows.push(row);
    }
    Ok(out.table(&rows)?)
}

fn spreads(all: &Json, out: Out) -> Result<()> {
    let header = ["TOKENS", "MEAN", "P50", "P90", "P99", "LONGEST", "TOLD BY"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (name, title) in [
        ("input", "input"),
        ("computed", "of it computed"),
        ("cached", "of it out of a cache"),
        ("output", "output"),
        ("whole", "input and output"),
    ] {
        let spread = &all[name];
        let mean = spread["mean"].as_f64().map_or("-".to_owned(), |mean| format!("{mean:.0}"));
        let mut row = vec![title.to_owned(), mean];
        row.extend(["p50", "p90", "p99", "longest", "told_by"].map(|name| word(&spread[name])));
        rows.push(row);
    }
    Ok(out.table(&rows)?)
}

/// Input against output: a row for each bucket of inputs, a column for each of outputs, percent.
fn joint(cells: &Json, out: Out) -> Result<()> {
    let cells: Vec<&Json> = cells.as_array().into_iter().flatten().collect();
    // Beyond the last edge is the largest.
    let at = |cell: &Json, name: &str| cell[name].as_u64().unwrap_or(u64::MAX);
    let edges = |name: &str| {
        let mut edges: Vec<u64> = cells.iter().map(|cell| at(cell, name)).collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    };
    let title = |edge: u64| {
        if edge == u64::MAX { "more".to_owned() } else { format!("<={edge}") }
    };
    let (inputs, outputs) = (edges("input_at_most"), edges("output_at_most"));
    let all: u64 = cells.iter().filter_map(|cell| cell["requests"].as_u64()).sum();
    let mut header = vec!["INPUT \\ OUTPUT".to_owned()];
    header.extend(outputs.iter().map(|edge| title(*edge)));
    let mut rows = vec![header];
    for input in inputs {
        let mut row = vec![title(input)];
        row.extend(outputs.iter().map(|output| {
            let here = cells.iter().find(|cell| {
                at(cell, "input_at_most") == input && at(cell, "output_at_most") == *output
            });
            let count = here.and_then(|cell| cell["requests"].as_u64());
            count.map_or(String::new(), |count| {
                words::text(Some(count as f64 / all.max(1) as f64), "1")
            })
        }));
        rows.push(row);
    }
    Ok(out.table(&rows)?)
}

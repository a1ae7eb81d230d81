//! `strata query`: PromQL from the command line, answered by a running server.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value as Json;
use strata_model::Clock;
use strata_model::text::parse_duration;

use crate::cli::QueryArgs;
use crate::client::Client;
use crate::out::{Out, Told, complain};

/// Steps of a range query when none is given, as a graph would show them.
const STEPS_DEFAULT: f64 = 60.0;

/// Ask and print.
pub(crate) async fn run(arguments: QueryArgs, out: Out, clock: &dyn Clock) -> Result<()> {
    let client = Client::new(&arguments.server)?;
    let mut parameters = vec![("query", arguments.expression.clone())];
    let path = match &arguments.since {
        None => {
            parameters.extend(arguments.time.map(|time| ("time", time)));
            "/api/v1/query"
        }
        Some(since) => {
            let since = parse_duration(since).map_err(|error| anyhow!("--since: {error}"))?;
            let step = match &arguments.step {
                Some(step) => parse_duration(step).map_err(|error| anyhow!("--step: {error}"))?,
                None => since.div_f64(STEPS_DEFAULT),
            };
            let end = clock.now_ms() as f64 / 1000.0;
            parameters.push(("start", format!("{:.3}", end - since.as_secs_f64())));
            parameters.push(("end", format!("{end:.3}")));
            parameters.push(("step", format!("{:.3}", step.as_secs_f64().max(0.001))));
            "/api/v1/query_range"
        }
    };
    let answer = client.get(path, &parameters).await?;
    if out.json {
        out.document(&answer)?;
    }
    if answer["status"] != "success" {
        let kind = answer["errorType"].as_str().unwrap_or("error");
        let told = format!("{kind}: {}", answer["error"].as_str().unwrap_or("no reason given"));
        return Err(if out.json { Told(told).into() } else { anyhow!(told) });
    }
    for note in ["warnings", "infos"] {
        for text in answer[note].as_array().into_iter().flatten() {
            complain(format!("{}: {}", note.trim_end_matches('s'), text.as_str().unwrap_or("")));
        }
    }
    if out.json { Ok(()) } else { print(&answer["data"], out).context("cannot print the answer") }
}

fn print(data: &Json, out: Out) -> Result<()> {
    let result = &data["result"];
    match data["resultType"].as_str() {
        Some("scalar" | "string") => out.line(text(&result[1]))?,
        Some("vector") => {
            let rows = result.as_array().into_iter().flatten();
            let mut empty = true;
            for row in rows {
                empty = false;
                let value = if row["value"].is_null() { &row["histogram"] } else { &row["value"] };
                out.line(format!("{}  {}", series_name(&row["metric"]), point(&value[1])))?;
            }
            if empty {
                complain("no series matches");
            }
        }
        Some("matrix") => {
            for row in result.as_array().into_iter().flatten() {
                out.line(series_name(&row["metric"]))?;
                for points in [&row["values"], &row["histograms"]] {
                    for pair in points.as_array().into_iter().flatten() {
                        out.line(format!("  {}  {}", time(&pair[0]), point(&pair[1])))?;
                    }
                }
            }
            if result.as_array().is_none_or(Vec::is_empty) {
                complain("no series matches");
            }
        }
        other => bail!("the server answered with the unknown result type {other:?}"),
    }
    Ok(())
}

/// `name{a="x",b="y"}`, and `{}` for the empty label set.
fn series_name(metric: &Json) -> String {
    let labels = metric.as_object().into_iter().flatten();
    let pairs = labels
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>();
    format!("{}{{{}}}", metric["__name__"].as_str().unwrap_or(""), pairs.join(","))
}

fn point(value: &Json) -> String {
    match value {
        Json::Object(histogram) => format!(
            "histogram count={} sum={}",
            histogram.get("count").map(text).unwrap_or_default(),
            histogram.get("sum").map(text).unwrap_or_default()
        ),
        other => text(other),
    }
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn time(seconds: &Json) -> String {
    let millis = (seconds.as_f64().unwrap_or(0.0) * 1000.0).round() as i64;
    jiff::Timestamp::from_millisecond(millis)
        .map_or_else(|_| seconds.to_string(), |t| t.to_string())
}

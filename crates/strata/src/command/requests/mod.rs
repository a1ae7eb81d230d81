//! `strata requests`: single requests of a running server, or their sums.

mod lengths;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use strata_model::Clock;
use strata_model::text::parse_duration;
use strata_view::{PageId, PageRequest, PageSource};

use crate::cli::{RequestList, RequestParts, RequestShow, RequestsArgs, RequestsCommand};
use crate::client::Client;
use crate::out::{Out, complain};
use crate::remote_pages::RemotePages;

/// Slowest requests that are printed.
const SLOWEST_SHOWN: usize = 20;

/// `start` and `end` of the last while.
pub(in crate::command) fn range(
    since: &str,
    clock: &dyn Clock,
) -> Result<[(&'static str, String); 2]> {
    range_until(since, clock.now_ms())
}

/// `start` and `end` of the while before a moment.
pub(in crate::command) fn range_until(
    since: &str,
    end_ms: i64,
) -> Result<[(&'static str, String); 2]> {
    let since = parse_duration(since).map_err(|error| anyhow!("--since: {error}"))?;
    let end = end_ms as f64 / 1_000.0;
    let start = end - since.as_secs_f64();
    Ok([("start", format!("{start:.3}")), ("end", format!("{end:.3}"))])
}

/// Ask and print.
pub(crate) async fn run(arguments: RequestsArgs, out: Out, clock: &dyn Clock) -> Result<()> {
    match arguments.command {
        None => listed(arguments.list, out, clock).await,
        Some(RequestsCommand::Show(arguments)) => show(arguments, out).await,
        Some(RequestsCommand::Lengths(arguments)) => lengths::run(arguments, out, clock).await,
        Some(RequestsCommand::Parts(arguments)) => parts(arguments, out, clock).await,
    }
}

/// One request: the page about it as text, or all that is known of it as data.
async fn show(arguments: RequestShow, out: Out) -> Result<()> {
    let client = Client::new(&arguments.server)?;
    if out.json {
        let answer = client.get("/api/v1/requests/one", &[("id", arguments.id)]).await?;
        return Ok(out.document(&answer)?);
    }
    // Asked for first, so that a number that is none ends in an error and not in a page about it.
    client.get("/api/v1/requests/one", &[("id", arguments.id.clone())]).await?;
    let mut request = PageRequest::new(PageId::Requests);
    request.entity = Some(format!("request:{}", arguments.id));
    let page = RemotePages(client).page(request).await;
    let page = page.map_err(|error| anyhow!("{error} ({})", error.hint))?;
    let columns = arguments.width.map_or_else(strata_tui::columns, usize::from);
    Ok(out.line(strata_tui::once(&page, columns, true).trim_end())?)
}

/// What the time of requests is made of.
async fn parts(arguments: RequestParts, out: Out, clock: &dyn Clock) -> Result<()> {
    let client = Client::new(&arguments.server)?;
    let mut parameters = range(&arguments.since, clock)?.to_vec();
    parameters.extend(arguments.conditions.into_iter().map(|condition| ("where", condition)));
    let answer = client.get("/api/v1/requests/parts", &parameters).await?;
    if out.json {
        return Ok(out.document(&answer)?);
    }
    let header = ["PART", "P50", "P95", "P99", "OF ALL TIME", "LONGEST OF", "TOLD BY"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let array = |name: &str| answer[name].as_array().into_iter().flatten();
    for one in array("parts") {
        let seconds = |name: &str| took(&json!(one["quantiles"][name].as_f64().map(|s| s * 1e6)));
        let mut row = vec![word(&one["part"]).replace('_', " ")];
        row.extend(["p50_seconds", "p95_seconds", "p99_seconds"].map(seconds));
        row.push(strata_view::words::text(one["share"].as_f64(), "1"));
        row.extend([word(&one["longest_of"]), word(&one["told_by"])]);
        rows.push(row);
    }
    if rows.len() == 1 {
        complain("no request of this range tells its times");
        return Ok(());
    }
    out.table(&rows)?;
    out.line("")?;
    let header = ["LONGEST PART", "TOOK", "TTFT", "MODEL", "TEAM", "STARTED", "NUMBER"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(array("slowest").take(SLOWEST_SHOWN).map(|one| {
        let request = &one["request"];
        vec![
            word(&one["longest_part"]).replace('_', " "),
            took(&request["duration_us"]),
            took(&request["ttft_us"]),
            word(&request["model"]),
            word(&request["team"]),
            started(&request["start_us"]),
            word(&request["uid"]),
        ]
    }));
    Ok(out.table(&rows)?)
}

async fn listed(arguments: RequestList, out: Out, clock: &dyn Clock) -> Result<()> {
    let client = Client::new(&arguments.server)?;
    let mut parameters = range(&arguments.since, clock)?.to_vec();
    let owners =
        [("tenant", &arguments.tenant), ("team", &arguments.team), ("model", &arguments.model)];
    for (name, value) in owners {
        parameters.extend(value.as_ref().map(|value| ("where", format!("{name}={value}"))));
    }
    parameters.extend(arguments.conditions.into_iter().map(|condition| ("where", condition)));
    if let Some(by) = arguments.by {
        parameters.push(("by", by));
        let answer = client.get("/api/v1/requests/sums", &parameters).await?;
        return if out.json { Ok(out.document(&answer)?) } else { sums(&answer, out) };
    }
    parameters.push(("order", arguments.order));
    parameters.push(("limit", arguments.limit.to_string()));
    let answer = client.get("/api/v1/requests", &parameters).await?;
    if out.json { Ok(out.document(&answer)?) } else { list(&answer, out) }
}

fn list(answer: &Json, out: Out) -> Result<()> {
    let header = [
        "STARTED",
        "TOOK",
        "TTFT",
        "QUEUE",
        "MODEL",
        "TEAM",
        "TENANT",
        "IN",
        "CACHED",
        "OUT",
        "REASONING",
        "OUTCOME",
        "SEEN BY",
        "TRACE",
        "NUMBER",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for one in answer["requests"].as_array().into_iter().flatten() {
        let tokens = &one["tokens"];
        let doors = one["doors"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let outcome = match one["outcome"]["code"].as_str() {
            Some(code) => code.to_owned(),
            None => word(&one["outcome"]["kind"]),
        };
        rows.push(vec![
            started(&one["start_us"]),
            took(&one["duration_us"]),
            took(&one["ttft_us"]),
            took(&one["queue_us"]),
            word(&one["model"]),
            word(&one["team"]),
            word(&one["tenant"]),
            word(&tokens["fresh_input"]),
            word(&tokens["cache_read"]),
            word(&tokens["output_text"]),
            word(&tokens["reasoning"]),
            outcome,
            doors.collect::<Vec<_>>().join("+"),
            word(&one["trace_id"]),
            word(&one["uid"]),
        ]);
    }
    if rows.len() == 1 {
        complain("no request matches");
        return Ok(());
    }
    Ok(out.table(&rows)?)
}

fn sums(answer: &Json, out: Out) -> Result<()> {
    let names: Vec<&str> =
        answer["by"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let mut header: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
    let fixed =
        ["REQUESTS", "FAILED", "IN", "CACHED", "OUT", "TOOK P50 <=", "P99 <=", "TTFT P50 <="];
    header.extend(fixed.map(str::to_owned));
    let mut rows = vec![header];
    for sums in answer["sums"].as_array().into_iter().flatten() {
        let mut row: Vec<String> =
            names.iter().map(|name| key(name, &sums["keys"][name])).collect();
        let outcomes = &sums["outcomes"];
        let failed = ["upstream_truncated", "error", "error_in_200"];
        let failed: i64 = failed.iter().filter_map(|name| outcomes[name].as_i64()).sum();
        let tokens = |name: &str| word(&sums["tokens"][name]["sum"]);
        row.extend([
            word(&sums["requests"]),
            failed.to_string(),
            tokens("fresh_input"),
            tokens("cache_read"),
            tokens("output_text"),
            took(&sums["duration"]["p50_at_most_us"]),
            took(&sums["duration"]["p99_at_most_us"]),
            took(&sums["ttft"]["p50_at_most_us"]),
        ]);
        rows.push(row);
    }
    if rows.len() == 1 {
        complain("no request is in these hours");
        return Ok(());
    }
    Ok(out.table(&rows)?)
}

/// A key of a group; hours are times.
fn key(name: &str, value: &Json) -> String {
    let seconds = value.as_str().and_then(|text| text.parse::<i64>().ok());
    match seconds.filter(|_| name == "hour").map(Timestamp::from_second) {
        Some(Ok(hour)) => hour.to_string(),
        _ => word(value),
    }
}

/// Text or a number; a dash for what is not known.
pub(in crate::command) fn word(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn started(us: &Json) -> String {
    let at = us.as_i64().and_then(|us| Timestamp::from_millisecond(us.div_euclid(1_000)).ok());
    at.map_or_else(|| "-".to_owned(), |at| format!("{at:.3}"))
}

/// Microseconds for a reader.
fn took(us: &Json) -> String {
    match us.as_f64() {
        None => "-".to_owned(),
        Some(us) if us < 1_000.0 => format!("{us:.0} us"),
        Some(us) if us < 1_000_000.0 => format!("{:.1} ms", us / 1e3),
        Some(us) => format!("{:.2} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_a_dash_and_never_zero() {
        let check = |us: Json, expected: &str| assert_eq!(took(&us), expected);
        check(Json::Null, "-");
        check(json!(0), "0 us");
        check(json!(16_900), "16.9 ms");
        check(json!(2_500_000), "2.50 s");
        assert_eq!(started(&json!(1_795_343_597_193_719_i64)), "2026-11-22T10:33:17.193Z");
        assert_eq!(key("hour", &json!("1795341600")), "2026-11-22T10:00:00Z");
    }
}

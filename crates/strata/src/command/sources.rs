//! `strata sources`: who is asked, how it goes, what to do about it.

use anyhow::{Context, Result, bail};
use strata_model::{Clock, SourceStatus};

use crate::cli::ServerArgs;
use crate::client::Client;
use crate::out::Out;

/// Ask the server and print a table.
pub(crate) async fn run(arguments: &ServerArgs, out: Out, clock: &dyn Clock) -> Result<()> {
    let answer = Client::new(arguments)?.get("/api/v1/strata/sources", &[]).await?;
    if answer.get("sources").is_none() {
        bail!("{} has no list of sources: not a strata?", arguments.url);
    }
    if out.json {
        return Ok(out.document(&answer)?);
    }
    let sources: Vec<SourceStatus> = serde_json::from_value(answer["sources"].clone())
        .context("the server speaks another version of this table")?;
    print(&sources, out, clock.now_ms())
}

/// The table itself, shared with `strata run`'s greeting.
pub(crate) fn print(sources: &[SourceStatus], out: Out, now_ms: i64) -> Result<()> {
    let header = ["source", "layer", "state", "last success", "samples", "faults", "hint"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for source in sources {
        rows.push(vec![
            source.id.clone(),
            source.layer.map_or("-".to_owned(), |layer| layer.to_string()),
            word(source.state)?,
            source.last_success_ms.map_or("never".to_owned(), |at| ago(now_ms - at)),
            source.last_samples.map_or("-".to_owned(), |samples| samples.to_string()),
            source.faults_total.to_string(),
            hint(source),
        ]);
    }
    Ok(out.table(&rows)?)
}

/// The state in the word JSON uses for it.
fn word(state: strata_model::SourceState) -> Result<String> {
    let json = serde_json::to_value(state)?;
    Ok(json.as_str().unwrap_or_default().to_owned())
}

fn hint(source: &SourceStatus) -> String {
    if !source.hint.is_empty() {
        return source.hint.clone();
    }
    source.recent_faults.last().map(|fault| fault.message.clone()).unwrap_or_default()
}

/// A past moment as people say it.
fn ago(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        ..=0 => "now".to_owned(),
        1..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3600),
    }
}

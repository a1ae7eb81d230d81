//! `strata sql`: read-only SQL over the records of a running server.

use anyhow::Result;
use serde_json::Value as Json;
use strata_model::Clock;

use super::requests::{range, word};
use crate::cli::SqlArgs;
use crate::client::Client;
use crate::out::{Out, complain};

/// Ask and print.
pub(crate) async fn run(arguments: &SqlArgs, out: Out, clock: &dyn Clock) -> Result<()> {
    let client = Client::new(&arguments.server)?;
    let mut parameters = range(&arguments.since, clock)?.to_vec();
    parameters.push(("query", arguments.query.clone()));
    let answer = client.get("/api/v1/sql", &parameters).await?;
    if out.json {
        return Ok(out.document(&answer)?);
    }
    let row = |row: &Json| row.as_array().into_iter().flatten().map(word).collect::<Vec<_>>();
    let mut rows = vec![row(&answer["columns"])];
    rows.extend(answer["rows"].as_array().into_iter().flatten().map(row));
    out.table(&rows)?;
    if answer["cut"] == true {
        complain("there are more rows than the server sends, see records.sql_rows_max");
    }
    Ok(())
}

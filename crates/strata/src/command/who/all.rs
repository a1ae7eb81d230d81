//! The section "Who" of the scheduling page, printed: the same page as on the web.

use anyhow::{Context, Result};
use strata_view::page::table::{Cell, Table};
use strata_view::{Block, Page};

use crate::client::Client;
use crate::out::{Out, complain};

/// Id of the section.
const SECTION: &str = "who";

/// Ask for the page and print its section.
pub(super) async fn run(client: &Client, out: Out) -> Result<()> {
    let page = client.get("/api/v1/pages/scheduling", &[]).await?;
    let page: Page = serde_json::from_value(page).context("the server's page is not understood")?;
    let section = page.sections.into_iter().find(|section| section.id == SECTION);
    let section = section.context("the server's page does not say who: it is an older strata")?;
    if out.json {
        return Ok(out.document(&section)?);
    }
    for block in section.blocks {
        match block {
            Block::Numbers { numbers } => {
                let numbers = numbers.into_iter().map(|number| vec![number.label, number.text]);
                out.table(&numbers.collect::<Vec<_>>())?;
            }
            Block::Table(table) => print(table, out)?,
            _ => continue,
        }
        out.line("")?;
    }
    Ok(())
}

fn print(table: Table, out: Out) -> Result<()> {
    if !table.title.is_empty() {
        out.line(&table.title)?;
    }
    if table.rows.is_empty() {
        complain(table.empty);
        return Ok(());
    }
    let shown = table.rows.len();
    let mut rows = vec![table.columns.into_iter().map(|column| column.title).collect::<Vec<_>>()];
    rows.extend(table.rows.into_iter().map(|row| row.cells.into_iter().map(text).collect()));
    out.table(&rows)?;
    if let Some(total) = table.total_rows {
        out.line(format!("{shown} of {total}"))?;
    }
    Ok(())
}

fn text(cell: Cell) -> String {
    match cell {
        Cell::Text { text } | Cell::Status { text, .. } | Cell::Command { text } => text,
        Cell::Number(number) => number.text,
        Cell::Spark { .. } => String::new(),
    }
}

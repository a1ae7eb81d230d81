//! The sections "Who" and "What waits" of the scheduling page, printed: the same page as on the web.

use anyhow::{Context, Result};
use strata_view::page::table::{Cell, Table};
use strata_view::{Block, Page};

use crate::client::Client;
use crate::out::{Out, complain};

/// Ids of the sections; the first is what `--json` gives.
const SECTIONS: [&str; 2] = ["who", "waiting"];

/// Ask for the page and print its sections.
pub(super) async fn run(client: &Client, out: Out) -> Result<()> {
    let page = client.get("/api/v1/pages/scheduling", &[]).await?;
    let page: Page = serde_json::from_value(page).context("the server's page is not understood")?;
    let mut sections: Vec<_> = page
        .sections
        .into_iter()
        .filter(|section| SECTIONS.contains(&section.id.as_str()))
        .collect();
    let who = sections.iter().find(|section| section.id == SECTIONS[0]);
    let who = who.context("the server's page does not say who: it is an older strata")?;
    if out.json {
        return Ok(out.document(who)?);
    }
    sections.sort_by_key(|section| section.id != SECTIONS[0]);
    for section in sections {
        if section.id != SECTIONS[0] {
            out.line(&section.title)?;
        }
        print_blocks(section.blocks, out)?;
    }
    Ok(())
}

fn print_blocks(blocks: Vec<Block>, out: Out) -> Result<()> {
    for block in blocks {
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
        Cell::Text { text }
        | Cell::Status { text, .. }
        | Cell::Command { text }
        | Cell::Fold { text, .. } => text,
        Cell::Number(number) => number.text,
        Cell::Spark { .. } | Cell::Bar { .. } => String::new(),
    }
}

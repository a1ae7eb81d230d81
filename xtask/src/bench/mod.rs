//! `cargo xtask bench`: our figures beside those of the peers, from the same data in one run.
//!
//! Every claim of performance is a ratio against a peer measured here and now, never a number of
//! ours alone. Peers come from Debian's packages `prometheus`, `victoria-metrics`.

pub(crate) mod figures;
pub(crate) mod load;
mod load_page;
mod mix;
mod pages;
pub(crate) mod process;
mod proxy;
mod records;
mod saturation;
mod spans;
pub(crate) mod wire;

use std::path::Path;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{check, out};

/// A figure that can be measured on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Figure {
    /// Remote-write ingest per core, and bytes per sample on disk.
    Ingest,
    /// A rate over 1,000 series and 6 hours.
    Query,
    /// Scraping a 65 kB vLLM page.
    Scrape,
    /// Memory at 100,000 active series.
    Memory,
    /// Collecting this host every second.
    Agent,
    /// Server time of the pages over 1,000 GPUs and a day.
    Pages,
    /// The same over 10,000 GPUs; ships for ten minutes, so only when asked for.
    PagesLarge,
    /// What the proxy adds to calls, and the memory of its streams; with `cargo run --release
    /// --package xtask`.
    Proxy,
    /// OTLP spans a CPU second takes in, beside rotel.
    Spans,
    /// Questions about a million requests; ships them for minutes.
    Records,
    /// How well the forecast of saturation orders moments of a trace; needs `--trace`.
    Saturation,
}

/// What the pages are measured over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    /// How far back the samples reach.
    pub(crate) hours: u32,
    /// Whether the server stays when its pages are measured.
    pub(crate) hold: bool,
}

/// What was named on the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    /// A trace of requests.
    pub(crate) trace: Option<&'a Path>,
    /// The program rotel.
    pub(crate) rotel: Option<&'a Path>,
    /// Requests in the six hours that are asked for.
    pub(crate) requests: usize,
}

/// One row of the table.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    /// What must be reached and what is aimed at, in the words of the table.
    pub(crate) must: &'static str,
    pub(crate) aim: &'static str,
    /// Ours and each peer's, with units.
    pub(crate) values: String,
    /// The ratio or figure that is judged.
    pub(crate) verdict: String,
}

/// Measure `figures`, or all that need no long preparation when empty, and print a Markdown table.
pub(crate) fn run(
    figures: &[Figure],
    history: History,
    scratch: &Path,
    given: Given<'_>,
) -> Result<()> {
    if figures == [Figure::Saturation] {
        let Some(trace) = given.trace else { bail!("name the trace to replay with --trace FILE") };
        table(&[saturation::measure(trace)?]);
        return Ok(());
    }
    check::step("cargo", &["build", "--release", "--locked", "--package", "strata"])?;
    if scratch.exists() {
        bail!("{} exists: name a scratch folder that does not", scratch.display());
    }
    std::fs::create_dir_all(scratch)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let all = [
        Figure::Ingest,
        Figure::Query,
        Figure::Scrape,
        Figure::Memory,
        Figure::Agent,
        Figure::Pages,
    ];
    let chosen = if figures.is_empty() { &all[..] } else { figures };
    let mut rows = Vec::new();
    for figure in chosen {
        let folder = scratch.join(format!("{figure:?}"));
        rows.extend(runtime.block_on(figures::measure(*figure, history, &folder, given))?);
    }
    std::fs::remove_dir_all(scratch)?;
    table(&rows);
    Ok(())
}

fn table(rows: &[Row]) {
    out::line("\n| what | measured | ratio | must | aim |\n|---|---|---|---|---|");
    for row in rows {
        out::line(format!(
            "| {} | {} | **{}** | {} | {} |",
            row.what, row.values, row.verdict, row.must, row.aim
        ));
    }
}

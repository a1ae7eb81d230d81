//! The files that `[cost]` names: prices, price files of clouds, API prices, the tariff.

use std::path::Path;

use anyhow::{Context as _, Result};
use strata_cost::price::{Price, PriceBook, opencost_csv};
use strata_cost::provider::PriceMap;
use strata_cost::tariff::Tariff;

use crate::config::CostSettings;

/// A file of prices is a few kB.
const PRICES_BYTES_MAX: u64 = 4 << 20;
/// A price map of all providers is under 2 MB.
const MAP_BYTES_MAX: u64 = 32 << 20;
/// The price book: published figures, the operator's own prices, price files of clouds.
pub(crate) fn book(settings: &CostSettings) -> Result<PriceBook> {
    let mut book = PriceBook::embedded();
    if let Some(path) = &settings.prices {
        let (shown, text) = (path.display(), read(path, PRICES_BYTES_MAX)?);
        book.add_toml(&text).map_err(|error| {
            let problems: Vec<_> = error.problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{shown}: {}", problems.join("; "))
        })?;
    }
    for path in &settings.price_files {
        book.extend(imported(path, &settings.ledger.currency)?);
    }
    Ok(book)
}

/// A file of the operator's, of a bounded length.
fn read(path: &Path, most: u64) -> Result<String> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
    if size.len() > most {
        anyhow::bail!("{shown} is larger than {most} bytes");
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))
}

/// When a file was written, ms since 1970: of files that do not say of when they are.
fn written_ms(path: &Path) -> i64 {
    let changed = std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let changed = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    changed.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// The rows of a cloud's price file. A line that cannot be read stops the start as a row of the
/// operator's own file does: left out, it would be a price that nobody misses.
fn imported(path: &Path, currency: &str) -> Result<Vec<Price>> {
    let text = read(path, MAP_BYTES_MAX)?;
    let shown = path.display().to_string();
    let name = path.file_name().map_or(shown.clone(), |name| name.to_string_lossy().into_owned());
    let found = opencost_csv(&text, currency, &name, written_ms(path));
    if found.problems.is_empty() {
        return Ok(found.prices);
    }
    let problems: Vec<_> = found.problems.iter().take(10).map(ToString::to_string).collect();
    anyhow::bail!("{shown}: {}", problems.join("; "))
}

/// The operator's map of API prices.
pub(crate) fn map(path: &Path) -> Result<PriceMap> {
    let text = read(path, MAP_BYTES_MAX)?;
    PriceMap::read(&text, written_ms(path))
        .with_context(|| format!("cannot use {}", path.display()))
}

/// What tokens are sold for.
pub(crate) fn tariff(path: &Path) -> Result<Tariff> {
    Tariff::read(&read(path, PRICES_BYTES_MAX)?).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}: {}", path.display(), problems.join("; "))
    })
}

//! Price files of clouds, in the form that OpenCost reads.

use strata_model::Problem;

use super::{Confidence, Origin, Per, Price, PriceKind, parse};
use crate::csv;
use crate::time::instant_ms;

/// What a price file gave: rows, and what could not be read. One bad line does not lose the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Prices of nodes and GPUs.
    pub prices: Vec<Price>,
    /// Lines that were left out, and why.
    pub problems: Vec<Problem>,
    /// Lines about disks, which have no part in the price of a GPU.
    pub disks: usize,
}

/// The columns that a row needs.
const NEEDED: [&str; 4] = ["InstanceID", "AssetClass", "InstanceIDField", "MarketPriceHourly"];

/// Reads OpenCost's custom pricing CSV (`configs/pricing_schema.csv`): `InstanceIDField` names a
/// field or label of a node, `InstanceID` the value it must have; class `node` prices the node,
/// `gpu` one GPU of it. The file has no currency, so the caller says it; `EndTimestamp` dates the
/// price, and `date_ms` (the file's own date) those lines that have none.
pub fn opencost_csv(text: &str, currency: &str, source: &str, date_ms: i64) -> Imported {
    let mut imported = Imported { prices: Vec::new(), problems: Vec::new(), disks: 0 };
    let mut rows = csv::rows(text).into_iter();
    let header = rows.next().unwrap_or_default();
    let missing: Vec<_> =
        NEEDED.iter().filter(|name| !header.iter().any(|cell| cell.trim() == **name)).collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.into_iter().copied().collect();
        imported.problems.push(Problem::new("line 1", format!("no column {}", names.join(", "))));
        return imported;
    }
    for (at, row) in rows.enumerate() {
        if imported.prices.len() >= parse::MAX_ROWS {
            let message = format!("a price book has at most {} rows", parse::MAX_ROWS);
            imported.problems.push(Problem::new("", message));
            break;
        }
        let line = Line { header: &header, row: &row };
        match line.price(currency, source, date_ms) {
            Ok(Some(price)) => imported.prices.push(price),
            Ok(None) => imported.disks += 1,
            Err(message) => {
                imported.problems.push(Problem::new(format!("line {}", at + 2), message));
            }
        }
    }
    imported
}

struct Line<'a> {
    header: &'a [String],
    row: &'a [String],
}

impl Line<'_> {
    fn cell(&self, name: &str) -> Option<&str> {
        let at = self.header.iter().position(|cell| cell.trim() == name)?;
        self.row.get(at).map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
    }

    fn price(&self, currency: &str, source: &str, date_ms: i64) -> Result<Option<Price>, String> {
        let per = match self.cell("AssetClass") {
            Some("node") => Per::Node,
            Some("gpu") => Per::Gpu,
            Some("pv") => return Ok(None),
            other => return Err(format!("asset class {other:?} is none of node, gpu, pv")),
        };
        let value = self.cell("InstanceID").ok_or("no InstanceID")?;
        let field = self.cell("InstanceIDField").ok_or("no InstanceIDField")?;
        let text = self.cell("MarketPriceHourly").ok_or("no MarketPriceHourly")?;
        let number = text.parse::<f64>().ok();
        let per_hour = number
            .filter(|number| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| format!("`{text}` is not a price"))?;
        let date_ms = match self.cell("EndTimestamp") {
            Some(text) => instant_ms(text).ok_or_else(|| format!("`{text}` is not a date"))?,
            None => date_ms,
        };
        Ok(Some(Price {
            gpu: None,
            node: None,
            selector: Some((field.to_owned(), value.to_owned())),
            provider: None,
            region: self.cell("Region").map(str::to_owned),
            term: None,
            gpus: None,
            per,
            per_hour,
            currency: currency.to_owned(),
            kind: PriceKind::List,
            from_ms: None,
            until_ms: None,
            source: source.to_owned(),
            date_ms,
            confidence: Confidence::Medium,
            reference: false,
            origin: Origin::Imported,
        }))
    }
}

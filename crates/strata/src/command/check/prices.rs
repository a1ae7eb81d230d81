//! Trying what the ledger reads: prices, the map of API prices, the tariff.

use strata_cost::price::{Origin, PriceBook};
use strata_cost::tariff::Tariff;

use super::{Failure, Report};
use crate::config::{CostSettings, Settings};
use crate::ledger::files;

/// Read every file that `[cost]` names, as the start does.
pub(super) fn try_all(settings: &Settings, report: &mut Report<'_>) {
    let cost = &settings.cost;
    if !cost.enabled {
        return;
    }
    let hint = "see docs/cost.md; strata does not start with a price that it cannot read";
    if cost.prices.is_some() || !cost.price_files.is_empty() {
        let path = if cost.prices.is_some() { "cost.prices" } else { "cost.price_files" };
        match files::book(cost) {
            Ok(book) => {
                report.add("prices", path, Ok(counted(&book)));
                for told in book.shadowed(cost.terms.term) {
                    report.add("prices", path, Ok(told));
                }
            }
            Err(error) => report.add("prices", path, Err(Failure::new(format!("{error:#}"), hint))),
        }
    }
    if let Some(path) = &cost.api_prices {
        let read = files::map(path).map(|map| format!("{} models", map.len()));
        let read = read.map_err(|error| Failure::new(format!("{error:#}"), hint));
        report.add("API prices", "cost.api_prices", read);
    }
    if let Some(path) = &cost.tariff {
        let read = files::tariff(path).map_err(|error| Failure::new(format!("{error:#}"), hint));
        let checked = read.and_then(|tariff| sold(&tariff, cost));
        report.add("tariff", "cost.tariff", checked);
    }
}

/// How many rows there are of whom.
fn counted(book: &PriceBook) -> String {
    let of = |origin| book.rows().iter().filter(|price| price.origin == origin).count();
    format!(
        "{} of your own, {} of price files, {} published",
        of(Origin::User),
        of(Origin::Imported),
        of(Origin::Embedded)
    )
}

fn sold(tariff: &Tariff, cost: &CostSettings) -> Result<String, Failure> {
    let currency = &cost.ledger.currency;
    if tariff.currency != *currency {
        let message = format!("it sells in {}, the ledger is in {currency}", tariff.currency);
        return Err(Failure::new(message, "statements and margins need one currency"));
    }
    Ok(format!("{}: {} rows", tariff.name, tariff.rows.len()))
}

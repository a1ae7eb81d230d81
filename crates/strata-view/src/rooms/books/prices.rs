//! The prices that the bill rests on.

use strata_cost::time::{day, rfc3339};

use super::Books;
use super::cells::{table, text, told};
use crate::page::table::Table;

pub(super) fn prices(books: &Books) -> Table {
    let currency = &books.ledger.options.currency;
    let rows = books.ledger.rates.iter().flat_map(|rate| {
        let gpu = rate.wanted.gpu.clone().unwrap_or_else(|| "of an unknown model".to_owned());
        rate.timeline.iter().map(move |(from_ms, quote)| match quote {
            Ok(quote) => vec![
                text(gpu.clone()),
                told(
                    Some(quote.per_gpu_hour / 3600.0),
                    &format!("{}/s", quote.currency),
                    "Price of one GPU. The most specific row of the price book.",
                    "price per hour as the source says",
                ),
                text(format!("{} of {}", quote.source, day(quote.date_ms))),
                told(
                    Some(quote.age_days(books.now_ms) * 86_400.0),
                    "s",
                    "Age of the price.",
                    "now - date of the source",
                ),
                text(format!(
                    "{}{}",
                    quote.confidence.name(),
                    if quote.assumed.is_empty() {
                        String::new()
                    } else {
                        format!(", assumed: {}", quote.assumed.join(", "))
                    }
                )),
                text(rfc3339(*from_ms)),
            ],
            Err(why) => vec![
                text(gpu.clone()),
                told(None, &format!("{currency}/s"), "Price of one GPU.", ""),
                text(why.to_string()),
                text(""),
                text("enter it in the file that [cost] prices names"),
                text(rfc3339(*from_ms)),
            ],
        })
    });
    table(
        "Price book, as far as it is used",
        &[
            ("GPU", false),
            ("price", true),
            ("source", false),
            ("age", true),
            ("confidence", false),
            ("from", false),
        ],
        rows.collect(),
        "no GPU was seen",
    )
}

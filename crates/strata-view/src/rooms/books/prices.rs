//! The prices that the bill rests on.

use strata_cost::time::{day, rfc3339};
use strata_cost::unit::NodePrice;

use super::Books;
use super::cells::{noted, table, text, told};
use crate::page::table::{Cell, Table};

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

/// Prices of nodes, in parts.
pub(super) fn nodes(books: &Books) -> Table {
    let per_hour = format!("{}/h", books.ledger.options.currency);
    let rows = books.nodes.iter().map(|one| node(one, &per_hour, books.now_ms));
    table(
        "An hour of a node, and what of it is for what",
        &[
            ("node", false),
            ("GPUs", false),
            ("price", true),
            ("for GPUs", true),
            ("cores", true),
            ("memory", true),
            ("disk", true),
            ("network", true),
            ("source", false),
            ("age", true),
        ],
        rows.collect(),
        "no GPU names its node",
    )
}

fn node(one: &NodePrice, per_hour: &str, now_ms: i64) -> Vec<Cell> {
    let part = |value: Option<f64>, what: &str, needs: &str| {
        let formula = "price of the node x units x base price / sum of these (OpenCost's ratios)";
        let mut cell = told(value, per_hour, what, formula);
        if let Cell::Number(number) = &mut cell
            && value.is_none()
        {
            number.explain.unknown = Some(needs.to_owned());
        }
        cell
    };
    let parts = one.parts.as_ref();
    let sized = "its price, its cores and its memory must be known";
    let count = |value: Option<f64>, unit: &str| value.map(|value| format!("{value:.0} {unit}"));
    let first = one.nodes.first().cloned().unwrap_or_default();
    let others = one.nodes.len().saturating_sub(1);
    let disk = parts.filter(|_| one.size.disk_gib.is_some()).map(|parts| parts.disk);
    let oldest = one.oldest.as_ref();
    let told_by = oldest.map(|quote| format!("{} of {}", quote.source, day(quote.date_ms)));
    let age = oldest.map(|quote| quote.age_days(now_ms) * 86_400.0);
    vec![
        text(if others > 0 { format!("{first} and {others} more") } else { first }),
        text(format!("{} x {}", one.gpus, one.skus.join(" + "))),
        told(
            one.per_hour,
            per_hour,
            "Price of a node. The prices of its GPUs, which are with their part of it.",
            "sum of the prices of its GPUs",
        ),
        part(parts.map(|parts| parts.gpus), "Of the price, for the GPUs.", sized),
        noted(
            part(parts.map(|parts| parts.cores), "Of the price, for the cores.", sized),
            count(one.size.cores, "cores"),
        ),
        noted(
            part(parts.map(|parts| parts.memory), "Of the price, for the memory.", sized),
            count(one.size.memory_gib, "GiB"),
        ),
        noted(
            part(disk, "Of the price, for the disks.", "nothing tells the size of its disks"),
            count(one.size.disk_gib, "GiB"),
        ),
        part(None, "Of the price, for the network.", "no base price of a network is published"),
        text(told_by.unwrap_or_else(|| "one of its GPUs has no price".to_owned())),
        told(age, "s", "Age of the oldest price in it.", "now - date of the source"),
    ]
}

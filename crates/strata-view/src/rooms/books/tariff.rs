//! Tokens as a service: what a GPU hour is in tokens, and what is sold beside what it costs.

use strata_cost::split::Class;
use strata_cost::tariff::{TariffRow, per_unit};
use strata_cost::unit::{Exchange, Units, exchange};

use super::Books;
use super::cells::{hours, table, text, told};
use crate::page::table::{Cell, Table};

pub(super) fn exchange_rates(books: &Books) -> Table {
    let currency = &books.ledger.options.currency;
    let found = exchange(&books.ledger);
    let rows = found.iter().map(|one| rate(one, currency));
    table(
        "What a GPU hour is in tokens",
        &[
            ("model", false),
            ("GPU", false),
            ("GPU hours", true),
            ("tokens of a GPU hour", true),
            ("at saturation", true),
            ("counted", true),
            ("a GPU hour costs", true),
        ],
        rows.collect(),
        "no engine that holds a GPU counts its tokens",
    )
}

fn rate(one: &Exchange, currency: &str) -> Vec<Cell> {
    vec![
        text(one.model.clone()),
        text(one.sku.clone().unwrap_or_else(|| "of an unknown model".to_owned())),
        hours(one.gpu_hours * 3600.0),
        told(
            one.now,
            "{token}",
            "Generated tokens of a held GPU hour. At the load of this window.",
            "generated tokens / held GPU hours in which they were counted",
        ),
        told(
            one.saturated,
            "{token}",
            "Generated tokens of a GPU hour in the busiest steps.",
            "99th percentile of tokens per held GPU second x 3600",
        ),
        told(
            Some(one.covered),
            "1",
            "Share of the GPU hours in which tokens were counted.",
            "held GPU seconds with a count / held GPU seconds",
        ),
        told(
            one.per_gpu_hour,
            currency,
            "Cost of a held GPU hour. By the prices below, with their source and age.",
            "cost / GPU hours",
        ),
    ]
}

pub(super) fn selling(books: &Books, units: &[Units]) -> Table {
    let rows = books.tariff.iter().flat_map(|tariff| {
        let is_same = tariff.currency == books.ledger.options.currency;
        tariff.rows.iter().flat_map(move |row| {
            let units = units.iter().find(|one| one.model == row.model).filter(|_| is_same);
            let currency = &tariff.currency;
            let classes = Class::ALL.into_iter();
            let items = classes.filter_map(move |class| item(row, class, units, currency));
            let hour = row.per_reserved_gpu_hour.map(|price| {
                let cost = units.and_then(|units| units.per_gpu_hour);
                sold(row, "reserved GPU hour", price, cost, currency)
            });
            items.chain(hour)
        })
    });
    table(
        "What is sold",
        &[
            ("model", false),
            ("tier", false),
            ("item", false),
            ("price", true),
            ("cost", true),
            ("margin", true),
        ],
        rows.collect(),
        "no tariff is set: tariff under [cost]; without one statements are at cost",
    )
}

fn item(row: &TariffRow, class: Class, units: Option<&Units>, currency: &str) -> Option<Vec<Cell>> {
    let price = row.per_unit.get(class.place()).copied().flatten()?;
    let each = per_unit(class);
    let found = units.and_then(|units| units.classes.iter().find(|cost| cost.class == class));
    let name = class.name().replace('_', " ");
    let name = if class == Class::Requests {
        format!("a thousand {name}")
    } else {
        format!("a million {name} tokens")
    };
    Some(sold(row, &name, price, found.map(|cost| cost.full * each), currency))
}

fn sold(row: &TariffRow, name: &str, price: f64, cost: Option<f64>, currency: &str) -> Vec<Cell> {
    let margin = cost.filter(|_| price > 0.0).map(|cost| (price - cost) / price);
    vec![
        text(row.model.clone()),
        text(row.tier.clone()),
        text(name),
        told(Some(price), currency, "What it is sold for.", "as the tariff says"),
        told(
            cost,
            currency,
            "What it cost. In this window, idle time included.",
            "unit cost of the class x the quantity that is sold",
        ),
        told(margin, "1", "What is left of the price.", "(price - cost) / price"),
    ]
}

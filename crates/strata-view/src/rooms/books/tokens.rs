//! What tokens cost and by which split, what energy they took, and what the prefix cache lost.

use strata_cost::ledger::Ledger;
use strata_cost::split::Class;
use strata_cost::unit::{
    Boundary, ClassCost, Energy, EnergyUnits, SplitUsed, Units, energy, metered,
};

use super::Books;
use super::cells::{hours, noted, table, text, told};
use crate::page::table::{Cell, Table};
use crate::words;

/// Costs of a model, by the level that is useful and by class.
pub(super) fn costs(ledger: &Ledger, units: &[Units]) -> Table {
    let per_token = format!("{}/{{token}}", ledger.options.currency);
    let level = ledger.options.level;
    let rows = units.iter().map(|one| {
        let class = |class: Class, what: &str| cost_of(one, class, &per_token, what);
        let useful = one.per_useful_token.get(level.place()).copied().flatten();
        vec![
            text(one.model.clone()),
            told(
                useful.map(|cost| cost.cost),
                &per_token,
                "Cost of a useful token. All money of the model, idle and wasted included.",
                "cost / tokens of the useful level",
            ),
            class(Class::UncachedPrompt, "Cost of a prompt token that was computed."),
            class(Class::Generated, "Cost of a generated token."),
            class(Class::CachedPrompt, "Cost of a prompt token found in the cache."),
            told(
                one.at_saturation,
                &per_token,
                "Cost of a generated token in the busiest steps.",
                "price / 99th percentile of tokens per GPU second",
            ),
            told(
                one.low_load_gap(),
                &per_token,
                "What low load costs. A generated token now, less one in the busiest steps.",
                "cost / generated tokens - cost at saturation",
            ),
            text(methods(&one.splits)),
        ]
    });
    table(
        "By model",
        &[
            ("model", false),
            ("useful token", true),
            ("prompt", true),
            ("generated", true),
            ("cached", true),
            ("at saturation", true),
            ("of low load", true),
            ("split by", false),
        ],
        rows.collect(),
        "no engine counts its tokens",
    )
}

/// The cost of one of a class, with its interval where it was measured.
fn cost_of(one: &Units, class: Class, per_token: &str, what: &str) -> Cell {
    let found = one.classes.iter().find(|cost| cost.class == class);
    let cell =
        told(found.map(|cost| cost.full), per_token, what, "busy cost by class, idle shared");
    noted(cell, found.and_then(|cost| interval(cost, per_token)))
}

fn interval(cost: &ClassCost, per_token: &str) -> Option<String> {
    let (low, high) = cost.interval?;
    let [low, high] = [low, high].map(|edge| words::text(Some(edge), per_token));
    Some(format!("95 %: {low} to {high}"))
}

fn methods(splits: &[SplitUsed]) -> String {
    let mut names: Vec<_> =
        splits.iter().map(|split| split.method.name().replace('_', " ")).collect();
    names.dedup();
    if names.is_empty() { "nothing was counted".to_owned() } else { names.join(", ") }
}

/// What the splits are worth, and why better ones were not used.
pub(super) fn fits(units: &[Units]) -> Table {
    let all = units.iter().flat_map(|one| one.splits.iter().map(move |split| (one, split)));
    let rows = all.map(|(one, split)| {
        let quality = split.quality;
        vec![
            text(one.model.clone()),
            text(split.settings.clone()),
            text(split.method.name().replace('_', " ")),
            told(
                quality.map(|quality| quality.r_squared),
                "{ratio}",
                "Explained variance, R squared. Of busy time, by least squares; 0.8 is needed.",
                "1 - squared error / variance of busy GPU seconds",
            ),
            told(
                quality.map(|quality| quality.condition).filter(|found| found.is_finite()),
                "{ratio}",
                "Condition number. Above 30 classes are hard to tell apart, above 100 no fit is used.",
                "largest / smallest singular value of the columns at unit length",
            ),
            told(
                quality.map(|quality| quality.rows as f64),
                "{span}",
                "Spans of time that were fitted. At least 40 are needed.",
                "steps of replicas with busy time and all counters",
            ),
            text(split.instead_of.join("; ")),
        ]
    });
    table(
        "How busy time was split",
        &[
            ("model", false),
            ("engine", false),
            ("method", false),
            ("R2", true),
            ("condition", true),
            ("spans", true),
            ("not better, for", false),
        ],
        rows.collect(),
        "no engine counts its tokens",
    )
}

/// Energy at each boundary, of all GPUs and of each model.
pub(super) fn used(ledger: &Ledger, units: &[Units], known: &Energy) -> Table {
    let total = ledger.total();
    let whole = (!ledger.gpus.is_empty()).then(|| {
        let mut row = vec![text("all GPUs")];
        row.extend(joules(energy(&total, None, known), metered(&total)));
        row
    });
    let models = units.iter().map(|one| {
        let mut row = vec![text(one.model.clone())];
        row.extend(joules(one.energy, metered(&one.line)));
        row
    });
    table(
        "Energy by where it is measured",
        &[
            ("of", false),
            ("at the GPUs", true),
            ("at the nodes", true),
            ("at the building's meter", true),
            ("CO2 at the meter", true),
            ("tokens per joule, GPUs", true),
            ("tokens per joule, meter", true),
            ("metered", true),
        ],
        whole.into_iter().chain(models).collect(),
        "no GPU was seen in this window",
    )
}

fn joules(found: Option<EnergyUnits>, metered: Option<f64>) -> Vec<Cell> {
    let watt_hours = |boundary: Boundary, what: &str, formula: &str| {
        let kwh = found.and_then(|found| found.kwh(boundary));
        lacking(told(kwh.map(|kwh| kwh * 1000.0), "W.h", what, formula), found, boundary.needs())
    };
    let per_joule = |boundary: Boundary, what: &str| {
        let value = found.and_then(|found| found.tokens_per_joule(boundary));
        lacking(
            told(value, "{token}/J", what, "generated tokens / joules at the boundary"),
            found,
            boundary.needs(),
        )
    };
    let co2 = found.and_then(|found| found.co2_kg).map(|kilograms| kilograms * 1000.0);
    let formula = "kWh at the meter x grams_per_kwh of the configuration";
    vec![
        watt_hours(Boundary::Gpu, "Energy at the GPUs. By their counters.", "sum of hw.energy"),
        watt_hours(
            Boundary::Node,
            "Energy at the nodes. The GPUs' times what the operator says.",
            "sum of hw.energy x node_over_gpus",
        ),
        watt_hours(
            Boundary::Facility,
            "Energy at the meter of the building. The nodes' times the PUE.",
            "sum of hw.energy x node_over_gpus x pue",
        ),
        lacking(
            told(co2, "g", "CO2. Of the energy at the meter of the building.", formula),
            found,
            "node_over_gpus, pue and grams_per_kwh",
        ),
        per_joule(Boundary::Gpu, "Generated tokens for a joule at the GPUs."),
        per_joule(Boundary::Facility, "Generated tokens for a joule at the meter."),
        told(
            metered,
            "1",
            "Share of the time with a reading. Below 95 % no energy is told.",
            "GPU seconds in steps with a reading of hw.energy / GPU seconds",
        ),
    ]
}

/// What an unknown of energy needs.
fn lacking(mut cell: Cell, found: Option<EnergyUnits>, needs: &str) -> Cell {
    if let Cell::Number(number) = &mut cell
        && number.value.is_none()
    {
        number.explain.unknown = Some(match (found, needs) {
            (None, _) => "the energy counters covered less than 95 % of the time".to_owned(),
            // The GPUs themselves are measured: what is missing is what was done with the joules.
            (Some(_), "") => "nothing counts generated tokens of it".to_owned(),
            (Some(_), needs) => format!("say {needs} under [cost]"),
        });
    }
    cell
}

/// What a worse hit rate of the prefix cache cost, against the window before.
pub(super) fn cache(books: &Books) -> Table {
    let currency = &books.ledger.options.currency;
    let rows = books.cache.iter().map(|one| {
        let rate = |value: f64, what: &str| {
            told(Some(value), "1", what, "cached prompt tokens / all prompt tokens")
        };
        vec![
            text(one.model.clone()),
            text(one.settings.clone()),
            rate(one.before, "Hit rate of the window before."),
            rate(one.hit_rate, "Hit rate of this window."),
            told(
                one.money,
                currency,
                "Lost prefix cache. Prompt tokens computed that were found before.",
                "fall of the hit rate x prompt tokens x (price computed - price found)",
            ),
            hours(one.gpu_s),
            text(one.method.name().replace('_', " ")),
        ]
    });
    table(
        "Lost prefix cache, against the window before",
        &[
            ("model", false),
            ("engine", false),
            ("hit rate before", true),
            ("now", true),
            ("cost", true),
            ("GPU hours", true),
            ("priced by", false),
        ],
        rows.collect(),
        "no model has a hit rate in both windows and prices of computed and cached tokens",
    )
}

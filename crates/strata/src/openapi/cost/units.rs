//! What a model costs, and what energy it takes.

use serde_json::Value as Json;
use strata_cost::split::Class;
use strata_cost::unit::Boundary;
use strata_cost::useful::Level;

use super::account::money;
use crate::openapi::Document;
use crate::openapi::schema::{
    count, flag, list, loose, maybe, number, object, said, text, tuple, word,
};

/// A model, and energy at each boundary.
pub(super) fn describe(document: &mut Document) -> (Json, Json) {
    let energy = energy(document);
    (model(document, energy.clone()), energy)
}

fn methods() -> Json {
    word(["disagg_pool", "nnls", "request_time", "ratio"])
}

fn model(document: &mut Document, energy: Json) -> Json {
    let useful = object([
        ("per_million", said(number(), "Money.")),
        ("tokens", number()),
        ("covered", said(number(), "Share of the money whose tokens are counted.")),
    ]);
    let class = object([
        ("class", word(Class::ALL.map(Class::name))),
        ("count", number()),
        ("per_million", said(number(), "Money, idle time included.")),
        ("per_million_busy", said(number(), "Money of busy time.")),
        (
            "interval",
            said(maybe(tuple(&[number(), number()])), "Of 95 %, where the split is measured."),
        ),
        ("methods", said(list(methods()), "How it was told apart from the other classes.")),
    ]);
    let quality = |what: &str| said(maybe(number()), what);
    let split = object([
        ("settings", said(text(), "Engine; empty where pools are seen together.")),
        ("method", methods()),
        ("is_measured", said(flag(), "Whether it measures, where others assume.")),
        ("r_squared", quality("Share of the variance of busy time that least squares explain.")),
        ("condition", quality("Above 30 the classes move together; null where it is not finite.")),
        ("spans", said(maybe(count()), "Spans of time that were fitted.")),
        ("instead_of", said(list(text()), "Why better methods were not used.")),
    ]);
    let low_load = "Money for a million generated tokens at this load, less that at saturation.";
    let model = object([
        ("model", text()),
        ("amount", money()),
        ("gpu_hours", number()),
        ("per_gpu_hour", maybe(number())),
        (
            "useful",
            said(
                loose(Level::ALL.map(|level| (level.name(), useful.clone()))),
                "By level; those that are not known are left out.",
            ),
        ),
        ("classes", list(class)),
        ("methods", list(split)),
        ("per_request", maybe(number())),
        ("per_million_at_saturation", maybe(number())),
        ("per_million_of_low_load", said(maybe(number()), low_load)),
        ("cache_savings", maybe(number())),
        ("tokens_per_joule", said(maybe(number()), "At the GPUs.")),
        ("energy", energy),
    ]);
    document.name("ModelCost", model)
}

fn energy(document: &mut Document) -> Json {
    let at = object([
        ("boundary", word(Boundary::ALL.map(Boundary::name))),
        ("kwh", maybe(number())),
        ("tokens_per_joule", maybe(number())),
        ("needs", said(maybe(text()), "What has to be known before `kwh` is.")),
    ]);
    let energy = object([
        ("metered_share", said(maybe(number()), "Share of the time with a reading.")),
        ("boundaries", said(list(at), "From the GPU outwards.")),
        ("co2_grams", maybe(number())),
        ("co2_boundary", word([Boundary::Facility.name()])),
        ("grams_per_kwh", said(maybe(number()), "As the operator says.")),
        ("co2_needs", said(maybe(text()), "What has to be known before `co2_grams` is.")),
    ]);
    document.name("EnergyUse", energy)
}

/// What a worse hit rate of the prefix cache cost.
pub(super) fn cache_loss() -> Json {
    object([
        ("model", text()),
        ("settings", text()),
        ("hit_rate", number()),
        ("hit_rate_before", number()),
        ("gpu_hours", said(number(), "That the hit rate of before would have saved.")),
        ("amount", money()),
        ("method", said(methods(), "How the prices of computed and cached tokens were found.")),
    ])
}

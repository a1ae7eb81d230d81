//! What tokens of each model cost, by which split, and what energy they took.

use anyhow::Result;
use serde_json::Value as Json;

use super::{hours, list, money, percent, text};
use crate::out::Out;

/// Money for a million tokens of each class, and how the classes were told apart.
pub(super) fn table(answer: &Json, currency: &str, out: Out) -> Result<()> {
    let names = [
        "MODEL",
        "COST",
        "USEFUL",
        "PROMPT",
        "CACHED",
        "GENERATED",
        "AT SATURATION",
        "OF LOW LOAD",
        "METHOD",
        "R2",
        "CONDITION",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    let mut intervals = Vec::new();
    let mut reasons = Vec::new();
    let level = answer["useful_level"].as_str().unwrap_or("");
    for model in list(&answer["models"]) {
        let name = text(&model["model"]);
        let class = |class: &str| {
            let found = list(&model["classes"]).find(|one| one["class"] == class);
            found.map_or_else(|| "unknown".to_owned(), |one| money(&one["per_million"], currency))
        };
        let mut row = vec![
            name.clone(),
            money(&model["amount"], currency),
            money(&model["useful"][level]["per_million"], currency),
            class("uncached_prompt"),
            class("cached_prompt"),
            class("generated"),
            money(&model["per_million_at_saturation"], currency),
            money(&model["per_million_of_low_load"], currency),
        ];
        let splits: Vec<&Json> = list(&model["methods"]).collect();
        row.extend(fit(&splits));
        rows.push(row);
        intervals.extend(interval(model, currency).map(|told| format!("{name}: {told}")));
        for split in splits {
            let why: Vec<_> = list(&split["instead_of"]).map(text).collect();
            if !why.is_empty() {
                let method = text(&split["method"]);
                reasons.push(format!("{name}: {method}, for {}", why.join("; ")));
            }
        }
    }
    if rows.len() == 1 {
        return Ok(());
    }
    out.line("\nper million tokens, idle time included")?;
    out.table(&rows)?;
    for line in intervals.into_iter().chain(reasons) {
        out.line(line)?;
    }
    Ok(())
}

/// Method, explained variance and condition of the splits of a model.
fn fit(splits: &[&Json]) -> [String; 3] {
    let each = |told: &dyn Fn(&Json) -> String| {
        let mut all: Vec<String> = splits.iter().map(|split| told(split)).collect();
        all.dedup();
        if all.is_empty() { "unknown".to_owned() } else { all.join(", ") }
    };
    let number = |split: &Json, name: &str, digits: usize| {
        split[name].as_f64().map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    [
        each(&|split| text(&split["method"])),
        each(&|split| number(split, "r_squared", 2)),
        each(&|split| number(split, "condition", 1)),
    ]
}

/// Intervals of the classes that have one.
fn interval(model: &Json, currency: &str) -> Option<String> {
    let told = list(&model["classes"]).filter_map(|class| {
        let [low, high] = class["interval"].as_array()?.as_slice() else { return None };
        let name = text(&class["class"]).replace('_', " ");
        let each = if name == "requests" { "a million requests" } else { "a million" };
        Some(format!("{name} {} to {} {each}", money(low, currency), money(high, currency)))
    });
    let told: Vec<_> = told.collect();
    (!told.is_empty()).then(|| format!("95 % intervals: {}", told.join(", ")))
}

/// Energy at each boundary, of all GPUs and of each model.
pub(super) fn energy(answer: &Json, out: Out) -> Result<()> {
    let names = [
        "ENERGY",
        "GPUS KWH",
        "NODES KWH",
        "BUILDING KWH",
        "CO2 G",
        "TOK/J GPU",
        "TOK/J BUILDING",
        "METERED",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    let number = |value: &Json| {
        value.as_f64().map_or_else(|| "unknown".to_owned(), |value| format!("{value:.3}"))
    };
    let row = |name: String, energy: &Json, has_tokens: bool| {
        let at = |place: usize, key: &str| number(&energy["boundaries"][place][key]);
        let per_joule = |place: usize| {
            if has_tokens { at(place, "tokens_per_joule") } else { "-".to_owned() }
        };
        vec![
            name,
            at(0, "kwh"),
            at(1, "kwh"),
            at(2, "kwh"),
            number(&energy["co2_grams"]),
            per_joule(0),
            per_joule(2),
            percent(&energy["metered_share"]),
        ]
    };
    rows.push(row("all GPUs".to_owned(), &answer["energy"], false));
    let models = list(&answer["models"]);
    rows.extend(models.map(|model| row(text(&model["model"]), &model["energy"], true)));
    out.line(
        "\nenergy by where it is measured: at the GPUs, at the nodes, at the meter of the building",
    )?;
    out.table(&rows)?;
    let all = &answer["energy"];
    let missing = list(&all["boundaries"]).map(|one| &one["needs"]).chain([&all["co2_needs"]]);
    let mut missing: Vec<_> = missing.filter_map(Json::as_str).collect();
    missing.dedup();
    if !missing.is_empty() {
        out.line(format!("what is unknown needs {}", missing.join("; ")))?;
    }
    Ok(())
}

/// What a worse hit rate of the prefix cache cost; nothing where it is no worse.
pub(super) fn cache(answer: &Json, currency: &str, out: Out) -> Result<()> {
    let names = ["MODEL", "HIT RATE BEFORE", "NOW", "LOST", "GPU H", "PRICED BY"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    for one in list(&answer["cache_loss"]) {
        rows.push(vec![
            text(&one["model"]),
            percent(&one["hit_rate_before"]),
            percent(&one["hit_rate"]),
            money(&one["amount"], currency),
            hours(&one["gpu_hours"]),
            text(&one["method"]),
        ]);
    }
    if rows.len() > 1 {
        out.line("\nlost prefix cache: prompts computed that were found before; beside the terms")?;
        out.table(&rows)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fit_is_told_with_what_it_is_worth() {
        let fitted = json!({ "method": "nnls", "r_squared": 0.934, "condition": 12.3 });
        assert_eq!(fit(&[&fitted]), ["nnls", "0.93", "12.3"]);
        let untried = json!({ "method": "ratio", "r_squared": null, "condition": null });
        assert_eq!(fit(&[&untried]), ["ratio", "-", "-"]);
        assert_eq!(fit(&[&fitted, &untried])[0], "nnls, ratio");
        assert_eq!(fit(&[]), ["unknown", "unknown", "unknown"]);
    }

    #[test]
    fn intervals_are_told_where_there_are_some() {
        let class = |interval: Json| json!({ "class": "generated", "interval": interval });
        let model = json!({ "classes": [class(json!([1.0, 2.0])), class(Json::Null)] });
        let told = interval(&model, "USD");
        assert_eq!(
            told.as_deref(),
            Some("95 % intervals: generated 1.00 USD to 2.00 USD a million")
        );
        assert_eq!(interval(&json!({ "classes": [class(Json::Null)] }), "USD"), None);
    }
}

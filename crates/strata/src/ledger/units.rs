//! Unit costs of models as JSON: what classes cost and by which split, and what energy it took.

use serde_json::{Map, Value as Json, json};
use strata_cost::ledger::Line;
use strata_cost::unit::{Boundary, CacheLoss, Energy, SplitUsed, Units, energy, metered};
use strata_cost::useful::Level;

/// Tokens that prices are told for.
const MILLION: f64 = 1e6;

/// One model.
pub(super) fn model(units: &Units, asked: &Energy) -> Json {
    let useful = Level::ALL.into_iter().zip(units.per_useful_token).filter_map(|(level, cost)| {
        let cost = cost?;
        let per_million = cost.cost * MILLION;
        let told =
            json!({ "per_million": per_million, "tokens": cost.count, "covered": cost.covered });
        Some((level.name().to_owned(), told))
    });
    let classes = units.classes.iter().map(|class| {
        json!({
            "class": class.class.name(),
            "count": class.count,
            "per_million": class.full * MILLION,
            "per_million_busy": class.busy * MILLION,
            "interval": class.interval.map(|(low, high)| [low * MILLION, high * MILLION]),
            // Splits of several engines are added up: then each class has all of their methods.
            "methods": methods(units),
        })
    });
    let tokens = units.per_useful_token.first().copied().flatten().map(|cost| cost.count);
    json!({
        "model": units.model,
        "amount": units.line.amount(),
        "gpu_hours": units.line.gpu_s() / 3600.0,
        "per_gpu_hour": units.per_gpu_hour,
        "useful": useful.collect::<Map<_, _>>(),
        "classes": classes.collect::<Vec<_>>(),
        "methods": units.splits.iter().map(split).collect::<Vec<_>>(),
        "per_request": units.per_request.map(|cost| cost.cost),
        "per_million_at_saturation": units.at_saturation.map(|cost| cost * MILLION),
        "per_million_of_low_load": units.low_load_gap().map(|gap| gap * MILLION),
        "cache_savings": units.cache_savings,
        "tokens_per_joule": units.energy.and_then(|energy| energy.tokens_per_joule),
        "energy": energy_of(&units.line, tokens, asked),
    })
}

fn methods(units: &Units) -> Vec<&'static str> {
    let mut names: Vec<_> = units.splits.iter().map(|split| split.method.name()).collect();
    names.dedup();
    names
}

/// How well least squares explain busy time, where they were tried, and why they were not used.
fn split(one: &SplitUsed) -> Json {
    let quality = one.quality;
    json!({
        "settings": one.settings,
        "method": one.method.name(),
        "is_measured": one.method.is_measured(),
        "r_squared": quality.map(|quality| quality.r_squared),
        // Two columns that are multiples of each other have no finite condition: that is no number.
        "condition": quality.map(|quality| quality.condition).filter(|found| found.is_finite()),
        "spans": quality.map(|quality| quality.rows),
        "instead_of": one.instead_of,
    })
}

/// Energy of a line at each boundary. Nothing is told where the counters covered too little of it,
/// nothing beyond the GPUs where the operator does not say what the way to them takes.
pub(super) fn energy_of(line: &Line, tokens: Option<f64>, asked: &Energy) -> Json {
    let found = energy(line, tokens, asked);
    let boundaries = Boundary::ALL.map(|boundary| {
        let kwh = found.and_then(|found| found.kwh(boundary));
        let per_joule = found.and_then(|found| found.tokens_per_joule(boundary));
        json!({
            "boundary": boundary.name(),
            "kwh": kwh,
            "tokens_per_joule": per_joule,
            "needs": kwh.is_none().then(|| needs(found.is_some(), boundary.needs())),
        })
    });
    let co2 = found.and_then(|found| found.co2_kg);
    json!({
        "metered_share": metered(line),
        "boundaries": boundaries,
        "co2_grams": co2.map(|kilograms| kilograms * 1000.0),
        "co2_boundary": Boundary::Facility.name(),
        "grams_per_kwh": asked.grams_per_kwh,
        "co2_needs": co2.is_none().then(|| {
            needs(found.is_some(), "node_over_gpus, pue and grams_per_kwh")
        }),
    })
}

fn needs(is_metered: bool, words: &str) -> String {
    if is_metered {
        format!("{words} under [cost]")
    } else {
        "the energy counters of its GPUs over 95 % of the time".to_owned()
    }
}

/// What a worse hit rate of the prefix cache cost.
pub(super) fn cache(one: &CacheLoss) -> Json {
    json!({
        "model": one.model,
        "settings": one.settings,
        "hit_rate": one.hit_rate,
        "hit_rate_before": one.before,
        "gpu_hours": one.gpu_s / 3600.0,
        "amount": one.money,
        "method": one.method.name(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(joules: f64, unmetered_s: f64) -> Line {
        let mut seconds = [0.0; strata_cost::ledger::STATES];
        seconds[0] = 3600.0;
        let money = [0.0; strata_cost::ledger::STATES];
        let key = "all".to_owned();
        let (unpriced_s, assumed_s) = (0.0, 0.0);
        Line { key, seconds, money, unpriced_s, energy_j: joules, unmetered_s, assumed_s }
    }

    #[test]
    fn energy_is_told_by_its_boundary_and_unknown_stays_unknown() {
        let told = energy_of(&line(3.6e6, 0.0), Some(7.2e6), &Energy::default());
        assert_eq!(told["boundaries"][0]["boundary"], "gpu");
        assert_eq!(told["boundaries"][0]["kwh"], 1.0);
        assert_eq!(told["boundaries"][0]["tokens_per_joule"], 2.0);
        assert_eq!(told["boundaries"][0]["needs"], Json::Null);
        assert_eq!(told["boundaries"][1]["kwh"], Json::Null);
        assert_eq!(told["boundaries"][1]["needs"], "node_over_gpus under [cost]");
        assert_eq!((&told["co2_grams"], &told["co2_boundary"]), (&Json::Null, &"facility".into()));
        let all = Energy { node_over_gpus: Some(1.5), pue: Some(1.2), grams_per_kwh: Some(400.0) };
        let told = energy_of(&line(3.6e6, 0.0), None, &all);
        assert!((told["boundaries"][2]["kwh"].as_f64().unwrap() - 1.8).abs() < 1e-9, "{told}");
        assert!((told["co2_grams"].as_f64().unwrap() - 720.0).abs() < 1e-9, "{told}");
        assert_eq!(told["boundaries"][2]["tokens_per_joule"], Json::Null);
    }

    #[test]
    fn a_line_that_was_hardly_read_has_no_energy() {
        let told = energy_of(&line(1e6, 1800.0), Some(1.0), &Energy::default());
        assert_eq!(
            (&told["metered_share"], &told["boundaries"][0]["kwh"]),
            (&0.5.into(), &Json::Null)
        );
        let why = told["boundaries"][0]["needs"].as_str().unwrap();
        assert!(why.contains("95 % of the time"), "{why}");
    }
}

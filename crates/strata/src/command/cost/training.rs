//! Training runs and what bought nothing, in tables.

use anyhow::Result;
use serde_json::Value as Json;

use super::{hours, list, money, text};
use crate::out::{Out, complain};

/// Lines of waste that are shown; all are in `--json`.
const WASTE_MAX: usize = 12;

/// A count with three digits that say something and the unit's prefix.
pub(super) fn count(value: &Json) -> String {
    let Some(value) = value.as_f64() else { return "unknown".to_owned() };
    let prefixes = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];
    let found = prefixes.into_iter().find(|(size, _)| value.abs() >= *size);
    let (size, prefix) = found.unwrap_or((1.0, ""));
    format!("{:.digits$}{prefix}", value / size, digits = if found.is_some() { 2 } else { 0 })
}

/// The runs with their unit costs.
pub(super) fn runs(answer: &Json, currency: &str, out: Out) -> Result<()> {
    let header = [
        "RUN",
        "COST",
        "GPU H",
        "STEPS",
        "LOST",
        "TOKENS",
        "PER STEP",
        "PER M TOKENS",
        "PER EXAFLOP",
        "PER LOST STEP",
        "LOST COST",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for run in list(&answer["training"]) {
        // Where no step was lost, none has a cost.
        let none_lost = run["lost_steps"].as_f64() == Some(0.0);
        let per_lost =
            if none_lost { "-".to_owned() } else { money(&run["per_lost_step"], currency) };
        rows.push(vec![
            text(&run["run"]),
            money(&run["amount"], currency),
            hours(&run["gpu_hours"]),
            count(&run["kept_steps"]),
            count(&run["lost_steps"]),
            count(&run["tokens"]),
            money(&run["per_step"], currency),
            money(&run["per_million_tokens"], currency),
            money(&run["per_useful_exaflop"], currency),
            per_lost,
            money(&run["lost_amount"], currency),
        ]);
        for unknown in list(&run["unknown"]) {
            complain(format!("note: run {} does not tell {}", text(&run["run"]), text(unknown)));
        }
    }
    if rows.len() > 1 {
        out.line(
            "\ntraining runs; a step, a token and an exaflop (1e18) of the steps that were kept",
        )?;
        out.table(&rows)?;
    }
    Ok(())
}

/// Money that bought nothing, the most first.
pub(super) fn waste(answer: &Json, currency: &str, out: Out) -> Result<()> {
    let mut lines: Vec<&Json> = list(&answer["waste"]).collect();
    if lines.is_empty() {
        return Ok(());
    }
    // Money and hours have no common order: what has no price comes after what has one.
    let size = |line: &Json| {
        let (amount, hours) = (line["amount"].as_f64(), line["gpu_hours"].as_f64());
        (amount.unwrap_or(f64::NEG_INFINITY), hours.unwrap_or(0.0))
    };
    lines.sort_by(|a, b| {
        let (a, b) = (size(a), size(b));
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    let mut rows = vec![["CAUSE", "TEAM", "COST", "GPU H"].map(str::to_owned).to_vec()];
    rows.extend(lines.iter().take(WASTE_MAX).map(|line| {
        vec![
            text(&line["cause"]),
            text(&line["team"]),
            money(&line["amount"], currency),
            hours(&line["gpu_hours"]),
        ]
    }));
    out.line("\nwhat bought nothing")?;
    out.table(&rows)?;
    match lines.len() {
        more if more > WASTE_MAX => Ok(out.line(format!("and {} more: --json", more - WASTE_MAX))?),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short_and_unknown_is_said() {
        let check = |value: Json, expected: &str| assert_eq!(count(&value), expected);
        check(Json::Null, "unknown");
        check(0.0.into(), "0");
        check(42.4.into(), "42");
        check(1_234_567.0.into(), "1.23 M");
        check(9e12.into(), "9.00 T");
    }
}

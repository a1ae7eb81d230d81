//! Answers in the shape of OpenCost's, so that what reads OpenCost reads us.
//!
//! The shapes are those of its `/allocation` and `/inferenceCost` endpoints. What the ledger does
//! not have (cores, memory and disks of their own: they are in the price of the GPU's part of its
//! node) is left out and not written as zero.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ledger::{Dimension, Ledger, Line, PLATFORM, UNATTRIBUTED};
use crate::split::Class;
use crate::time::rfc3339;
use crate::unit::{Units, by_tenant};

/// OpenCost's name for what is paid for and held by nobody.
const IDLE: &str = "__idle__";
/// OpenCost's name for what belongs to nothing that it was asked to group by.
const UNALLOCATED: &str = "__unallocated__";

/// Money by a dimension, as `/allocation` answers for one accumulated window. Held time is charged
/// whether used or not; what nobody held is `__idle__`, as OpenCost has it. A row of which a part
/// has no price has no `gpuCost`.
pub fn allocation(ledger: &Ledger, dimension: Dimension) -> Value {
    let mut set = Map::new();
    let window = window(ledger);
    for line in lines(ledger, dimension) {
        let name = match line.key.as_str() {
            PLATFORM => IDLE,
            UNATTRIBUTED => UNALLOCATED,
            key => key,
        };
        let hours = line.gpu_s() / 3600.0;
        let period_hours = (ledger.end_ms() - ledger.start_ms) as f64 / 3_600_000.0;
        let busy_hours = line.busy_s() / 3600.0;
        let mut row = json!({
            "name": name,
            "window": window,
            "start": rfc3339(ledger.start_ms),
            "end": rfc3339(ledger.end_ms()),
            "minutes": period_hours * 60.0,
            "gpuCount": hours / period_hours,
            "gpuHours": hours,
            "gpuUsageAverage": busy_hours / period_hours,
            "gpuEfficiency": if hours > 0.0 { busy_hours / hours } else { 0.0 },
        });
        if let (Some(amount), Some(fields)) = (line.amount(), row.as_object_mut()) {
            let idle = amount - line.busy_money();
            fields.insert("gpuCost".to_owned(), json!(amount));
            fields.insert("gpuCostIdle".to_owned(), json!(idle));
            fields.insert("totalCost".to_owned(), json!(amount));
        }
        set.insert(name.to_owned(), row);
    }
    json!({ "code": 200, "status": "success", "data": [set] })
}

/// Lines by a dimension; tenants of shared models are told apart by their tokens.
fn lines(ledger: &Ledger, dimension: Dimension) -> Vec<Line> {
    if dimension != Dimension::Tenant {
        return ledger.by(dimension);
    }
    let mut found: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for ((tenant, _), line) in by_tenant(ledger) {
        found.entry(tenant).or_default().push(line);
    }
    found.iter().map(|(tenant, lines)| Line::merged(tenant, lines)).collect()
}

/// Which of OpenCost's cost bases an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostBasis {
    /// All held time.
    Allocation,
    /// Busy time only; it does not add up to the bill.
    Usage,
}

impl CostBasis {
    fn name(self) -> &'static str {
        match self {
            Self::Allocation => "allocation",
            Self::Usage => "usage",
        }
    }

    fn amount(self, line: &Line) -> Option<f64> {
        let whole = line.amount()?;
        Some(if self == Self::Usage { line.busy_money() } else { whole })
    }
}

/// Cost of models, as `/inferenceCost/total` answers. Models without a price or without counted
/// tokens are left out: OpenCost would say zero.
pub fn inference_total(ledger: &Ledger, units: &[Units], basis: CostBasis) -> Value {
    json!({ "code": 200, "data": inference_set(ledger, units, basis) })
}

/// One step of `/inferenceCost/timeseries`: the caller builds a ledger for each and lists them as
/// `inferenceCostSets`.
pub fn inference_set(ledger: &Ledger, units: &[Units], basis: CostBasis) -> Value {
    let window = window(ledger);
    let mut costs = Map::new();
    for units in units {
        if let Some(row) = inference_row(units, basis, &window) {
            costs.insert(units.model.clone(), row);
        }
    }
    json!({ "inferenceCosts": costs, "window": window })
}

fn inference_row(units: &Units, basis: CostBasis, window: &Value) -> Option<Value> {
    let total = basis.amount(&units.line)?;
    let of = |class: Class| units.classes.iter().find(|cost| cost.class == class);
    let count = |class: Class| of(class).map_or(0.0, |cost| cost.count);
    let cost = |class: Class| {
        of(class).map_or(0.0, |cost| {
            cost.count * if basis == CostBasis::Usage { cost.busy } else { cost.full }
        })
    };
    let prompt = count(Class::UncachedPrompt) + count(Class::CachedPrompt);
    let generated = count(Class::Generated);
    if prompt + generated <= 0.0 {
        return None;
    }
    // What a request costs whatever its length is shared by input and output as their tokens are:
    // OpenCost's answer has no third part, and the two must be the total.
    let (input, output) =
        (cost(Class::UncachedPrompt) + cost(Class::CachedPrompt), cost(Class::Generated));
    let scale = if input + output > 0.0 { total / (input + output) } else { 0.0 };
    // Tokens that were counted in a part of the time only cost the money of that part.
    let covered = units.per_token.map_or(1.0, |cost| cost.covered);
    let per_million =
        |money: f64, tokens: f64| (tokens > 0.0).then(|| covered * money / tokens * 1e6);
    let method = units.splits.first().map_or("", |split| split.method.name());
    Some(json!({
        "properties": { "modelName": units.model },
        "window": window,
        "costBasis": basis.name(),
        "totalCost": total,
        "promptTokens": prompt,
        "generationTokens": generated,
        "totalTokens": prompt + generated,
        "costPerMillionTokens": per_million(total, prompt + generated),
        "inputCost": input * scale,
        "outputCost": output * scale,
        "inputCostPerMillionTokens": per_million(input * scale, prompt),
        "outputCostPerMillionTokens": per_million(output * scale, generated),
        "allocationMethod": method,
    }))
}

fn window(ledger: &Ledger) -> Value {
    json!({ "start": rfc3339(ledger.start_ms), "end": rfc3339(ledger.end_ms()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Options;
    use crate::price::PriceBook;
    use crate::unit::{Energy, models};

    fn day() -> (Ledger, Vec<Units>) {
        let facts = crate::ledger::tests::deepseek();
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
        let units = models(&ledger, &Energy::default());
        (ledger, units)
    }

    #[test]
    fn the_day_reads_as_opencost_would_say_it() {
        let (ledger, units) = day();
        let answer = inference_total(&ledger, &units, CostBasis::Allocation);
        let row = &answer["data"]["inferenceCosts"]["DeepSeek-R1"];
        let number = |key: &str| row[key].as_f64().unwrap();
        assert!((number("totalCost") - 87_072.0).abs() < 1e-6);
        assert!((number("inputCost") + number("outputCost") - number("totalCost")).abs() < 1e-6);
        assert!((number("outputCostPerMillionTokens") / 0.3001 - 1.0).abs() < 0.01);
        assert!((number("costPerMillionTokens") / 0.1122 - 1.0).abs() < 0.01);
        assert_eq!(row["allocationMethod"], "disagg_pool");
        assert_eq!(row["window"]["end"], "2026-04-02T00:00:00Z");
    }

    #[test]
    fn allocations_add_up_and_name_what_nobody_holds() {
        let mut facts = crate::unit::tests::facts();
        let mut free = facts.gpus[0].clone();
        free.claims.clear();
        free.allocated = crate::facts::Column::Constant(0.0);
        free.utilization = crate::facts::Column::Constant(0.0);
        facts.gpus.push(free);
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
        let answer = allocation(&ledger, Dimension::Team);
        let rows = answer["data"][0].as_object().unwrap();
        let total: f64 = rows.values().map(|row| row["totalCost"].as_f64().unwrap()).sum();
        assert!((total - ledger.bill.money).abs() < 1e-9);
        assert_eq!(rows["__idle__"]["gpuCount"], 1.0);
        assert_eq!(rows["t"]["gpuEfficiency"], 0.5);
        let tenant = crate::facts::TenantUse {
            tenant: "acme".to_owned(),
            prompt: Some(1000.0),
            cached: Some(0.0),
            generated: Some(400.0),
            requests: Some(10.0),
            ..Default::default()
        };
        facts.uses = vec![tenant];
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
        let answer = allocation(&ledger, Dimension::Tenant);
        let rows = answer["data"][0].as_object().unwrap();
        let keys: std::collections::BTreeSet<_> = rows.keys().map(String::as_str).collect();
        assert_eq!(keys, ["__idle__", "__unallocated__", "acme"].into());
        let total: f64 = rows.values().map(|row| row["totalCost"].as_f64().unwrap()).sum();
        assert!((total - ledger.bill.money).abs() < 1e-9 && rows["acme"]["totalCost"] != 0.0);
        facts.gpus[2].wanted.gpu = None;
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
        let answer = allocation(&ledger, Dimension::Team);
        assert!(answer["data"][0]["__idle__"].get("gpuCost").is_none(), "unknown is no zero");
    }
}

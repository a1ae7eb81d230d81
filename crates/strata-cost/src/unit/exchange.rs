//! What one GPU hour is in generated tokens, for each model and kind of GPU.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::Role;
use crate::ledger::{Ledger, ReplicaTotals};
use crate::sum::sum;
use crate::useful::Level;

/// The rate at which a model turns hours of one kind of GPU into tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Model.
    pub model: String,
    /// Normalised name of the GPU, several joined by ` + ` where one replica or the pools of the
    /// model are on several kinds; None where it is not known.
    pub sku: Option<String>,
    /// GPU hours that were held for it.
    pub gpu_hours: f64,
    /// Share of them in which generated tokens were counted.
    pub covered: f64,
    /// Generated tokens of a held GPU hour, of the hours in which they were counted.
    pub now: Option<f64>,
    /// The same in the busiest steps: the 99th percentile of tokens per held GPU second.
    pub saturated: Option<f64>,
    /// Money for one of the hours; None where a part has no price.
    pub per_gpu_hour: Option<f64>,
}

#[derive(Default)]
struct Growing {
    held_s: f64,
    /// Of it, by replicas that prefill only.
    prefill_s: f64,
    /// Of the others, in which tokens were counted.
    counted_s: f64,
    tokens: f64,
    peak_tokens: f64,
    /// Of the others, for which a peak is known.
    peaked_s: f64,
    money: f64,
    unpriced_s: f64,
}

/// Rates of all models that hold GPUs, in order of model and GPU:
///
/// ```text
/// now       = generated tokens / held GPU hours in which they were counted
/// saturated = 3600 * sum(peak tokens per GPU second * its held seconds) / held seconds
/// ```
///
/// Hours of a prefill pool belong to the tokens of the decode pool.
pub fn exchange(ledger: &Ledger) -> Vec<Exchange> {
    let skus = skus(ledger);
    let pooled: BTreeSet<&str> = ledger
        .replicas
        .iter()
        .filter(|replica| replica.role != Role::Whole)
        .map(|replica| replica.model.as_str())
        .collect();
    let mut of_pools: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (replica, names) in ledger.replicas.iter().zip(&skus) {
        if pooled.contains(replica.model.as_str()) {
            of_pools.entry(&replica.model).or_default().extend(names);
        }
    }
    let mut found: BTreeMap<(&str, String), Growing> = BTreeMap::new();
    for ((replica, line), names) in ledger.replicas.iter().zip(ledger.by_replica()).zip(&skus) {
        let seconds = line.gpu_s();
        if seconds <= 0.0 {
            continue;
        }
        let names = of_pools.get(replica.model.as_str()).unwrap_or(names);
        let sku = names.iter().copied().collect::<Vec<_>>().join(" + ");
        let growing = found.entry((&replica.model, sku)).or_default();
        growing.held_s += seconds;
        growing.money += sum(line.money);
        growing.unpriced_s += line.unpriced_s;
        growing.add(replica, seconds);
    }
    found.into_iter().map(|((model, sku), growing)| growing.rate(model, sku)).collect()
}

impl Growing {
    fn add(&mut self, replica: &ReplicaTotals, seconds: f64) {
        if replica.role == Role::Prefill {
            // It generates nothing, and nobody need count that.
            self.prefill_s += seconds;
            return;
        }
        if let Some(counted) = replica.useful.get(Level::Generated.place()).copied().flatten() {
            self.tokens += counted.value;
            self.counted_s += seconds * counted.covered;
        }
        if let Some(peak) = replica.peak_tokens_per_s {
            self.peak_tokens += peak * seconds;
            self.peaked_s += seconds;
        }
    }

    /// Held seconds that belong to what was counted in so many: as much of the prefill pool as of the
    /// others.
    fn with_prefill(&self, counted_s: f64) -> f64 {
        let others_s = self.held_s - self.prefill_s;
        if others_s > 0.0 { counted_s / others_s * self.held_s } else { 0.0 }
    }

    fn rate(self, model: &str, sku: String) -> Exchange {
        let hourly = |tokens: f64, seconds: f64| {
            (tokens > 0.0 && seconds > 0.0).then(|| tokens / seconds * 3600.0)
        };
        let is_priced = self.unpriced_s <= 0.0;
        Exchange {
            model: model.to_owned(),
            sku: Some(sku).filter(|sku| !sku.is_empty()),
            gpu_hours: self.held_s / 3600.0,
            covered: (self.with_prefill(self.counted_s) / self.held_s).min(1.0),
            now: hourly(self.tokens, self.with_prefill(self.counted_s)),
            saturated: hourly(self.peak_tokens, self.with_prefill(self.peaked_s)),
            per_gpu_hour: is_priced.then(|| self.money / self.held_s * 3600.0),
        }
    }
}

/// Kinds of the GPUs of each replica.
fn skus(ledger: &Ledger) -> Vec<BTreeSet<&str>> {
    let mut found = vec![BTreeSet::new(); ledger.replicas.len()];
    for cell in &ledger.cells {
        let place = ledger.owner(cell).and_then(|owner| owner.replica);
        let sku = ledger.gpus.get(cell.gpu).and_then(|gpu| gpu.sku.as_deref());
        if let (Some(names), Some(sku)) = (place.and_then(|place| found.get_mut(place)), sku) {
            names.insert(sku);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Column, Facts, Owner};
    use crate::ledger::Options;
    use crate::price::PriceBook;
    use crate::unit::tests::facts;

    fn rates(facts: &Facts) -> Vec<Exchange> {
        exchange(&Ledger::build(facts, &PriceBook::embedded(), &Options::default()))
    }

    fn near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found / expected - 1.0).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn an_hour_is_so_many_tokens_and_needs_no_price() {
        let mut facts = facts();
        facts.replicas[0].generated = Column::Steps([[400.0; 8].as_slice(), &[4000.0; 2]].concat());
        let rate = rates(&facts).remove(0);
        assert_eq!((rate.model.as_str(), rate.sku.as_deref()), ("m", Some("H100 SXM")));
        // 11 200 tokens in 2000 GPU seconds; 4000 in 200 in the busiest.
        near(rate.now, 11_200.0 / 2000.0 * 3600.0);
        near(rate.saturated, 20.0 * 3600.0);
        assert_eq!(rate.covered, 1.0);
        near(rate.per_gpu_hour, 2.95);
        for gpu in &mut facts.gpus {
            gpu.wanted.gpu = Some("unheard of".into());
        }
        let rate = rates(&facts).remove(0);
        assert_eq!((rate.per_gpu_hour, rate.sku.as_deref()), (None, Some("unheard of")));
        near(rate.now, 11_200.0 / 2000.0 * 3600.0);
    }

    #[test]
    fn kinds_of_gpu_are_told_apart_and_pools_are_not() {
        let mut facts = facts();
        let second = facts.replicas[0].clone();
        facts.replicas.push(crate::facts::Replica { name: "r1".into(), ..second });
        facts.owners.push(Owner { replica: Some(1), ..Owner::default() });
        facts.gpus[1].claims[0].owner = 1;
        facts.gpus[1].wanted.gpu = Some("L40S".into());
        let found = rates(&facts);
        let skus: Vec<_> = found.iter().map(|rate| rate.sku.as_deref().unwrap_or("")).collect();
        assert_eq!(skus, ["H100 SXM", "L40S"]);
        near(found[0].now, 4000.0 / 1000.0 * 3600.0);
        facts.replicas[0].role = Role::Prefill;
        facts.replicas[0].generated = Column::Missing;
        facts.replicas[1].role = Role::Decode;
        let found = rates(&facts);
        let [both] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(both.sku.as_deref(), Some("H100 SXM + L40S"));
        near(both.now, 4000.0 / 2000.0 * 3600.0);
    }

    #[test]
    fn what_is_not_counted_is_unknown() {
        let mut facts = facts();
        facts.replicas[0].generated = Column::Missing;
        let rate = rates(&facts).remove(0);
        assert_eq!((rate.now, rate.saturated, rate.covered), (None, None, 0.0));
    }
}

//! What is worth a trial: the most that it could save by figures at hand, and what it has to show.
//!
//! How fast a model is on another GPU and whether another model's answers are as good, no price and no
//! counter tells. So these are no advice: the bound is told as a bound.

use std::collections::BTreeSet;

use super::choice::LEAST_GAIN;
use super::{Case, Evidence, Kind};
use crate::price::Wanted;
use crate::unit::Units;
use crate::useful::Level;

/// Something whose effect nobody has measured yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Tryout {
    /// What kind of advice it would become.
    pub kind: Kind,
    /// Model.
    pub subject: String,
    /// Money that it could save in an hour at most.
    pub at_most_per_hour: f64,
    /// How that is computed, in words.
    pub bound: &'static str,
    /// What to try, and what it has to show.
    pub action: String,
    /// Command that tries it, with names in angle brackets where the ledger does not know them.
    pub command: Option<String>,
    /// What the bound rests on.
    pub evidence: Vec<Evidence>,
}

impl Case<'_> {
    /// Trials for models of which none was made.
    pub(super) fn tryouts(&mut self) {
        for units in self.units {
            let is_tried = self.inputs.skus.iter().any(|trial| trial.model == units.model);
            let on_other = if is_tried { None } else { self.try_sku(units) };
            let is_tried = self.inputs.smaller.iter().any(|trial| trial.model == units.model);
            let by_other = if is_tried { None } else { self.try_model(units) };
            self.found.tryouts.extend(on_other.into_iter().chain(by_other));
        }
    }

    /// The cheapest GPU of the price book, on the same terms.
    fn try_sku(&self, units: &Units) -> Option<Tryout> {
        let (amount, now) = (units.line.amount()?, units.per_gpu_hour.filter(|now| *now > 0.0)?);
        let wanted = self.wanted_of(&units.model)?;
        let names: BTreeSet<&String> =
            self.book.rows().iter().filter_map(|row| row.gpu.as_ref()).collect();
        let quotes = names
            .into_iter()
            .filter(|name| wanted.gpu.as_ref() != Some(*name))
            .filter_map(|name| {
                let there = Wanted {
                    gpu: Some(name.clone()),
                    node: None,
                    gpus_in_node: None,
                    ..wanted.clone()
                };
                self.book
                    .quote(&there, &self.ledger.options.currency, self.ledger.end_ms())
                    .ok()
                    .map(|quote| (name, quote))
            });
        let (name, quote) =
            quotes.min_by(|(_, a), (_, b)| a.per_gpu_hour.total_cmp(&b.per_gpu_hour))?;
        let ratio = quote.per_gpu_hour / now;
        if ratio > 1.0 - LEAST_GAIN {
            return None;
        }
        Some(Tryout {
            kind: Kind::OtherSku,
            subject: units.model.clone(),
            at_most_per_hour: (1.0 - ratio) * amount / self.hours,
            bound: "cost of the model x (1 - price of the other GPU / price now)",
            action: format!(
                "load one replica on {name} ({}): it is cheaper if it fits and a GPU does more than \
                 {:.0} % of the tokens that one does now; at most, if it is as fast",
                quote.source,
                ratio * 100.0,
            ),
            command: Some(format!(
                "vllm bench serve --model {} --base-url <replica on {name}>",
                units.model
            )),
            evidence: vec![
                Evidence::new("price of a GPU hour now", now, "{currency}/h"),
                Evidence::new("price of a GPU hour there", quote.per_gpu_hour, "{currency}/h"),
                Evidence::new("age of the price", quote.age_days(self.ledger.end_ms()), "d"),
            ],
        })
    }

    /// What the GPUs of a model are priced by; None where they are of several kinds.
    fn wanted_of(&self, model: &str) -> Option<Wanted> {
        let cells = self.ledger.cells.iter().filter(|cell| {
            let owner = self.ledger.owner(cell);
            owner.and_then(|owner| owner.model.as_deref()) == Some(model)
        });
        let rates: BTreeSet<usize> =
            cells.filter_map(|cell| Some(self.ledger.gpus.get(cell.gpu)?.rate)).collect();
        let wanted = rates.iter().filter_map(|rate| self.ledger.rates.get(*rate));
        let mut wanted = wanted.map(|rate| &rate.wanted);
        let first = wanted.next()?;
        wanted.all(|other| other.gpu == first.gpu).then(|| first.clone())
    }

    /// The cheapest of the other models that are served.
    fn try_model(&self, units: &Units) -> Option<Tryout> {
        let cost = |units: &Units| {
            let cost = units.per_useful_token.get(Level::Delivered.place()).copied().flatten()?;
            Some(cost).filter(|cost| cost.count > 0.0 && cost.covered > 0.0)
        };
        let now = cost(units)?;
        let others = self.units.iter().filter(|other| other.model != units.model);
        let (other, then) = others
            .filter_map(|other| Some((other, cost(other)?)))
            .min_by(|(_, a), (_, b)| a.cost.total_cmp(&b.cost))?;
        if then.cost > (1.0 - LEAST_GAIN) * now.cost {
            return None;
        }
        let at_most = now.count / now.covered * (now.cost - then.cost) / self.hours;
        Some(Tryout {
            kind: Kind::SmallerModel,
            subject: units.model.clone(),
            at_most_per_hour: at_most,
            bound: "delivered tokens x (cost of one now - cost of one of the other model)",
            action: format!(
                "answer a part of the requests with {} and compare what users accept; at most, if all of \
                 them are answered as well and as briefly",
                other.model
            ),
            command: None,
            evidence: vec![
                Evidence::new("cost of a delivered token now", now.cost, "{currency}/{token}"),
                Evidence::new("cost of a delivered token then", then.cost, "{currency}/{token}"),
                Evidence::new(
                    "each tenth of the requests saves an hour",
                    at_most / 10.0,
                    "{currency}",
                ),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{advised, book, near};
    use super::super::{Inputs, SkuTrial, advise};
    use super::*;
    use crate::ledger::{Ledger, Options};
    use crate::unit::tests::facts;
    use crate::unit::{Energy, UnitCost, models};

    #[test]
    fn a_cheaper_gpu_is_a_bound_until_it_was_tried() {
        let found = advised(&facts(), &Inputs::default());
        let [one] = found.tryouts.as_slice() else { panic!("{:?}", found.tryouts) };
        assert_eq!((one.kind, one.subject.as_str()), (Kind::OtherSku, "m"));
        // 7.2 an hour at 3.6, and 0.9 there.
        near(one.at_most_per_hour, 7.2 * 0.75);
        assert!(one.action.contains("L40S") && one.action.contains("25 %"), "{}", one.action);
        assert!(found.advice.iter().all(|advice| advice.kind != Kind::OtherSku));
        let tried = SkuTrial {
            model: "m".into(),
            wanted: Wanted { gpu: Some("L40S".into()), ..Wanted::default() },
            tokens_per_gpu_s: 1e-9,
        };
        let found = advised(&facts(), &Inputs { skus: vec![tried], ..Inputs::default() });
        assert_eq!(found.tryouts, [], "it was tried and is no better");
    }

    #[test]
    fn a_cheaper_model_that_is_served_may_be_tried() {
        let ledger = Ledger::build(&facts(), &book(), &Options::default());
        let of = |name: &str, cost: f64| {
            let mut units = models(&ledger, &Energy::default()).remove(0);
            units.model = name.to_owned();
            units.per_useful_token[Level::Delivered.place()] =
                Some(UnitCost { cost, count: 1000.0, covered: 1.0 });
            units
        };
        let all = [of("large", 4e-3), of("small", 1e-3), of("near", 3.8e-3)];
        let found = advise(&ledger, &all, &book(), &Inputs::default());
        let tried: Vec<_> =
            found.tryouts.iter().filter(|one| one.kind == Kind::SmallerModel).collect();
        let subjects: Vec<_> = tried.iter().map(|one| one.subject.as_str()).collect();
        assert_eq!(subjects, ["large", "near"]);
        near(tried[0].at_most_per_hour, 3.0 * 3.6);
        assert!(tried[0].action.contains("small"), "{}", tried[0].action);
    }
}

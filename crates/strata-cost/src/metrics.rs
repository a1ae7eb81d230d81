//! The ledger as points of canonical metrics, for whoever writes or serves series.
//!
//! Names are the catalog's; a test holds every point against it. Counters are the totals of the
//! ledger's period: a writer adds them up over periods that do not overlap. Rates are means over the
//! period. The cost of a useful token of everything has no model, that of a model has its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{Dimension, Ledger, Line, State};
use crate::split::Class;
use crate::time::day;
use crate::unit::{Boundary, Units, WasteLine, by_tenant, fleet, training};
use crate::useful::Level;

/// One value of a canonical metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Dotted name, as the catalog has it.
    pub metric: &'static str,
    /// Attributes of the metric and their values.
    pub attributes: Vec<(&'static str, String)>,
    /// Value in the catalog's unit.
    pub value: f64,
}

/// All points of a ledger and what was computed from it. `waste` is by team.
pub fn points(ledger: &Ledger, units: &[Units], waste: &[WasteLine]) -> Vec<Point> {
    let mut points = Points { currency: ledger.options.currency.clone(), all: Vec::new() };
    points.prices(ledger);
    points.states(ledger);
    points.tenants(ledger);
    for line in waste {
        let team = ("team", line.owner.clone());
        points.money("cost.waste", line.money, [("cause", line.cause.name().to_owned()), team]);
    }
    for (level, cost) in Level::ALL.into_iter().zip(fleet(ledger, units)) {
        if let Some(cost) = cost {
            let level = ("level", level.name().to_owned());
            points.money("cost.per_useful_token", cost.cost, [level]);
        }
    }
    for units in units {
        points.tokens(units);
        points.useful(units);
        points.energy(units);
    }
    points.slo(ledger);
    points.training(ledger);
    points.all
}

struct Points {
    currency: String,
    all: Vec<Point>,
}

type Attribute = (&'static str, String);

impl Points {
    fn add<const N: usize>(
        &mut self,
        metric: &'static str,
        value: f64,
        attributes: [Attribute; N],
    ) {
        self.all.push(Point { metric, attributes: attributes.into(), value });
    }

    fn money<const N: usize>(
        &mut self,
        metric: &'static str,
        value: f64,
        attributes: [Attribute; N],
    ) {
        let mut attributes = Vec::from(attributes);
        attributes.push(("currency", self.currency.clone()));
        self.all.push(Point { metric, attributes, value });
    }

    fn prices(&mut self, ledger: &Ledger) {
        // Nodes of one kind at one price are one series, whatever their labels.
        let mut told = BTreeSet::new();
        for rate in &ledger.rates {
            let Some(quote) = rate.timeline.iter().rev().find_map(|(_, quote)| quote.as_ref().ok())
            else {
                continue;
            };
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let attributes = [
                ("gpu_model", text(&rate.wanted.gpu)),
                ("provider", text(&rate.wanted.provider)),
                ("region", text(&rate.wanted.region)),
                ("kind", quote.kind.name().to_owned()),
                ("source", quote.source.clone()),
                ("as_of", day(quote.date_ms)),
            ];
            if told.insert(attributes.clone()) {
                self.money("cost.gpu_hour", quote.per_gpu_hour, attributes);
            }
        }
    }

    fn states(&mut self, ledger: &Ledger) {
        let period_s = (ledger.end_ms() - ledger.start_ms) as f64 / 1000.0;
        for ((namespace, model), line) in ledger.by_two(Dimension::Namespace, Dimension::Model) {
            if line.unpriced_s > 0.0 {
                // All of the line's money is left out below, so all of its seconds are told.
                let labels = [("namespace", namespace.clone()), ("model", model.clone())];
                self.add("cost.unpriced_time", line.gpu_s(), labels);
            }
            for state in State::ALL {
                let seconds = line.seconds_in(state);
                if seconds <= 0.0 {
                    continue;
                }
                let labels = || {
                    [
                        ("bucket", state.name().to_owned()),
                        ("namespace", namespace.clone()),
                        ("model", model.clone()),
                    ]
                };
                self.add("cost.gpu_time", seconds, labels());
                // A line of which a part has no price has an amount for the other part only: the
                // seconds are told, the money is not.
                if line.unpriced_s <= 0.0 {
                    let money = line.money_in(state);
                    self.money("cost.amount", money, labels());
                    self.money("cost.rate", money / period_s, labels());
                }
            }
        }
        let idle = |line: &Line| line.money_in(State::HeldIdle) + line.money_in(State::Unallocated);
        for line in ledger.by(Dimension::Team).iter().filter(|line| line.unpriced_s <= 0.0) {
            self.money("cost.idle", idle(line), [("team", line.key.clone())]);
            let all: f64 = State::ALL.map(|state| line.money_in(state)).iter().sum();
            self.money("cost.team.rate", all / period_s, [("team", line.key.clone())]);
        }
    }

    /// Where nothing tells tenants apart, all would be one.
    fn tenants(&mut self, ledger: &Ledger) {
        if ledger.uses.is_empty() {
            return;
        }
        for ((tenant, model), line) in by_tenant(ledger) {
            if let Some(amount) = line.amount() {
                self.money("cost.tenant_amount", amount, [("tenant", tenant), ("model", model)]);
            }
        }
    }

    fn tokens(&mut self, units: &Units) {
        let model = || ("model", units.model.clone());
        let method = units.splits.first().map_or("", |split| split.method.name());
        for cost in units.classes.iter().filter(|cost| cost.class != Class::Requests) {
            let phase = ("phase", cost.class.name().to_owned());
            let attributes = [phase, ("method", method.to_owned()), model()];
            self.money("cost.per_token", cost.full, attributes);
        }
        if let Some(cost) = units.per_request {
            self.money("cost.per_request", cost.cost, [model()]);
        }
        if let Some(cost) = units.at_saturation {
            self.money("cost.saturation_per_token", cost, [model()]);
        }
        if let Some(saved) = units.cache_savings {
            self.money("cost.cache_savings", saved, [model()]);
        }
        // Of several ways in which a model runs, the worst fit is what its prices are worth.
        let fits = units.splits.iter().filter_map(|split| split.quality);
        if let Some(worst) = fits.map(|quality| quality.r_squared).min_by(f64::total_cmp) {
            self.add("cost.split_fit", worst, [model()]);
        }
    }

    fn useful(&mut self, units: &Units) {
        for (level, cost) in Level::ALL.into_iter().zip(units.per_useful_token) {
            let labels = || [("level", level.name().to_owned()), ("model", units.model.clone())];
            if let Some(cost) = cost {
                self.money("cost.per_useful_token", cost.cost, labels());
                self.add("cost.useful_tokens", cost.count, labels());
            }
            if let Some(goodput) = units.goodput(level) {
                self.add("cost.goodput", goodput, labels());
            }
        }
    }

    /// Whether tokens were in time has nothing to do with their price.
    fn slo(&mut self, ledger: &Ledger) {
        let mut models: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for replica in &ledger.replicas {
            if let Some((within, beyond)) = replica.slo_tokens {
                let sums = models.entry(&replica.model).or_default();
                *sums = (sums.0 + within, sums.1 + beyond);
            }
        }
        for (model, (within, beyond)) in models {
            for (state, tokens) in [("within", within), ("beyond", beyond)] {
                let labels = [("state", state.to_owned()), ("model", model.to_owned())];
                self.add("cost.slo.tokens", tokens, labels);
            }
        }
    }

    fn training(&mut self, ledger: &Ledger) {
        for run in training(ledger) {
            let costs = [
                ("cost.per_training_step", run.units.per_step),
                ("cost.per_trained_token", run.units.per_token),
                ("cost.per_training_flop", run.units.per_exaflop.map(|cost| cost / 1e18)),
            ];
            for (metric, cost) in costs {
                if let Some(cost) = cost {
                    self.money(metric, cost, [("run", run.run.clone())]);
                }
            }
        }
    }

    fn energy(&mut self, units: &Units) {
        let Some(energy) = units.energy else { return };
        for boundary in [Boundary::Gpu, Boundary::Node, Boundary::Facility] {
            let labels =
                || [("boundary", boundary.name().to_owned()), ("model", units.model.clone())];
            if let Some(tokens) = energy.tokens_per_joule(boundary).filter(|tokens| *tokens > 0.0) {
                self.add("cost.tokens_per_joule", tokens, labels());
                self.add("cost.joules_per_token", 1.0 / tokens, labels());
            }
        }
        if let Some(kilograms) = energy.co2_kg {
            self.add("cost.co2", kilograms, [("model", units.model.clone())]);
        }
    }
}

#[cfg(test)]
mod tests {
    use strata_model::catalog::Catalog;

    use super::*;
    use crate::ledger::Options;
    use crate::price::PriceBook;
    use crate::unit::{Energy, models, tests::facts, waste};

    fn all() -> Vec<Point> {
        let ledger = Ledger::build(&facts(), &PriceBook::embedded(), &Options::default());
        let energy = Energy { node_over_gpus: Some(1.5), pue: Some(1.2), grams_per_kwh: Some(1.0) };
        points(&ledger, &models(&ledger, &energy), &waste(&ledger, Dimension::Team))
    }

    #[test]
    fn every_point_is_one_of_the_catalog() {
        let catalog = Catalog::builtin();
        let points = all();
        assert!(points.len() > 30, "{}", points.len());
        let series: BTreeSet<_> = points.iter().map(|one| (one.metric, &one.attributes)).collect();
        assert_eq!(series.len(), points.len(), "no series is told twice");
        for point in points {
            let metric = catalog.metric(point.metric).unwrap_or_else(|| panic!("{}", point.metric));
            for (name, _) in &point.attributes {
                assert!(metric.attributes.contains(&(*name).to_owned()), "{} {name}", point.metric);
            }
        }
    }

    #[test]
    fn the_points_are_the_ledger() {
        let points = all();
        let total = |metric: &str| -> f64 {
            points.iter().filter(|point| point.metric == metric).map(|point| point.value).sum()
        };
        assert_eq!(total("cost.gpu_time"), 2000.0);
        // The published figure stands in: 2.95 an hour.
        assert!((total("cost.amount") - 2000.0 / 3600.0 * 2.95).abs() < 1e-12);
        assert!((total("cost.rate") - 2.0 * 2.95 / 3600.0).abs() < 1e-12);
        assert_eq!(total("cost.gpu_hour"), 2.95);
        assert_eq!(total("cost.unpriced_time"), 0.0);
    }

    #[test]
    fn tokens_in_time_and_late_are_those_of_which_it_is_told_whatever_they_cost() {
        for book in [PriceBook::embedded(), PriceBook::default()] {
            let ledger = Ledger::build(&facts(), &book, &Options::default());
            let points = points(&ledger, &[], &[]);
            let of = |state: &str| {
                let found = points.iter().find(|point| {
                    point.metric == "cost.slo.tokens"
                        && point.attributes.contains(&("state", state.to_owned()))
                });
                found.map(|point| point.value)
            };
            // 200 of 300 in each of five steps; of the other five nobody knows.
            assert_eq!((of("within"), of("beyond")), (Some(1000.0), Some(500.0)));
        }
    }

    #[test]
    fn tenants_together_are_the_bill() {
        let mut facts = facts();
        let tenant = |name: &str| crate::facts::TenantUse {
            replica: 0,
            tenant: name.to_owned(),
            prompt: Some(1000.0),
            cached: Some(0.0),
            generated: Some(400.0),
            requests: Some(10.0),
        };
        facts.uses = vec![tenant("a"), tenant("b")];
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
        let points = points(&ledger, &[], &[]);
        let of = points.iter().filter(|point| point.metric == "cost.tenant_amount");
        let amounts: Vec<f64> = of.map(|point| point.value).collect();
        // Each had a tenth of the work, and the rest is somebody's.
        let bill = ledger.bill.money;
        assert_eq!(amounts.len(), 3);
        assert!((amounts[0] - bill / 10.0).abs() < 1e-9 && (amounts[1] - bill / 10.0).abs() < 1e-9);
        assert!((amounts.iter().sum::<f64>() - bill).abs() < 1e-9);
    }

    #[test]
    fn seconds_whose_money_is_not_told_are_told() {
        let mut facts = facts();
        facts.gpus[1].wanted.gpu = Some("no such GPU".to_owned());
        let ledger = Ledger::build(&facts, &PriceBook::embedded(), &Options::default());
        let points = points(&ledger, &models(&ledger, &Energy::default()), &[]);
        let of = |metric: &str| -> Vec<f64> {
            let of_metric = points.iter().filter(|point| point.metric == metric);
            of_metric.map(|point| point.value).collect()
        };
        // Both GPUs have one holder, and the money of one of them is not what he costs.
        assert_eq!(of("cost.unpriced_time"), [2000.0]);
        assert_eq!(of("cost.gpu_time").iter().sum::<f64>(), 2000.0);
        assert_eq!((of("cost.amount"), of("cost.idle")), (Vec::new(), Vec::new()));
    }
}

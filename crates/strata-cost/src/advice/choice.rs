//! Advice to do the same with something else: power, GPU, model.

use super::{Advice, Case, Evidence, Kind, Tryout};
use crate::price::{Quote, Wanted};
use crate::unit::Units;
use crate::useful::Level;

/// Joules of a kilowatt-hour.
const JOULES_PER_KWH: f64 = 3.6e6;
/// Share of the speed that a power limit may cost: less is within what load swings anyway.
const LEAST_SPEED: f64 = 0.97;
/// Share of the larger model's acceptance that a smaller one must reach.
const LEAST_ACCEPTANCE: f64 = 0.98;
/// Share of its cost by which another choice must be cheaper: below that a move is not worth it.
pub(super) const LEAST_GAIN: f64 = 0.1;

/// What another GPU did with a model in a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct SkuTrial {
    /// Model.
    pub model: String,
    /// What its price is looked up by.
    pub wanted: Wanted,
    /// Generated tokens per second and GPU within the SLO, at saturation.
    pub tokens_per_gpu_s: f64,
}

/// What a smaller model did in a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelTrial {
    /// The larger model.
    pub model: String,
    /// The smaller model; it has unit costs of its own in the ledger.
    pub smaller: String,
    /// Share of the larger model's requests that were tried.
    pub requests_share: f64,
    /// Share of the smaller model's answers that were accepted.
    pub accepted: f64,
    /// Share of the larger model's answers to the same requests that were accepted.
    pub accepted_before: f64,
}

impl Case<'_> {
    pub(super) fn power_cap(&mut self) {
        for units in self.units {
            let trial = self.inputs.power.get(&units.model).copied();
            let price = self.inputs.per_kwh;
            let energy = units.energy;
            if let (None, Some(price), Some(energy)) = (trial, price, energy) {
                self.try_power(units, energy.gpu_j, price);
            }
            let (Some(trial), Some(price), Some(energy)) = (trial, price, energy) else {
                let missing = [
                    ("a trial of a power limit", trial.is_some()),
                    ("a price of energy", price.is_some()),
                    ("the energy counters", energy.is_some()),
                ];
                self.skip(Kind::PowerCap, &units.model, &missing);
                continue;
            };
            if trial.speed_ratio < LEAST_SPEED || trial.energy_ratio >= 1.0 {
                continue;
            }
            let saved_j = energy.gpu_j * (1.0 - trial.energy_ratio);
            self.offer(Advice {
                kind: Kind::PowerCap,
                subject: units.model.clone(),
                saves_per_hour: saved_j / JOULES_PER_KWH * price / self.hours,
                action: format!("limit each GPU to {} W", trial.limit_watts),
                command: Some(format!("nvidia-smi -pl {}", trial.limit_watts)),
                evidence: vec![
                    Evidence::new("energy at the limit over before", trial.energy_ratio, "1"),
                    Evidence::new("speed at the limit over before", trial.speed_ratio, "1"),
                    Evidence::new("energy of the period", energy.gpu_j, "J"),
                ],
            });
        }
    }

    /// Energy is a small part of what a GPU costs: the bound says from which loss of speed on a limit
    /// costs more than it saves.
    fn try_power(&mut self, units: &Units, energy_j: f64, per_kwh: f64) {
        let Some(amount) = units.line.amount().filter(|amount| *amount > 0.0) else { return };
        let energy_money = energy_j / JOULES_PER_KWH * per_kwh;
        let part = energy_money / amount;
        self.try_out(Tryout {
            kind: Kind::PowerCap,
            subject: units.model.clone(),
            at_most_per_hour: energy_money / self.hours,
            bound: "energy of its GPUs in kWh x price of a kWh",
            action: format!(
                "limit the power of one replica's GPUs and compare joules and tokens per second: at most \
                 all of the energy; where all GPUs are needed it pays only while speed falls by less \
                 than {:.1} %",
                part * 100.0
            ),
            command: Some("nvidia-smi -i <GPU> -pl <watts>".to_owned()),
            evidence: vec![
                Evidence::new("energy of the period", energy_j, "J"),
                Evidence::new("price of a kWh", per_kwh, "{currency}"),
                Evidence::new("energy over all money of the model", part, "1"),
            ],
        });
    }

    pub(super) fn other_sku(&mut self) {
        for units in self.units {
            let trials: Vec<_> =
                self.inputs.skus.iter().filter(|trial| trial.model == units.model).collect();
            if trials.is_empty() {
                self.skip(Kind::OtherSku, &units.model, &[("a trial on another GPU", false)]);
            }
            for trial in trials {
                let end_ms = self.ledger.end_ms();
                let quote = self.book.quote(&trial.wanted, &self.ledger.options.currency, end_ms);
                let now = units.at_saturation.filter(|_| trial.tokens_per_gpu_s > 0.0);
                match (quote, now) {
                    (Ok(quote), Some(now)) => self.compare(units, trial, &quote, now),
                    (quote, now) => {
                        let missing = [
                            ("a price of the other GPU", quote.is_ok()),
                            ("cost at saturation", now.is_some()),
                        ];
                        self.skip(Kind::OtherSku, &units.model, &missing);
                    }
                }
            }
        }
    }

    /// Both at saturation: a trial shows what a GPU can do, not what its load will be.
    fn compare(&mut self, units: &Units, trial: &SkuTrial, quote: &Quote, now: f64) {
        let there = quote.per_gpu_hour / 3600.0 / trial.tokens_per_gpu_s;
        let gain = 1.0 - there / now;
        let Some(amount) = units.line.amount().filter(|_| gain >= LEAST_GAIN) else { return };
        let name = trial.wanted.gpu.clone().unwrap_or_else(|| "another GPU".to_owned());
        self.offer(Advice {
            kind: Kind::OtherSku,
            subject: units.model.clone(),
            saves_per_hour: gain * amount / self.hours,
            action: format!("run on {name} at {} an hour ({})", quote.per_gpu_hour, quote.source),
            command: None,
            evidence: vec![
                Evidence::new("cost of a token at saturation now", now, "{currency}/{token}"),
                Evidence::new("cost of a token at saturation there", there, "{currency}/{token}"),
                Evidence::new("age of the price", quote.age_days(self.ledger.end_ms()), "d"),
            ],
        });
    }

    pub(super) fn smaller_model(&mut self) {
        let trials = self.inputs.smaller.iter();
        for trial in trials {
            let of = |name: &str| {
                let units = self.units.iter().find(|units| units.model == name)?;
                units.per_useful_token.get(Level::Delivered.place()).copied().flatten()
            };
            let (large, small) = (of(&trial.model), of(&trial.smaller));
            let (Some(large), Some(small)) = (large, small) else {
                let missing = [
                    ("cost of a delivered token of the larger model", large.is_some()),
                    ("cost of a delivered token of the smaller model", small.is_some()),
                ];
                self.skip(Kind::SmallerModel, &trial.model, &missing);
                continue;
            };
            let good = trial.accepted >= LEAST_ACCEPTANCE * trial.accepted_before;
            if !good || small.cost > (1.0 - LEAST_GAIN) * large.cost {
                continue;
            }
            let tokens = large.count * trial.requests_share.clamp(0.0, 1.0);
            self.offer(Advice {
                kind: Kind::SmallerModel,
                subject: trial.model.clone(),
                saves_per_hour: tokens * (large.cost - small.cost) / self.hours,
                action: format!("answer these requests with {}", trial.smaller),
                command: None,
                evidence: vec![
                    Evidence::new("accepted, smaller model", trial.accepted, "1"),
                    Evidence::new("accepted, larger model", trial.accepted_before, "1"),
                    Evidence::new("cost of a token now", large.cost, "{currency}/{token}"),
                    Evidence::new("cost of a token then", small.cost, "{currency}/{token}"),
                ],
            });
        }
    }
}

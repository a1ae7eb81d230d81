//! The second pass: seconds, money and joules of every holder of every GPU.

use super::engines;
use super::rates;
use super::state::{STATES, Shares, State};
use super::walk::{Seen, is_countable, walk};
use super::{Bill, Cell, Ledger, Options, Payer, StepTotals};
use crate::facts::{Facts, Gpu};
use crate::price::PriceBook;
use crate::sum::Sum;

/// A cell while it grows.
#[derive(Clone, Default)]
struct Growing {
    seconds: [Sum; STATES],
    money: [Sum; STATES],
    unpriced_s: Sum,
    reserved_s: Sum,
    reserved_money: Sum,
    energy_j: Sum,
    unmetered_s: Sum,
    assumed_s: Sum,
}

/// The cells of one GPU: nobody's, the unattributed, then one for each owner.
#[derive(Default)]
struct Desk {
    cells: Vec<(Payer, Growing)>,
    /// Cell of each claim.
    of_claim: Vec<usize>,
}

impl Desk {
    fn open(facts: &Facts, gpu: &Gpu) -> Self {
        let mut desk = Self::default();
        desk.cells.push((Payer::Nobody, Growing::default()));
        desk.cells.push((Payer::Unattributed, Growing::default()));
        let mut of_owner = std::collections::BTreeMap::new();
        for claim in &gpu.claims {
            let known = claim.owner < facts.owners.len();
            let place = if known {
                *of_owner.entry(claim.owner).or_insert_with(|| {
                    desk.cells.push((Payer::Owner(claim.owner), Growing::default()));
                    desk.cells.len() - 1
                })
            } else {
                1
            };
            desk.of_claim.push(place);
        }
        desk
    }

    fn close(&mut self, gpu: usize, cells: &mut Vec<Cell>) {
        for (payer, growing) in self.cells.drain(..) {
            let seconds = growing.seconds.map(Sum::value);
            if seconds.iter().all(|seconds| *seconds == 0.0) {
                continue;
            }
            cells.push(Cell {
                gpu,
                payer,
                seconds,
                money: growing.money.map(Sum::value),
                unpriced_s: growing.unpriced_s.value(),
                reserved_s: growing.reserved_s.value(),
                reserved_money: growing.reserved_money.value(),
                energy_j: growing.energy_j.value(),
                unmetered_s: growing.unmetered_s.value(),
                assumed_s: growing.assumed_s.value(),
            });
        }
    }
}

/// Length and price of one step of one GPU.
#[derive(Clone, Copy)]
struct Scale {
    seconds: f64,
    priced: f64,
    per_second: f64,
}

impl Growing {
    fn add(&mut self, shares: &Shares, scale: Scale) {
        let cells = self.seconds.iter_mut().zip(&mut self.money);
        for ((seconds, money), share) in cells.zip(shares) {
            if *share != 0.0 {
                let time = share * scale.seconds;
                seconds.add(time);
                money.add(time * scale.priced * scale.per_second);
                self.unpriced_s.add(time * (1.0 - scale.priced));
            }
        }
    }
}

/// Everything that a pass fills.
struct Books {
    cells: Vec<Cell>,
    series: Vec<([Sum; STATES], [Sum; STATES])>,
    money: Sum,
    device_s: Sum,
    unpriced_s: Sum,
}

impl Ledger {
    /// Builds the ledger of a period. Never fails: what is contradictory in the facts is told in
    /// [`Ledger::problems`] and counted as unknown, what has no price in [`Bill::unpriced_s`].
    pub fn build(facts: &Facts, book: &PriceBook, options: &Options) -> Self {
        let problems = facts.problems();
        let fatal = ["start_ms", "step_ms", "steps", "gpus"];
        let empty = Facts::default();
        let refused = problems.iter().any(|problem| fatal.contains(&problem.path.as_str()));
        let facts = if refused { &empty } else { facts };
        let found = engines::find(facts, options.level);
        let (rates, rate_of) = rates::find(facts, book, &options.currency);
        let mut books = Books {
            cells: Vec::new(),
            series: vec![([Sum::default(); STATES], [Sum::default(); STATES]); facts.steps],
            money: Sum::default(),
            device_s: Sum::default(),
            unpriced_s: Sum::default(),
        };
        let mut desk = Desk::default();
        walk(facts, &found.waste, |seen| {
            if seen.step == 0 {
                desk = Desk::open(facts, seen.gpu);
            }
            let start_ms = facts.start_ms + facts.step_ms * seen.step as i64;
            let rate = rate_of.get(seen.at).and_then(|place| rates.get(*place));
            let (priced, per_second) =
                rate.map_or((0.0, 0.0), |rate| rate.of_step(start_ms, facts.step_ms));
            let seconds = facts.step_s() * seen.gpu.portion;
            books.write(&mut desk, seen, Scale { seconds, priced, per_second });
            if seen.step + 1 == facts.steps {
                desk.close(seen.at, &mut books.cells);
            }
        });
        let gpus = facts.gpus.iter().zip(&rate_of);
        let gpu = |(gpu, rate): (&Gpu, &usize)| super::LedgerGpu {
            id: gpu.id.clone(),
            node: gpu.node.clone(),
            sku: gpu.wanted.gpu.clone(),
            rate: *rate,
            portion: gpu.portion,
            is_there: gpu.present.get(facts.steps.saturating_sub(1)).is_some_and(|part| part > 0.0),
            is_counted: is_countable(gpu),
        };
        let series = books.series.into_iter().map(|(seconds, money)| StepTotals {
            seconds: seconds.map(Sum::value),
            money: money.map(Sum::value),
        });
        Self {
            start_ms: facts.start_ms,
            step_ms: facts.step_ms,
            steps: facts.steps,
            options: options.clone(),
            owners: facts.owners.clone(),
            gpus: gpus.map(gpu).collect(),
            rates,
            cells: books.cells,
            series: series.collect(),
            bill: Bill {
                money: books.money.value(),
                device_s: books.device_s.value(),
                unpriced_s: books.unpriced_s.value(),
            },
            engines: found.list,
            replicas: found.replicas,
            runs: facts.runs.clone(),
            uses: facts.uses.clone(),
            unplaced: facts.unplaced.clone(),
            problems,
        }
    }
}

impl Books {
    fn write(&mut self, desk: &mut Desk, seen: &Seen<'_>, scale: Scale) {
        self.money.add(scale.seconds * scale.priced * scale.per_second);
        self.device_s.add(scale.seconds);
        self.unpriced_s.add(scale.seconds * (1.0 - scale.priced));
        let energy = seen.gpu.energy_j.get(seen.step);
        let outcome = seen.outcome;
        let weight = Weight::of(outcome);
        let mut whole = outcome.nobody;
        let holders = seen.holders.iter().zip(&outcome.holders).zip(&outcome.reserved);
        let named = holders.map(|((place, shares), reserved)| {
            let assumed = seen.gpu.claims.get(*place).is_some_and(|claim| claim.is_assumed);
            (desk.of_claim.get(*place).copied().unwrap_or(1), shares, *reserved, assumed)
        });
        let all = [(0, &outcome.nobody, 0.0, false), (1, &outcome.unattributed, 0.0, false)];
        for (place, shares, reserved, assumed) in all.into_iter().chain(named) {
            // Most steps have one payer; the other two cost nothing.
            let is_empty = reserved == 0.0 && shares.iter().all(|share| *share == 0.0);
            if is_empty && !weight.is_nobody(place) {
                continue;
            }
            let Some((_, cell)) = desk.cells.get_mut(place) else { continue };
            cell.add(shares, scale);
            if reserved > 0.0 {
                cell.reserved_s.add(reserved * scale.seconds);
                cell.reserved_money.add(reserved * scale.seconds * scale.priced * scale.per_second);
            }
            if assumed {
                cell.assumed_s.add(shares.iter().sum::<f64>() * scale.seconds);
            }
            match energy {
                Some(joules) => cell.energy_j.add(joules * weight.share(place, shares)),
                None => cell.unmetered_s.add(shares.iter().sum::<f64>() * scale.seconds),
            }
            if place != 0 {
                whole.iter_mut().zip(shares).for_each(|(all, share)| *all += share);
            }
        }
        if let Some((seconds, money)) = self.series.get_mut(seen.step) {
            let cells = seconds.iter_mut().zip(money).zip(&whole);
            for ((seconds, money), share) in cells.filter(|(_, share)| **share != 0.0) {
                seconds.add(share * scale.seconds);
                money.add(share * scale.seconds * scale.priced * scale.per_second);
            }
        }
    }
}

/// How the joules of a step are shared: by work where there was any, else by who held it, else they
/// are nobody's.
enum Weight {
    Work(f64),
    Hold(f64),
    Nobody,
}

fn busy(shares: &Shares) -> f64 {
    let pairs = State::ALL.iter().zip(shares);
    pairs.map(|(state, share)| if state.is_busy() { *share } else { 0.0 }).sum()
}

impl Weight {
    /// Whether the joules of the step are those of this place though it has no time in it.
    fn is_nobody(&self, place: usize) -> bool {
        matches!((self, place), (Self::Nobody, 0))
    }

    fn of(outcome: &super::state::Outcome) -> Self {
        let named = || std::iter::once(&outcome.unattributed).chain(&outcome.holders);
        let work: f64 = named().map(busy).sum();
        let held: f64 = named().flatten().sum();
        match (work > 0.0, held > 0.0) {
            (true, _) => Self::Work(work),
            (false, true) => Self::Hold(held),
            (false, false) => Self::Nobody,
        }
    }

    fn share(&self, place: usize, shares: &Shares) -> f64 {
        match (self, place) {
            (Self::Nobody, 0) => 1.0,
            (Self::Nobody, _) | (_, 0) => 0.0,
            (Self::Work(whole), _) => busy(shares) / whole,
            (Self::Hold(whole), _) => shares.iter().sum::<f64>() / whole,
        }
    }
}

//! Busy time of replicas, and the split of it between token classes.

use std::collections::BTreeMap;

use super::state::State;
use super::walk::walk;
use crate::facts::{Column, Facts, Replica, Role};
use crate::split::{CLASSES, Observation, Quantities, Split, Totals};
use crate::sum::Sum;
use crate::useful::{self, CAUSES, LEVELS, Level};

/// Replicas that run the same model in the same way, and what their tokens cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Engine {
    /// Model.
    pub model: String,
    /// Engine, settings and GPU; empty where the pools of a model are seen together.
    pub settings: String,
    /// Places in [`Facts::replicas`].
    pub replicas: Vec<usize>,
    /// The split; None where nothing worked or nothing was counted.
    pub split: Option<Split>,
    /// Steps of replicas that were left out because busy time or a counter was not measured.
    pub unmeasured_steps: usize,
}

/// Totals of one replica over the period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplicaTotals {
    /// Name.
    pub name: String,
    /// Model.
    pub model: String,
    /// Part of the request it computes.
    pub role: Role,
    /// Bytes of a number in its KV cache.
    pub kv_bytes: Option<f64>,
    /// Place in [`super::Ledger::engines`].
    pub engine: usize,
    /// Busy GPU seconds in the steps in which they were measured.
    pub busy_s: f64,
    /// GPU seconds that were held for it.
    pub held_s: f64,
    /// Work by class, in the steps in which all of it was measured.
    pub quantities: Option<Counted<Quantities>>,
    /// Tokens by level, in the steps in which they were measured; None where they never were.
    pub useful: [Option<Counted<f64>>; LEVELS],
    /// Delivered tokens of requests within the objective and beyond it, in the steps in which that is told.
    pub slo_tokens: Option<(f64, f64)>,
    /// Drafted tokens that were rejected.
    pub rejected_drafts: Option<f64>,
    /// GPU seconds of wasted work by cause.
    pub wasted_s: [f64; CAUSES],
    /// Generated tokens per held GPU second in the busiest steps (the 99th percentile).
    pub peak_tokens_per_s: Option<f64>,
}

/// A count, and how much of the time it covers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted<T> {
    /// What was counted.
    pub value: T,
    /// Share of the replica's held time in which it was; of the steps, where no GPU was held.
    pub covered: f64,
}

/// What the first pass finds.
pub(super) struct Engines {
    pub(super) list: Vec<Engine>,
    pub(super) replicas: Vec<ReplicaTotals>,
    /// Share of busy time that was wasted, a column for each replica.
    pub(super) waste: Vec<Column>,
}

/// Busy and held GPU seconds of each replica and step; NaN where a GPU's work was not measured,
/// None for a replica without GPUs.
struct Times {
    busy: Vec<Option<Vec<f64>>>,
    held: Vec<Option<Vec<f64>>>,
}

pub(super) fn find(facts: &Facts, level: Level) -> Engines {
    let times = times(facts);
    let mut engines = group(facts);
    let mut replicas: Vec<ReplicaTotals> = Vec::with_capacity(facts.replicas.len());
    for (at, replica) in facts.replicas.iter().enumerate() {
        let engine = engines.iter().position(|engine| engine.replicas.contains(&at));
        replicas.push(ReplicaTotals {
            name: replica.name.clone(),
            model: replica.model.clone(),
            role: replica.role,
            kv_bytes: replica.kv_bytes,
            engine: engine.unwrap_or_default(),
            ..totals_of(facts, &times, at)
        });
    }
    for engine in &mut engines {
        fit(engine, facts, &times);
    }
    let mut waste = Vec::with_capacity(facts.replicas.len());
    for (at, totals) in replicas.iter_mut().enumerate() {
        let split = engines.get(totals.engine).and_then(|engine| engine.split.as_ref());
        waste.push(split.map_or(Column::Missing, |split| {
            let busy = times.busy.get(at).and_then(Option::as_ref);
            wasted(facts, at, split, level, busy, &mut totals.wasted_s)
        }));
    }
    Engines { list: engines, replicas, waste }
}

fn times(facts: &Facts) -> Times {
    let count = facts.replicas.len();
    let mut times = Times { busy: vec![None; count], held: vec![None; count] };
    let step_s = facts.step_s();
    walk(facts, &[], |seen| {
        for (place, shares) in seen.holders.iter().zip(&seen.outcome.holders) {
            let claim = seen.gpu.claims.get(*place);
            let owner = claim.and_then(|claim| facts.owners.get(claim.owner));
            let Some(replica) = owner.and_then(|owner| owner.replica) else { continue };
            let busy: f64 = State::ALL
                .iter()
                .zip(shares)
                .map(|(state, share)| if state.is_busy() { *share } else { 0.0 })
                .sum();
            let untold = shares.get(State::UnknownWork.place()).is_some_and(|share| *share > 0.0);
            // A GPU whose presence nobody measured says nothing about the replica either.
            let held: f64 = shares.iter().sum();
            let busy = if untold || held <= 0.0 { f64::NAN } else { busy };
            let seconds = step_s * seen.gpu.portion;
            add(&mut times.busy, replica, seen.step, facts.steps, busy * seconds);
            add(&mut times.held, replica, seen.step, facts.steps, held * seconds);
        }
    });
    times
}

fn add(all: &mut [Option<Vec<f64>>], replica: usize, step: usize, steps: usize, seconds: f64) {
    if let Some(column) = all.get_mut(replica) {
        let column = column.get_or_insert_with(|| vec![0.0; steps]);
        if let Some(cell) = column.get_mut(step) {
            *cell += seconds;
        }
    }
}

/// Replicas of a model with pools are one engine; others are one for each setting.
fn group(facts: &Facts) -> Vec<Engine> {
    let mut pooled: BTreeMap<&str, bool> = BTreeMap::new();
    for replica in &facts.replicas {
        *pooled.entry(&replica.model).or_default() |= replica.role != Role::Whole;
    }
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (at, replica) in facts.replicas.iter().enumerate() {
        let together = pooled.get(replica.model.as_str()).copied().unwrap_or_default();
        let settings = if together { "" } else { replica.settings.as_str() };
        groups.entry((&replica.model, settings)).or_default().push(at);
    }
    let engine = |((model, settings), replicas): ((&str, &str), Vec<usize>)| Engine {
        model: model.to_owned(),
        settings: settings.to_owned(),
        replicas,
        split: None,
        unmeasured_steps: 0,
    };
    groups.into_iter().map(engine).collect()
}

fn fit(engine: &mut Engine, facts: &Facts, times: &Times) {
    let mut observations = Vec::new();
    let mut totals = Totals::default();
    let (mut prefill_pool, mut decode_pool, mut whole) = (0.0, 0.0, 0.0);
    let mut request_s = Some((0.0, 0.0));
    for at in &engine.replicas {
        let Some(replica) = facts.replicas.get(*at) else { continue };
        let Some(busy) = times.busy.get(*at).and_then(Option::as_ref) else { continue };
        for (step, busy_s) in busy.iter().enumerate() {
            let quantities = replica.quantities(step).filter(|_| busy_s.is_finite());
            let Some(quantities) = quantities else {
                engine.unmeasured_steps += 1;
                continue;
            };
            observations.push(Observation { busy_s: *busy_s, quantities });
            totals.busy_s += busy_s;
            for (total, amount) in totals.quantities.iter_mut().zip(quantities) {
                *total += amount;
            }
            match replica.role {
                Role::Prefill => prefill_pool += busy_s,
                Role::Decode => decode_pool += busy_s,
                Role::Whole => whole += busy_s,
            }
            request_s = match (request_s, replica.prefill_s.get(step), replica.decode_s.get(step)) {
                (Some((prefill, decode)), Some(more), Some(longer)) => {
                    Some((prefill + more, decode + longer))
                }
                _ => None,
            };
        }
    }
    totals.request_s = request_s.filter(|_| !observations.is_empty());
    // With a third kind of replica the pools are not the whole.
    let is_pooled = prefill_pool > 0.0 && decode_pool > 0.0 && whole <= 0.0;
    totals.pools = is_pooled.then_some((prefill_pool, decode_pool));
    engine.split = Split::find(&observations, &totals);
}

fn totals_of(facts: &Facts, times: &Times, at: usize) -> ReplicaTotals {
    let mut totals = ReplicaTotals::default();
    let Some(replica) = facts.replicas.get(at) else { return totals };
    let finite = |column: Option<&Vec<f64>>| {
        crate::sum::sum(column.into_iter().flatten().copied().filter(|value| value.is_finite()))
    };
    let held = times.held.get(at).and_then(Option::as_ref);
    totals.busy_s = finite(times.busy.get(at).and_then(Option::as_ref));
    totals.held_s = finite(held);
    totals.rejected_drafts = replica.rejected_drafts.total(facts.steps).map(|total| total.value);
    let covered = Cover { held, steps: facts.steps };
    for level in Level::ALL {
        let column = replica.generated_at(level);
        if let (Some(place), Some(total)) =
            (totals.useful.get_mut(level.place()), column.total(facts.steps))
        {
            let covered = covered.share(|step| column.get(step).is_some());
            *place = Some(Counted { value: total.value, covered });
        }
    }
    totals.slo_tokens = slo_tokens(facts, replica);
    totals.quantities = quantities(facts, replica, &covered);
    let mut rates: Vec<f64> = held
        .into_iter()
        .flatten()
        .enumerate()
        .filter(|(_, held)| **held > 0.0)
        .filter_map(|(step, held)| Some(replica.generated_at(Level::Generated).get(step)? / held))
        .collect();
    rates.sort_by(f64::total_cmp);
    let place = (rates.len().saturating_sub(1) as f64 * 0.99).round() as usize;
    totals.peak_tokens_per_s = rates.get(place).copied().filter(|rate| *rate > 0.0);
    totals
}

fn slo_tokens(facts: &Facts, replica: &Replica) -> Option<(f64, f64)> {
    let (delivered, within) =
        (replica.generated_at(Level::Delivered), replica.generated_at(Level::WithinSlo));
    let told = (0..facts.steps).filter_map(|step| delivered.get(step).zip(within.get(step)));
    told.fold(None, |sums, (delivered, within)| {
        let (good, bad) = sums.unwrap_or_default();
        Some((good + within, bad + (delivered - within).max(0.0)))
    })
}

/// Held time of a replica, to say how much of it a counter covers.
struct Cover<'a> {
    held: Option<&'a Vec<f64>>,
    steps: usize,
}

impl Cover<'_> {
    fn share(&self, is_measured: impl Fn(usize) -> bool) -> f64 {
        let weight =
            |step: usize| self.held.map_or(1.0, |held| held.get(step).copied().unwrap_or_default());
        let (mut whole, mut part, mut plain) = (0.0, 0.0, 0.0);
        for step in 0..self.steps {
            whole += weight(step);
            if is_measured(step) {
                part += weight(step);
                plain += 1.0;
            }
        }
        if whole > 0.0 { part / whole } else { plain / self.steps.max(1) as f64 }
    }
}

fn quantities(facts: &Facts, replica: &Replica, cover: &Cover<'_>) -> Option<Counted<Quantities>> {
    let mut sums: Option<[Sum; CLASSES]> = None;
    for quantities in (0..facts.steps).filter_map(|step| replica.quantities(step)) {
        let all = sums.get_or_insert_default();
        all.iter_mut().zip(quantities).for_each(|(total, amount)| total.add(amount));
    }
    let covered = cover.share(|step| replica.quantities(step).is_some());
    sums.map(|sums| Counted { value: sums.map(Sum::value), covered })
}

fn wasted(
    facts: &Facts,
    at: usize,
    split: &Split,
    level: Level,
    busy: Option<&Vec<f64>>,
    wasted_s: &mut [f64; CAUSES],
) -> Column {
    let Some(replica) = facts.replicas.get(at) else { return Column::Missing };
    let mut share_of = |step: usize| {
        let causes = useful::waste(replica, split, level, step)?;
        let busy_s = busy.and_then(|column| column.get(step)).copied();
        for (total, share) in wasted_s.iter_mut().zip(causes) {
            *total += share * busy_s.filter(|busy| busy.is_finite()).unwrap_or_default();
        }
        Some(causes.iter().sum())
    };
    Column::of((0..facts.steps).map(&mut share_of))
}

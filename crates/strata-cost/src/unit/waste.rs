//! The waste ledger: money that bought nothing, with its cause and its owner.

use std::collections::BTreeMap;

use crate::facts::{Loss, Losses};
use crate::ledger::{Cell, Dimension, Engine, Ledger, State};
use crate::split::{Class, Method};
use crate::sum::{Sum, sum};
use crate::useful::Cause;

/// Why money bought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WasteCause {
    /// A state in which nothing was computed.
    State(State),
    /// Work that nobody could use.
    Work(Cause),
    /// Time of a training run that became no progress, whether a kernel ran or not.
    Training(Loss),
    /// Work that the facts themselves call wasted, without a cause.
    Declared,
}

impl WasteCause {
    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::State(state) => state.name(),
            Self::Work(cause) => cause.name(),
            Self::Training(loss) => loss.name(),
            Self::Declared => "declared",
        }
    }
}

/// One line of the waste ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct WasteLine {
    /// Why.
    pub cause: WasteCause,
    /// Whose, in the dimension that was asked for.
    pub owner: String,
    /// GPU seconds.
    pub gpu_s: f64,
    /// Money, as far as it has a price.
    pub money: f64,
    /// GPU seconds without a price, all of the owner's.
    pub unpriced_s: f64,
}

/// States in which nothing is computed for certain; unknown ones are not called waste.
const STATES_OF_WASTE: [State; 4] =
    [State::Down, State::Unallocated, State::HeldCold, State::HeldIdle];

#[derive(Default)]
struct Growing {
    gpu_s: Sum,
    money: Sum,
    unpriced_s: Sum,
}

/// All waste by cause and owner, the dearest first. No second is in two lines.
pub fn waste(ledger: &Ledger, dimension: Dimension) -> Vec<WasteLine> {
    let mut lines: BTreeMap<(WasteCause, String), Growing> = BTreeMap::new();
    let idle = idle_of_runs(ledger);
    for cell in &ledger.cells {
        let owner = ledger.key(cell, dimension);
        let mut add = |cause: WasteCause, gpu_s: f64, money: f64| {
            if gpu_s > 0.0 {
                let growing = lines.entry((cause, owner.clone())).or_default();
                growing.gpu_s.add(gpu_s);
                growing.money.add(money);
                growing.unpriced_s.add(cell.unpriced_s);
            }
        };
        let of = |state: State| {
            let at = state.place();
            let seconds = cell.seconds.get(at).copied().unwrap_or_default();
            (seconds, cell.money.get(at).copied().unwrap_or_default())
        };
        let run = ledger.owner(cell).and_then(|owner| owner.run);
        let run = run.and_then(|run| ledger.runs.get(run).zip(idle.get(run)));
        for state in STATES_OF_WASTE {
            let (seconds, money) = of(state);
            // Idle time of a run that one of its losses explains is that loss.
            let told = run.filter(|_| state == State::HeldIdle);
            let told = told.map_or(0.0, |(run, idle_s)| share(sum(run.idled_s), *idle_s));
            add(WasteCause::State(state), seconds * (1.0 - told), money * (1.0 - told));
            for (loss, part) in run.into_iter().flat_map(|(run, _)| parts(&run.idled_s)) {
                add(WasteCause::Training(loss), seconds * told * part, money * told * part);
            }
        }
        let (seconds, money) = of(State::BusyWaste);
        if let Some((run, _)) = run.filter(|(run, _)| sum(run.wasted_s) > 0.0) {
            for (loss, part) in parts(&run.wasted_s) {
                add(WasteCause::Training(loss), seconds * part, money * part);
            }
            continue;
        }
        let place = ledger.owner(cell).and_then(|owner| owner.replica);
        let causes = place.and_then(|place| ledger.replicas.get(place)).map(|one| one.wasted_s);
        let whole = causes.map_or(0.0, sum);
        if whole <= 0.0 {
            add(WasteCause::Declared, seconds, money);
            continue;
        }
        for (cause, part) in Cause::ALL.into_iter().zip(causes.unwrap_or_default()) {
            add(WasteCause::Work(cause), seconds * part / whole, money * part / whole);
        }
    }
    let line = |((cause, owner), growing): ((WasteCause, String), Growing)| WasteLine {
        cause,
        owner,
        gpu_s: growing.gpu_s.value(),
        money: growing.money.value(),
        unpriced_s: growing.unpriced_s.value(),
    };
    let mut lines: Vec<_> = lines.into_iter().map(line).collect();
    lines.sort_by(|one, other| other.money.total_cmp(&one.money).then(one.owner.cmp(&other.owner)));
    lines
}

/// Idle GPU seconds of each run, in all of its cells.
fn idle_of_runs(ledger: &Ledger) -> Vec<f64> {
    let mut idle = vec![Sum::default(); ledger.runs.len()];
    let seconds = |cell: &Cell| cell.seconds.get(State::HeldIdle.place()).copied();
    for cell in &ledger.cells {
        let run = ledger.owner(cell).and_then(|owner| owner.run);
        if let Some(idle) = run.and_then(|run| idle.get_mut(run)) {
            idle.add(seconds(cell).unwrap_or_default());
        }
    }
    idle.into_iter().map(Sum::value).collect()
}

/// A part of a whole, at most all of it.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

/// Each loss as a share of all of them.
fn parts(losses: &Losses) -> impl Iterator<Item = (Loss, f64)> + use<> {
    let whole = sum(*losses);
    Loss::ALL.into_iter().zip(losses.map(|seconds| share(seconds, whole)))
}

/// What a worse hit rate of the prefix cache costs: computed work that would have been found. It is
/// in no state of its own, for the work was useful; it stands beside the waste ledger, never in it.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheLoss {
    /// Model.
    pub model: String,
    /// Engine, settings and GPU of the replicas.
    pub settings: String,
    /// Hit rate of the period, cached over all prompt tokens.
    pub hit_rate: f64,
    /// Hit rate of before.
    pub before: f64,
    /// GPU seconds that the hit rate of before would have saved; zero where it is no worse.
    pub gpu_s: f64,
    /// Money for these; None where a part of the replicas' time has no price.
    pub money: Option<f64>,
    /// How the prices of computed and of cached tokens were found.
    pub method: Method,
}

/// Hit rates of the prefix cache by model and settings; those without prompt tokens are left out.
pub type HitRates = BTreeMap<(String, String), f64>;

/// The hit rates of a ledger, for [`cache_loss`] of a later one.
pub fn hit_rates(ledger: &Ledger) -> HitRates {
    let rate = |engine: &Engine| {
        let [uncached, cached, ..] = engine.split.as_ref()?.quantities;
        let key = (engine.model.clone(), engine.settings.clone());
        (uncached + cached > 0.0).then(|| (key, cached / (uncached + cached)))
    };
    ledger.engines.iter().filter_map(rate).collect()
}

/// The loss of each model and its settings against `baseline`, the hit rates of before. Those without
/// a price of computed and of cached tokens, without prompts or without a hit rate of before are left
/// out: of them nothing is known.
pub fn cache_loss(ledger: &Ledger, baseline: &HitRates) -> Vec<CacheLoss> {
    let mut losses = Vec::new();
    let lines = ledger.by_replica();
    let now = hit_rates(ledger);
    for engine in &ledger.engines {
        let key = (engine.model.clone(), engine.settings.clone());
        let (Some(split), Some(before), Some(hit_rate)) =
            (&engine.split, baseline.get(&key).copied(), now.get(&key).copied())
        else {
            continue;
        };
        let prices = (split.price(Class::UncachedPrompt), split.price(Class::CachedPrompt));
        let (Some(fresh), Some(found)) = prices else { continue };
        let [uncached, cached, ..] = split.quantities;
        let gpu_s = ((before - hit_rate).max(0.0) * (uncached + cached) * (fresh - found)).max(0.0);
        let held: Vec<_> = engine.replicas.iter().filter_map(|at| lines.get(*at)).collect();
        let is_priced = held.iter().all(|line| line.unpriced_s <= 0.0);
        let (busy_s, money) = (
            sum(held.iter().map(|line| line.busy_s())),
            sum(held.iter().map(|line| line.busy_money())),
        );
        losses.push(CacheLoss {
            model: engine.model.clone(),
            settings: engine.settings.clone(),
            hit_rate,
            before,
            gpu_s,
            money: (is_priced && busy_s > 0.0).then(|| gpu_s * money / busy_s),
            method: split.method,
        });
    }
    losses
}

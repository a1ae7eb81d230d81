//! One pass over every step of every GPU.

use super::state::{Hold, Outcome, Step};
use crate::facts::{Claim, Column, Facts, Gpu};

/// What a pass sees of one step of one GPU.
pub(super) struct Seen<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) at: usize,
    pub(super) step: usize,
    pub(super) outcome: &'a Outcome,
    /// Places of the holders' claims, in the order of the outcome's holders.
    pub(super) holders: &'a [usize],
}

/// Visits every step of every GPU that can be counted. `waste` has a column for each replica.
pub(super) fn walk(facts: &Facts, waste: &[Column], mut visit: impl FnMut(&Seen<'_>)) {
    let mut outcome = Outcome::default();
    let mut holds = Vec::new();
    let mut holders: Vec<usize> = Vec::new();
    for (at, gpu) in facts.gpus.iter().enumerate() {
        if !is_countable(gpu) {
            continue;
        }
        let mut waiting = order(gpu);
        holders.clear();
        for step in 0..facts.steps {
            let ended =
                |place: &usize| gpu.claims.get(*place).is_some_and(|claim| step < claim.end);
            holders.retain(ended);
            while let Some(place) = waiting.pop_if(|place| starts_by(gpu, *place, step)) {
                if gpu.claims.get(place).is_some_and(|claim| step < claim.end) {
                    holders.push(place);
                }
            }
            holds.clear();
            let claims = holders.iter().filter_map(|place| gpu.claims.get(*place));
            holds.extend(claims.map(|claim| hold(facts, claim, waste, step)));
            let known = Step {
                present: gpu.present.share(step),
                utilization: gpu.utilization.share(step),
                allocated: gpu.allocated.share(step),
            };
            outcome.find(known, &holds);
            visit(&Seen { gpu, at, step, outcome: &outcome, holders: &holders });
        }
    }
}

/// Whether the device's part of the bill is known at all.
pub(super) fn is_countable(gpu: &Gpu) -> bool {
    gpu.portion > 0.0 && gpu.portion <= 1.0
}

/// Places of the sound claims, the first to start last.
fn order(gpu: &Gpu) -> Vec<usize> {
    let sound = |place: &usize| gpu.claims.get(*place).is_some_and(Claim::is_sound);
    let mut places: Vec<usize> = (0..gpu.claims.len()).filter(sound).collect();
    places.sort_by_key(|place| {
        std::cmp::Reverse((gpu.claims.get(*place).map_or(0, |claim| claim.first), *place))
    });
    places
}

fn starts_by(gpu: &Gpu, place: usize, step: usize) -> bool {
    gpu.claims.get(place).is_none_or(|claim| claim.first <= step)
}

fn hold(facts: &Facts, claim: &Claim, waste: &[Column], step: usize) -> Hold {
    let counted = || {
        let replica = facts.owners.get(claim.owner)?.replica?;
        waste.get(replica)?.share(step)
    };
    Hold {
        requested: claim.requested,
        used: claim.used.share(step),
        loaded: claim.loaded.share(step),
        waste: claim.waste.share(step).or_else(counted),
    }
}

//! L6 inference engine: how much capacity is left?

mod anatomy;
mod kv_cache;
mod latency;
mod lengths;
mod queue;
mod throughput;

use crate::entity::EntityKind;
use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] =
    &[anatomy::ALL, kv_cache::ALL, latency::ALL, lengths::ALL, queue::ALL, throughput::ALL];

/// A signal of each replica.
const fn replica(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Replica, id, unit, each)
}

/// Why a latency has no value while its engine is there.
const NO_REQUEST: &str = "no request got that far in the rate window";

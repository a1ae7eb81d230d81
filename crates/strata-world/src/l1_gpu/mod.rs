//! L1 hardware: is the GPU healthy and doing useful work?

mod activity;
mod clocks;
mod errors;
mod links;
mod memory;
mod peers;
mod power;
mod slices;

use crate::entity::EntityKind;
use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] = &[
    activity::ALL,
    clocks::ALL,
    errors::ALL,
    links::ALL,
    memory::ALL,
    peers::ALL,
    power::ALL,
    slices::ALL,
];

/// A signal of each GPU.
const fn gpu(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Gpu, id, unit, each)
}

//! L5 training runtime: how much of the hardware becomes training progress?

mod health;
mod progress;

use crate::entity::EntityKind;
use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] = &[health::ALL, progress::ALL];

/// A signal of each run.
const fn run(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Run, id, unit, each).unlike()
}

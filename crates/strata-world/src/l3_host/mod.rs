//! L3 host and operating system: is the host the bottleneck?

mod disk;
mod memory;
mod network;
mod processes;
mod processor;

use crate::entity::EntityKind;
use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] =
    &[disk::ALL, memory::ALL, network::ALL, processes::ALL, processor::ALL];

/// A signal of each node. A host can be seen by several programs at once, so that its sums must
/// never be added over programs: of all hosts the greatest is told unless a mean makes sense.
const fn node(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Node, id, unit, each)
}

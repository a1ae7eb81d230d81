//! L7 GenAI API: what do users get?
//!
//! Three vantage points can tell: a gateway, the instrumented client, and a router before the
//! engines. They see the same requests, so they are never added: the first that is there is told.

mod latency;
mod traffic;

use crate::entity::EntityKind;
use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] = &[latency::ALL, traffic::ALL];

/// A signal of each model as users name it.
const fn model(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Model, id, unit, each)
}

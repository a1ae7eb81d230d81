//! L8 business and cost: is the GPU creating value?
//!
//! Energy is measured. Whatever needs a price is unknown until the ledger writes it, and says so.

mod energy;
mod north_star;

use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] = &[energy::ALL, north_star::ALL];

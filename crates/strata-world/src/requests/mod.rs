//! What single requests tell when they are taken apart or put together. Pure, over records.

pub mod anatomy;
pub mod breakdown;
pub mod lengths;
pub mod split;

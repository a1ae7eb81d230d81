//! PromQL over any source of series: parse, prepare, evaluate all steps at once.
//!
//! An expression's value is a column per series with one cell per step, so that a node is visited
//! once per query and not once per step.

mod eval;
mod notes;
mod prepare;
pub mod syntax;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use prepare::{QueryTimes, follows_time, settle};

pub use eval::{
    EvalOptions, Interrupt, Interrupted, Projections, Query, SharedResults, evaluate,
    evaluate_shared,
};

//! Judgement: how each layer of a World is, and why; which of two models serves its users better.
//!
//! Floor 6. Pure: no I/O, no runtime, no wall clock, and no idea how a judgement is drawn. Same
//! World, same judgement.

pub mod compare;
pub mod verdict;

pub use verdict::{
    Diagnosis, Standing, Verdict, diagnoses, verdict, verdict_wants, verdict_wants_of, verdicts,
};

//! Judgement over a World: how each layer is, and why.
//!
//! Floor 6. Pure: no I/O, no runtime, no wall clock, and no idea how a judgement is drawn. Same
//! World, same judgement.

pub mod verdict;

pub use verdict::{Standing, Verdict, verdict, verdict_wants, verdict_wants_of, verdicts};

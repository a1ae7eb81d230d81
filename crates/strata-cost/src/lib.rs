//! The ledger of Stratascope: what every GPU second cost, who caused it, how much of it was useful.
//!
//! Floor 5 of the house. [`Ledger::build`](ledger::Ledger::build) takes plain [`Facts`](facts::Facts)
//! and a [`PriceBook`](price::PriceBook) and gives every second of every GPU exactly one state; what
//! is not known stays unknown and is shown as such. Everything else reads the ledger: the split of
//! busy cost between token classes, unit costs, the change between two periods, statements, exports.
//!
//! This crate does no I/O, knows no clock and never panics on bad input. Money is `f64` under
//! compensated summation ([`Sum`](sum::Sum)): the identities hold to 1e-9 of the bill, which is far
//! below a cent for any bill that a fleet can have; decimals would cost ten times the time of the
//! inner loop, and the shares and fits of this crate are irrational numbers anyway.

pub mod advice;
pub mod breakeven;
pub mod budget;
pub mod calls;
pub mod change;
pub mod csv;
pub mod facts;
pub mod focus;
pub mod hash;
pub mod ledger;
pub mod metrics;
pub mod opencost;
pub mod price;
pub mod provider;
pub mod split;
pub mod sum;
pub mod tariff;
pub mod time;
pub mod unit;
pub mod useful;

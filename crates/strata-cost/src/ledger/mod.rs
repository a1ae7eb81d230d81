//! The ledger.
mod state;
pub use state::{STATES, Shares, State};

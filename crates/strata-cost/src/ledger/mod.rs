//! The ledger of a period: every GPU second once, with its state, its payer and its price.

mod build;
mod charge;
mod engines;
mod rates;
mod read;
mod remarks;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod walk;

use strata_model::Problem;
use strata_world::bill::BillTenant;

pub use charge::{Basis, Charge, IdlePolicy};
pub use engines::{Counted, Engine, ReplicaTotals};
pub use rates::Rate;
pub use read::{Dimension, Line, PLATFORM, Reconciliation, UNATTRIBUTED};
pub use state::{STATES, Shares, State};

use crate::facts::{Owner, Run, TenantUse};
use crate::useful::Level;

/// What a ledger is built for.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The one currency of the ledger, an ISO 4217 code. What is priced in another is unpriced.
    pub currency: String,
    /// Level from which on work counts as useful.
    pub level: Level,
}

impl Default for Options {
    fn default() -> Self {
        Self { currency: "USD".to_owned(), level: Level::default() }
    }
}

/// Who pays for a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payer {
    /// Nobody held it: down or unallocated.
    Nobody,
    /// Somebody or nobody, nothing tells.
    Unattributed,
    /// The owner at this place in [`Ledger::owners`].
    Owner(usize),
}

/// One payer's time on one GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Place in [`Ledger::gpus`].
    pub gpu: usize,
    /// Who pays.
    pub payer: Payer,
    /// GPU seconds by state; a second of a slice counts as its part of the device.
    pub seconds: Shares,
    /// Money by state, for the seconds that have a price.
    pub money: Shares,
    /// GPU seconds without a price: their cost is unknown.
    pub unpriced_s: f64,
    /// GPU seconds reserved, used or not.
    pub reserved_s: f64,
    /// Money for these.
    pub reserved_money: f64,
    /// Joules: by work where there was any in a step, else by who held the GPU.
    pub energy_j: f64,
    /// GPU seconds in steps without a reading of the energy counter.
    pub unmetered_s: f64,
    /// GPU seconds that are an equal part of a shared GPU, for want of anything that tells shares.
    pub assumed_s: f64,
}

impl Cell {
    /// Money in all states.
    pub fn amount(&self) -> f64 {
        crate::sum::sum(self.money)
    }
}

/// A GPU as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerGpu {
    /// UUID.
    pub id: String,
    /// Node.
    pub node: Option<String>,
    /// Normalised name.
    pub sku: Option<String>,
    /// Place in [`Ledger::rates`].
    pub rate: usize,
    /// Part of a whole device: 1/7 of a slice of seven.
    pub portion: f64,
    /// Whether it was there in the last step.
    pub is_there: bool,
    /// Whether its seconds are counted; false where its part of the device is no share.
    pub is_counted: bool,
}

/// All states together in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepTotals {
    /// GPU seconds by state.
    pub seconds: Shares,
    /// Money by state.
    pub money: Shares,
}

/// What all GPUs cost, computed from price and time alone.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bill {
    /// Money for all seconds that have a price.
    pub money: f64,
    /// All GPU seconds.
    pub device_s: f64,
    /// GPU seconds without a price.
    pub unpriced_s: f64,
}

/// Every GPU second of a period once.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    /// Start, ms since 1970.
    pub start_ms: i64,
    /// Length of a step, ms.
    pub step_ms: i64,
    /// Number of steps.
    pub steps: usize,
    /// What it was built for.
    pub options: Options,
    /// Owners, as in the facts.
    pub owners: Vec<Owner>,
    /// GPUs, as in the facts.
    pub gpus: Vec<LedgerGpu>,
    /// Prices that were used, with their source and date, or why there is none.
    pub rates: Vec<Rate>,
    /// Time by GPU and payer.
    pub cells: Vec<Cell>,
    /// Time by step.
    pub series: Vec<StepTotals>,
    /// What the cells must add up to.
    pub bill: Bill,
    /// Splits of busy time between token classes.
    pub engines: Vec<Engine>,
    /// Totals of replicas, as in the facts.
    pub replicas: Vec<ReplicaTotals>,
    /// Training runs, as in the facts.
    pub runs: Vec<Run>,
    /// Tokens of tenants on shared replicas.
    pub uses: Vec<TenantUse>,
    /// Tokens of tenants of which no replica is known: nothing tells what they cost.
    pub unplaced: Vec<BillTenant>,
    /// What in the facts contradicts itself.
    pub problems: Vec<Problem>,
}

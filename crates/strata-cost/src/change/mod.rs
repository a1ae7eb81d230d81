//! Why the cost changed between two periods: exact, additive and whatever the order.
//!
//! A model's held seconds are `requests * mix * seconds per request / (1 - waste) + idle`, where
//! the seconds of a request follow from its lengths, its cache hits and the speed of the engine.
//! Each of these is moved from the first period to the second in every order, and its term is the
//! mean of what that changes: the Shapley value. The terms are the difference.

mod model;
mod shapley;
#[cfg(test)]
mod tests;

pub use shapley::shapley;

use crate::ledger::Ledger;
use crate::sum::sum;

/// What can have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Factor {
    /// Money for a GPU second.
    Price,
    /// Number of requests.
    Volume,
    /// Which models they went to.
    Mix,
    /// Tokens of a prompt and of an answer.
    Length,
    /// Share of the prompt that was found in the cache.
    Cache,
    /// GPU seconds for a token and a request.
    Speed,
    /// Seconds that were held, cold or idle, and seconds nobody held.
    Utilization,
    /// Share of the work that nobody could use.
    Waste,
    /// Seconds of work that no request explains: training, and engines that are not counted.
    Uncounted,
}

/// Number of factors.
pub const FACTORS: usize = 9;

impl Factor {
    /// All factors.
    pub const ALL: [Self; FACTORS] = [
        Self::Price,
        Self::Volume,
        Self::Mix,
        Self::Length,
        Self::Cache,
        Self::Speed,
        Self::Utilization,
        Self::Waste,
        Self::Uncounted,
    ];

    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Volume => "volume",
            Self::Mix => "mix",
            Self::Length => "length",
            Self::Cache => "cache",
            Self::Speed => "speed",
            Self::Utilization => "utilization",
            Self::Waste => "waste",
            Self::Uncounted => "uncounted",
        }
    }
}

/// What volume is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeUnit {
    /// Requests.
    Requests,
    /// Tokens: some engine does not count its requests, so lengths are parts of a token.
    Tokens,
}

/// Why the cost changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Money of the first period.
    pub before: f64,
    /// Money of the second.
    pub after: f64,
    /// What each factor changed, in the order of [`Factor::ALL`].
    pub terms: Vec<(Factor, f64)>,
    /// What volume is counted in.
    pub volume: VolumeUnit,
}

impl Change {
    /// The difference of the bills less all terms: rounding, and nothing else.
    pub fn residual(&self) -> f64 {
        self.after - self.before - sum(self.terms.iter().map(|(_, money)| *money))
    }
}

/// Why a change cannot be explained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChangeError {
    /// The ledgers are in two currencies.
    #[error("the periods are in {0} and {1}; currencies are never mixed")]
    Currencies(String, String),
    /// More time would pass for more volume and more idleness.
    #[error(
        "the first period is {before_s} s long and the second {after_s} s; only periods of one \
         length compare"
    )]
    Lengths {
        /// Seconds of the first.
        before_s: i64,
        /// Seconds of the second.
        after_s: i64,
    },
    /// A part of a period has no price.
    #[error(
        "{unpriced_s} GPU seconds of the {period} period have no price, so its cost is unknown"
    )]
    Unpriced {
        /// Which period.
        period: &'static str,
        /// GPU seconds without a price.
        unpriced_s: f64,
    },
}

/// Explains the difference between two periods.
pub fn explain(before: &Ledger, after: &Ledger) -> Result<Change, ChangeError> {
    let (from, to) = (&before.options.currency, &after.options.currency);
    if from != to {
        return Err(ChangeError::Currencies(from.clone(), to.clone()));
    }
    let [before_s, after_s] =
        [before, after].map(|ledger| ledger.step_ms * ledger.steps as i64 / 1000);
    if before_s != after_s {
        return Err(ChangeError::Lengths { before_s, after_s });
    }
    for (period, ledger) in [("first", before), ("second", after)] {
        if ledger.bill.unpriced_s > 0.0 {
            let unpriced_s = ledger.bill.unpriced_s;
            return Err(ChangeError::Unpriced { period, unpriced_s });
        }
    }
    let (periods, volume) = model::periods(before, after);
    let terms = shapley(FACTORS, |moved| periods.cost(moved));
    Ok(Change {
        before: before.bill.money,
        after: after.bill.money,
        terms: Factor::ALL.into_iter().zip(terms).collect(),
        volume,
    })
}

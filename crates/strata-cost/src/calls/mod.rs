//! What calls to models cost, by the records of requests: on own GPUs at the unit costs of the ledger,
//! at a provider by the operator's price map. And what became of them: how much was delivered, in
//! time, for the first time, accepted.
//!
//! Calls come summed in groups whose members are alike in all that decides their price and their
//! usefulness, so that the sum of a group has the price that its calls have one by one.

mod levels;
mod price;
#[cfg(test)]
mod tests;
mod waste;

use strata_model::record::TokenBuckets;

pub use levels::{LevelCost, levels};
pub use price::{CallPrices, PricedBy, Unknown};
pub use waste::{CallCause, CallWaste, wasted};

use crate::sum::Sum;
use crate::useful::Level;

/// Number of token buckets of a record.
pub const RECORDED: usize = TokenBuckets::NAMES.len();

/// What became of a call, as far as its record tells. Of what is said first nothing later is asked:
/// a call that failed is not also late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Nothing tells how it ended.
    Untold,
    /// It broke off or ended in an error.
    Failed,
    /// The caller went away.
    Abandoned,
    /// It was answered; nothing tells when its first token came.
    Untimed,
    /// Its first token came later than the objective.
    Late,
    /// In time; it belongs to no conversation, so nothing tells whether it was asked before.
    Alone,
    /// In time, and a call of its conversation with a prompt of the same length had been answered
    /// shortly before.
    Repeated,
    /// In time and for the first time.
    First,
}

impl Fate {
    /// All fates.
    pub const ALL: [Self; 8] = [
        Self::Untold,
        Self::Failed,
        Self::Abandoned,
        Self::Untimed,
        Self::Late,
        Self::Alone,
        Self::Repeated,
        Self::First,
    ];

    /// Its name in questions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Untold => "untold",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
            Self::Untimed => "untimed",
            Self::Late => "late",
            Self::Alone => "alone",
            Self::Repeated => "repeated",
            Self::First => "first",
        }
    }
}

/// Which tokens of a call its record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Those of the prompt, of the answer, or both are not told.
    Not,
    /// Both, and not what of the prompt was in a cache: it is among the rest.
    WithoutCache,
    /// All.
    Whole,
}

/// Calls that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct CallGroup {
    /// What they are grouped by, in the order that was asked for; empty where it is not known.
    pub keys: Vec<String>,
    /// Who runs the model, as the record says it.
    pub provider: Option<String>,
    /// Model that answered.
    pub model: Option<String>,
    /// Team that asked: it owns what was for nothing.
    pub team: Option<String>,
    /// What became of them.
    pub fate: Fate,
    /// Whether the answer was cut at the greatest length.
    pub is_capped: bool,
    /// Whether they were accepted; None where nobody judged them.
    pub judged: Option<bool>,
    /// Whether they belong to a conversation.
    pub in_conversation: bool,
    /// Which of their tokens are known.
    pub counted: Counted,
    /// The greatest threshold of [`crate::provider::PriceMap::thresholds`] that the prompt of each is
    /// longer than; 0 for none.
    pub longer_than: f64,
    /// How many they are.
    pub requests: f64,
    /// Tokens by bucket, in the order of [`TokenBuckets::NAMES`]; what a record does not tell apart is
    /// in the bucket that holds the rest of its side.
    pub tokens: [f64; RECORDED],
}

impl CallGroup {
    fn token(&self, bucket: usize) -> f64 {
        self.tokens.get(bucket).copied().unwrap_or_default()
    }

    /// Tokens of the prompts that were computed, written to a cache or seen in pictures.
    pub fn fresh(&self) -> f64 {
        self.token(0) + self.token(2) + self.token(6)
    }

    /// Tokens of the prompts out of a cache.
    pub fn cached(&self) -> f64 {
        self.token(1)
    }

    /// Tokens that were generated, reasoning among them.
    pub fn generated(&self) -> f64 {
        self.token(3) + self.token(4)
    }

    /// Whether they are known to be of a level or not; None where the records do not tell.
    pub fn reaches(&self, level: Level) -> Option<bool> {
        let is_of =
            |untold: Fate, not: &[Fate]| (self.fate != untold).then(|| !not.contains(&self.fate));
        let before = match level {
            Level::Generated => return Some(true),
            Level::Delivered => return is_of(Fate::Untold, &[Fate::Failed, Fate::Abandoned]),
            Level::WithinSlo => self.reaches(Level::Delivered)?,
            Level::FirstSuccess => self.reaches(Level::WithinSlo)?,
            Level::Accepted => self.reaches(Level::FirstSuccess)?,
        };
        if !before {
            return Some(false);
        }
        match level {
            Level::WithinSlo => is_of(Fate::Untimed, &[Fate::Late]),
            Level::FirstSuccess => is_of(Fate::Alone, &[Fate::Repeated]),
            _ => self.judged,
        }
    }
}

/// Sums over calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallTotals {
    /// Calls.
    pub requests: f64,
    /// Of these, calls of which money is not known.
    pub unpriced: f64,
    /// Of these, calls that were answered and tell no time to the first token: whether they were in
    /// time nobody knows.
    pub untimed: f64,
    /// Tokens of the prompts that were computed.
    pub fresh: f64,
    /// Tokens of the prompts out of a cache.
    pub cached: f64,
    /// Tokens that were generated.
    pub generated: f64,
    /// Money of the others; None where there are none.
    pub amount: Option<f64>,
    /// Money of the calls in conversations, None where that of any of them is not known.
    pub in_conversations: Option<f64>,
    /// How they were priced, without repetition.
    pub by: Vec<PricedBy>,
    /// Why money is not known, without repetition.
    pub unknown: Vec<String>,
}

/// Adds groups up. Money that is not known is not nothing: it is counted apart.
pub fn total<'a>(
    groups: impl IntoIterator<Item = &'a CallGroup>,
    prices: &CallPrices<'_>,
) -> CallTotals {
    let mut total = CallTotals::default();
    let (mut money, mut talks) = (Sum::default(), Sum::default());
    let (mut any, mut is_whole, mut any_talk) = (false, true, false);
    for group in groups {
        total.requests += group.requests;
        total.fresh += group.fresh();
        total.cached += group.cached();
        total.generated += group.generated();
        if group.fate == Fate::Untimed {
            total.untimed += group.requests;
        }
        any_talk |= group.in_conversation;
        match prices.amount(group) {
            Ok((amount, by)) => {
                any = true;
                money.add(amount);
                if group.in_conversation {
                    talks.add(amount);
                }
                if !total.by.contains(&by) {
                    total.by.push(by);
                }
            }
            Err(why) => {
                is_whole &= !group.in_conversation;
                total.unpriced += group.requests;
                let why = why.to_string();
                if !total.unknown.contains(&why) {
                    total.unknown.push(why);
                }
            }
        }
    }
    total.amount = any.then(|| money.value());
    total.in_conversations = (any_talk && is_whole).then(|| talks.value());
    total.by.sort();
    total.unknown.sort();
    total
}

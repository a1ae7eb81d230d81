//! Calls that bought nothing, by cause and team.

use std::collections::BTreeMap;

use super::{CallGroup, CallPrices, Fate};
use crate::ledger::UNATTRIBUTED;

/// Why calls were for nothing. A call has one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallCause {
    /// An error, or an answer that broke off, after work was done.
    FailedAfterWork,
    /// The caller went away before the end.
    Abandoned,
    /// The first token came later than the objective.
    TooLate,
    /// Asked again though it had been answered: a retry, a hedge, an answer made anew.
    Repeated,
    /// Answered, and not accepted.
    NotAccepted,
    /// Cut at the greatest length. The answer may be of use all the same.
    Capped,
}

impl CallCause {
    /// All causes.
    pub const ALL: [Self; 6] = [
        Self::FailedAfterWork,
        Self::Abandoned,
        Self::TooLate,
        Self::Repeated,
        Self::NotAccepted,
        Self::Capped,
    ];

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::FailedAfterWork => "failed_after_work",
            Self::Abandoned => "abandoned",
            Self::TooLate => "too_late",
            Self::Repeated => "repeated",
            Self::NotAccepted => "not_accepted",
            Self::Capped => "capped",
        }
    }

    fn of(group: &CallGroup) -> Option<Self> {
        match group.fate {
            Fate::Failed => Some(Self::FailedAfterWork),
            Fate::Abandoned => Some(Self::Abandoned),
            Fate::Late => Some(Self::TooLate),
            Fate::Repeated => Some(Self::Repeated),
            _ if group.judged == Some(false) => Some(Self::NotAccepted),
            // Whoever accepted it had use of it.
            _ => (group.is_capped && group.judged != Some(true)).then_some(Self::Capped),
        }
    }
}

/// Calls that were for nothing for one cause.
#[derive(Debug, Clone, PartialEq)]
pub struct CallWaste {
    /// Why.
    pub cause: CallCause,
    /// Team that asked.
    pub team: String,
    /// Calls.
    pub requests: f64,
    /// Tokens that were generated for them.
    pub generated: f64,
    /// Money of those that have a price; None where none has.
    pub amount: Option<f64>,
    /// Calls without a price.
    pub unpriced: f64,
}

/// What bought nothing, the dearest first.
pub fn wasted(groups: &[CallGroup], prices: &CallPrices<'_>) -> Vec<CallWaste> {
    let mut found: BTreeMap<(CallCause, &str), Vec<&CallGroup>> = BTreeMap::new();
    for group in groups {
        if let Some(cause) = CallCause::of(group) {
            let team = group.team.as_deref().unwrap_or(UNATTRIBUTED);
            found.entry((cause, team)).or_default().push(group);
        }
    }
    let line = |((cause, team), groups): ((CallCause, &str), Vec<&CallGroup>)| {
        let total = super::total(groups, prices);
        CallWaste {
            cause,
            team: team.to_owned(),
            requests: total.requests,
            generated: total.generated,
            amount: total.amount,
            unpriced: total.unpriced,
        }
    };
    let mut lines: Vec<_> = found.into_iter().map(line).collect();
    lines.sort_by(|a, b| b.amount.unwrap_or(-1.0).total_cmp(&a.amount.unwrap_or(-1.0)));
    lines
}

//! What two models are compared by.

use std::collections::BTreeSet;

use strata_model::record::FeedbackSource;

use super::signs::Sign;

/// A quantile of times that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Received to first token.
    Ttft,
    /// Mean gap between output tokens of a request.
    Tpot,
    /// End to end.
    Duration,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// Judgements of a name and source, as a share of good ones or as a mean.
    Judged { name: String, source: FeedbackSource, is_share: bool, better: Better },
    /// Requests after which something happened that says more than a judgement, as a share of all:
    /// the user asked again, copied the answer.
    Happened { name: String, better: Better },
    /// What users did next, read from their requests and told by nobody.
    Sign(Sign),
    /// Requests that failed, as a share of those that ended.
    Failed,
    /// Requests whose caller went away, as a share of those that ended.
    Cancelled,
    /// A quantile of a time.
    Quantile { time: Time, q: f64 },
    /// Money for a useful token.
    Cost,
}

/// What is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// Names of implicit signals that are good news; all others (asked again, went away) are bad.
const GOOD_SIGNS: [&str; 4] = ["copied", "copy", "continued", "accepted"];

impl Better {
    /// `more`, `less`.
    pub fn name(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Less => "less",
        }
    }

    /// Of a score: more, unless the one who asks says otherwise.
    pub(super) fn of_score(name: &str, less: &BTreeSet<String>) -> Self {
        if less.contains(name) { Self::Less } else { Self::More }
    }

    /// Of a sign: by what it means.
    pub(super) fn of_sign(name: &str, less: &BTreeSet<String>) -> Self {
        let is_good = GOOD_SIGNS.contains(&name) && !less.contains(name);
        if is_good { Self::More } else { Self::Less }
    }
}

impl Measure {
    /// What it is called: `user_feedback by human`, `TTFT p95`.
    pub fn name(&self) -> String {
        match self {
            Self::Judged { name, source, .. } => format!("{name} by {}", source.name()),
            Self::Happened { name, .. } => name.replace('_', " "),
            Self::Sign(sign) => sign.name().to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::Cancelled => "caller went away".to_owned(),
            Self::Quantile { time, q } => format!("{} p{:.0}", time.name(), q * 100.0),
            Self::Cost => "cost per useful token".to_owned(),
        }
    }

    /// Unit in UCUM; money is the caller's currency.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Judged { is_share: false, .. } => "{score}",
            Self::Judged { .. }
            | Self::Happened { .. }
            | Self::Sign(_)
            | Self::Failed
            | Self::Cancelled => "1",
            Self::Quantile { .. } => "s",
            Self::Cost => "{currency}/{token}",
        }
    }

    /// What is better.
    pub fn better(&self) -> Better {
        match self {
            Self::Judged { better, .. } | Self::Happened { better, .. } => *better,
            Self::Sign(Sign::Continued) => Better::More,
            _ => Better::Less,
        }
    }

    /// Whether it tells of the quality of answers.
    pub fn is_quality(&self) -> bool {
        matches!(self, Self::Judged { .. } | Self::Happened { .. })
    }

    /// What it means.
    pub fn definition(&self) -> &'static str {
        match self {
            Self::Judged { is_share: true, better: Better::More, .. } => {
                "Share of good judgements, one a request: the latest."
            }
            Self::Judged { is_share: true, .. } => {
                "Share of judgements that say yes, one a request: the latest."
            }
            Self::Judged { .. } => "Mean score of judgements, one a request: the latest.",
            Self::Happened { .. } => "Share of requests after which this was seen.",
            Self::Sign(sign) => sign.definition(),
            Self::Failed => "Share of ended requests that failed or broke off.",
            Self::Cancelled => "Share of ended requests whose caller went away.",
            Self::Quantile { time, .. } => time.definition(),
            Self::Cost => "All money of the model, idle and wasted included, for a useful token.",
        }
    }

    /// How its interval and that of the difference are made.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Judged { is_share: false, .. } => {
                "mean with Student's interval; difference by variance estimates recovery (Zou and \
                 Donner 2008)"
            }
            Self::Judged { .. }
            | Self::Happened { .. }
            | Self::Sign(_)
            | Self::Failed
            | Self::Cancelled => {
                "hits / trials with Wilson's interval; difference by Newcombe 1998, method 10"
            }
            Self::Quantile { .. } => {
                "nearest rank with an interval between order statistics; difference by variance \
                 estimates recovery (Zou and Donner 2008)"
            }
            Self::Cost => "cost / useful tokens of the ledger; counted, not sampled",
        }
    }
}

impl Time {
    /// `TTFT`, `TPOT`, `duration`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
            Self::Duration => "duration",
        }
    }

    fn definition(self) -> &'static str {
        match self {
            Self::Ttft => "Quantile of received to first token of any kind.",
            Self::Tpot => {
                "Quantile of (last - first token) / (tokens - 1), of requests with two tokens or \
                 more."
            }
            Self::Duration => "Quantile of end to end, of requests that ended well.",
        }
    }
}

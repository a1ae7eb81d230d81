//! Prices: what one GPU costs for an hour, who said so, when, and how sure that is.
//!
//! There is no stable list price of a GPU. A price is therefore never a bare number: it has a
//! currency, a source, a date and a confidence, and a number that nobody gave stays unknown.

mod book;
mod embedded;
mod import;
mod lookup;
mod node;
mod owned;
mod parse;
mod sku;
mod tco;
mod validate;

pub use book::{PriceBook, PriceBookError};
pub use import::{Imported, opencost_csv};
pub use lookup::{Quote, Unpriced, Wanted};
pub use node::{BasePrices, NodeParts, NodeShape, OPENCOST_BASE_PRICES, split_node_price};
pub use sku::sku;
pub use tco::{HOURS_PER_YEAR, Tco, TcoRate};

/// How a GPU is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// By the hour, without a commitment.
    OnDemand,
    /// By the hour, may be taken away.
    Spot,
    /// Committed for a year.
    Reserved1y,
    /// Committed for three years.
    Reserved3y,
    /// Bought; the rate is what owning it costs.
    Owned,
}

impl Term {
    /// All terms with their spelling in price files.
    pub const ALL: [(&'static str, Self); 5] = [
        ("on_demand", Self::OnDemand),
        ("spot", Self::Spot),
        ("reserved_1y", Self::Reserved1y),
        ("reserved_3y", Self::Reserved3y),
        ("owned", Self::Owned),
    ];

    /// The spelling in price files.
    pub fn name(self) -> &'static str {
        spelling(&Self::ALL, self)
    }
}

/// Which of FOCUS's prices a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriceKind {
    /// What is published.
    List,
    /// What was agreed.
    Contracted,
    /// What it comes to after commitments and amortization.
    Effective,
    /// What the invoice says.
    Billed,
    /// Energy only: what switching it off would save.
    PowerOnly,
}

impl PriceKind {
    /// All kinds with their spelling in price files.
    pub const ALL: [(&'static str, Self); 5] = [
        ("list", Self::List),
        ("contracted", Self::Contracted),
        ("effective", Self::Effective),
        ("billed", Self::Billed),
        ("power_only", Self::PowerOnly),
    ];

    /// The spelling in price files.
    pub fn name(self) -> &'static str {
        spelling(&Self::ALL, self)
    }
}

/// How far a price can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// A market figure, or sources that contradict each other.
    Low,
    /// One published source.
    Medium,
    /// The own contract or invoice.
    High,
}

impl Confidence {
    /// All degrees with their spelling in price files.
    pub const ALL: [(&'static str, Self); 3] =
        [("low", Self::Low), ("medium", Self::Medium), ("high", Self::High)];

    /// The spelling in price files.
    pub fn name(self) -> &'static str {
        spelling(&Self::ALL, self)
    }
}

fn spelling<T: PartialEq + Copy>(all: &[(&'static str, T)], value: T) -> &'static str {
    all.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}

/// Where a row came from; the earlier in this list, the later it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Built in: published figures, for want of better.
    Embedded,
    /// A cloud's price file.
    Imported,
    /// Written by the operator.
    User,
}

/// What the number of a row buys for an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    /// One GPU with its part of the node.
    Gpu,
    /// A whole node.
    Node,
}

/// One row of a price book. A field that is None holds for any value.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// Normalised name of the GPU, as [`sku`] gives it.
    pub gpu: Option<String>,
    /// Instance type of the node.
    pub node: Option<String>,
    /// A label of the node and the value it must have, as cloud price files select.
    pub selector: Option<(String, String)>,
    /// Who rents it out.
    pub provider: Option<String>,
    /// The provider's region.
    pub region: Option<String>,
    /// How it is paid for.
    pub term: Option<Term>,
    /// GPUs of a node, where the row prices a node.
    pub gpus: Option<f64>,
    /// What `per_hour` buys.
    pub per: Per,
    /// Money for an hour, in `currency`.
    pub per_hour: f64,
    /// ISO 4217 code.
    pub currency: String,
    /// Which of FOCUS's prices this is.
    pub kind: PriceKind,
    /// First instant it holds, ms since 1970; None is since ever.
    pub from_ms: Option<i64>,
    /// First instant it no longer holds; None is for ever.
    pub until_ms: Option<i64>,
    /// Who said so.
    pub source: String,
    /// When it was said, ms since 1970.
    pub date_ms: i64,
    /// How far it can be trusted.
    pub confidence: Confidence,
    /// Whether it may stand in for a GPU of this name whose provider is not known.
    pub reference: bool,
    /// Where the row came from.
    pub origin: Origin,
}

impl Price {
    /// Whether the row holds at `at_ms`.
    pub fn holds_at(&self, at_ms: i64) -> bool {
        self.from_ms.is_none_or(|from| from <= at_ms)
            && self.until_ms.is_none_or(|until| at_ms < until)
    }

    /// Whether there is an instant at which both rows hold.
    pub fn holds_beside(&self, other: &Self) -> bool {
        let ends_after = |one: &Self, other: &Self| {
            one.until_ms.unwrap_or(i64::MAX) > other.from_ms.unwrap_or(i64::MIN)
        };
        ends_after(self, other) && ends_after(other, self)
    }

    /// Money for one GPU and hour; None for a node whose number of GPUs nobody knows.
    pub fn per_gpu_hour(&self, gpus_in_node: Option<f64>) -> Option<f64> {
        match self.per {
            Per::Gpu => Some(self.per_hour),
            Per::Node => {
                let gpus = self.gpus.or(gpus_in_node).filter(|gpus| *gpus > 0.0)?;
                Some(self.per_hour / gpus)
            }
        }
    }

    /// Days between the price's date and `now_ms`; zero for a date to come.
    pub fn age_days(&self, now_ms: i64) -> f64 {
        now_ms.saturating_sub(self.date_ms).max(0) as f64 / crate::time::DAY_MS as f64
    }
}

#[cfg(test)]
mod tests;

//! The split of busy GPU seconds between prompt, cached prompt, generated tokens and requests.
//!
//! Whoever divides the whole cost by the prompt tokens and again by the generated tokens charges the
//! GPU twice. Here all classes together are the busy time, always, and every split says by which
//! method it was found and why no better one could be used.

mod fallback;
mod fit;
mod nnls;
#[cfg(test)]
mod tests;

pub use fallback::{CACHED_WEIGHT, GENERATED_WEIGHT, Totals};
pub use fit::{MAX_CONDITION, MIN_R_SQUARED, MIN_ROWS};

/// What a request is made of, as far as cost goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Prompt tokens that are computed.
    UncachedPrompt,
    /// Prompt tokens found in the prefix cache.
    CachedPrompt,
    /// Generated tokens.
    Generated,
    /// Requests: what each costs whatever its length.
    Requests,
}

/// Number of classes.
pub const CLASSES: usize = 4;

impl Class {
    /// All classes, in the order of their places in arrays.
    pub const ALL: [Self; CLASSES] =
        [Self::UncachedPrompt, Self::CachedPrompt, Self::Generated, Self::Requests];

    /// Its place in arrays over all classes.
    pub fn place(self) -> usize {
        self as usize
    }

    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::UncachedPrompt => "uncached_prompt",
            Self::CachedPrompt => "cached_prompt",
            Self::Generated => "generated",
            Self::Requests => "requests",
        }
    }
}

/// Tokens and requests by class.
pub type Quantities = [f64; CLASSES];

/// One span of time of one engine: how long its GPUs worked, and on what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Busy GPU seconds.
    pub busy_s: f64,
    /// What was worked on.
    pub quantities: Quantities,
}

/// How a split was found; better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Prefill and decode run on GPUs of their own: their busy times are the split.
    Pools,
    /// Non-negative least squares of busy seconds on counters.
    LeastSquares,
    /// Seconds of requests in prefill and decode. Requests of one batch share its steps, so this
    /// over-weights decode by about the size of the batch.
    RequestTime,
    /// A fixed ratio between the classes.
    Ratio,
}

impl Method {
    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pools => "disagg_pool",
            Self::LeastSquares => "nnls",
            Self::RequestTime => "request_time",
            Self::Ratio => "ratio",
        }
    }

    /// Whether it measures, where the others assume.
    pub fn is_measured(self) -> bool {
        matches!(self, Self::Pools | Self::LeastSquares)
    }
}

/// How well least squares explain busy time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Share of the variance of busy time that is explained.
    pub r_squared: f64,
    /// Ratio of the largest to the smallest singular value of the columns at unit length; above
    /// 30 the classes move together and their prices are hard to tell apart.
    pub condition: f64,
    /// Spans that were used.
    pub rows: usize,
}

/// What one token or request of each class costs, in busy GPU seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// How it was found.
    pub method: Method,
    /// GPU seconds for one; None for a class that did not occur, or that the method does not price.
    pub per_unit: [Option<f64>; CLASSES],
    /// 95 % intervals, from a block bootstrap; None where the method gives none.
    pub interval: [Option<(f64, f64)>; CLASSES],
    /// Of least squares, also where they were tried and not good enough.
    pub quality: Option<Quality>,
    /// Why the methods before this one could not be used; empty for the best.
    pub instead_of: Vec<String>,
    /// Everything that was worked on.
    pub quantities: Quantities,
    /// Busy GPU seconds; the classes add up to it.
    pub busy_s: f64,
}

impl Split {
    /// The best split that the facts allow. None where nothing worked or nothing was produced.
    pub fn find(observations: &[Observation], totals: &Totals) -> Option<Self> {
        let busy_s = totals.busy_s;
        let produced: f64 = totals.quantities.iter().sum();
        if !(busy_s > 0.0 && produced > 0.0) {
            return None;
        }
        let mut instead_of = Vec::new();
        if let Some(split) = fallback::pools(totals) {
            return Some(split);
        }
        let fitted = fit::fit(observations);
        let quality = fitted
            .as_ref()
            .ok()
            .map(|fit| fit.quality)
            .or_else(|| fitted.as_ref().err().and_then(|refused| refused.quality));
        match fitted {
            Ok(fit) => {
                if let Some(split) = fit.scaled(totals) {
                    return Some(split);
                }
                instead_of.push("least squares give no class of the period a cost".to_owned());
            }
            Err(refused) => instead_of.push(refused.reason),
        }
        let mut split = match fallback::request_time(totals) {
            Ok(split) => split,
            Err(reason) => {
                instead_of.push(reason);
                fallback::ratio(totals)?
            }
        };
        split.quality = quality;
        split.instead_of = instead_of;
        Some(split)
    }

    /// Busy GPU seconds that `quantities` stand for.
    pub fn work(&self, quantities: &Quantities) -> f64 {
        let pairs = quantities.iter().zip(&self.per_unit);
        crate::sum::sum(pairs.map(|(amount, price)| amount * price.unwrap_or_default()))
    }

    /// Share of a class in the busy time; the shares add up to 1.
    pub fn share(&self, class: Class) -> f64 {
        let mut only = [0.0; CLASSES];
        if let (Some(place), Some(amount)) =
            (only.get_mut(class.place()), self.quantities.get(class.place()))
        {
            *place = *amount;
        }
        self.work(&only) / self.busy_s
    }

    /// GPU seconds for one of `class`.
    pub fn price(&self, class: Class) -> Option<f64> {
        self.per_unit.get(class.place()).copied().flatten()
    }

    /// GPU seconds that the prefix cache saved: what its tokens would have cost computed, less what
    /// they cost found. None where either price is not known.
    pub fn cache_savings_s(&self) -> Option<f64> {
        let cached = self.quantities.get(Class::CachedPrompt.place()).copied()?;
        let (fresh, found) = (self.price(Class::UncachedPrompt)?, self.price(Class::CachedPrompt)?);
        Some(cached * (fresh - found))
    }
}

//! The price of calls: unit costs of own models, a provider's list for the others.

use super::{CallGroup, Counted, RECORDED};
use crate::provider::{BUCKETS, Bucket, Buckets, PriceMap, Unpriced};
use crate::split::Class;
use crate::unit::Units;

/// Place of sound among the buckets of a record.
const AUDIO: usize = 5;
/// Place of pictures.
const IMAGE: usize = 6;

/// Where the price of a call is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PricedBy {
    /// Unit costs of own GPUs, idle time included.
    OwnGpus,
    /// The operator's map of API prices.
    PriceMap,
}

impl PricedBy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::OwnGpus, Self::PriceMap];

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::OwnGpus => "own_gpus",
            Self::PriceMap => "price_map",
        }
    }
}

/// Why calls have no cost. It is then unknown, never zero.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// Their records name no model.
    #[error("no model is named")]
    Unnamed,
    /// Their records do not tell their tokens.
    #[error("tokens are not told")]
    Uncounted,
    /// The model is served here, and nothing tells what one of its tokens of a class costs.
    #[error("{model}: nothing tells what a token of {class} costs here")]
    Class {
        /// The model.
        model: String,
        /// The class.
        class: &'static str,
    },
    /// Records do not tell sound heard from sound said, and pictures have prices of their own.
    #[error("{model}: records do not tell what its {what} costs")]
    Modal {
        /// The model.
        model: String,
        /// `sound`, `pictures`.
        what: &'static str,
    },
    /// No GPU here serves it and there is no map.
    #[error("{0}: served by no GPU that is seen, and api_prices under [cost] names no price map")]
    NoMap(String),
    /// The map is in another currency than the ledger.
    #[error("{model}: the price map is in USD, the ledger in {currency}")]
    Currency {
        /// The model.
        model: String,
        /// The ledger's currency.
        currency: String,
    },
    /// The map does not know it, or has no price for what it used.
    #[error(transparent)]
    Map(#[from] Unpriced),
}

/// What calls are priced by.
#[derive(Debug, Clone, Copy)]
pub struct CallPrices<'a> {
    /// Unit costs of the models that own GPUs serve.
    pub units: &'a [Units],
    /// Prices of API providers, in USD.
    pub map: Option<&'a PriceMap>,
    /// The ledger's currency.
    pub currency: &'a str,
}

impl CallPrices<'_> {
    /// Money for all calls of a group.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn amount(&self, group: &CallGroup) -> Result<(f64, PricedBy), Unknown> {
        let model = group.model.as_deref().ok_or(Unknown::Unnamed)?;
        if group.counted == Counted::Not {
            return Err(Unknown::Uncounted);
        }
        match self.units.iter().find(|units| units.model == model) {
            Some(units) => Ok((own(units, group)?, PricedBy::OwnGpus)),
            None => Ok((self.listed(model, group)?, PricedBy::PriceMap)),
        }
    }

    fn listed(&self, model: &str, group: &CallGroup) -> Result<f64, Unknown> {
        let map = self.map.ok_or_else(|| Unknown::NoMap(model.to_owned()))?;
        if self.currency != "USD" {
            let (model, currency) = (model.to_owned(), self.currency.to_owned());
            return Err(Unknown::Currency { model, currency });
        }
        for (bucket, what) in [(AUDIO, "sound"), (IMAGE, "pictures")] {
            if group.token(bucket) > 0.0 {
                return Err(Unknown::Modal { model: model.to_owned(), what });
            }
        }
        let provider = group.provider.as_deref();
        Ok(map.cost_of_length(provider, model, &buckets(&group.tokens), group.longer_than)?)
    }
}

/// Buckets of the price map. A record does not say for how long a cache was written: it is taken for
/// as long as is usual.
fn buckets(tokens: &[f64; RECORDED]) -> Buckets {
    let mut buckets = [0.0; BUCKETS];
    let [fresh, read, written, text, reasoning, _, _] = *tokens;
    let pairs = [
        (Bucket::FreshInput, fresh),
        (Bucket::CacheRead, read),
        (Bucket::CacheWrite, written),
        (Bucket::Output, text),
        (Bucket::Reasoning, reasoning),
    ];
    for (bucket, amount) in pairs {
        if let Some(place) = buckets.get_mut(bucket.place()) {
            *place = amount;
        }
    }
    buckets
}

/// What a prompt token of the model costs, cached or not; as one that was computed where none was counted.
fn mean_prompt(units: &Units) -> Option<f64> {
    let prompts = [Class::UncachedPrompt, Class::CachedPrompt];
    let of = || units.classes.iter().filter(|cost| prompts.contains(&cost.class));
    let count: f64 = of().map(|cost| cost.count).sum();
    if count > 0.0 {
        return Some(of().map(|cost| cost.full * cost.count).sum::<f64>() / count);
    }
    of().find(|cost| cost.class == Class::UncachedPrompt).map(|cost| cost.full)
}

/// Tokens at what the model's tokens cost here at this load. Pictures are prompt tokens to an engine.
fn own(units: &Units, group: &CallGroup) -> Result<f64, Unknown> {
    let model = || units.model.clone();
    if group.token(AUDIO) > 0.0 {
        return Err(Unknown::Modal { model: model(), what: "sound" });
    }
    let price = |class: Class| {
        let found = units.classes.iter().find(|cost| cost.class == class);
        found.map(|cost| cost.full)
    };
    let amounts = [
        (Class::UncachedPrompt, group.fresh()),
        (Class::CachedPrompt, group.cached()),
        (Class::Generated, group.generated()),
    ];
    let mut cost = 0.0;
    for (class, amount) in amounts.into_iter().filter(|(_, amount)| *amount > 0.0) {
        let price = match class {
            // Some of it was in the cache: as often as in all prompts of the model.
            Class::UncachedPrompt if group.counted == Counted::WithoutCache => mean_prompt(units),
            class => price(class),
        };
        cost +=
            amount * price.ok_or_else(|| Unknown::Class { model: model(), class: class.name() })?;
    }
    // Most splits lay all time on tokens; then a request by itself costs nothing.
    Ok(cost + group.requests * price(Class::Requests).unwrap_or_default())
}

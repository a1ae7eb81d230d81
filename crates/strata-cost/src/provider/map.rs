//! `LiteLLM`'s price map, `model_prices_and_context_window.json`, read as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use strata_model::Problem;

use super::{BUCKETS, Bucket, Buckets};
use crate::hash::sha256;

/// Length of a map at most; the whole of it is under 2 MB.
const MAX_TEXT: usize = 32 << 20;
/// The entry that explains the others.
const SAMPLE: &str = "sample_spec";

/// Prices of one model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProviderPrice {
    /// Provider, where the map says it.
    pub provider: Option<String>,
    /// Money for one token by bucket; None where the map has no price.
    pub per_token: [Option<f64>; BUCKETS],
    /// Prices of requests whose input is longer than so many tokens, by rising length.
    pub long: Vec<(f64, [Option<f64>; BUCKETS])>,
    /// Where the map has its prices from.
    pub source: Option<String>,
}

/// A price map, and which edition of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceMap {
    /// SHA-256 of the text, in hexadecimal: what to pin.
    pub hash: String,
    /// Date of the file, ms since 1970.
    pub date_ms: i64,
    /// Entries that could not be read, and why.
    pub problems: Vec<Problem>,
    models: BTreeMap<String, ProviderPrice>,
}

/// Why a map cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum PriceMapError {
    /// It is longer than any map is.
    #[error("cannot read a price map of {0} bytes")]
    TooLong(usize),
    /// It is not JSON, or not an object.
    #[error("cannot read the price map as JSON")]
    Json(#[source] serde_json::Error),
}

/// Why a call has no cost. It is then unknown, never zero.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// The map does not know the model.
    #[error("the price map does not know {0}")]
    Model(String),
    /// The map has no price for a bucket that the call used.
    #[error("the price map has no price for {bucket} of {model}")]
    Bucket {
        /// The model.
        model: String,
        /// The bucket.
        bucket: &'static str,
    },
}

impl PriceMap {
    /// Reads a map in USD. Entries that are no model, or whose prices are no numbers, are told in
    /// `problems`; the others stand.
    pub fn read(text: &str, date_ms: i64) -> Result<Self, PriceMapError> {
        if text.len() > MAX_TEXT {
            return Err(PriceMapError::TooLong(text.len()));
        }
        let entries: Map<String, Value> =
            serde_json::from_str(text).map_err(PriceMapError::Json)?;
        let mut map =
            Self { hash: sha256(text), date_ms, problems: Vec::new(), models: BTreeMap::new() };
        for (name, entry) in entries.into_iter().filter(|(name, _)| name != SAMPLE) {
            match ProviderPrice::read(&entry) {
                Ok(price) => {
                    map.models.insert(name, price);
                }
                Err(message) => map.problems.push(Problem::new(name, message)),
            }
        }
        Ok(map)
    }

    /// Number of models.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether it knows no model.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// The prices of a model, by its name or by `provider/name`.
    pub fn get(&self, provider: Option<&str>, model: &str) -> Option<&ProviderPrice> {
        let full = provider.map(|provider| format!("{provider}/{model}"));
        full.and_then(|name| self.models.get(&name)).or_else(|| self.models.get(model))
    }

    /// Lengths of prompts, in tokens, from which on some model has other prices; rising.
    pub fn thresholds(&self) -> Vec<f64> {
        let all = self.models.values().flat_map(|price| &price.long);
        let mut found: Vec<f64> = all.map(|(tokens, _)| *tokens).collect();
        found.sort_by(f64::total_cmp);
        found.dedup();
        found
    }

    /// Money for many calls together, in USD, whose prompts are each longer than `longer_than` tokens
    /// and no longer than the next of [`Self::thresholds`].
    pub fn cost_of_length(
        &self,
        provider: Option<&str>,
        model: &str,
        buckets: &Buckets,
        longer_than: f64,
    ) -> Result<f64, Unpriced> {
        let price = self.get(provider, model).ok_or_else(|| Unpriced::Model(model.to_owned()))?;
        price
            .cost_of_length(buckets, longer_than)
            .map_err(|bucket| Unpriced::Bucket { model: model.to_owned(), bucket: bucket.name() })
    }

    /// Money for one call, in USD.
    pub fn cost(
        &self,
        provider: Option<&str>,
        model: &str,
        buckets: &Buckets,
    ) -> Result<f64, Unpriced> {
        let price = self.get(provider, model).ok_or_else(|| Unpriced::Model(model.to_owned()))?;
        price
            .cost(buckets)
            .map_err(|bucket| Unpriced::Bucket { model: model.to_owned(), bucket: bucket.name() })
    }
}

/// The keys of each bucket in the map.
fn key(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::FreshInput => "input_cost_per_token",
        Bucket::CacheRead => "cache_read_input_token_cost",
        Bucket::CacheWrite => "cache_creation_input_token_cost",
        Bucket::CacheWriteHour => "cache_creation_input_token_cost_above_1hr",
        Bucket::Output => "output_cost_per_token",
        Bucket::Reasoning => "output_cost_per_reasoning_token",
        Bucket::AudioInput => "input_cost_per_audio_token",
        Bucket::AudioOutput => "output_cost_per_audio_token",
    }
}

impl ProviderPrice {
    fn read(entry: &Value) -> Result<Self, String> {
        let entry = entry.as_object().ok_or("not an object")?;
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut price =
            Self { provider: text("litellm_provider"), source: text("source"), ..Self::default() };
        for (bucket, place) in Bucket::ALL.into_iter().zip(&mut price.per_token) {
            *place = money(entry, key(bucket))?;
        }
        let mut long: BTreeMap<u64, [Option<f64>; BUCKETS]> = BTreeMap::new();
        for name in entry.keys() {
            let found = Bucket::ALL
                .into_iter()
                .find_map(|bucket| Some((bucket, threshold(name, key(bucket))?)));
            let Some((bucket, tokens)) = found else { continue };
            let prices = long.entry(tokens).or_insert([None; BUCKETS]);
            if let Some(place) = prices.get_mut(bucket.place()) {
                *place = money(entry, name)?;
            }
        }
        price.long = long.into_iter().map(|(tokens, prices)| (tokens as f64, prices)).collect();
        Ok(price)
    }

    /// Money for one call, or the bucket that has no price. A long request has the price of its
    /// length for all of its tokens. Reasoning without a price of its own is output: all providers
    /// bill it so.
    pub fn cost(&self, buckets: &Buckets) -> Result<f64, Bucket> {
        let pairs = Bucket::ALL.into_iter().zip(buckets);
        let input: f64 =
            pairs.filter(|(bucket, _)| bucket.is_input()).map(|(_, tokens)| tokens).sum();
        let long = self.long.iter().rev().find(|(tokens, _)| input > *tokens);
        self.cost_at(buckets, long.map(|(_, prices)| prices))
    }

    /// The same for many calls whose prompts are each longer than `longer_than` tokens.
    fn cost_of_length(&self, buckets: &Buckets, longer_than: f64) -> Result<f64, Bucket> {
        let long = self.long.iter().rev().find(|(tokens, _)| longer_than >= *tokens);
        self.cost_at(buckets, long.map(|(_, prices)| prices))
    }

    fn cost_at(
        &self,
        buckets: &Buckets,
        long: Option<&[Option<f64>; BUCKETS]>,
    ) -> Result<f64, Bucket> {
        let of = |bucket: Bucket| {
            let at =
                |prices: &[Option<f64>; BUCKETS]| prices.get(bucket.place()).copied().flatten();
            long.and_then(at).or_else(|| at(&self.per_token))
        };
        let mut cost = 0.0;
        for (bucket, tokens) in Bucket::ALL.into_iter().zip(buckets) {
            if *tokens <= 0.0 {
                continue;
            }
            let own = of(bucket);
            let price =
                if bucket == Bucket::Reasoning { own.or_else(|| of(Bucket::Output)) } else { own };
            cost += tokens * price.ok_or(bucket)?;
        }
        Ok(cost)
    }
}

fn money(entry: &Map<String, Value>, key: &str) -> Result<Option<f64>, String> {
    match entry.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            // Hand-written overrides of the map put numbers into quotes.
            let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
            let sound = number.filter(|number| number.is_finite() && *number >= 0.0);
            sound.map(Some).ok_or_else(|| format!("{key} is not a price"))
        }
    }
}

/// The tokens of `<key>_above_<n>k_tokens`.
fn threshold(name: &str, key: &str) -> Option<u64> {
    let thousands = name.strip_prefix(key)?.strip_prefix("_above_")?.strip_suffix("k_tokens")?;
    thousands.parse::<u64>().ok()?.checked_mul(1000)
}

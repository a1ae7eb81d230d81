//! From which load on own GPUs are cheaper than an API.

use crate::provider::{Bucket, ProviderPrice};
use crate::split::{CLASSES, Class, Quantities};
use crate::unit::Units;

/// What an API asks for one token of each class; None where it has no price for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApiPrices {
    /// Money for one uncached prompt token.
    pub uncached_prompt: Option<f64>,
    /// Money for one cached prompt token.
    pub cached_prompt: Option<f64>,
    /// Money for one generated token.
    pub generated: Option<f64>,
    /// Money for one request; most ask none.
    pub request: f64,
}

impl ApiPrices {
    /// The prices of a model in a provider's map, of requests of the usual length.
    pub fn of_provider(price: &ProviderPrice) -> Self {
        let of = |bucket: Bucket| price.per_token.get(bucket.place()).copied().flatten();
        Self {
            uncached_prompt: of(Bucket::FreshInput),
            // Who has no price of its own for cached input asks the full one.
            cached_prompt: of(Bucket::CacheRead).or_else(|| of(Bucket::FreshInput)),
            generated: of(Bucket::Output),
            request: 0.0,
        }
    }

    fn of(&self, class: Class) -> Option<f64> {
        match class {
            Class::UncachedPrompt => self.uncached_prompt,
            Class::CachedPrompt => self.cached_prompt,
            Class::Generated => self.generated,
            Class::Requests => Some(self.request),
        }
    }

    /// What the API would ask for all of it; None where it has no price for a class that occurs.
    pub fn cost(&self, quantities: &Quantities) -> Option<f64> {
        let mut cost = 0.0;
        for (class, amount) in Class::ALL.into_iter().zip(quantities) {
            if *amount > 0.0 {
                cost += amount * self.of(class)?;
            }
        }
        Some(cost)
    }
}

/// What own GPUs cost and carry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Money for an hour of all GPUs, idle ones among them.
    pub per_hour: f64,
    /// Work of an hour now, by class.
    pub now_per_hour: Quantities,
    /// How many times as much the GPUs could carry at the same mix; at least 1.
    pub headroom: f64,
}

impl Load {
    /// The load of a model over a period of `period_s`. None without a price, without counts, or
    /// without steps in which it is seen what the GPUs can do.
    pub fn of_units(units: &Units, period_s: f64) -> Option<Self> {
        let now = units.per_useful_token.first().copied().flatten()?;
        let amount = units.line.amount()?;
        let mut now_per_hour = [0.0; CLASSES];
        for cost in &units.classes {
            // What was counted in a part of the time stands for all of it.
            let count = cost.count / now.covered.clamp(f64::MIN_POSITIVE, 1.0);
            *now_per_hour.get_mut(cost.class.place())? = count * 3600.0 / period_s;
        }
        let sound = period_s > 0.0 && units.at_saturation? > 0.0;
        sound.then_some(Self {
            per_hour: amount * 3600.0 / period_s,
            now_per_hour,
            headroom: (now.cost / units.at_saturation?).max(1.0),
        })
    }
}

/// Own GPUs beside an API.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakEven {
    /// Money for an hour of own GPUs.
    pub own_per_hour: f64,
    /// What the API would ask for the work of an hour now.
    pub api_per_hour: f64,
    /// What it would ask for the work of an hour at saturation.
    pub api_per_hour_saturated: f64,
    /// Load now, as a share of saturation.
    pub utilization: f64,
    /// Load from which on own GPUs are cheaper; above 1 they never are.
    pub break_even: f64,
    /// Requests per second at that load; None where requests are not counted.
    pub break_even_requests_per_s: Option<f64>,
}

impl BreakEven {
    /// Compares. None where the API has no price for a class that occurs, or would ask nothing.
    pub fn of(load: &Load, api: &ApiPrices) -> Option<Self> {
        let now = api.cost(&load.now_per_hour)?;
        let saturated = now * load.headroom;
        if saturated <= 0.0 {
            return None;
        }
        let break_even = load.per_hour / saturated;
        let requests = load.now_per_hour.get(Class::Requests.place()).copied().unwrap_or_default();
        let saturated_requests = requests * load.headroom / 3600.0;
        Some(Self {
            own_per_hour: load.per_hour,
            api_per_hour: now,
            api_per_hour_saturated: saturated,
            utilization: 1.0 / load.headroom,
            break_even,
            break_even_requests_per_s: (requests > 0.0).then_some(saturated_requests * break_even),
        })
    }

    /// Whether own GPUs are cheaper at the load of now.
    pub fn is_cheaper_now(&self) -> bool {
        self.own_per_hour <= self.api_per_hour
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ledger, Options};
    use crate::unit::{Energy, models};

    fn api() -> ApiPrices {
        ApiPrices {
            uncached_prompt: Some(1e-6),
            cached_prompt: Some(1e-7),
            generated: Some(4e-6),
            request: 0.0,
        }
    }

    #[test]
    fn the_break_even_is_where_both_cost_the_same() {
        let load = Load { per_hour: 16.0, now_per_hour: [1e6, 0.0, 1e6, 3600.0], headroom: 4.0 };
        let found = BreakEven::of(&load, &api()).unwrap();
        assert!((found.api_per_hour - 5.0).abs() < 1e-12 && !found.is_cheaper_now());
        assert!((found.break_even - 0.8).abs() < 1e-12);
        assert!((found.break_even_requests_per_s.unwrap() - 3.2).abs() < 1e-12);
        assert_eq!(found.utilization, 0.25);
        let at = Load { now_per_hour: load.now_per_hour.map(|amount| amount * 3.2), ..load };
        assert!((api().cost(&at.now_per_hour).unwrap() - 16.0).abs() < 1e-9);
    }

    #[test]
    fn a_map_has_the_prices_of_its_models() {
        let text = r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}}"#;
        let map = crate::provider::PriceMap::read(text, 0).unwrap();
        let prices = ApiPrices::of_provider(map.get(None, "m").unwrap());
        assert_eq!(prices, ApiPrices { cached_prompt: Some(1e-6), ..api() });
    }

    #[test]
    fn a_class_without_a_price_leaves_the_answer_unknown() {
        let load = Load { per_hour: 16.0, now_per_hour: [1e6, 1.0, 1e6, 0.0], headroom: 1.0 };
        assert_eq!(BreakEven::of(&load, &ApiPrices { cached_prompt: None, ..api() }), None);
        let found = BreakEven::of(&load, &api()).unwrap();
        assert_eq!(found.break_even_requests_per_s, None);
        assert!(found.break_even > 1.0);
    }

    #[test]
    fn a_ledger_says_its_own_load() {
        let facts = crate::ledger::tests::deepseek();
        let book = crate::price::PriceBook::embedded();
        let units = models(&Ledger::build(&facts, &book, &Options::default()), &Energy::default());
        let load = Load::of_units(&units[0], 86_400.0).unwrap();
        assert!((load.per_hour - 3628.0).abs() < 1e-6);
        // Every second is busy: there is no headroom, but for rounding.
        assert!((load.headroom - 1.0).abs() < 1e-9);
        assert!((load.now_per_hour[2] - 7e9).abs() < 1.0);
    }
}

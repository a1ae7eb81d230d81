//! `[cost]`: what GPUs cost and what a useful token is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_cost::facts::Terms;
use strata_cost::ledger;
use strata_cost::price::Term;
use strata_cost::unit::Energy;
use strata_cost::useful::Level;
use strata_model::Problem;
use strata_model::text::parse_duration;

/// The ledger: prices, and what counts as useful.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CostOptions {
    /// Whether GPU seconds are priced.
    pub(crate) enabled: bool,
    /// The one currency of the ledger, an ISO 4217 code. Prices in another are not used.
    pub(crate) currency: String,
    /// A file of your own prices, `[[price]]` rows in TOML; they are asked before the published ones.
    pub(crate) prices: Option<PathBuf>,
    /// Price files of clouds in the CSV that OpenCost reads, in the ledger's currency; they are asked after
    /// your own prices and before the published ones.
    pub(crate) price_files: Vec<PathBuf>,
    /// Who rents the GPUs out, as the price rows name it.
    pub(crate) provider: Option<String>,
    /// Region of nodes that do not say where they are.
    pub(crate) region: Option<String>,
    /// How GPUs are paid for: `on_demand`, `spot`, `reserved_1y`, `reserved_3y` or `owned`.
    pub(crate) term: Option<String>,
    /// From which level on a token is useful: `generated` (U0), `delivered` (U1) or `within_slo` (U2).
    pub(crate) useful: String,
    /// How long a first token may take for its request to be within its objective, for example "1s".
    pub(crate) ttft_objective: String,
    /// Share of delivered tokens whose request shall be within its objective; what is left of 1 is the
    /// error budget of thirty days.
    pub(crate) slo_target: f64,
    /// Energy of a whole node over that of its GPUs, for example 1.3.
    pub(crate) node_over_gpus: Option<f64>,
    /// Energy of the building over that of its nodes (PUE), for example 1.2.
    pub(crate) pue: Option<f64>,
    /// Grams of CO2 for a kilowatt-hour of the grid.
    pub(crate) grams_per_kwh: Option<f64>,
    /// Money for a kilowatt-hour at the meter, for advice about power.
    pub(crate) per_kwh: Option<f64>,
    /// A price map of API providers in the format of `LiteLLM`, to compare own GPUs with.
    pub(crate) api_prices: Option<PathBuf>,
    /// Own models and the model of the price map that each is compared with.
    pub(crate) compare: BTreeMap<String, String>,
    /// Generated tokens per second that one GPU of a model carries within its objective, from a load
    /// test: without it nobody can say how many replicas are too many.
    pub(crate) capacity: BTreeMap<String, f64>,
    /// A file of what tokens are sold for, `[[sell]]` rows in TOML. Without it statements are at cost.
    pub(crate) tariff: Option<PathBuf>,
    /// What may be spent.
    pub(crate) budget: Vec<BudgetOptions>,
}

/// Money for a period of the calendar, in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetOptions {
    /// Whose it is, or what for.
    pub(crate) name: String,
    /// Money for the whole period, in the ledger's currency.
    pub(crate) amount: f64,
    /// `day`, `week` (from Monday) or `month`.
    #[serde(default)]
    pub(crate) period: BudgetPeriod,
    /// Only what is spent on this namespace; on everything when left out.
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    /// Only what is spent on this model.
    #[serde(default)]
    pub(crate) model: Option<String>,
}

/// [`BudgetOptions`] checked.
pub(crate) type BudgetSettings = BudgetOptions;

/// A period of the calendar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BudgetPeriod {
    Day,
    Week,
    #[default]
    Month,
}

impl BudgetPeriod {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

impl Default for CostOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            currency: "USD".to_owned(),
            prices: None,
            price_files: Vec::new(),
            provider: None,
            region: None,
            term: None,
            useful: "delivered".to_owned(),
            ttft_objective: "1s".to_owned(),
            slo_target: 0.99,
            node_over_gpus: None,
            pue: None,
            grams_per_kwh: None,
            per_kwh: None,
            api_prices: None,
            compare: BTreeMap::new(),
            capacity: BTreeMap::new(),
            tariff: None,
            budget: Vec::new(),
        }
    }
}

/// [`CostOptions`] checked. The price file is read when the program starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CostSettings {
    pub(crate) enabled: bool,
    pub(crate) prices: Option<PathBuf>,
    pub(crate) price_files: Vec<PathBuf>,
    pub(crate) terms: Terms,
    pub(crate) ledger: ledger::Options,
    pub(crate) ttft_objective: Duration,
    /// Above 0, below 1.
    pub(crate) slo_target: f64,
    pub(crate) energy: Energy,
    pub(crate) per_kwh: Option<f64>,
    pub(crate) api_prices: Option<PathBuf>,
    pub(crate) compare: BTreeMap<String, String>,
    pub(crate) capacity: BTreeMap<String, f64>,
    pub(crate) tariff: Option<PathBuf>,
    pub(crate) budgets: Vec<BudgetSettings>,
}

/// Words for the levels that an engine's counters can tell.
const LEVELS: [(&str, Level); 3] = [
    ("generated", Level::Generated),
    ("delivered", Level::Delivered),
    ("within_slo", Level::WithinSlo),
];

impl CostOptions {
    /// Read and check.
    ///
    /// # Errors
    /// All problems, each naming its field.
    pub(crate) fn validate(&self) -> Result<CostSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let code = &self.currency;
        if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            problems.push(Problem::new("currency", format!("{code:?} is no code like USD or EUR")));
        }
        let term = self.term.as_ref().and_then(|word| {
            let known = Term::ALL.iter().find(|(name, _)| name == word);
            if known.is_none() {
                let names: Vec<_> = Term::ALL.iter().map(|(name, _)| *name).collect();
                let message = format!("{word:?} is none of {}", names.join(", "));
                problems.push(Problem::new("term", message));
            }
            known.map(|(_, term)| *term)
        });
        let level = LEVELS.iter().find(|(name, _)| *name == self.useful).map(|(_, level)| *level);
        if level.is_none() {
            let names = LEVELS.map(|(name, _)| name).join(", ");
            problems.push(Problem::new("useful", format!("{:?} is none of {names}", self.useful)));
        }
        let ttft_objective = match parse_duration(&self.ttft_objective) {
            Ok(limit) if !limit.is_zero() => limit,
            Ok(_) => {
                problems.push(Problem::new("ttft_objective", "must not be 0"));
                Duration::ZERO
            }
            Err(message) => {
                problems.push(Problem::new("ttft_objective", message));
                Duration::ZERO
            }
        };
        if !(self.slo_target > 0.0 && self.slo_target < 1.0) {
            problems.push(Problem::new("slo_target", "must be above 0 and below 1, as 0.99"));
        }
        let factors = [("node_over_gpus", self.node_over_gpus), ("pue", self.pue)];
        for (field, value) in factors {
            if value.is_some_and(|value| !(1.0..=10.0).contains(&value)) {
                problems.push(Problem::new(field, "must be from 1 to 10"));
            }
        }
        if self.grams_per_kwh.is_some_and(|grams| !(0.0..=5000.0).contains(&grams)) {
            problems.push(Problem::new("grams_per_kwh", "must be from 0 to 5000"));
        }
        problems.extend(self.problems_of_budgets());
        problems.extend(self.problems_of_comparisons());
        let Some(level) = level.filter(|_| problems.is_empty()) else { return Err(problems) };
        Ok(CostSettings {
            enabled: self.enabled,
            prices: self.prices.clone(),
            price_files: self.price_files.clone(),
            terms: Terms {
                provider: self.provider.clone(),
                region: self.region.clone(),
                term,
                ..Terms::default()
            },
            ledger: ledger::Options { currency: self.currency.clone(), level },
            ttft_objective,
            slo_target: self.slo_target,
            energy: Energy {
                node_over_gpus: self.node_over_gpus,
                pue: self.pue,
                grams_per_kwh: self.grams_per_kwh,
            },
            per_kwh: self.per_kwh,
            api_prices: self.api_prices.clone(),
            compare: self.compare.clone(),
            capacity: self.capacity.clone(),
            tariff: self.tariff.clone(),
            budgets: self.budget.clone(),
        })
    }

    fn problems_of_comparisons(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.per_kwh.is_some_and(|price| !(0.0..=100.0).contains(&price)) {
            problems.push(Problem::new("per_kwh", "must be from 0 to 100"));
        }
        if self.api_prices.is_none() && !self.compare.is_empty() {
            problems.push(Problem::new("compare", "needs api_prices, the map of their prices"));
        }
        for (model, tokens) in &self.capacity {
            if !(tokens.is_finite() && *tokens > 0.0) {
                problems.push(Problem::new(format!("capacity.{model}"), "must be above 0"));
            }
        }
        problems
    }

    fn problems_of_budgets(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (at, budget) in self.budget.iter().enumerate() {
            let mut wrong = |field: &str, message: &str| {
                problems.push(Problem::new(format!("budget[{at}].{field}"), message));
            };
            if budget.name.is_empty() {
                wrong("name", "give the budget a name");
            }
            if self.budget.iter().take(at).any(|other| other.name == budget.name) {
                wrong("name", "another budget has this name");
            }
            if !(budget.amount.is_finite() && budget.amount > 0.0) {
                wrong("amount", "must be above 0");
            }
        }
        problems
    }
}

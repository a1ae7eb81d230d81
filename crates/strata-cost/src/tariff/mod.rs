//! Tokens as a service: a tariff, and the statements written by it.

mod assumed;
mod read;
mod statement;

pub use assumed::Assumed;
pub use read::STANDARD;
pub use statement::{Closed, Draft, StatementError, StatementLine, at_cost, verify};

use std::collections::BTreeMap;

use strata_model::Problem;

use crate::split::{CLASSES, Class};

/// What a customer is asked for one model in one tier of service.
#[derive(Debug, Clone, PartialEq)]
pub struct TariffRow {
    /// Model.
    pub model: String,
    /// Tier of service, with an SLO of its own: `interactive`, `batch`.
    pub tier: String,
    /// Money for a million tokens, and for a thousand requests; None where the class is not sold.
    pub per_unit: [Option<f64>; CLASSES],
    /// Money for one reserved GPU hour, beside what is used; None where hours are not sold.
    pub per_reserved_gpu_hour: Option<f64>,
}

/// Tokens that a class is sold by.
pub const TOKENS_PER_UNIT: f64 = 1e6;
/// Requests that they are sold by.
pub const REQUESTS_PER_UNIT: f64 = 1e3;

/// Number of tokens or requests that one price is for.
pub fn per_unit(class: Class) -> f64 {
    if class == Class::Requests { REQUESTS_PER_UNIT } else { TOKENS_PER_UNIT }
}

/// All that is sold, in one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Tariff {
    /// Name and edition: `2026-04`.
    pub name: String,
    /// ISO 4217 code.
    pub currency: String,
    /// What is sold.
    pub rows: Vec<TariffRow>,
}

/// What one customer used of one model in one tier.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Model.
    pub model: String,
    /// Tier of service.
    pub tier: String,
    /// Tokens and requests by class; None where nobody counted them.
    pub quantities: [Option<f64>; CLASSES],
    /// GPU hours that were reserved.
    pub reserved_gpu_hours: f64,
}

impl Tariff {
    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen = BTreeMap::new();
        for (at, row) in self.rows.iter().enumerate() {
            let path = format!("rows[{at}]");
            if let Some(before) = seen.insert((&row.model, &row.tier), at) {
                let message = format!("rows[{before}] sells the same model in the same tier");
                problems.push(Problem::new(path.clone(), message));
            }
            let prices = row.per_unit.iter().flatten().chain(&row.per_reserved_gpu_hour);
            for price in prices.filter(|price| !price.is_finite() || **price < 0.0) {
                problems.push(Problem::new(path.clone(), format!("{price} is not a price")));
            }
        }
        problems
    }

    /// Lines for what a customer used, and what the tariff does not sell or nobody counted: that is
    /// told, and never given away for nothing.
    pub fn lines(&self, usage: &[Usage]) -> (Vec<StatementLine>, Vec<Problem>) {
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        for (at, used) in usage.iter().enumerate() {
            let mut wrong =
                |message: String| problems.push(Problem::new(format!("usage[{at}]"), message));
            let row = self.rows.iter().find(|row| row.model == used.model && row.tier == used.tier);
            let Some(row) = row else {
                wrong(format!("{} is not sold in tier {}", used.model, used.tier));
                continue;
            };
            for (class, amount) in Class::ALL.into_iter().zip(used.quantities) {
                let price = row.per_unit.get(class.place()).copied().flatten();
                match (amount, price) {
                    // Requests are counted everywhere and sold by few.
                    (Some(amount), None) if amount > 0.0 && class != Class::Requests => {
                        wrong(format!("{} of {} is not sold", class.name(), used.model));
                    }
                    (None, Some(price)) if price > 0.0 => {
                        wrong(format!("{} of {} is not counted", class.name(), used.model));
                    }
                    (Some(amount), Some(price)) if amount > 0.0 => {
                        let quantity = amount / per_unit(class);
                        lines.push(StatementLine::new(used, class.name(), quantity, price));
                    }
                    _ => {}
                }
            }
            if used.reserved_gpu_hours > 0.0 {
                let hours = used.reserved_gpu_hours;
                match row.per_reserved_gpu_hour {
                    Some(price) => {
                        lines.push(StatementLine::new(used, "reserved_gpu_hours", hours, price));
                    }
                    None => wrong(format!("reserved_gpu_hours of {} are not sold", used.model)),
                }
            }
        }
        (lines, problems)
    }
}

//! What FOCUS demands of a file, as far as our columns go.

use strata_model::Problem;

use crate::csv;
use crate::time::instant_ms;

/// Columns that must be there and may not be null (FOCUS 1.2, column library).
const NOT_NULL: [&str; 18] = [
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "ChargeDescription",
];
/// Columns that must be there, null or not.
const PRESENT: [&str; 4] = ["BillingAccountName", "ChargeClass", "PricingQuantity", "PricingUnit"];
const NUMBERS: [&str; 8] = [
    "BilledCost",
    "ConsumedQuantity",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
];
/// Columns that must be null where there is no price.
const NEED_A_PRICE: [&str; 6] = [
    "ConsumedQuantity",
    "ContractedUnitPrice",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
];
const CHOICES: [(&str, &[&str]); 5] = [
    ("ChargeCategory", &["Adjustment", "Credit", "Purchase", "Tax", "Usage"]),
    ("ChargeClass", &["Correction"]),
    ("ChargeFrequency", &["One-Time", "Recurring", "Usage-Based"]),
    ("PricingCategory", &["Standard", "Dynamic", "Committed", "Other"]),
    ("ServiceCategory", &SERVICES),
];
const SERVICES: [&str; 19] = [
    "AI and Machine Learning",
    "Analytics",
    "Business Applications",
    "Compute",
    "Databases",
    "Developer Tools",
    "Identity",
    "Integration",
    "Internet of Things",
    "Management and Governance",
    "Media",
    "Migration",
    "Mobile",
    "Multicloud",
    "Networking",
    "Other",
    "Security",
    "Storage",
    "Web",
];
/// Problems at most: the first hundred tell what is wrong with a file.
const MAX_PROBLEMS: usize = 100;

/// Every way in which a CSV is not FOCUS: missing columns and values, numbers and dates that are
/// none, values that are none of the allowed, periods that end before they begin, costs that are
/// not price times quantity.
pub fn validate(text: &str) -> Vec<Problem> {
    let mut rows = csv::rows(text).into_iter();
    let header = rows.next().unwrap_or_default();
    let mut problems: Vec<Problem> = NOT_NULL
        .iter()
        .chain(&PRESENT)
        .filter(|column| !header.iter().any(|cell| cell == *column))
        .map(|column| Problem::new(*column, "the column is missing"))
        .collect();
    for (at, cells) in rows.enumerate() {
        let line = Line { header: &header, cells: &cells };
        let found = line.problems();
        problems.extend(found.into_iter().map(|one| one.within(&format!("line {}", at + 2))));
        if problems.len() >= MAX_PROBLEMS {
            problems.truncate(MAX_PROBLEMS);
            break;
        }
    }
    problems
}

struct Line<'a> {
    header: &'a [String],
    cells: &'a [String],
}

impl Line<'_> {
    /// The value of a column; None where it is null or not there.
    fn get(&self, column: &str) -> Option<&str> {
        let at = self.header.iter().position(|cell| cell == column)?;
        self.cells.get(at).map(String::as_str).filter(|cell| !cell.is_empty())
    }

    fn number(&self, column: &str) -> Option<f64> {
        self.get(column)?.parse().ok()
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |column: &str, message: &str| problems.push(Problem::new(column, message));
        if self.cells.len() != self.header.len() {
            wrong("", "has not as many cells as the header");
        }
        for column in NOT_NULL {
            if self.header.iter().any(|cell| cell == column) && self.get(column).is_none() {
                wrong(column, "is null");
            }
        }
        for column in NUMBERS {
            if self.get(column).is_some() && !self.number(column).is_some_and(f64::is_finite) {
                wrong(column, "is not a number");
            }
        }
        for (column, choices) in CHOICES {
            if self.get(column).is_some_and(|value| !choices.contains(&value)) {
                wrong(column, "is none of the allowed values");
            }
        }
        for kind in ["Billing", "Charge"] {
            let at = |end: &str| self.get(&format!("{kind}Period{end}")).and_then(instant_ms);
            match (at("Start"), at("End")) {
                (Some(start), Some(end)) if start < end => {}
                _ => wrong(&format!("{kind}PeriodEnd"), "is not a date after the period's start"),
            }
        }
        if self.get("BillingCurrency").is_some_and(|code| code.len() != 3) {
            wrong("BillingCurrency", "is not a currency code");
        }
        let tags = self.get("Tags").map(serde_json::from_str::<serde_json::Map<_, _>>);
        if tags.is_some_and(|tags| tags.is_err()) {
            wrong("Tags", "is not a JSON object");
        }
        if self.get("SkuPriceId").is_none() {
            for column in NEED_A_PRICE.into_iter().filter(|column| self.get(column).is_some()) {
                wrong(column, "must be null where SkuPriceId is");
            }
        }
        for kind in ["List", "Contracted"] {
            let price = self.number(&format!("{kind}UnitPrice"));
            let product = price.zip(self.number("PricingQuantity")).map(|(one, many)| one * many);
            let cost = self.number(&format!("{kind}Cost"));
            if let Some((product, cost)) = product.zip(cost)
                && (product - cost).abs() > 1e-6 * cost.abs().max(1e-9)
            {
                wrong(&format!("{kind}Cost"), "is not unit price times pricing quantity");
            }
        }
        problems
    }
}

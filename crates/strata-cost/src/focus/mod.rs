//! The ledger as FOCUS rows, the `FinOps` Open Cost and Usage Specification.
//!
//! Columns are those of FOCUS 1.2, which 1.3 keeps; what FOCUS has no column for is in columns that
//! begin with `x_`, as it asks for. The rows of an export add up to the ledger's bill.

mod rows;
#[cfg(test)]
mod tests;
mod validate;

pub use rows::{Export, FocusOptions, export};
pub use validate::validate;

use crate::csv;

/// Columns in the order in which they are written.
pub const COLUMNS: [&str; 53] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_CostMethod",
    "x_EnergyJ",
    "x_GpuSeconds",
    "x_Model",
    "x_PriceConfidence",
    "x_PriceDate",
    "x_PriceSource",
    "x_Replica",
    "x_State",
    "x_TokenClass",
    "x_TrainingRun",
    "x_UsefulLevel",
];

/// One row; a column without a value is null.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<Option<String>>);

impl Default for Row {
    fn default() -> Self {
        Self(vec![None; COLUMNS.len()])
    }
}

impl Row {
    /// The value of a column.
    pub fn get(&self, column: &str) -> Option<&str> {
        let at = COLUMNS.iter().position(|known| *known == column)?;
        self.0.get(at)?.as_deref()
    }

    fn set(&mut self, column: &str, value: impl Into<String>) {
        let at = COLUMNS.iter().position(|known| *known == column);
        debug_assert!(at.is_some(), "FOCUS rows have no column {column}");
        if let Some(place) = at.and_then(|at| self.0.get_mut(at)) {
            *place = Some(value.into());
        }
    }

    fn set_number(&mut self, column: &str, value: f64) {
        // Display writes the shortest decimal that reads back as the same number, never an exponent.
        self.set(column, format!("{value}"));
    }
}

/// The rows as CSV with a header. Null is an empty cell.
pub fn to_csv(rows: &[Row]) -> String {
    let mut out = String::new();
    csv::write_row(&mut out, COLUMNS);
    for row in rows {
        csv::write_row(&mut out, row.0.iter().map(|cell| cell.as_deref().unwrap_or_default()));
    }
    out
}

//! What a reader must be told of a ledger beside its numbers.

use super::Ledger;
use strata_world::bill::BillTenant;

/// Remarks at most: the rest is told as a number.
const REMARKS_MAX: usize = 20;

impl Ledger {
    /// In words: uses of tenants that no replica is known to have served, with their amounts.
    pub fn remarks(&self) -> Vec<String> {
        let remark = |one: &BillTenant| {
            let tokens = one.tokens().map(|tokens| format!("{tokens:.0} tokens"));
            let tokens = tokens.unwrap_or_else(|| "an unknown number of tokens".to_owned());
            let (tenant, model) = (&one.tenant, &one.model);
            format!(
                "{tokens} of tenant {tenant} are of model {model}, of which no replica is known"
            )
        };
        let mut told: Vec<String> = self.unplaced.iter().take(REMARKS_MAX).map(remark).collect();
        if self.unplaced.len() > REMARKS_MAX {
            let more = self.unplaced.len() - REMARKS_MAX;
            told.push(format!("{more} more tenants' uses find no replica"));
        }
        told
    }
}

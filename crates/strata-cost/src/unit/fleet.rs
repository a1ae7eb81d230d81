//! The north star: what a useful token costs, all of it together.

use super::{UnitCost, Units};
use crate::ledger::Ledger;
use crate::sum::sum;
use crate::useful::{LEVELS, Level};

/// Money of everything that tokens must pay for (down, unallocated, idle and unattributed GPUs, not
/// those of holders who are known to serve no model) over the useful tokens of all models, by level. None where a second has no price, or where a model does not count its
/// tokens at the level: what it serves would be missing below and its money is above.
pub fn fleet(ledger: &Ledger, units: &[Units]) -> [Option<UnitCost>; LEVELS] {
    let others = ledger.cells.iter().filter(|cell| {
        ledger.owner(cell).is_some_and(|owner| {
            owner.replica.is_none() && owner.model.is_none() && owner.pod.is_some()
        })
    });
    let elsewhere = sum(others.map(crate::ledger::Cell::amount));
    Level::ALL.map(|level| {
        let costs: Option<Vec<UnitCost>> = units
            .iter()
            .filter(|units| units.line.gpu_s() > 0.0)
            .map(|units| units.per_useful_token.get(level.place()).copied().flatten())
            .collect();
        let costs = costs?;
        let count = sum(costs.iter().map(|cost| cost.count));
        let counted = sum(costs.iter().map(|cost| cost.cost * cost.count));
        let whole = sum(units.iter().map(|units| sum(units.line.money)));
        if ledger.bill.unpriced_s > 0.0 || count <= 0.0 || whole <= 0.0 {
            return None;
        }
        let covered = counted / whole;
        let money = ledger.bill.money - elsewhere;
        Some(UnitCost { cost: money * covered / count, count, covered })
    })
}

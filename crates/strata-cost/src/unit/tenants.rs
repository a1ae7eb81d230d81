//! What each tenant of a shared replica costs.

use std::collections::BTreeMap;

use crate::facts::TenantUse;
use crate::ledger::{Dimension, Ledger, Line, UNATTRIBUTED};
use crate::split::{CLASSES, Quantities, Split};
use crate::sum::Sum;

/// What one tenant had of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantLine {
    /// Tenant; [`UNATTRIBUTED`] for what no tenant's tokens explain.
    pub tenant: String,
    /// Model.
    pub model: String,
    /// Work by class.
    pub quantities: Quantities,
    /// GPU seconds, idle ones of the replica among them.
    pub gpu_s: f64,
    /// Money by class, idle time among it; the part that no class carries is in `other`.
    pub money: Quantities,
    /// Money that no token class carries: replicas without a split or without counts.
    pub other: f64,
    /// Its part of the replicas' time and money by state.
    pub line: Line,
}

impl TenantLine {
    /// All of its money.
    pub fn amount(&self) -> f64 {
        crate::sum::sum(self.money.into_iter().chain([self.other]))
    }
}

#[derive(Default)]
struct Growing {
    quantities: [Sum; CLASSES],
    gpu_s: Sum,
    money: [Sum; CLASSES],
    other: Sum,
    lines: Vec<Line>,
}

/// Shares every replica's time and money among its tenants by the work that their tokens were.
/// What remains of the replica's own counters is unattributed; replicas that no tenant's use is
/// known of belong to their holder's tenant. The lines add up to the money of all replicas.
pub fn tenants(ledger: &Ledger) -> Vec<TenantLine> {
    let mut uses: BTreeMap<usize, Vec<&TenantUse>> = BTreeMap::new();
    for one in &ledger.uses {
        uses.entry(one.replica).or_default().push(one);
    }
    let mut holders: BTreeMap<usize, &str> = BTreeMap::new();
    for owner in &ledger.owners {
        if let (Some(replica), Some(tenant)) = (owner.replica, &owner.tenant) {
            holders.insert(replica, tenant);
        }
    }
    let mut lines: BTreeMap<(String, String), Growing> = BTreeMap::new();
    for (at, (replica, line)) in ledger.replicas.iter().zip(ledger.by_replica()).enumerate() {
        let split = ledger.engines.get(replica.engine).and_then(|engine| engine.split.as_ref());
        let measured = replica.quantities.map(|counted| counted.value);
        let mut open = |tenant: &str, quantities: Option<Quantities>, share: f64| {
            let growing = lines.entry((tenant.to_owned(), replica.model.clone())).or_default();
            growing.add(&line, split, quantities, share);
        };
        let used = uses.get(&at).map(Vec::as_slice).unwrap_or_default();
        let (Some(split), false) = (split, used.is_empty()) else {
            let tenant = if used.is_empty() { holders.get(&at).copied() } else { None };
            open(tenant.unwrap_or(UNATTRIBUTED), measured, 1.0);
            continue;
        };
        let work = |one: &TenantUse| quantities(one).map_or(0.0, |amounts| split.work(&amounts));
        let explained: f64 = used.iter().map(|one| work(one)).sum();
        let whole = measured.map_or(explained, |all| split.work(&all)).max(explained);
        if whole <= 0.0 {
            open(UNATTRIBUTED, measured, 1.0);
            continue;
        }
        for one in used {
            open(&one.tenant, quantities(one), work(one) / whole);
        }
        let rest = measured.map(|all| left_over(all, used));
        open(UNATTRIBUTED, rest, 1.0 - explained / whole);
    }
    lines.into_iter().filter_map(|(keys, growing)| growing.line(keys)).collect()
}

/// The whole ledger by tenant and model, those of shared replicas told apart: the lines add up to the
/// bill.
pub fn by_tenant(ledger: &Ledger) -> Vec<((String, String), Line)> {
    let mut groups: BTreeMap<(String, String), Vec<Line>> = BTreeMap::new();
    for one in tenants(ledger) {
        groups.entry((one.tenant, one.model)).or_default().push(one.line);
    }
    for cell in &ledger.cells {
        let replica = ledger.owner(cell).and_then(|owner| owner.replica);
        if replica.is_none_or(|replica| replica >= ledger.replicas.len()) {
            let keys = [Dimension::Tenant, Dimension::Model].map(|by| ledger.key(cell, by));
            let [tenant, model] = keys;
            groups.entry((tenant, model)).or_default().push(Line::of_cells("", &[cell]));
        }
    }
    let line = |(keys, lines): ((String, String), Vec<Line>)| {
        let line = Line::merged(&keys.0, &lines);
        (keys, line)
    };
    groups.into_iter().map(line).collect()
}

/// Work of a use whose every token count is known; requests may be missing.
fn quantities(one: &TenantUse) -> Option<Quantities> {
    let prompt = one.prompt?;
    let cached = one.cached?.min(prompt);
    Some([prompt - cached, cached, one.generated?, one.requests.unwrap_or_default()])
}

fn left_over(mut all: Quantities, used: &[&TenantUse]) -> Quantities {
    for amounts in used.iter().filter_map(|one| quantities(one)) {
        all.iter_mut().zip(amounts).for_each(|(left, taken)| *left = (*left - taken).max(0.0));
    }
    all
}

impl Growing {
    fn add(&mut self, line: &Line, split: Option<&Split>, amounts: Option<Quantities>, share: f64) {
        let money = crate::sum::sum(line.money) * share;
        self.gpu_s.add(line.gpu_s() * share);
        self.lines.push(line.scaled(share));
        if let Some(amounts) = amounts {
            self.quantities.iter_mut().zip(amounts).for_each(|(all, one)| all.add(one));
        }
        let work =
            split.zip(amounts).map(|(split, amounts)| (split, amounts, split.work(&amounts)));
        let Some((split, amounts, work)) = work.filter(|(_, _, work)| *work > 0.0) else {
            self.other.add(money);
            return;
        };
        let cells = self.money.iter_mut().zip(amounts).zip(&split.per_unit);
        for ((cell, amount), price) in cells {
            cell.add(money * amount * price.unwrap_or_default() / work);
        }
    }

    /// None for a rest of nothing.
    fn line(self, (tenant, model): (String, String)) -> Option<TenantLine> {
        let line = TenantLine {
            tenant,
            model,
            quantities: self.quantities.map(Sum::value),
            gpu_s: self.gpu_s.value(),
            money: self.money.map(Sum::value),
            other: self.other.value(),
            line: Line::merged("", &self.lines),
        };
        let nothing = line.gpu_s == 0.0 && line.amount() == 0.0;
        (!nothing || line.quantities.iter().any(|amount| *amount > 0.0)).then_some(line)
    }
}

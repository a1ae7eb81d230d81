//! What each tenant of a shared replica costs.

use std::collections::BTreeMap;

use crate::facts::TenantUse;
use crate::ledger::{Dimension, Ledger, Line, UNATTRIBUTED};
use crate::split::{CLASSES, Class, Quantities, Split};
use crate::sum::Sum;

/// Tokens and requests by class; None where nobody counted them.
pub type Amounts = [Option<f64>; CLASSES];

/// What one tenant had of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantLine {
    /// Tenant; [`UNATTRIBUTED`] for what no tenant's tokens explain.
    pub tenant: String,
    /// Model.
    pub model: String,
    /// Work by class; None where nobody counted it.
    pub quantities: Amounts,
    /// GPU seconds, idle ones of the replica among them.
    pub gpu_s: f64,
    /// Money by class, idle time among it; the part that no class carries is in `other`.
    pub money: Quantities,
    /// Money that no token class carries: replicas without a split or without counts.
    pub other: f64,
    /// Its part of the replicas' time and money by state.
    pub line: Line,
    /// Whether some of its work was not counted or found no replica: time and money are then too
    /// little, and what is missing is with [`UNATTRIBUTED`].
    pub is_partial: bool,
}

impl TenantLine {
    /// All of its money.
    pub fn amount(&self) -> f64 {
        crate::sum::sum(self.money.into_iter().chain([self.other]))
    }
}

#[derive(Default)]
struct Growing {
    quantities: [Option<Sum>; CLASSES],
    gpu_s: Sum,
    money: [Sum; CLASSES],
    other: Sum,
    lines: Vec<Line>,
    is_partial: bool,
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
        let mut open = |tenant: &str, amounts: Amounts, share: f64, is_partial: bool| {
            let growing = lines.entry((tenant.to_owned(), replica.model.clone())).or_default();
            growing.add(&line, split, &amounts, share);
            growing.is_partial |= is_partial;
        };
        let used = uses.get(&at).map(Vec::as_slice).unwrap_or_default();
        let work = |amounts: &Quantities| split.map_or(0.0, |split| split.work(amounts));
        let of_use = |one: &TenantUse| work(&counted(&quantities(one)));
        let explained: f64 = used.iter().map(|one| of_use(one)).sum();
        let whole = measured.map_or(explained, |all| work(&all)).max(explained);
        let share = |part: f64| if whole > 0.0 { part / whole } else { 0.0 };
        for one in used {
            // Where nothing tells what tokens were worth, they are the tenant's all the same.
            open(&one.tenant, quantities(one), share(of_use(one)), whole <= 0.0);
        }
        let tenant = if used.is_empty() { holders.get(&at).copied() } else { None };
        let rest = measured.map_or([None; CLASSES], |all| left_over(all, used).map(Some));
        open(tenant.unwrap_or(UNATTRIBUTED), rest, 1.0 - share(explained), false);
    }
    for one in &ledger.unplaced {
        let growing = lines.entry((one.tenant.clone(), one.model.clone())).or_default();
        growing.count(&amounts([one.prompt, one.cached, one.generated, one.requests]));
        growing.is_partial = true;
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

/// Work by class, of prompt tokens, those of them that were cached, generated tokens and requests. Where
/// nobody counts the cached ones, prompts are of neither class.
pub fn amounts([prompt, cached, generated, requests]: [Option<f64>; 4]) -> Amounts {
    let cached = prompt.zip(cached).map(|(prompt, cached)| cached.min(prompt));
    let uncached = prompt.zip(cached).map(|(prompt, cached)| prompt - cached);
    [uncached, cached, generated, requests]
}

fn quantities(one: &TenantUse) -> Amounts {
    amounts([one.prompt, one.cached, one.generated, one.requests])
}

/// What was counted, for sums: what nobody counted explains nothing.
fn counted(amounts: &Amounts) -> Quantities {
    amounts.map(Option::unwrap_or_default)
}

fn left_over(mut all: Quantities, used: &[&TenantUse]) -> Quantities {
    for amounts in used.iter().map(|one| counted(&quantities(one))) {
        all.iter_mut().zip(amounts).for_each(|(left, taken)| *left = (*left - taken).max(0.0));
    }
    all
}

impl Growing {
    fn count(&mut self, amounts: &Amounts) {
        for (all, one) in self.quantities.iter_mut().zip(amounts) {
            if let Some(one) = one {
                all.get_or_insert_default().add(*one);
            }
        }
    }

    fn add(&mut self, line: &Line, split: Option<&Split>, amounts: &Amounts, share: f64) {
        let money = crate::sum::sum(line.money) * share;
        self.gpu_s.add(line.gpu_s() * share);
        self.lines.push(line.scaled(share));
        self.count(amounts);
        let costly = |class: Class| {
            split.is_none_or(|split| split.price(class).is_some_and(|price| price > 0.0))
        };
        let uncounted = |class: &Class| amounts.get(class.place()).is_some_and(Option::is_none);
        self.is_partial |= Class::ALL.iter().any(|class| uncounted(class) && costly(*class));
        let known = counted(amounts);
        let work = split.map(|split| (split, split.work(&known)));
        let Some((split, work)) = work.filter(|(_, work)| *work > 0.0) else {
            self.other.add(money);
            return;
        };
        let cells = self.money.iter_mut().zip(known).zip(&split.per_unit);
        for ((cell, amount), price) in cells {
            cell.add(money * amount * price.unwrap_or_default() / work);
        }
    }

    /// None for a rest of nothing.
    fn line(self, (tenant, model): (String, String)) -> Option<TenantLine> {
        let line = TenantLine {
            tenant,
            model,
            quantities: self.quantities.map(|sum| sum.map(Sum::value)),
            gpu_s: self.gpu_s.value(),
            money: self.money.map(Sum::value),
            other: self.other.value(),
            line: Line::merged("", &self.lines),
            is_partial: self.is_partial,
        };
        let nothing = line.gpu_s == 0.0 && line.amount() == 0.0;
        (!nothing || line.quantities.iter().flatten().any(|amount| *amount > 0.0)).then_some(line)
    }
}

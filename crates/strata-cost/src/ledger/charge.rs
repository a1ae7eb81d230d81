//! Who is charged what: what was held or used, and who bears what nobody used.

use std::collections::BTreeMap;

use super::{Cell, Dimension, Ledger, PLATFORM, Payer, State};
use crate::sum::{Sum, sum};

/// What a holder is charged for directly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Basis {
    /// What was reserved or used, whichever is more in each step.
    #[default]
    Held,
    /// What was reserved, used or not.
    Requested,
    /// What was used.
    Used,
}

impl Basis {
    /// All of them with their names in questions and answers.
    pub const ALL: [(&'static str, Self); 3] =
        [("held", Self::Held), ("requested", Self::Requested), ("used", Self::Used)];
}

/// Who bears what is not charged directly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdlePolicy {
    /// Each holder the idle time of its own hold; the platform the rest.
    #[default]
    Owner,
    /// All who are charged directly, in proportion to it.
    Proportional,
    /// The platform.
    Platform,
}

impl IdlePolicy {
    /// All of them with their names in questions and answers.
    pub const ALL: [(&'static str, Self); 3] = [
        ("owner", Self::Owner),
        ("proportional", Self::Proportional),
        ("platform", Self::Platform),
    ];
}

impl Dimension {
    /// Whether it tells who holds a GPU: charges go to these, not to hardware. Tenants of a shared
    /// replica hold nothing; they pay by their tokens.
    pub fn is_chargeable(self) -> bool {
        !matches!(self, Self::Tenant | Self::Node | Self::Sku | Self::Gpu)
    }
}

/// What one key is charged.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// The namespace, team, .., or [`PLATFORM`] or `unattributed`.
    pub key: String,
    /// Charged for what it held or used.
    pub direct: f64,
    /// Its part of what nobody used.
    pub idle: f64,
    /// GPU seconds without a price in what it bears: the charge is then a lower bound.
    pub unpriced_s: f64,
}

impl Charge {
    /// All of it, as far as it has a price.
    pub fn amount(&self) -> f64 {
        self.direct + self.idle
    }
}

#[derive(Default)]
struct Growing {
    direct: Sum,
    idle: Sum,
    unpriced_s: Sum,
}

impl Ledger {
    /// Charges by a dimension. Their sum is the bill, whatever basis and policy; the seconds without
    /// a price are all of the bill's. Time of which nothing tells whether a kernel ran is not used.
    pub fn charges(&self, dimension: Dimension, basis: Basis, policy: IdlePolicy) -> Vec<Charge> {
        let mut keys: BTreeMap<String, Growing> = BTreeMap::new();
        let (mut pool, mut unpriced_pool_s) = (Sum::default(), Sum::default());
        for cell in &self.cells {
            if cell.payer == Payer::Nobody {
                pool.add(cell.amount());
                unpriced_pool_s.add(cell.unpriced_s);
                continue;
            }
            let growing = keys.entry(self.key(cell, dimension)).or_default();
            growing.unpriced_s.add(cell.unpriced_s);
            // Time that nothing attributes has no basis: it is its payer's whole.
            if cell.payer == Payer::Unattributed {
                growing.direct.add(cell.amount());
                continue;
            }
            let direct = direct(cell, basis);
            let rest = cell.amount() - direct;
            growing.direct.add(direct);
            // Only by use is there idle time of one's own that is not charged yet. What somebody
            // worked beyond a reservation took the idle time of another: it evens out in the pool.
            if policy == IdlePolicy::Owner && basis == Basis::Used {
                growing.idle.add(rest);
            } else {
                pool.add(rest);
            }
        }
        let whole = sum(keys.values().map(|growing| growing.direct.value()));
        if policy == IdlePolicy::Proportional && whole > 0.0 {
            for growing in keys.values_mut() {
                let share = growing.direct.value() / whole;
                growing.idle.add(share * pool.value());
                growing.unpriced_s.add(share * unpriced_pool_s.value());
            }
        } else if pool.value() != 0.0 || unpriced_pool_s.value() != 0.0 {
            let platform = keys.entry(PLATFORM.to_owned()).or_default();
            platform.idle.merge(pool);
            platform.unpriced_s.merge(unpriced_pool_s);
        }
        let charge = |(key, growing): (String, Growing)| Charge {
            key,
            direct: growing.direct.value(),
            idle: growing.idle.value(),
            unpriced_s: growing.unpriced_s.value(),
        };
        keys.into_iter().map(charge).collect()
    }
}

fn direct(cell: &Cell, basis: Basis) -> f64 {
    match basis {
        Basis::Held => cell.amount(),
        Basis::Requested => cell.reserved_money,
        Basis::Used => {
            let busy = State::ALL.into_iter().zip(cell.money);
            sum(busy.filter(|(state, _)| state.is_busy()).map(|(_, money)| money))
        }
    }
}

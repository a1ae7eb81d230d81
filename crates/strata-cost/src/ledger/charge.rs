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

/// What one key is charged.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// The namespace, team, .., or [`PLATFORM`] or `unattributed`.
    pub key: String,
    /// Charged for what it held or used.
    pub direct: f64,
    /// Its part of what nobody used.
    pub idle: f64,
}

impl Charge {
    /// All of it.
    pub fn amount(&self) -> f64 {
        self.direct + self.idle
    }
}

#[derive(Default)]
struct Growing {
    direct: Sum,
    idle: Sum,
}

impl Ledger {
    /// Charges by a dimension. Their sum is the bill, whatever basis and policy.
    pub fn charges(&self, dimension: Dimension, basis: Basis, policy: IdlePolicy) -> Vec<Charge> {
        let mut keys: BTreeMap<String, Growing> = BTreeMap::new();
        let mut pool = Sum::default();
        for cell in &self.cells {
            if cell.payer == Payer::Nobody {
                pool.add(cell.amount());
                continue;
            }
            let growing = keys.entry(self.key(cell, dimension)).or_default();
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
            }
        } else if pool.value() != 0.0 {
            keys.entry(PLATFORM.to_owned()).or_default().idle.merge(pool);
        }
        let charge = |(key, growing): (String, Growing)| Charge {
            key,
            direct: growing.direct.value(),
            idle: growing.idle.value(),
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

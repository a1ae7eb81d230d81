//! The bill taken apart step by step: state, model, tenant, token class.

use std::collections::BTreeMap;

use super::tenants::{by_tenant, tenants};
use crate::ledger::{Ledger, Line, State};
use crate::split::Class;
use crate::sum::{Sum, sum};

/// What was chosen so far; None is all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path {
    /// State of the GPU seconds.
    pub state: Option<State>,
    /// Model of their holder.
    pub model: Option<String>,
    /// Tenant; of a shared replica by tokens.
    pub tenant: Option<String>,
}

/// What the parts of a path are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// States of GPU seconds.
    State,
    /// Models.
    Model,
    /// Tenants.
    Tenant,
    /// Token classes; the end of the path.
    Class,
}

impl Fork {
    /// Its name in questions and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Model => "model",
            Self::Tenant => "tenant",
            Self::Class => "token class",
        }
    }
}

/// What stands for the money that no token class carries.
pub const NO_CLASS: &str = "no class";

/// A part of what was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// State, model, tenant or class.
    pub key: String,
    /// GPU seconds; an idle one of a class is its part of the idle time.
    pub gpu_s: f64,
    /// Money, as far as it has a price.
    pub money: f64,
    /// Whether all of it has a price.
    pub is_priced: bool,
}

/// What was chosen, in parts that add up to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Forked {
    /// What the parts are.
    pub by: Fork,
    /// The parts, the dearest first.
    pub parts: Vec<Part>,
}

impl Path {
    /// What it is taken apart by next: the first that is not chosen.
    pub fn next(&self) -> Fork {
        match self {
            Self { state: None, .. } => Fork::State,
            Self { model: None, .. } => Fork::Model,
            Self { tenant: None, .. } => Fork::Tenant,
            _ => Fork::Class,
        }
    }

    /// States that are chosen.
    fn states(&self) -> impl Iterator<Item = State> {
        let chosen = self.state;
        State::ALL.into_iter().filter(move |state| chosen.is_none_or(|one| one == *state))
    }

    /// The parts of what is chosen. They add up to it, and so down to the bill: each step only groups
    /// what the step before it holds. Money of a state goes to token classes as all of the tenant's does.
    pub fn fork(&self, ledger: &Ledger) -> Forked {
        let by = self.next();
        let lines = by_tenant(ledger).into_iter().filter(|((tenant, model), _)| {
            let is_of = |chosen: &Option<String>, key: &String| {
                chosen.as_ref().is_none_or(|chosen| chosen == key)
            };
            is_of(&self.tenant, tenant) && is_of(&self.model, model)
        });
        let mut parts = match by {
            Fork::Class => self.classes(ledger, &lines.collect::<Vec<_>>()),
            _ => self.grouped(by, lines),
        };
        parts.retain(|part| part.gpu_s > 0.0 || part.money > 0.0);
        parts.sort_by(|a, b| b.money.total_cmp(&a.money).then(b.gpu_s.total_cmp(&a.gpu_s)));
        Forked { by, parts }
    }

    fn grouped(
        &self,
        by: Fork,
        lines: impl Iterator<Item = ((String, String), Line)>,
    ) -> Vec<Part> {
        let mut groups: BTreeMap<String, (Sum, Sum, bool)> = BTreeMap::new();
        for ((tenant, model), line) in lines {
            for state in self.states() {
                let key = match by {
                    Fork::State => state.name(),
                    Fork::Model => model.as_str(),
                    Fork::Tenant | Fork::Class => tenant.as_str(),
                };
                let seconds = line.seconds_in(state);
                let group =
                    groups.entry(key.to_owned()).or_insert((Sum::default(), Sum::default(), true));
                group.0.add(seconds);
                group.1.add(line.money_in(state));
                group.2 &= line.unpriced_s <= 0.0 || seconds <= 0.0;
            }
        }
        let part = |(key, (seconds, money, is_priced)): (String, (Sum, Sum, bool))| Part {
            key,
            gpu_s: seconds.value(),
            money: money.value(),
            is_priced,
        };
        groups.into_iter().map(part).collect()
    }

    fn classes(&self, ledger: &Ledger, lines: &[((String, String), Line)]) -> Vec<Part> {
        let whole = Line::merged("", lines.iter().map(|(_, line)| line));
        let seconds = sum(self.states().map(|state| whole.seconds_in(state)));
        let money = sum(self.states().map(|state| whole.money_in(state)));
        let is_priced = whole.unpriced_s <= 0.0;
        let found = tenants(ledger).into_iter().find(|line| {
            Some(&line.tenant) == self.tenant.as_ref() && Some(&line.model) == self.model.as_ref()
        });
        // What no replica of the pair made is carried by no class: it is in the whole, of which these
        // are shares.
        let all = whole.amount().unwrap_or_default();
        let mut left = 1.0;
        let mut parts = Vec::new();
        for class in Class::ALL {
            let carried = found.as_ref().and_then(|line| line.money.get(class.place())).copied();
            let share = carried.filter(|_| all > 0.0).map_or(0.0, |carried| carried / all);
            left -= share;
            let key = class.name().to_owned();
            parts.push(Part { key, gpu_s: seconds * share, money: money * share, is_priced });
        }
        // Rounding is nobody's.
        if left > 1e-9 {
            let key = NO_CLASS.to_owned();
            parts.push(Part { key, gpu_s: seconds * left, money: money * left, is_priced });
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Column, Facts, TenantUse};
    use crate::ledger::Options;
    use crate::price::PriceBook;
    use crate::unit::tests::facts;

    /// The replica of `m` with two tenants, and a GPU that nobody holds.
    fn shared() -> Facts {
        let mut facts = facts();
        let tenant = |name: &str, prompt, generated| TenantUse {
            replica: 0,
            tenant: name.into(),
            prompt: Some(prompt),
            cached: Some(0.0),
            generated: Some(generated),
            requests: Some(10.0),
        };
        facts.uses = vec![tenant("a", 6000.0, 1000.0), tenant("b", 2000.0, 2000.0)];
        let mut free = facts.gpus[0].clone();
        free.id = "free".into();
        free.claims.clear();
        free.allocated = Column::Constant(0.0);
        free.utilization = Column::Constant(0.0);
        facts.gpus.push(free);
        facts
    }

    fn ledger(facts: &Facts) -> Ledger {
        Ledger::build(facts, &PriceBook::embedded(), &Options::default())
    }

    fn money(forked: &Forked) -> f64 {
        sum(forked.parts.iter().map(|part| part.money))
    }

    #[test]
    fn every_step_adds_up_to_the_part_that_was_chosen_down_to_the_classes() {
        let ledger = ledger(&shared());
        let whole = Path::default().fork(&ledger);
        assert_eq!(whole.by, Fork::State);
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() <= 1e-9 * expected.max(1e-9), "{found} {expected}");
        };
        near(money(&whole), ledger.bill.money);
        let mut leaves = 0.0;
        for state in &whole.parts {
            let chosen = State::ALL.into_iter().find(|one| one.name() == state.key);
            let path = Path { state: chosen, ..Path::default() };
            let models = path.fork(&ledger);
            assert_eq!(models.by, Fork::Model);
            near(money(&models), state.money);
            for model in &models.parts {
                let path = Path { model: Some(model.key.clone()), ..path.clone() };
                let tenants = path.fork(&ledger);
                near(money(&tenants), model.money);
                for tenant in &tenants.parts {
                    let path = Path { tenant: Some(tenant.key.clone()), ..path.clone() };
                    let classes = path.fork(&ledger);
                    assert_eq!(classes.by, Fork::Class);
                    near(money(&classes), tenant.money);
                    leaves += money(&classes);
                }
            }
        }
        near(leaves, ledger.bill.money);
    }

    #[test]
    fn a_tenants_idle_money_goes_to_its_classes_as_its_work_does() {
        let ledger = ledger(&shared());
        let path = |state| Path { state, model: Some("m".into()), tenant: Some("b".into()) };
        let share = |state: Option<State>| {
            let found = path(state).fork(&ledger);
            let of = |name: &str| {
                found.parts.iter().find(|part| part.key == name).map_or(0.0, |part| part.money)
            };
            of("generated") / money(&found)
        };
        let idle = share(Some(State::HeldIdle));
        // Prompts take a quarter of the work for 10 000 tokens, answers the rest for 4000.
        let work = [2000.0 * 0.25 / 10_000.0, 2000.0 * 0.75 / 4000.0];
        assert!((idle - work[1] / (work[0] + work[1])).abs() < 1e-9, "{idle}");
        let free = Path { state: Some(State::Unallocated), ..Path::default() }.fork(&ledger);
        assert_eq!(free.parts[0].key, crate::ledger::PLATFORM);
        let missing = Path { model: Some("nobody's".into()), ..Path::default() };
        assert_eq!(missing.fork(&ledger).parts, []);
    }

    #[test]
    fn what_has_no_price_says_so() {
        let mut facts = shared();
        facts.gpus[2].wanted.gpu = Some("unheard of".into());
        let parts = Path::default().fork(&ledger(&facts)).parts;
        let of = |state: State| parts.iter().find(|part| part.key == state.name()).unwrap();
        assert!(!of(State::Unallocated).is_priced && of(State::HeldIdle).is_priced, "{parts:?}");
    }
}

//! How what one device did is divided among those who share it.
//!
//! Whatever is divided (time of the multiprocessors, bytes, joules), the parts add up: owners, idle and
//! unattributed together are the device. Nothing is divided by guess: what no owner is known for stays
//! unattributed.
//!
//! Energy follows the method of Kepler (active power by use), with the idle part told apart: what the
//! device takes without work goes to whoever holds it, by how much of it they hold, and else is idle.

use std::collections::BTreeMap;

/// Whoever is named by the caller: a pod, a job.
pub type Owner = String;

/// A device's amount, divided. All in the unit of the amount.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Split {
    pub owners: BTreeMap<Owner, f64>,
    /// What nobody used or held.
    pub idle: f64,
    /// What was used, and by whom is not known.
    pub unattributed: f64,
}

impl Split {
    /// All parts together.
    pub fn sum(&self) -> f64 {
        self.owners.values().sum::<f64>() + self.idle + self.unattributed
    }

    fn give(&mut self, owner: &str, amount: f64) {
        if amount > 0.0 {
            *self.owners.entry(owner.to_owned()).or_default() += amount;
        }
    }
}

/// What one process or container used; `None` is nobody who is known.
pub type Used<'a> = (Option<&'a str>, f64);

/// Numbers from outside: what is no amount is none.
fn amount(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

/// Divide `total`, of which `used` was used, by what each used.
///
/// Samples of processes are taken at other moments than those of the device: where they are more than
/// was used they are scaled down to it, where they are less the rest is unattributed.
pub fn by_use(total: f64, used: f64, users: &[Used<'_>]) -> Split {
    let total = amount(total);
    let used = amount(used).min(total);
    let told: f64 = users.iter().map(|(_, one)| amount(*one)).sum();
    let scale = if told > used { used / told } else { 1.0 };
    let mut split = Split { idle: total - used, ..Split::default() };
    let mut given = 0.0;
    for (owner, one) in users {
        let Some(owner) = owner else { continue };
        let part = amount(*one) * scale;
        split.give(owner, part);
        given += part;
    }
    split.unattributed = (used - given).max(0.0);
    split
}

/// Divide `total` by how much of the device each holds (0 to 1), such as instances, replicas or
/// fractions that a scheduler gave. Where more was given away than there is (time slicing), each gets
/// its part of what was given.
pub fn by_holding(total: f64, holders: &[(&str, f64)]) -> Split {
    let total = amount(total);
    let held: f64 = holders.iter().map(|(_, part)| amount(*part)).sum();
    let scale = if held > 1.0 { held.recip() } else { 1.0 };
    let mut split = Split::default();
    let mut given = 0.0;
    for (owner, part) in holders {
        let part = total * amount(*part) * scale;
        split.give(owner, part);
        given += part;
    }
    split.idle = (total - given).max(0.0);
    split
}

/// Divide the joules of a device. `resting_j` is what it would have taken without work: that goes by
/// holding, the rest by use. Where work was done and nobody is known to have done it, that part is
/// unattributed.
pub fn energy(total_j: f64, resting_j: f64, users: &[Used<'_>], holders: &[(&str, f64)]) -> Split {
    let total_j = amount(total_j);
    let resting_j = amount(resting_j).min(total_j);
    let active_j = total_j - resting_j;
    let told: f64 = users.iter().map(|(_, one)| amount(*one)).sum();
    let mut split = by_holding(resting_j, holders);
    let mut given = 0.0;
    for (owner, one) in users {
        let Some(owner) = owner.filter(|_| told > 0.0) else { continue };
        let part = active_j * (amount(*one) / told);
        split.give(owner, part);
        given += part;
    }
    split.unattributed = (active_j - given).max(0.0);
    split
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Owners and their parts, idle, unattributed.
    #[track_caller]
    fn check(split: &Split, owners: &[(&str, f64)], idle: f64, unattributed: f64) {
        let named: Vec<_> = split.owners.keys().map(String::as_str).collect();
        assert_eq!(named, owners.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let found = split.owners.values().chain([&split.idle, &split.unattributed]);
        let expected = owners.iter().map(|(_, part)| part).chain([&idle, &unattributed]);
        for (found, expected) in found.zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{split:?}");
        }
    }

    #[test]
    fn use_that_is_told_is_its_owners_and_the_rest_is_nobodys() {
        let (a, b) = (Some("a"), Some("b"));
        check(
            &by_use(80.0, 60.0, &[(a, 20.0), (b, 10.0)]),
            &[("a", 20.0), ("b", 10.0)],
            20.0,
            30.0,
        );
        // A process in no pod is told, and belongs to nobody.
        check(&by_use(80.0, 30.0, &[(a, 20.0), (None, 10.0)]), &[("a", 20.0)], 50.0, 10.0);
        // Two that each saw half of the time the device was busy.
        check(&by_use(1.0, 0.5, &[(a, 0.5), (b, 0.5)]), &[("a", 0.25), ("b", 0.25)], 0.5, 0.0);
        check(&by_use(1.0, f64::NAN, &[(a, 0.5)]), &[], 1.0, 0.0);
    }

    #[test]
    fn replicas_of_one_device_share_what_there_is() {
        check(&by_holding(8.0, &[("a", 0.25)]), &[("a", 2.0)], 6.0, 0.0);
        check(&by_holding(8.0, &[("a", 1.0), ("b", 1.0)]), &[("a", 4.0), ("b", 4.0)], 0.0, 0.0);
    }

    #[test]
    fn energy_at_rest_goes_to_holders_and_work_to_those_who_did_it() {
        let holders = [("a", 0.5), ("b", 0.25)];
        let split = energy(100.0, 40.0, &[(Some("a"), 0.3), (None, 0.1)], &holders);
        check(&split, &[("a", 20.0 + 45.0), ("b", 10.0)], 10.0, 15.0);
        check(&energy(100.0, 40.0, &[], &[]), &[], 40.0, 60.0);
    }

    fn users() -> impl Strategy<Value = Vec<(Option<usize>, f64)>> {
        let one = (proptest::option::of(0..6_usize), prop_oneof![0.0..100.0, Just(f64::NAN)]);
        proptest::collection::vec(one, 0..12)
    }

    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    proptest! {
        #[test]
        fn shares_idle_and_unattributed_add_up_to_the_device(
            total in 0.0..1e6_f64,
            used in 0.0..2e6_f64,
            used_by in users(),
            held_by in proptest::collection::vec((0..6_usize, 0.0..2.0_f64), 0..8),
        ) {
            let users: Vec<Used<'_>> =
                used_by.iter().map(|(who, part)| (who.map(|at| NAMES[at]), *part)).collect();
            let holders: Vec<_> = held_by.iter().map(|(at, part)| (NAMES[*at], *part)).collect();
            let splits = [
                by_use(total, used, &users),
                by_holding(total, &holders),
                energy(total, used, &users, &holders),
            ];
            for split in splits {
                prop_assert!((split.sum() - total).abs() <= 1e-9 * total.max(1.0), "{split:?}");
                let parts = split.owners.values().chain([&split.idle, &split.unattributed]);
                prop_assert!(parts.clone().all(|part| *part >= 0.0), "{split:?}");
                prop_assert!(parts.clone().all(|part| *part <= total + 1e-6), "{split:?}");
            }
        }
    }
}

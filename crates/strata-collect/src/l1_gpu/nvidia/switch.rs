//! Faults of `NVSwitches` (SXID), which only the kernel log tells.

use std::collections::BTreeMap;

use super::super::names;
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, plain};

const EVENTS: [Shape; 1] = [plain(names::SWITCH_FAULT_EVENTS)];

/// Switches times codes; a machine has four to six switches.
const SERIES_MAX: usize = 256;

struct Count {
    series: SeriesSet,
    value: u64,
    told: bool,
}

/// How bad it is, and what to do at once: the severity that the driver writes, and the Fabric Manager
/// user guide ("Runtime `NVSwitch` errors"): after a fatal one the GPUs and switches must be reset
/// together, or the machine restarted; of the others no step is asked for.
fn advice(fatal: Option<bool>) -> (&'static str, &'static str) {
    match fatal {
        Some(true) => ("fatal", "reset_gpus_and_switches"),
        Some(false) => ("non_fatal", "none"),
        None => ("unknown", "none"),
    }
}

/// Counts by address, code and severity.
#[derive(Default)]
pub(super) struct Switches {
    counts: BTreeMap<(String, u32, Option<bool>), Count>,
    last_round_ms: Option<i64>,
}

impl Switches {
    /// Count one. What the driver adds in lines of its own (registers, without a severity) is part of
    /// the fault before it.
    pub(super) fn count(
        &mut self,
        (code, fatal): (u32, Option<bool>),
        address: &str,
        node: &str,
        round: &mut Round,
    ) {
        let known = |one: &(String, u32, Option<bool>)| {
            one.0 == address && one.1 == code && one.2.is_some()
        };
        if fatal.is_none() && self.counts.keys().any(known) {
            return;
        }
        let key = (address.to_owned(), code, fatal);
        if self.counts.len() >= SERIES_MAX && !self.counts.contains_key(&key) {
            round.over_limit("codes of NVSwitch faults", SERIES_MAX, 1);
            return;
        }
        let make = || {
            let text = code.to_string();
            let (class, action) = advice(fatal);
            let identity = [
                ("pci_address", address),
                ("code", &*text),
                ("vendor", "nvidia"),
                ("class", class),
                ("action", action),
            ];
            Count { series: SeriesSet::new(&EVENTS, node, &identity), value: 0, told: false }
        };
        self.counts.entry(key).or_insert_with(make).value += 1;
    }

    pub(super) fn tell(&mut self, round: &mut Round) {
        for count in self.counts.values_mut() {
            // As with the devices: it was zero before.
            if !count.told {
                let before = self.last_round_ms.unwrap_or(round.at_ms - 1);
                round.emit_at(count.series.get(0), before, 0.0);
            }
            count.told = true;
            round.emit(count.series.get(0), count.value as f64);
        }
        self.last_round_ms = Some(round.at_ms);
    }
}

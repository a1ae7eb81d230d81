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

/// Counts by address and code.
#[derive(Default)]
pub(super) struct Switches {
    counts: BTreeMap<(String, u32), Count>,
    last_round_ms: Option<i64>,
}

impl Switches {
    pub(super) fn count(&mut self, code: u32, address: &str, node: &str, round: &mut Round) {
        let key = (address.to_owned(), code);
        if self.counts.len() >= SERIES_MAX && !self.counts.contains_key(&key) {
            round.over_limit("codes of NVSwitch faults", SERIES_MAX, 1);
            return;
        }
        let make = || {
            let text = code.to_string();
            let identity = [("pci_address", address), ("code", &*text), ("vendor", "nvidia")];
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

//! XIDs of one device: counted by code, with NVIDIA's advice, and who caused the last ones.

use std::collections::BTreeMap;

use strata_model::xid::meaning;

use super::super::names;
use super::super::owner::Whose;
use super::facts::Facts;
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, plain};

const EVENTS: [Shape; 1] = [plain(names::FAULT_EVENTS)];
const LAST: [Shape; 1] = [plain(names::XID_LAST)];
const CULPRIT: [Shape; 1] = [plain(names::FAULT_CULPRIT)];

/// Codes and instances of one device that are counted; NVIDIA knows some 170 codes.
const CODES_MAX: usize = 64;
/// Culprits of one device that are told at a time, and for how long.
const CULPRITS_MAX: usize = 8;
const CULPRIT_MS: i64 = 3_600_000;

struct Count {
    series: SeriesSet,
    value: u64,
    told: bool,
}

struct Culprit {
    series: SeriesSet,
    at_ms: i64,
}

/// The faults of one device since we watch it.
#[derive(Default)]
pub(super) struct Faults {
    /// By code and instance of MIG.
    counts: BTreeMap<(u64, Option<u32>), Count>,
    none: Option<SeriesSet>,
    last: Option<(u64, SeriesSet)>,
    /// By code and PID.
    culprits: BTreeMap<(u64, u32), Culprit>,
    last_round_ms: Option<i64>,
    /// The driver tells us itself; the kernel log is then read for the culprit only.
    pub(super) listening: bool,
}

impl Faults {
    /// Count one fault.
    pub(super) fn count(
        &mut self,
        code: u64,
        instance: Option<u32>,
        (facts, node): (&Facts, &str),
        round: &mut Round,
    ) {
        let key = (code, instance);
        if self.counts.len() >= CODES_MAX && !self.counts.contains_key(&key) {
            round.over_limit("codes of faults of one device", CODES_MAX, 1);
            return;
        }
        let make = || {
            let (text, advice) = (code.to_string(), meaning(code));
            let instance = instance.map(|id| id.to_string()).unwrap_or_default();
            let [uuid, index, model] = facts.labels();
            let identity = [
                uuid,
                index,
                model,
                ("vendor", "nvidia"),
                ("code", &*text),
                ("class", advice.class),
                ("action", advice.action),
                ("mig_instance", &*instance),
            ];
            Count { series: SeriesSet::new(&EVENTS, node, &identity), value: 0, told: false }
        };
        self.counts.entry(key).or_insert_with(make).value += 1;
        self.last = Some((code, SeriesSet::new(&LAST, node, &facts.labels())));
    }

    /// Note who caused a fault, as the kernel log says.
    pub(super) fn blame(
        &mut self,
        (code, pid, at_ms): (u64, u32, i64),
        whose: &Whose,
        (facts, node): (&Facts, &str),
    ) {
        let (text, process_id) = (code.to_string(), pid.to_string());
        let [uuid, index, model] = facts.labels();
        let identity = [
            uuid,
            index,
            model,
            ("code", &*text),
            ("pid", &*process_id),
            ("process", &*whose.process),
            ("pod_uid", &*whose.pod_uid),
            ("container_id", &*whose.container_id),
            ("slurm_job_id", &*whose.slurm_job_id),
        ];
        let series = SeriesSet::new(&CULPRIT, node, &identity);
        self.culprits.insert((code, pid), Culprit { series, at_ms });
        while self.culprits.len() > CULPRITS_MAX {
            let oldest = self.culprits.iter().min_by_key(|(_, one)| one.at_ms);
            let Some(key) = oldest.map(|(key, _)| *key) else { return };
            self.culprits.remove(&key);
        }
    }

    /// The labels of the device changed (its index): they are made anew, the counts stay.
    pub(super) fn renamed(&mut self, (facts, node): (&Facts, &str), round: &mut Round) {
        let before = std::mem::take(&mut self.counts);
        let last = self.last.take().map(|(code, _)| code);
        for ((code, instance), old) in before {
            self.count(code, instance, (facts, node), round);
            if let Some(new) = self.counts.get_mut(&(code, instance)) {
                (new.value, new.told) = (old.value, true);
            }
        }
        self.last = last.map(|code| (code, SeriesSet::new(&LAST, node, &facts.labels())));
        self.none = None;
        self.culprits.clear();
    }

    pub(super) fn tell(&mut self, (facts, node): (&Facts, &str), round: &mut Round) {
        if self.listening {
            // Without a code: we are watching, and this is where a count would stand.
            let none = self.none.get_or_insert_with(|| {
                let [uuid, index, model] = facts.labels();
                SeriesSet::new(&EVENTS, node, &[uuid, index, model, ("vendor", "nvidia")])
            });
            round.emit(none.get(0), 0.0);
        }
        for count in self.counts.values_mut() {
            // A series that begins with its first event would hide it from `increase`: say that it
            // was zero before, which is true, since we watch from then on.
            if !count.told {
                let before = self.last_round_ms.unwrap_or(round.at_ms - 1);
                round.emit_at(count.series.get(0), before, 0.0);
            }
            count.told = true;
            round.emit(count.series.get(0), count.value as f64);
        }
        if let Some((code, series)) = &self.last {
            round.emit(series.get(0), *code as f64);
        }
        let now = round.at_ms;
        self.culprits.retain(|_, one| now - one.at_ms < CULPRIT_MS);
        for one in self.culprits.values() {
            round.emit(one.series.get(0), one.at_ms as f64 / 1e3);
        }
        self.last_round_ms = Some(now);
    }
}
